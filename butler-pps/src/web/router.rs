//! Where the routes are.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use butler_server::observability::middleware::on_panic;
use butler_server::page;
use http::{HeaderValue, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::app::WebApp;
use super::error::WebError;
use super::{
    ages, audit, commands, counts, datasets, health, holds, openapi, pages, problems, tasks,
    throughput, user, webhooks,
};

/// Where everything is but health and metrics.
pub const PREFIX: &str = "/prompt-publication";

/// Metrics and health alone.
pub fn health_router(app: WebApp) -> Router {
    finished(health_routes(), app)
}

fn health_routes() -> Router<WebApp> {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
}

/// Routes with what all of them have.
fn finished(routes: Router<WebApp>, app: WebApp) -> Router {
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(CatchPanicLayer::custom(on_panic))
        .with_state(app)
}

/// All routes.
pub fn router(app: WebApp) -> Router {
    let api = Router::new()
        .route("/user", get(user::get))
        .route("/counts", get(counts::get))
        .route("/ages", get(ages::get))
        .route("/throughput", get(throughput::get))
        .route("/tasks", get(tasks::get))
        .route("/problems", get(problems::get))
        .route("/holds", get(holds::get))
        .route("/webhooks", get(webhooks::get))
        .route("/datasets/{id}", get(datasets::get))
        .route("/search", get(datasets::search))
        .route("/audit", get(audit::get))
        .route("/commands", post(commands::post))
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ));
    let to_page = || async { Redirect::to("/prompt-publication/") };
    let routes = health_routes()
        .nest(&format!("{PREFIX}/api"), api)
        .route(&format!("{PREFIX}/openapi.json"), get(openapi::document))
        .route(&format!("{PREFIX}/docs"), get(page::openapi))
        .route(&format!("{PREFIX}/web/{{name}}"), get(pages::file))
        .route(&format!("{PREFIX}/"), get(pages::index))
        .route(PREFIX, get(to_page))
        .route("/", get(to_page));
    finished(routes, app)
}

async fn unknown_path() -> WebError {
    WebError::not_found()
}

async fn unknown_method() -> WebError {
    WebError::refused(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

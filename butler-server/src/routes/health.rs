//! `/`, `/health/live`, `/health/ready`, `/metrics`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::ApiResult;
use crate::repositories::Served;
use crate::routes::web;

/// How long a database may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// What this application is: metadata for programs, for browsers a page to look at the repositories.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "index",
    responses((status = 200, description = "The answer", content((Object = "application/json"), (String = "text/html")))),
)]
pub(crate) async fn index(headers: HeaderMap) -> Response {
    if web::prefers_html(&headers) {
        return web::page().await;
    }
    let body = json!({
        "name": "butler",
        "version": env!("CARGO_PKG_VERSION"),
        "description": env!("CARGO_PKG_DESCRIPTION"),
    });
    ([(header::VARY, "accept")], Json(body)).into_response()
}

/// That the process answers.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    responses((status = 200, description = "The answer", body = Object)),
)]
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether the databases of all repositories answer.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    responses((status = 200, description = "The answer", body = Object), (status = 503, description = "The databases of some repositories do not answer; their labels are listed", body = Object)),
)]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let checks = app
        .repositories
        .values()
        .map(|one| async { (one.name.as_str(), is_ready(one).await) });
    let answers = futures::future::join_all(checks).await;
    let silent = answers.into_iter().filter(|(_, answers)| !answers);
    let silent: Vec<&str> = silent.map(|(name, _)| name).collect();
    if silent.is_empty() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let body = json!({
        "status": "the databases of some repositories do not answer",
        "repositories": silent,
    });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn is_ready(served: &Served) -> bool {
    let Some(repository) = served.repository() else {
        return false;
    };
    let name = &repository.name;
    match tokio::time::timeout(PATIENCE, repository.check()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(butler_repo = name, %error, "the database of a repository fails");
            false
        }
        Err(_) => {
            tracing::error!(butler_repo = name, "the database of a repository is silent");
            false
        }
    }
}

/// Numbers for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((status = 200, description = "The answer", body = String, content_type = "application/openmetrics-text")),
)]
pub(crate) async fn metrics(State(app): State<App>) -> ApiResult<Response> {
    let text = app.metrics.render(&app)?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

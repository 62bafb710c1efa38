//! Where the routes are.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, header};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::ApiError;
use crate::observability::middleware::{observe, on_panic};
use crate::routes::{
    client_config, collections, configs, data_ids, dataset_types, datasets, download, file, files,
    health, queries, repositories, search, web,
};
use crate::{openapi, page};

/// Where all routes for clients are.
pub const PREFIX: &str = "/api/butler";

/// Where static files are.
pub(crate) const CONFIGS: &str = "/api/butler/configs";

/// All routes.
pub fn router(app: App) -> Router {
    let repository = Router::new()
        .route("/butler.yaml", get(client_config::yaml))
        .route("/butler.json", get(client_config::json))
        .route("/v1/universe", get(data_ids::universe))
        .route("/v1/expand_data_id", post(data_ids::expand))
        .route("/v1/dataset_type/{name}", get(dataset_types::get))
        .route("/v1/query_dataset_types", post(dataset_types::query))
        .route("/v1/dataset/{id}", get(datasets::get))
        .route("/v1/dataset/{id}/download", get(download::redirect))
        .route("/v1/datasets", post(datasets::get_many))
        .route("/v1/find_dataset", post(datasets::find))
        .route("/v1/get_file/{id}", get(files::get))
        .route("/v1/get_file_by_data_id", post(files::get_by_data_id))
        .route("/v1/file_transfer", post(files::transfer))
        .route("/v1/file/{id}/{name}", get(file::get))
        .route("/v1/collection_info", get(collections::info))
        .route("/v1/collection_summary", get(collections::summary))
        .route("/v1/query_collections", post(collections::query_names))
        .route("/v1/query_collection_info", post(collections::query_info))
        .route("/v1/query/execute", post(queries::execute))
        .route("/v1/query/all_datasets", post(queries::all_datasets))
        .route("/v1/query/count", post(queries::count))
        .route("/v1/query/any", post(queries::any))
        .route("/v1/query/explain", post(queries::explain))
        .route("/web/search", post(search::datasets))
        .route("/web/datasets.csv", get(search::table));
    Router::new()
        .nest(&format!("{PREFIX}/repo/{{repository}}"), repository)
        .route(&format!("{CONFIGS}/{{*path}}"), get(configs::get))
        .route(&format!("{PREFIX}/openapi.json"), get(openapi::document))
        .route(&format!("{PREFIX}/docs"), get(page::openapi))
        .route(&format!("{PREFIX}/repositories"), get(repositories::list))
        .route(PREFIX, get(web::page))
        .route(&format!("{PREFIX}/"), get(web::page))
        .route(&format!("{PREFIX}/web/{{name}}"), get(web::file))
        .route("/", get(health::index))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(middleware::from_fn(name_host))
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// HTTP/2 names the host in the URI; routes look for the header.
async fn name_host(mut request: Request, next: Next) -> Response {
    if !request.headers().contains_key(header::HOST)
        && let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    next.run(request).await
}

async fn unknown_path() -> ApiError {
    ApiError::not_found("Not Found")
}

async fn unknown_method() -> ApiError {
    ApiError::refused(http::StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

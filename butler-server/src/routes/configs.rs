//! `/api/butler/configs/…`: files of a directory, as they are.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

use crate::app::App;
use crate::error::ApiError;
use crate::openapi::Detail;
use crate::router::CONFIGS;

/// A file below the directory that the settings name. It needs no authentication.
#[utoipa::path(
    get,
    path = "/api/butler/configs/{path}",
    operation_id = "get_static_file",
    params(("path" = String, Path, description = "The file's path")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, description = "There is no such file", body = Detail)),
)]
pub(crate) async fn get(State(app): State<App>, request: Request) -> Response {
    serve(&app, request)
        .await
        .unwrap_or_else(|| ApiError::not_found("Not Found").into_response())
}

async fn serve(app: &App, request: Request) -> Option<Response> {
    let directory = app.settings.static_files_path.as_ref()?;
    let below = request.uri().path().strip_prefix(CONFIGS)?;
    let uri = format!("/{}", below.trim_start_matches('/')).parse().ok()?;
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    let files = ServeDir::new(directory).append_index_html_on_directories(false);
    let answer = files.oneshot(Request::from_parts(parts, body)).await;
    let Ok(response) = answer;
    (response.status() != StatusCode::NOT_FOUND).then(|| response.into_response())
}

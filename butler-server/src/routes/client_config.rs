//! `butler.yaml`, `butler.json`: how clients are to reach this server.

use axum::extract::State;
use axum::response::Response;

use super::json_body;
use crate::app::App;

/// The configuration of a client, as YAML. It needs no authentication.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/butler.yaml",
    operation_id = "get_client_config_yaml",
    params(("repository" = String, Path, description = "The repository's label")),
    responses((status = 200, description = "The configuration", body = Object)),
)]
pub(crate) async fn yaml(State(app): State<App>) -> Response {
    // All JSON is YAML.
    json_body(app.client_config.clone())
}

/// The configuration of a client, as JSON. It needs no authentication.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/butler.json",
    operation_id = "get_client_config_json",
    params(("repository" = String, Path, description = "The repository's label")),
    responses((status = 200, description = "The configuration", body = Object)),
)]
pub(crate) async fn json(State(app): State<App>) -> Response {
    json_body(app.client_config.clone())
}

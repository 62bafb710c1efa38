//! `butler.yaml`, `butler.json`: how clients are to reach this server.

use axum::extract::State;
use axum::response::Response;

use super::json_body;
use crate::app::App;

/// The configuration of a client, as JSON, which is YAML as well. It needs no authentication.
pub(crate) async fn get(State(app): State<App>) -> Response {
    json_body(app.client_config.clone())
}

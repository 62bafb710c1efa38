//! `/health/live`, `/health/ready`, `/metrics`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::app::WebApp;
use super::error::WebResult;
use super::metrics;

/// How long the state database may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// That the process answers.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    responses((status = 200, description = "The answer", body = Object)),
)]
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether the state database answers; and whether this instance runs the tasks.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    responses(
        (status = 200, description = "It does", body = Object),
        (status = 503, description = "It does not", body = Object),
    ),
)]
pub(super) async fn ready(State(app): State<WebApp>) -> Response {
    let active = app.is_active();
    let error = match tokio::time::timeout(PATIENCE, app.state.ping()).await {
        Ok(Ok(())) => return Json(json!({ "status": "ok", "active": active })).into_response(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it is silent".to_owned(),
    };
    tracing::error!(error, "the state database does not answer");
    let body = json!({ "status": "the state database does not answer", "active": active });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Numbers for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    responses((
        status = 200, description = "The answer", body = String, content_type = "application/openmetrics-text",
    )),
)]
pub(super) async fn metrics(State(app): State<WebApp>) -> WebResult<Response> {
    let text = metrics::render(&app).await?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

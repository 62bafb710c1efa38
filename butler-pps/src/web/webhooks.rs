//! `webhooks`: how far each receiver of announcements is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::openapi::Refusals;

/// How far each receiver is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhooks {
    /// Sorted by name. One that was never to be told of anything is not among them.
    receivers: Vec<Receiver>,
}

/// How far a receiver of announcements is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receiver {
    /// Its name.
    name: String,
    /// How many deliveries it is yet to have.
    pending: i64,
    /// How many it has.
    delivered: i64,
    /// How many were given up; the command `resend` has them tried again.
    given_up: i64,
    /// Why one of these failed.
    error: Option<String>,
}

/// How far each receiver of announcements is.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/webhooks",
    operation_id = "webhooks",
    responses((status = 200, description = "The answer", body = Webhooks), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Webhooks>> {
    let counts = app.state.delivery_counts().await?;
    let receivers = counts.into_iter().map(|counts| Receiver {
        name: counts.webhook,
        pending: counts.pending,
        delivered: counts.delivered,
        given_up: counts.dead,
        error: counts.error,
    });
    Ok(Json(Webhooks {
        receivers: receivers.collect(),
    }))
}

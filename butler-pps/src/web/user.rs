//! `user`: who somebody is, and what they may do.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Reader, may_command};
use super::app::WebApp;
use super::error::WebResult;
use super::openapi::Refusals;
use crate::clock::Moment;

/// The sender of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserModel {
    /// The name.
    name: String,
    /// Whether they may give commands.
    may_command: bool,
    /// Whether the instance that answers is the one that runs the tasks.
    active: bool,
    /// What time it is by the service's clock, in milliseconds since 1970 UTC.
    time: Moment,
    /// The service's version.
    version: &'static str,
}

/// Who the sender of the request is, and what they may do.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/user",
    operation_id = "user",
    responses((status = 200, description = "The answer", body = UserModel), Refusals),
)]
pub(super) async fn get(
    reader: Reader,
    State(app): State<WebApp>,
    headers: HeaderMap,
) -> WebResult<Json<UserModel>> {
    Ok(Json(UserModel {
        name: reader.name,
        may_command: may_command(&app, &headers).await?,
        active: app.is_active(),
        time: app.clock.now(),
        version: env!("CARGO_PKG_VERSION"),
    }))
}

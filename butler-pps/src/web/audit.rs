//! `audit`: who has commanded what.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::models::AuditModel;
use super::openapi::Refusals;

/// The most entries of one answer.
const MOST: u32 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many entries, at most 1000; 50 if it is not said.
    limit: Option<u32>,
    /// How many of the latest to leave out.
    offset: Option<u32>,
    /// A text that the subject has in it, such as a dataset's ID.
    about: Option<String>,
}

/// Who has commanded what.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLog {
    /// The latest first.
    entries: Vec<AuditModel>,
}

/// Who has commanded what, and what came of it.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/audit",
    operation_id = "audit",
    params(Wanted),
    responses((status = 200, description = "The answer", body = AuditLog), Refusals),
)]
pub(super) async fn get(
    _: Reader,
    State(app): State<WebApp>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> WebResult<Json<AuditLog>> {
    let Query(wanted) = wanted?;
    let about = wanted.about.unwrap_or_default();
    let limit = wanted.limit.unwrap_or(50).min(MOST);
    let offset = wanted.offset.unwrap_or_default();
    let entries = app.state.audit_log_about(&about, limit, offset).await?;
    Ok(Json(AuditLog {
        entries: entries.into_iter().map(AuditModel::from).collect(),
    }))
}

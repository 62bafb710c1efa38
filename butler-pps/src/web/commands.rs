//! `commands`: what may be commanded.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::access::Commander;
use super::app::WebApp;
use super::error::{WebError, WebResult};
use super::models::AuditModel;
use super::openapi::{BodyRefusals, Refusals};
use crate::commands::Command;

/// The most datasets of one command.
const MOST: usize = 10_000;

/// A command, confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandRequest {
    /// The command.
    command: Command,
    /// What is commanded, repeated in words: `pause to_main`, `hold visit LSSTCam 2025120200439`, `retry all`,
    /// `force expire 3 datasets` (`force expire` and the ID for one). What is expected is said if it is something else.
    #[serde(default)]
    confirm: String,
}

/// Gives a command, which is noted in the audit log with the sender's name. The answer is the note.
///
/// Only members of the groups of `PROMPTPUB_WEB_GROUPS` may. Requests of pages of other sites are refused.
#[utoipa::path(
    post,
    path = "/prompt-publication/api/commands",
    operation_id = "command",
    request_body = CommandRequest,
    responses(
        (status = 200, description = "It is carried out", body = AuditModel), Refusals, BodyRefusals,
    ),
)]
pub(super) async fn post(
    commander: Commander,
    State(app): State<WebApp>,
    request: Result<Json<CommandRequest>, JsonRejection>,
) -> WebResult<Json<AuditModel>> {
    let Json(CommandRequest { command, confirm }) = request?;
    if let Command::Retry { ids } | Command::ForceExpire { ids } = &command
        && ids.len() > MOST
    {
        let detail = format!(
            "A command may name {MOST} datasets at most, not {}",
            ids.len()
        );
        return Err(WebError::refused(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let summary = command.summary();
    if confirm != summary {
        return Err(WebError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("The command is not confirmed: \"confirm\" must be \"{summary}\""),
        ));
    }
    let name = &commander.name;
    tracing::info!(user = name, command = summary, "commanded");
    let entry = command.execute(&app.state, name, app.clock.now()).await?;
    Ok(Json(entry.into()))
}

//! `problems`: what does not get on, and why.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::models::{DatasetModel, UnknownModel};
use super::openapi::Refusals;
use crate::clock::Moment;
use crate::state::InputFile;

/// How many of each kind are shown.
const MOST: u32 = 200;

/// What does not get on, and why; 200 of each kind at most.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problems {
    /// Datasets that are not where they should be; the oldest first.
    missing: Vec<DatasetModel>,
    /// Datasets of which the last attempt at a step failed; it will be made again.
    stuck: Vec<DatasetModel>,
    /// Datasets that the embargo repository does not know.
    unknown: Vec<UnknownModel>,
    /// Files of inputs that could not be used; the latest first.
    files: Vec<FileModel>,
}

/// A file of an input that could not be used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileModel {
    /// Its address.
    uri: String,
    /// When it was read, in milliseconds since 1970 UTC.
    read: Moment,
    /// Why it could not be used.
    error: Option<String>,
}

impl From<InputFile> for FileModel {
    fn from(file: InputFile) -> Self {
        Self {
            uri: file.uri,
            read: file.read,
            error: file.error,
        }
    }
}

/// Missing, stuck and unknown datasets and unusable inputs, with reasons. How many there are, `counts` says.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/problems",
    operation_id = "problems",
    responses((status = 200, description = "The answer", body = Problems), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Problems>> {
    let (state, now) = (&app.state, app.clock.now());
    let missing = state.missing(MOST).await?;
    let stuck = state.stuck(MOST).await?;
    let unknown = state.unknown(now, true, MOST).await?;
    let files = state.failed_input_files(MOST).await?;
    Ok(Json(Problems {
        missing: missing.iter().map(DatasetModel::from).collect(),
        stuck: stuck.iter().map(DatasetModel::from).collect(),
        unknown: unknown.into_iter().map(UnknownModel::from).collect(),
        files: files.into_iter().map(FileModel::from).collect(),
    }))
}

//! `tasks`: what the steps are at.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::openapi::Refusals;
use crate::clock::Moment;
use crate::state::Step;

/// What the steps are at.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tasks {
    /// By the service's clock, in milliseconds since 1970 UTC; so are all times.
    time: Moment,
    /// In the order of a dataset's life.
    tasks: Vec<TaskModel>,
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskModel {
    /// The name.
    name: &'static str,
    /// The repository that datasets come from, for those that copy something.
    source: Option<&'static str>,
    /// The repository that it changes.
    target: &'static str,
    /// Whether it is not to run.
    paused: bool,
    /// Whether a run has begun and not ended.
    running: bool,
    /// When somebody asked for a run that has not begun.
    requested: Option<Moment>,
    /// When the last run began.
    started: Option<Moment>,
    /// When the last run ended.
    finished: Option<Moment>,
    /// When the last run ended that went well.
    succeeded: Option<Moment>,
    /// When the next run will be.
    next: Option<Moment>,
    /// How many datasets the last run took through the step.
    done: i64,
    /// How many it could not.
    failed: i64,
    /// How many datasets went through the step in all.
    total_done: i64,
    /// How many runs there have been.
    runs: i64,
    /// How many of them failed.
    failed_runs: i64,
    /// Why the last run that failed did.
    error: Option<String>,
    /// When it did. What is older than `succeeded` is over.
    error_time: Option<Moment>,
    /// How many datasets were ready for it when `counts` were made.
    ready: i64,
    /// For how many milliseconds the first of these had been.
    ready_age: i64,
}

/// What the steps are at, with their last and next runs and errors.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/tasks",
    operation_id = "tasks",
    responses((status = 200, description = "The answer", body = Tasks), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Tasks>> {
    let overview = app.overview().await?;
    let mut tasks = Vec::with_capacity(Step::ALL.len());
    for step in Step::ALL {
        let task = app.state.task(step.name()).await?;
        let backlog = overview.backlog(step);
        tasks.push(TaskModel {
            name: step.name(),
            source: step.source().map(|source| source.name()),
            target: step.target().name(),
            paused: task.paused,
            running: task.started > task.finished,
            requested: task.requested,
            started: task.started,
            finished: task.finished,
            succeeded: task.succeeded,
            next: task.next,
            done: task.done,
            failed: task.failed,
            total_done: task.total_done,
            runs: task.runs,
            failed_runs: task.failed_runs,
            error: task.error,
            error_time: task.error_time,
            ready: backlog.datasets,
            ready_age: backlog.age,
        });
    }
    Ok(Json(Tasks {
        time: app.clock.now(),
        tasks,
    }))
}

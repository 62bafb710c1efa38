//! `throughput`: how much each task did in each hour.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Reader;
use super::app::WebApp;
use super::error::{WebError, WebResult};
use super::openapi::Refusals;
use crate::clock::Moment;
use crate::state::Step;

const HOUR: i64 = 3_600_000;

/// The most hours that may be asked for: a year.
const MOST: i64 = 366 * 24;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How many hours, this one among them, at most 8784; 48 if it is not said.
    hours: Option<i64>,
}

/// How much tasks did in each hour.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Throughput {
    /// When the first hour began, in milliseconds since 1970 UTC.
    since: Moment,
    /// How many hours there are.
    hours: i64,
    /// In the order of a dataset's life.
    tasks: Vec<TaskThroughput>,
}

/// How much a task did in each hour.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskThroughput {
    /// The task.
    name: &'static str,
    /// The hours in which it did something.
    hours: Vec<HourModel>,
}

/// How much a task did in an hour.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HourModel {
    /// When the hour began.
    time: Moment,
    /// How many datasets went through the step.
    done: i64,
    /// How many times a dataset could not.
    failed: i64,
}

/// How much each task did in each of the last hours.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/throughput",
    operation_id = "throughput",
    params(Wanted),
    responses((status = 200, description = "The answer", body = Throughput), Refusals),
)]
pub(super) async fn get(
    _: Reader,
    State(app): State<WebApp>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> WebResult<Json<Throughput>> {
    let hours = wanted?.hours.unwrap_or(48);
    if !(1..=MOST).contains(&hours) {
        return Err(WebError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("hours must be from 1 to {MOST}, not {hours}"),
        ));
    }
    let this = app.clock.now().0.div_euclid(HOUR) * HOUR;
    let since = Moment(this - (hours - 1) * HOUR);
    let found = app.state.throughput(since).await?;
    let tasks = Step::ALL.map(|step| TaskThroughput {
        name: step.name(),
        hours: found
            .iter()
            .filter(|hour| hour.name == step.name())
            .map(|hour| HourModel {
                time: hour.hour,
                done: hour.done,
                failed: hour.failed,
            })
            .collect(),
    });
    Ok(Json(Throughput {
        since,
        hours,
        tasks: tasks.into(),
    }))
}

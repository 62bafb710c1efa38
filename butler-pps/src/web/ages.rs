//! `ages`: how old datasets are, and how far.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::openapi::Refusals;
use super::overview::{NIGHTS, StageCounts};
use crate::clock::Moment;
use crate::state::Night;

/// How old datasets are, and how far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ages {
    /// When they were counted, in milliseconds since 1970 UTC.
    time: Moment,
    /// The last 45 nights, the oldest first.
    nights: Vec<NightCounts>,
    /// Datasets of all nights before.
    older: StageCounts,
}

/// Datasets of a night, which goes from noon to noon UTC.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NightCounts {
    /// When it began, in milliseconds since 1970 UTC. Its date is the `day_obs` of the observations.
    begin: Moment,
    /// How many are how far.
    stages: StageCounts,
}

/// How many datasets of each night are how far.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/ages",
    operation_id = "ages",
    responses((status = 200, description = "The answer", body = Ages), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Ages>> {
    let overview = app.overview().await?;
    let Night(first) = overview.first_night();
    let mut nights: Vec<NightCounts> = (first..first + NIGHTS)
        .map(|night| NightCounts {
            begin: Night(night).begin(),
            stages: StageCounts::default(),
        })
        .collect();
    let mut older = StageCounts::default();
    for (Night(night), statuses, count) in &overview.nights {
        let place = usize::try_from(night - first).ok();
        // What was observed after now, by a clock that is ahead, is of this night.
        let last = nights.len() - 1;
        match place {
            Some(place) => nights[place.min(last)].stages.add(*statuses, *count),
            None => older.add(*statuses, *count),
        }
    }
    Ok(Json(Ages {
        time: overview.time,
        nights,
        older,
    }))
}

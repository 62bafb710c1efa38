//! `ages`: how old datasets are, and how far.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::openapi::Refusals;
use super::overview::{AGES, StageCounts};
use crate::clock::Moment;

/// How old datasets are, and how far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ages {
    /// When they were counted, in milliseconds since 1970 UTC.
    time: Moment,
    /// From the youngest to the oldest.
    classes: Vec<AgeClass>,
}

/// Datasets of about the same age.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AgeClass {
    /// They have reached this age, in milliseconds since the observation.
    from: i64,
    /// They have not reached this one; none for the oldest.
    to: Option<i64>,
    /// How many are how far.
    stages: StageCounts,
}

/// How old datasets are since their observation, and how far. As old as `counts`.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/ages",
    operation_id = "ages",
    responses((status = 200, description = "The answer", body = Ages), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Ages>> {
    let overview = app.overview().await?;
    let ends = AGES.iter().map(|age| Some(*age)).chain([None]);
    let mut classes: Vec<AgeClass> = std::iter::once(0)
        .chain(AGES)
        .zip(ends)
        .map(|(from, to)| AgeClass {
            from,
            to,
            stages: StageCounts::default(),
        })
        .collect();
    for group in &overview.groups {
        if let Some(class) = classes.get_mut(group.age) {
            class.stages.add(group);
        }
    }
    Ok(Json(Ages {
        time: overview.time,
        classes,
    }))
}

//! `datasets` and `search`: what has become of a dataset, and what will.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::Reader;
use super::app::{Shared, WebApp};
use super::error::{WebError, WebResult};
use super::models::{AuditModel, DatasetModel, RuleModel, UnknownModel, VisitModel};
use super::openapi::Refusals;
use crate::clock::Moment;
use crate::policy::Rule;
use crate::state::{DatasetState, Step};

/// How many datasets of a visit are shown.
const MOST: u32 = 5_000;

/// How many commands are shown.
const COMMANDS: u32 = 100;

/// A moment so late that everything which waits for the time alone is ready.
const LATE: i64 = i64::MAX / 2;

/// What has become of a dataset, and what will.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// The dataset as it is now.
    dataset: DatasetModel,
    /// The rule of the policy for its type; none if it stays in embargo.
    rule: Option<RuleModel>,
    /// Whether its type is held back.
    type_held: bool,
    /// What has happened to it, in the order of time.
    events: Vec<Event>,
    /// The steps that wait for nothing but the time, in the order of time. None are taken while it is held back.
    next: Vec<Event>,
    /// Commands that name it or its visit, the latest first.
    commands: Vec<AuditModel>,
}

/// A step in the life of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    /// When it was taken, or may be; milliseconds since 1970 UTC.
    time: Moment,
    /// The task; for the observation `observed`.
    step: &'static str,
    /// The repository in which something changes; for the observation none.
    repository: Option<&'static str>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The UUID of a dataset, the number of a visit, or an instrument and a visit.
    q: String,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Found {
    /// The dataset with this UUID.
    dataset: Option<History>,
    /// The dataset with this UUID, if the embargo repository does not know it.
    unknown: Option<UnknownModel>,
    /// The visits with this number.
    visits: Vec<FoundVisit>,
}

/// A visit with its datasets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FoundVisit {
    /// The visit.
    visit: VisitModel,
    /// Its datasets, 5000 at most, sorted by type.
    datasets: Vec<DatasetModel>,
}

/// What has become of a dataset, and what will.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/datasets/{id}",
    operation_id = "dataset",
    params(("id" = Uuid, Path, description = "The dataset")),
    responses((status = 200, description = "The answer", body = History), Refusals),
)]
pub(super) async fn get(
    _: Reader,
    State(app): State<WebApp>,
    id: Result<Path<Uuid>, PathRejection>,
) -> WebResult<Json<History>> {
    let Path(id) = id?;
    let found = history(&app, id).await?;
    let unknown = || WebError::refused(StatusCode::NOT_FOUND, format!("There is no dataset {id}"));
    found.map(Json).ok_or_else(unknown)
}

/// Finds datasets and visits.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/search",
    operation_id = "search",
    params(Wanted),
    responses((status = 200, description = "The answer", body = Found), Refusals),
)]
pub(super) async fn search(
    _: Reader,
    State(app): State<WebApp>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> WebResult<Json<Found>> {
    let Query(Wanted { q }) = wanted?;
    if let Ok(id) = q.trim().parse::<Uuid>() {
        return Ok(Json(Found {
            dataset: history(&app, id).await?,
            unknown: app.state.unknown_dataset(id).await?.map(UnknownModel::from),
            visits: Vec::new(),
        }));
    }
    let words: Vec<&str> = q.split_whitespace().collect();
    let (instrument, visit) = match words[..] {
        [visit] => (None, visit.parse()),
        [instrument, visit] => (Some(instrument), visit.parse()),
        _ => (None, q.parse()),
    };
    let visit: i64 = visit.map_err(|_| {
        let detail = format!(
            "'{}' is neither the UUID of a dataset nor the number of a visit (perhaps after its \
             instrument)",
            q.trim()
        );
        WebError::refused(StatusCode::UNPROCESSABLE_ENTITY, detail)
    })?;
    let mut visits = Vec::new();
    for found in app.state.visits_numbered(visit).await? {
        if instrument.is_some_and(|wanted| wanted != found.instrument) {
            continue;
        }
        let datasets = app.state.datasets_of_visit(&found.instrument, visit, MOST);
        let datasets = datasets.await?.iter().map(DatasetModel::from).collect();
        let visit = found.into();
        visits.push(FoundVisit { visit, datasets });
    }
    Ok(Json(Found {
        dataset: None,
        unknown: None,
        visits,
    }))
}

async fn history(app: &Shared, id: Uuid) -> WebResult<Option<History>> {
    let found = app.state.datasets(&[id]).await?;
    let Some(dataset) = found.first() else {
        return Ok(None);
    };
    let rule = app.policy.rule(&dataset.dataset_type);
    let types = app.state.dataset_types().await?;
    let mut commands = app
        .state
        .audit_log_about(&id.to_string(), COMMANDS, 0)
        .await?;
    if let (Some(instrument), Some(visit)) = (&dataset.instrument, dataset.visit) {
        let subject = format!("{instrument} {visit}");
        let of_visit = app.state.audit_log_about(&subject, COMMANDS, 0).await?;
        commands.extend(
            of_visit
                .into_iter()
                .filter(|entry| entry.subject == subject),
        );
        commands.sort_by_key(|entry| std::cmp::Reverse(entry.time));
    }
    Ok(Some(History {
        dataset: dataset.into(),
        rule: rule.map(RuleModel::from),
        type_held: types.get(&dataset.dataset_type).copied().unwrap_or(false),
        events: events(dataset),
        next: next(dataset, rule),
        commands: commands.into_iter().map(AuditModel::from).collect(),
    }))
}

fn events(dataset: &DatasetState) -> Vec<Event> {
    let times = &dataset.times;
    let steps = [
        (Step::Register, Some(times.registered)),
        (Step::ToPromptPrep, times.unembargo),
        (Step::ToMain, times.repo_main),
        (Step::DeleteEmbargo, times.embargo_deleted),
        (Step::ToGoogleInt, times.google_int),
        (Step::ToGoogleProd, times.google_prod),
        (Step::ExpireGoogleInt, times.google_int_expired),
        (Step::ExpireGoogleProd, times.google_prod_expired),
        (Step::DeletePromptPrep, times.prompt_prep_deleted),
        (Step::DeleteMain, times.repo_main_deleted),
    ];
    let observed = Event {
        time: times.observed,
        step: "observed",
        repository: None,
    };
    let taken = steps.into_iter().filter_map(|(step, time)| {
        Some(Event {
            time: time?,
            step: step.name(),
            repository: Some(step.target().name()),
        })
    });
    let mut events: Vec<Event> = std::iter::once(observed).chain(taken).collect();
    events.sort_by_key(|event| event.time);
    events
}

/// The steps for which a dataset would be ready some time if nothing else happened to it, nor held it back.
fn next(dataset: &DatasetState, rule: Option<&Rule>) -> Vec<Event> {
    let free = DatasetState {
        held: false,
        ..dataset.clone()
    };
    let mut events: Vec<Event> = Step::ALL
        .into_iter()
        .filter_map(|step| {
            let ready = |time| step.is_ready(&free, rule, false, Moment(time));
            Some(Event {
                time: Moment(first(ready)?),
                step: step.name(),
                repository: Some(step.target().name()),
            })
        })
        .collect();
    events.sort_by_key(|event| event.time);
    events
}

/// The first time at which a step is ready, which it stays: none if it never is.
fn first(ready: impl Fn(i64) -> bool) -> Option<i64> {
    let (mut before, mut from) = (-1, LATE);
    if !ready(from) {
        return None;
    }
    while from - before > 1 {
        let middle = before + (from - before) / 2;
        match ready(middle) {
            true => from = middle,
            false => before = middle,
        }
    }
    Some(from)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_first_time_is_found_exactly() {
        assert_eq!(
            first(|time| time >= 1_764_749_100_123),
            Some(1_764_749_100_123)
        );
        assert_eq!(first(|_| true), Some(0));
        assert_eq!(first(|_| false), None);
    }
}

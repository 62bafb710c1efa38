//! What several routes speak of.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::overview::Stage;
use crate::clock::Moment;
use crate::policy::Rule;
use crate::state::{AuditEntry, DatasetState, RepositoryName, Status, UnknownDataset, VisitState};

/// What is to become of datasets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleModel {
    /// The rule's name.
    name: String,
    /// How long after the observation they stay in embargo, in milliseconds.
    embargo: i64,
    /// Whether they are published.
    public: bool,
    /// How long they are kept, in milliseconds; forever if unset.
    retention: Option<i64>,
}

impl From<&Rule> for RuleModel {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            embargo: rule.embargo,
            public: rule.public,
            retention: rule.retention,
        }
    }
}

/// What has become of a dataset in each repository: NEVER_PRESENT, PRESENT, MISSING, DELETED or EXPIRED.
#[derive(Debug, Serialize, ToSchema)]
#[allow(missing_docs)]
pub(super) struct Statuses {
    embargo: &'static str,
    prompt_prep: &'static str,
    repo_main: &'static str,
    google_int: &'static str,
    google_prod: &'static str,
}

/// A dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DatasetModel {
    /// Its ID.
    id: Uuid,
    /// Who made it.
    origin: &'static str,
    /// Its type.
    dataset_type: String,
    /// Its instrument, if it has one.
    instrument: Option<String>,
    /// Its visit, if it has one.
    visit: Option<i64>,
    /// How far it is.
    stage: Stage,
    /// What has become of it in each repository.
    statuses: Statuses,
    /// When the observation ended, or the dataset became known if there is no saying; milliseconds since 1970 UTC, as
    /// all times.
    observed: Moment,
    /// When it became known.
    registered: Moment,
    /// Whether it is held back with its visit.
    held: bool,
    /// Whether it is to expire whatever the policy says.
    forced: bool,
    /// Why the last attempt at a step failed.
    problem: Option<String>,
    /// The step that failed.
    problem_step: Option<String>,
    /// How many attempts failed in a row.
    attempts: i64,
    /// When the next attempt may be, after one that failed.
    retry: Option<Moment>,
}

impl From<&DatasetState> for DatasetModel {
    fn from(dataset: &DatasetState) -> Self {
        let status = |repository| Status::name(dataset.status(repository));
        Self {
            id: dataset.id,
            origin: dataset.origin.name(),
            dataset_type: dataset.dataset_type.clone(),
            instrument: dataset.instrument.clone(),
            visit: dataset.visit,
            stage: Stage::of(dataset.statuses),
            statuses: Statuses {
                embargo: status(RepositoryName::Embargo),
                prompt_prep: status(RepositoryName::PromptPrep),
                repo_main: status(RepositoryName::Main),
                google_int: status(RepositoryName::GoogleInt),
                google_prod: status(RepositoryName::GoogleProd),
            },
            observed: dataset.times.observed,
            registered: dataset.times.registered,
            held: dataset.held,
            forced: dataset.forced,
            problem: dataset.problem.clone(),
            problem_step: dataset.problem_step.clone(),
            attempts: dataset.attempts,
            retry: (dataset.retry.0 > 0).then_some(dataset.retry),
        }
    }
}

/// A dataset that an input named, but that the embargo repository does not know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnknownModel {
    /// Its ID.
    id: Uuid,
    /// Who is said to have made it.
    origin: &'static str,
    /// What is wrong.
    error: String,
    /// When it was named first.
    first: Moment,
}

impl From<UnknownDataset> for UnknownModel {
    fn from(unknown: UnknownDataset) -> Self {
        Self {
            id: unknown.id,
            origin: unknown.origin.name(),
            error: unknown.error,
            first: unknown.first,
        }
    }
}

/// A visit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VisitModel {
    /// The instrument.
    instrument: String,
    /// The visit's number.
    visit: i64,
    /// When it ended; unset if nobody knows.
    end: Option<Moment>,
    /// Whether its datasets are held back.
    held: bool,
}

impl From<VisitState> for VisitModel {
    fn from(visit: VisitState) -> Self {
        Self {
            instrument: visit.instrument,
            visit: visit.visit,
            end: visit.end,
            held: visit.held,
        }
    }
}

/// A command that somebody gave.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditModel {
    /// When, in milliseconds since 1970 UTC.
    time: Moment,
    /// Who.
    who: String,
    /// What, such as `pause`.
    action: String,
    /// What with, such as the name of a task.
    subject: String,
    /// What came of it; `asked for` if that is not known.
    outcome: String,
}

impl From<AuditEntry> for AuditModel {
    fn from(entry: AuditEntry) -> Self {
        Self {
            time: entry.time,
            who: entry.who,
            action: entry.action,
            subject: entry.subject,
            outcome: entry.outcome,
        }
    }
}

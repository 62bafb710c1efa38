//! `counts`: how many datasets are how far.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::models::RuleModel;
use super::openapi::Refusals;
use super::overview::StageCounts;
use crate::clock::Moment;
use crate::state::{RepositoryName, Troubles};

/// How many datasets are how far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    /// When they were counted, in milliseconds since 1970 UTC.
    time: Moment,
    /// All datasets.
    total: StageCounts,
    /// By type, sorted by name.
    dataset_types: Vec<TypeCounts>,
    /// By repository and status.
    repositories: Vec<RepositoryCounts>,
    /// What does not get on.
    troubles: TroubleCounts,
}

/// How many datasets of a type are how far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TypeCounts {
    /// The dataset type.
    name: String,
    /// The rule of the policy; none if datasets of the type stay in embargo.
    rule: Option<RuleModel>,
    /// Whether it is held back.
    held: bool,
    /// The datasets.
    stages: StageCounts,
}

/// What has become of all datasets in a repository.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RepositoryCounts {
    /// The repository.
    name: &'static str,
    /// How many datasets have each status.
    statuses: BTreeMap<&'static str, i64>,
}

/// How many datasets do not get on. Of each kind, 10,000 are counted at most.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TroubleCounts {
    /// They are not where they should be.
    missing: i64,
    /// The last attempt at a step failed, and will be made again.
    stuck: i64,
    /// Inputs named them, but the embargo repository does not know them.
    unknown: i64,
}

impl From<Troubles> for TroubleCounts {
    fn from(troubles: Troubles) -> Self {
        let Troubles {
            missing,
            stuck,
            unknown,
        } = troubles;
        Self {
            missing,
            stuck,
            unknown,
        }
    }
}

/// How many datasets are how far, by type and by repository. The answer may be a few seconds old.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/counts",
    operation_id = "counts",
    responses((status = 200, description = "The answer", body = Counts), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Counts>> {
    let overview = app.overview().await?;
    let mut total = StageCounts::default();
    let mut types: BTreeMap<&str, StageCounts> = BTreeMap::new();
    for name in overview.types.keys() {
        types.entry(name).or_default();
    }
    for (name, statuses, count) in &overview.counts {
        total.add(*statuses, *count);
        types.entry(name).or_default().add(*statuses, *count);
    }
    let dataset_types = types
        .into_iter()
        .map(|(name, stages)| TypeCounts {
            name: name.to_owned(),
            rule: app.policy.rule(name).map(RuleModel::from),
            held: overview.types.get(name).copied().unwrap_or(false),
            stages,
        })
        .collect();
    let repositories = RepositoryName::ALL.map(|repository| {
        let mut statuses = BTreeMap::new();
        for (_, found, count) in &overview.counts {
            let status = found[repository as usize];
            *statuses.entry(status.name()).or_default() += count;
        }
        RepositoryCounts {
            name: repository.name(),
            statuses,
        }
    });
    Ok(Json(Counts {
        time: overview.time,
        total,
        dataset_types,
        repositories: repositories.into(),
        troubles: overview.troubles.into(),
    }))
}

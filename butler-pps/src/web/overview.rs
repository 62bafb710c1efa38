//! What all who ask want to know, asked of the state database now and then for all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use butler_core::error::Result;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::app::Shared;
use crate::clock::Moment;
use crate::state::{Backlog, Night, RepositoryName, State, Status, Step, Troubles};

/// How many nights are told apart, this one among them: somewhat more than datasets are kept for.
pub(super) const NIGHTS: i64 = 45;

/// An overview is never made more often than this.
const SHORTEST: Duration = Duration::from_secs(2);

/// So many times as long as it takes to make, an overview serves: making them is a small part of the database's work.
const PART: u32 = 20;

/// How far a dataset is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// In the embargo repository alone.
    Embargoed,
    /// In `prompt_prep`, and not in the public repository.
    Staged,
    /// In the public repository.
    Published,
    /// Expired in the public repository; the files are still there.
    Expired,
    /// Its files are deleted.
    Deleted,
    /// It is not where it should be.
    Missing,
}

impl Stage {
    pub(super) fn of(statuses: [Status; 5]) -> Self {
        let of = |repository: RepositoryName| statuses[repository as usize];
        if statuses.contains(&Status::Missing) {
            return Self::Missing;
        }
        match (
            of(RepositoryName::PromptPrep),
            of(RepositoryName::GoogleProd),
        ) {
            (Status::NeverPresent, _) => Self::Embargoed,
            (Status::Deleted, _) => Self::Deleted,
            (_, Status::NeverPresent) => Self::Staged,
            (_, Status::Present) => Self::Published,
            _ => Self::Expired,
        }
    }
}

/// How many datasets are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct StageCounts {
    /// In the embargo repository alone.
    pub(super) embargoed: i64,
    /// In `prompt_prep`, and not in the public repository.
    pub(super) staged: i64,
    /// In the public repository.
    pub(super) published: i64,
    /// Expired in the public repository; the files are still there.
    pub(super) expired: i64,
    /// Their files are deleted.
    pub(super) deleted: i64,
    /// They are not where they should be.
    pub(super) missing: i64,
}

impl StageCounts {
    pub(super) fn add(&mut self, statuses: [Status; 5], count: i64) {
        *match Stage::of(statuses) {
            Stage::Embargoed => &mut self.embargoed,
            Stage::Staged => &mut self.staged,
            Stage::Published => &mut self.published,
            Stage::Expired => &mut self.expired,
            Stage::Deleted => &mut self.deleted,
            Stage::Missing => &mut self.missing,
        } += count;
    }
}

/// What all want to know.
#[derive(Debug)]
pub(super) struct Overview {
    /// When it was so.
    pub(super) time: Moment,
    /// How many datasets of each type have each combination of statuses.
    pub(super) counts: Vec<(String, [Status; 5], i64)>,
    /// How many datasets of each night have, the oldest first; see [`first_night`](Self::first_night).
    pub(super) nights: Vec<(Night, [Status; 5], i64)>,
    /// The types of all datasets, and whether each is held back.
    pub(super) types: HashMap<String, bool>,
    /// What is ready for each step.
    pub(super) backlogs: Vec<(Step, Backlog)>,
    /// What does not get on.
    pub(super) troubles: Troubles,
}

impl Overview {
    async fn make(app: &Shared) -> Result<Self> {
        let (state, now): (&State, _) = (&app.state, app.clock.now());
        let mut backlogs = Vec::with_capacity(Step::ALL.len());
        for step in Step::ALL {
            backlogs.push((step, state.backlog(step, &app.policy, now).await?));
        }
        Ok(Self {
            time: now,
            counts: state.counts().await?,
            nights: state.counts_by_night(first_night(now)).await?,
            types: state.dataset_types().await?,
            backlogs,
            troubles: state.troubles().await?,
        })
    }

    /// The first night that is told apart from those before it.
    pub(super) fn first_night(&self) -> Night {
        first_night(self.time)
    }

    /// What is ready for a step.
    pub(super) fn backlog(&self, step: Step) -> Backlog {
        let found = self.backlogs.iter().find(|(one, _)| *one == step);
        found.map(|(_, backlog)| *backlog).unwrap_or_default()
    }
}

fn first_night(now: Moment) -> Night {
    Night(Night::of(now).0 - NIGHTS + 1)
}

/// The last overview.
#[derive(Debug, Default)]
pub(super) struct OverviewCache(Mutex<Option<Made>>);

#[derive(Debug)]
struct Made {
    overview: Arc<Overview>,
    at: Instant,
    took: Duration,
}

impl Shared {
    /// The last overview, or a new one if that is too old. Those who ask while it is being made wait for it.
    pub(super) async fn overview(&self) -> Result<Arc<Overview>> {
        let mut last = self.overview.0.lock().await;
        if let Some(made) = &*last
            && made.at.elapsed() < SHORTEST.max(made.took * PART)
        {
            return Ok(Arc::clone(&made.overview));
        }
        let begun = Instant::now();
        let overview = Arc::new(Overview::make(self).await?);
        *last = Some(Made {
            overview: Arc::clone(&overview),
            at: Instant::now(),
            took: begun.elapsed(),
        });
        Ok(overview)
    }
}

//! What all tasks have in common: ask what is ready, act on it, record it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use butler_core::error::{Error, Result};
use butler_direct::db::SqlErrorKind;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::failure::is_about_datasets;
use super::{Action, InFlight, Outcome, action};
use crate::clock::Clock;
use crate::notify::Notifier;
use crate::policy::Policy;
use crate::repositories::Repositories;
use crate::state::{InstanceLock, Problem, RepositoryName, RunReport, State, Step};

/// The shortest and longest time until a step is tried again with a dataset that failed.
const SHORTEST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(6 * 3600);

/// How often a batch is acted on while transactions of others are in its way, and the first pause.
const ATTEMPTS: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Datasets in a batch: what is one transaction in a repository.
    pub batch: usize,
    /// Batches of all tasks that are acted on at once.
    pub workers: usize,
    /// Datasets that a run takes up.
    pub run: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch: 1_000,
            workers: 4,
            run: 20_000,
        }
    }
}

/// Runs tasks. Clones share everything.
#[derive(Debug, Clone)]
pub struct Runner {
    state: State,
    repositories: Arc<Repositories>,
    policy: Arc<Policy>,
    clock: Clock,
    limits: Limits,
    raws: Arc<[String]>,
    in_flight: InFlight,
    workers: Arc<Semaphore>,
    notifier: Arc<Notifier>,
    lock: Option<Arc<InstanceLock>>,
    stop: CancellationToken,
}

impl Runner {
    /// Takes what it works with. `raws` are the runs of raw images in the public repositories.
    #[must_use]
    pub fn new(
        state: State,
        repositories: Arc<Repositories>,
        policy: Policy,
        clock: Clock,
        limits: Limits,
        raws: Vec<String>,
    ) -> Self {
        Self {
            state,
            repositories,
            policy: Arc::new(policy),
            clock,
            workers: Arc::new(Semaphore::new(limits.workers)),
            limits,
            raws: raws.into(),
            in_flight: InFlight::default(),
            notifier: Arc::default(),
            lock: None,
            stop: CancellationToken::new(),
        }
    }

    /// The same, telling users of releases.
    #[must_use]
    pub fn with_notifier(self, notifier: Notifier) -> Self {
        Self {
            notifier: Arc::new(notifier),
            ..self
        }
    }

    /// The same, acting only as long as a lock is held.
    #[must_use]
    pub fn with_lock(self, lock: Arc<InstanceLock>) -> Self {
        Self {
            lock: Some(lock),
            ..self
        }
    }

    /// The same, taking up no further batch once the token is cancelled.
    #[must_use]
    pub fn with_stop(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// The state database.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The repositories.
    #[must_use]
    pub fn repositories(&self) -> &Arc<Repositories> {
        &self.repositories
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// One run of a task: takes what is ready through the step. Datasets that stand in the way of
    /// others are told apart, and tried again later.
    ///
    /// # Errors
    /// The state database cannot be reached. What a repository that is down brings about is in the
    /// report.
    pub async fn run(&self, step: Step) -> Result<RunReport> {
        if step == Step::Notify {
            if let Some(lock) = &self.lock {
                lock.check().await?;
            }
            return self
                .notifier
                .run(&self.state, &self.clock, self.limits.run)
                .await;
        }
        let now = self.clock.now();
        let ready = self
            .state
            .ready(step, &self.policy, now, self.limits.run)
            .await?;
        let mut report = RunReport::default();
        if ready.is_empty() {
            return Ok(report);
        }
        let action: Arc<dyn Action> = match action(step, &self.repositories, &self.raws).await {
            Ok(action) => action.into(),
            Err(error) => {
                report.error = Some(error.to_string());
                return Ok(report);
            }
        };
        let types = Arc::new(self.state.dataset_types().await?);
        let batches: Vec<Vec<Uuid>> = ready.chunks(self.limits.batch).map(<[_]>::to_vec).collect();
        // Of a failure that concerns all, the first sign ends the run.
        let failed = CancellationToken::new();
        let mut outcomes = futures::stream::iter(batches)
            .map(|batch| {
                self.batch(
                    step,
                    Arc::clone(&action),
                    Arc::clone(&types),
                    batch,
                    failed.clone(),
                )
            })
            .buffer_unordered(self.limits.workers);
        let mut broken = None;
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(part) => {
                    report.done += part.done;
                    report.failed += part.failed;
                    if report.error.is_none() {
                        report.error = part.error;
                    }
                }
                Err(error) => {
                    failed.cancel();
                    broken.get_or_insert(error);
                }
            }
        }
        match broken {
            Some(error) => Err(error),
            None => Ok(report),
        }
    }

    /// Whether a run took up so much that there may be more.
    #[must_use]
    pub fn was_full(&self, report: &RunReport) -> bool {
        report.error.is_none()
            && report.done > 0
            && usize::try_from(report.done + report.failed).unwrap_or(usize::MAX) >= self.limits.run
    }

    async fn batch(
        &self,
        step: Step,
        action: Arc<dyn Action>,
        types: Arc<HashMap<String, bool>>,
        ids: Vec<Uuid>,
        failed: CancellationToken,
    ) -> Result<RunReport> {
        let mut report = RunReport::default();
        let Ok(_permit) = self.workers.acquire().await else {
            return Ok(report);
        };
        if failed.is_cancelled() || self.stop.is_cancelled() {
            return Ok(report);
        }
        if let Some(lock) = &self.lock {
            lock.check().await?;
        }
        let taken = self.in_flight.take(ids);
        // They were ready when they were looked for; nobody else changes them from now on.
        let now = self.clock.now();
        let ready: Vec<Uuid> = self
            .state
            .datasets(taken.ids())
            .await?
            .iter()
            .filter(|dataset| {
                let name = &dataset.dataset_type;
                let held = types.get(name).copied().unwrap_or(false);
                step.is_ready(dataset, self.policy.rule(name), held, now)
            })
            .map(|dataset| dataset.id)
            .collect();
        if ready.is_empty() {
            return Ok(report);
        }
        match divide(&*action, &ready).await {
            Ok(outcome) => {
                report.done = outcome.done.len() as u64;
                report.failed = (outcome.missing.len() + outcome.failed.len()) as u64;
                self.record(step, outcome).await?;
            }
            Err(error) => {
                tracing::warn!(task = %step, %error, "a batch has to wait");
                failed.cancel();
                report.error = Some(error.to_string());
            }
        }
        Ok(report)
    }

    async fn record(&self, step: Step, outcome: Outcome) -> Result<()> {
        let now = self.clock.now();
        if !outcome.done.is_empty() {
            self.state.record(step, &outcome.done, now).await?;
        }
        for problem in outcome.missing.iter().chain(&outcome.failed) {
            tracing::warn!(task = %step, dataset = %problem.id, reason = problem.reason, "not done");
        }
        let source = step.source().unwrap_or(RepositoryName::Embargo);
        self.state
            .record_missing(step, source, &outcome.missing)
            .await?;
        // The longer it fails, the longer the pause.
        let ids: Vec<Uuid> = outcome.failed.iter().map(|problem| problem.id).collect();
        let attempts: HashMap<Uuid, i64> = match ids.is_empty() {
            true => HashMap::new(),
            false => {
                let rows = self.state.datasets(&ids).await?;
                rows.into_iter().map(|row| (row.id, row.attempts)).collect()
            }
        };
        for problem in outcome.failed {
            let attempts = attempts.get(&problem.id).copied().unwrap_or(0).clamp(0, 16);
            let pause = SHORTEST_RETRY
                .saturating_mul(1 << attempts)
                .min(LONGEST_RETRY);
            let retry = now.plus(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            self.state
                .record_problems(step, std::slice::from_ref(&problem), retry)
                .await?;
        }
        Ok(())
    }
}

/// Acts on datasets; again, if somebody else's transaction was in the way.
async fn act(action: &dyn Action, ids: &[Uuid]) -> Result<Outcome> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match action.act(ids).await {
            Err(error) if SqlErrorKind::of(&error) == Some(SqlErrorKind::Busy) => {
                tracing::debug!(%error, "trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
    action.act(ids).await
}

/// Acts on a batch; if it fails because of some datasets, finds them by acting on ever smaller parts.
fn divide<'a>(action: &'a dyn Action, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Outcome>> {
    async move {
        let error: Error = match act(action, ids).await {
            Ok(outcome) => return Ok(outcome),
            Err(error) => error,
        };
        if !is_about_datasets(&error) {
            return Err(error);
        }
        if let [id] = ids {
            return Ok(Outcome {
                failed: vec![Problem {
                    id: *id,
                    reason: error.to_string(),
                }],
                ..Outcome::default()
            });
        }
        let (first, second) = ids.split_at(ids.len() / 2);
        let mut outcome = divide(action, first).await?;
        outcome.merge(divide(action, second).await?);
        Ok(outcome)
    }
    .boxed()
}

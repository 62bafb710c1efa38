//! A whole observatory in miniature on one machine: five repositories on embedded databases, a night of Prompt
//! Processing, and the publication service with a clock that runs fast.

mod night;
mod place;
mod progress;

use std::time::Duration;

use butler_core::error::{Error, Result};
use butler_direct::resource::{ResourcePath, Resources};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::inputs::Registrar;
use crate::notify::{Lists, Notifier};
use crate::policy::{DEFAULT, Policy, Rule};
use crate::scheduler::{self, Schedule};
use crate::state::{State, Status, Step};
use crate::tasks::{Limits, RegisterTask, Runner};

pub(crate) use place::Place;
pub(crate) use progress::Progress;

use night::Night;

/// How often it is looked how far the datasets are.
const LOOK: Duration = Duration::from_millis(250);

/// How far the datasets' lives are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Until {
    /// The embargo is over: everything is public that will be.
    Published,
    /// What is kept for a time only has expired.
    Expired,
}

impl Until {
    /// Whether datasets of a rule have come so far.
    fn is_reached(self, rule: &Rule, [embargo, _, main, int, prod]: [Status; 5]) -> bool {
        let published = |status| matches!(status, Status::Present | Status::Expired);
        let public = !rule.public || (published(int) && published(prod));
        match (self, rule.retention) {
            (Self::Expired, Some(_)) => main == Status::Deleted,
            _ => embargo == Status::Deleted && public,
        }
    }
}

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Visits of the night.
    pub(crate) visits: u32,
    /// How many hours pass in a second.
    pub(crate) speed: f64,
    /// When it ends.
    pub(crate) until: Until,
}

/// Lets the night pass, and what comes of it.
///
/// # Errors
/// A repository or the state database cannot be used; [`Error::Interrupted`] if it is
/// told to stop before its end.
pub(crate) async fn run(
    place: &Place,
    plan: Plan,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<()> {
    let night = Night::new(plan.visits);
    let state = State::open(&place.state(), 4).await?;
    let clock = Clock::accelerated(night.begin(), plan.speed * 3_600.0);
    let policy = Policy::parse(DEFAULT)?;
    let repositories = place.repositories();
    let runner = Runner::new(
        state.clone(),
        repositories.clone(),
        policy.clone(),
        clock.clone(),
        Limits::default(),
        vec!["LSSTCam/raw/all".to_owned()],
    );
    let lists = ResourcePath::from_local_directory(&place.lists())?;
    let lists = Lists::new(Resources::default(), lists);
    let runner = runner.with_notifier(Notifier::new(Some(lists), Vec::new())?);
    let registrar = Registrar::new(state.clone(), repositories, clock.clone());
    let batches = ResourcePath::from_local_directory(&place.batches())?;
    let register = RegisterTask::new(registrar, Some((Resources::default(), batches)));
    let Some(lock) = scheduler::become_active(&state, stop).await? else {
        return Ok(());
    };
    // Each task runs four times in a second.
    let schedule = Schedule {
        interval: Duration::from_secs_f64(plan.speed * 900.0),
    };
    let done = stop.child_token();
    let watched = async {
        let outcome = async {
            night.observe(place, &clock, &done).await?;
            wait(&runner, plan.until, &done).await
        };
        let outcome = outcome.await;
        done.cancel();
        outcome
    };
    let service = scheduler::run(&runner, register, lock, schedule, Vec::new(), done.clone());
    let shown = show(&state, &clock, progress, &done);
    let (watched, served, shown) = tokio::join!(watched, service, shown);
    watched.and(served).and(shown)?;
    // What was released last may not be told of yet.
    runner.run(Step::Notify).await?;
    progress.show(clock.now(), &state.counts().await?);
    Ok(())
}

/// Waits until all datasets are where they are to be in the end.
async fn wait(runner: &Runner, until: Until, stop: &CancellationToken) -> Result<()> {
    let is_done = |(name, statuses, _): &(String, [Status; 5], i64)| {
        let rule = runner.policy().rule(name);
        rule.is_none_or(|rule| until.is_reached(rule, *statuses))
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                return Err(Error::Interrupted("the simulation was stopped".to_owned()));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let counts = runner.state().counts().await?;
        if !counts.is_empty() && counts.iter().all(is_done) {
            return Ok(());
        }
    }
}

/// Shows how far the datasets are, until told to stop.
async fn show(
    state: &State,
    clock: &Clock,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<()> {
    while !stop.is_cancelled() {
        progress.show(clock.now(), &state.counts().await?);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    Ok(())
}

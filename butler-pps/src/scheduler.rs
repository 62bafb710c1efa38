//! Tasks as independent loops.
//!
//! Each task runs, waits for its next time (or until somebody asks for a run), and runs again; after a
//! failure it waits longer each time. A task that waits for a repository keeps no other one from
//! running.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use butler_core::error::Result;
use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::state::{InstanceLock, RunReport, State, Step};
use crate::tasks::{RegisterTask, Runner};

/// How often a task looks whether somebody asked for a run, or paused it.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is made sure that the lock is still held.
const CHECK_LOCK: Duration = Duration::from_secs(5);

/// The longest time between two attempts of a task that fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// How often tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// From the end of a run to the beginning of the next one, by the service's clock. A run that
    /// found more than it takes up is followed by another one at once.
    pub interval: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
        }
    }
}

/// Something else that the active instance does until it is told to stop: an input that is listened
/// to, a web app.
pub type Companion = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, Result<()>> + Send>;

/// Waits until this is the only instance that is at work; none if it is to stop before.
///
/// # Errors
/// The state database cannot be reached.
pub async fn become_active(
    state: &State,
    stop: &CancellationToken,
) -> Result<Option<Arc<InstanceLock>>> {
    let mut told = false;
    loop {
        if let Some(lock) = InstanceLock::try_take(state).await? {
            tracing::info!("this instance is active");
            return Ok(Some(Arc::new(lock)));
        }
        if !told {
            tracing::info!("another instance is active; waiting for it to end");
            told = true;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Runs all tasks, and companions beside them, until told to stop. What they are at is finished first.
///
/// # Errors
/// [`Error::Interrupted`](butler_core::Error::Interrupted) if the lock is lost; what a companion
/// fails with. All others are stopped then.
pub async fn run(
    runner: &Runner,
    register: RegisterTask,
    lock: Arc<InstanceLock>,
    schedule: Schedule,
    companions: Vec<Companion>,
    stop: CancellationToken,
) -> Result<()> {
    // Whoever ends first, be it by a lost lock, ends all.
    let all = stop.child_token();
    let runner = runner
        .clone()
        .with_lock(Arc::clone(&lock))
        .with_stop(all.clone());
    let mut tasks = JoinSet::new();
    let register = Arc::new(register);
    for step in Step::ALL {
        let (runner, register, all) = (runner.clone(), Arc::clone(&register), all.clone());
        tasks.spawn(async move {
            if step == Step::Register {
                repeat(&runner, step, schedule, &all, || register.run()).await;
            } else {
                repeat(&runner, step, schedule, &all, || runner.run(step)).await;
            }
            Ok(())
        });
    }
    for companion in companions {
        tasks.spawn(companion(all.clone()));
    }
    let watched = all.clone();
    tasks.spawn(async move { watch(&lock, &watched).await });
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| {
            Err(butler_core::Error::Internal(format!(
                "a task ended: {error}"
            )))
        });
        if ended.is_err() && outcome.is_ok() {
            all.cancel();
            outcome = ended;
        }
    }
    outcome
}

async fn watch(lock: &InstanceLock, stop: &CancellationToken) -> Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(CHECK_LOCK) => lock.check().await?,
        }
    }
}

/// One task, again and again.
async fn repeat<F, R>(
    runner: &Runner,
    step: Step,
    schedule: Schedule,
    stop: &CancellationToken,
    run: F,
) where
    F: Fn() -> R,
    R: Future<Output = Result<RunReport>>,
{
    let mut failures = 0;
    while !stop.is_cancelled() {
        let outcome = once(runner, step, schedule, &run, failures).await;
        let paused = matches!(outcome, Ok(Pause::Commanded));
        let pause = match outcome {
            Ok(Pause::None) => {
                failures = 0;
                continue;
            }
            Ok(Pause::Usual | Pause::Commanded) => {
                failures = 0;
                runner.clock().real(schedule.interval)
            }
            Ok(Pause::Longer(pause)) => {
                failures += 1;
                pause
            }
            Err(error) => {
                tracing::warn!(task = %step, %error, "the state database cannot be reached");
                failures += 1;
                longer(failures)
            }
        };
        rest(runner.state(), step, pause, paused, stop).await;
    }
}

/// What comes after a run.
enum Pause {
    /// There is more to do.
    None,
    Usual,
    /// Somebody has paused the task.
    Commanded,
    Longer(Duration),
}

/// One run, unless the task is paused, with all that is noted of it.
async fn once<F, R>(
    runner: &Runner,
    step: Step,
    schedule: Schedule,
    run: &F,
    failures: u32,
) -> Result<Pause>
where
    F: Fn() -> R,
    R: Future<Output = Result<RunReport>>,
{
    let (state, clock) = (runner.state(), runner.clock());
    if state.task(step.name()).await?.paused {
        return Ok(Pause::Commanded);
    }
    state.start_run(step.name(), clock.now()).await?;
    let report = match run().await {
        Ok(report) => report,
        Err(error) => RunReport {
            error: Some(error.to_string()),
            ..RunReport::default()
        },
    };
    let pause = if report.error.is_some() {
        Pause::Longer(longer(failures + 1))
    } else if runner.was_full(&report) {
        Pause::None
    } else {
        Pause::Usual
    };
    if report.done > 0 || report.failed > 0 {
        tracing::info!(task = %step, done = report.done, failed = report.failed, "ran");
    }
    if let Some(error) = &report.error {
        tracing::warn!(task = %step, error, "has to wait");
    }
    let wait = match pause {
        Pause::None => Duration::ZERO,
        Pause::Usual | Pause::Commanded => schedule.interval,
        Pause::Longer(pause) => pause,
    };
    let now = clock.now();
    let next = now.plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    state.finish_run(step.name(), &report, now, next).await?;
    Ok(pause)
}

fn longer(failures: u32) -> Duration {
    Duration::from_secs(1)
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_PAUSE)
}

/// Waits, but not longer than until somebody asks for a run, or lets a paused task go on.
async fn rest(state: &State, step: Step, pause: Duration, paused: bool, stop: &CancellationToken) {
    let until = tokio::time::Instant::now() + pause;
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(left.min(LOOK)) => {}
        }
        match state.task(step.name()).await {
            Ok(task) if !task.paused && (paused || task.requested.is_some()) => return,
            Ok(_) => {}
            // The next run will say so.
            Err(error) => tracing::debug!(task = %step, %error, "cannot look for requests"),
        }
    }
}

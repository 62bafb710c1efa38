//! `butler-pps run`.

use butler_direct::resource::Resources;
use clap::Args;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome};
use crate::clock::{Clock, Moment};
use crate::inputs::Registrar;
use crate::inputs::kafka::BatchRegistrar;
use crate::notify::Notifier;
use crate::scheduler;
use crate::settings::{Options, Settings};
use crate::state::State;
use crate::tasks::{RegisterTask, Runner};

/// Run the publication service.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,

    /// Take every step that can be taken, until nothing is left to do now, and end.
    #[arg(long)]
    once: bool,

    /// Let the service's clock run so many times as fast, for trial.
    #[arg(long, value_name = "FACTOR", hide = true)]
    accelerate: Option<f64>,

    /// Start the service's clock at this time (milliseconds since 1970 UTC), for trial.
    #[arg(long, value_name = "TIME", hide = true)]
    start_time: Option<i64>,
}

impl Arguments {
    pub(super) async fn run(self) -> Outcome {
        let clock = self.clock()?;
        let once = self.once;
        let settings = self.options.check()?;
        let stop = asked_to_stop()?;
        let state = State::open(&settings.state, settings.state_connections).await?;
        let Some(lock) = scheduler::become_active(&state, &stop).await? else {
            return Ok(());
        };
        let (runner, registrar) = parts(&settings, state, clock);
        let notifier = Notifier::new(settings.lists, settings.webhooks)?;
        let runner = runner.with_notifier(notifier);
        let directory = settings
            .directory
            .map(|directory| (Resources::default(), directory));
        let register = RegisterTask::new(registrar.clone(), directory.clone());
        if once {
            drain(&runner.with_lock(lock).with_stop(stop), &register).await
        } else {
            let schedule = settings.schedule;
            let heard = settings.kafka.zip(directory);
            let companions = heard.into_iter().map(|(input, (resources, directory))| {
                let listener = BatchRegistrar {
                    registrar: registrar.clone(),
                    resources,
                    directory,
                };
                listener.companion(input)
            });
            let companions = companions.collect();
            scheduler::run(&runner, register, lock, schedule, companions, stop).await?;
            Ok(())
        }
    }

    fn clock(&self) -> Outcome<Clock> {
        let start = self
            .start_time
            .map_or_else(|| Clock::system().now(), Moment);
        match (self.accelerate, self.start_time) {
            (None, None) => Ok(Clock::system()),
            (None, Some(_)) => Ok(Clock::accelerated(start, 1.0)),
            (Some(factor), _) if factor.is_finite() && factor > 0.0 => {
                Ok(Clock::accelerated(start, factor))
            }
            (Some(factor), _) => Err(Failure::new(format!(
                "--accelerate must be a positive number, not {factor}"
            ))),
        }
    }
}

fn parts(settings: &Settings, state: State, clock: Clock) -> (Runner, Registrar) {
    let repositories = Arc::new(settings.repositories());
    let runner = Runner::new(
        state.clone(),
        Arc::clone(&repositories),
        settings.policy.clone(),
        clock.clone(),
        settings.limits,
        settings.raws.clone(),
    );
    (runner, Registrar::new(state, repositories, clock))
}

/// All steps, one after another, until none has anything to do.
async fn drain(runner: &Runner, register: &RegisterTask) -> Outcome {
    register.run().await?;
    let mut error = None;
    loop {
        let mut done = 0;
        for step in crate::state::Step::ALL {
            let report = runner.run(step).await?;
            done += report.done;
            if let Some(why) = report.error {
                error.get_or_insert(format!("{step}: {why}"));
            }
        }
        if done == 0 {
            return error.map_or(Ok(()), |error| Err(Failure::new(error)));
        }
    }
}

/// A token that is cancelled when the process is asked to end.
pub(super) fn asked_to_stop() -> Outcome<CancellationToken> {
    let on =
        |kind| signal(kind).map_err(|error| Failure::new(format!("waiting for signals: {error}")));
    let (mut terminate, mut interrupt) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(stop)
}

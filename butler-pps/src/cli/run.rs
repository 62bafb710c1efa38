//! `butler-pps run`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use butler_direct::resource::{ResourcePath, Resources};
use butler_server::serve::{ServeLimits, serve};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
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
use crate::web::{self, WebApp};

/// What connections may cost. They may be idle for longer than ingress controllers keep them, which is 60 s: a request may
/// be sent into one that the service is just ending.
fn limits() -> ServeLimits {
    ServeLimits {
        grace: Duration::from_secs(10),
        header_timeout: Duration::from_secs(65),
        ..ServeLimits::default()
    }
}

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
        if once {
            let Some(lock) = scheduler::become_active(&state, &stop).await? else {
                return Ok(());
            };
            let parts = Parts::new(settings, state, clock)?;
            let runner = parts.runner.with_lock(lock).with_stop(stop);
            return drain(&runner, &parts.register).await;
        }
        // It serves while another instance is active as well.
        let web = Web::begin(&settings, &state, &clock, &stop).await?;
        let outcome = act(settings, state, clock, web.as_ref(), stop.clone()).await;
        stop.cancel();
        if let Some(web) = web {
            web.end().await?;
        }
        outcome
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

/// Runs the tasks, once no other instance does.
async fn act(
    mut settings: Settings,
    state: State,
    clock: Clock,
    web: Option<&Web>,
    stop: CancellationToken,
) -> Outcome {
    let Some(lock) = scheduler::become_active(&state, &stop).await? else {
        return Ok(());
    };
    if let Some(web) = web {
        web.app.set_active(true);
    }
    let (schedule, input) = (settings.schedule, settings.kafka.take());
    let parts = Parts::new(settings, state, clock)?;
    let heard = input.zip(parts.directory);
    let companions = heard.into_iter().map(|(input, (resources, directory))| {
        let listener = BatchRegistrar {
            registrar: parts.registrar.clone(),
            resources,
            directory,
        };
        listener.companion(input)
    });
    let companions = companions.collect();
    let (runner, register) = (&parts.runner, parts.register);
    Ok(scheduler::run(runner, register, lock, schedule, companions, stop).await?)
}

/// The web app, or metrics and health alone, as it serves.
struct Web {
    app: WebApp,
    serving: JoinHandle<io::Result<()>>,
}

impl Web {
    /// Begins to serve it until told to stop, if there is to be one.
    async fn begin(
        settings: &Settings,
        state: &State,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Outcome<Option<Self>> {
        let Some(web) = settings.web.clone() else {
            return Ok(None);
        };
        let (listen, page) = (web.listen, web.page);
        let policy = settings.policy.clone();
        let app = WebApp::new(web, state.clone(), policy, clock.clone()).await?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| Failure::new(format!("cannot listen on {listen}: {error}")))?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::new(format!("cannot listen on {listen}: {error}")))?;
        let router = if page {
            tracing::info!("the web app is at http://{address}{}/", web::PREFIX);
            web::router(app.clone())
        } else {
            tracing::info!("metrics and health are at http://{address}/");
            web::health_router(app.clone())
        };
        let stop = stop.clone();
        let serving =
            tokio::spawn(
                async move { serve(listener, router, stop.cancelled_owned(), limits()).await },
            );
        Ok(Some(Self { app, serving }))
    }

    /// Waits until what was being answered is.
    async fn end(self) -> Outcome {
        let served = self.serving.await;
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the web app: {error}"));
        served
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }
}

/// What runs the tasks, and what tells them of datasets.
struct Parts {
    runner: Runner,
    register: RegisterTask,
    registrar: Registrar,
    /// Where batch files and lists are.
    directory: Option<(Resources, ResourcePath)>,
}

impl Parts {
    fn new(settings: Settings, state: State, clock: Clock) -> Outcome<Self> {
        let repositories = Arc::new(settings.repositories());
        let runner = Runner::new(
            state.clone(),
            Arc::clone(&repositories),
            settings.policy,
            clock.clone(),
            settings.limits,
            settings.raws,
        );
        let notifier = Notifier::new(settings.lists, settings.webhooks)?;
        let registrar = Registrar::new(state, repositories, clock);
        let directory = settings.directory;
        let directory = directory.map(|directory| (Resources::default(), directory));
        Ok(Self {
            runner: runner.with_notifier(notifier),
            register: RegisterTask::new(registrar.clone(), directory.clone()),
            registrar,
            directory,
        })
    }
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

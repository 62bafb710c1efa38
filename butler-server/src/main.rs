//! The `butler-server` command.

use std::process::ExitCode;

use butler_core::error::{Error, Result};
use butler_server::app::App;
use butler_server::cli::{Cli, Command};
use butler_server::observability::setup;
use butler_server::router::router;
use butler_server::serve::{ServeLimits, serve};
use butler_server::settings::Settings;
use clap::Parser as _;
use tikv_jemallocator::Jemalloc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) if !answer.use_stderr() => {
            // Help or version.
            let printed = answer.print();
            return ExitCode::from(u8::from(printed.is_err()));
        }
        Err(error) => {
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            return fail(text.trim_start_matches("error: "));
        }
    };
    if let Some(command) = cli.command {
        return perform(command).unwrap_or_else(|error| fail(&error.to_string()));
    }
    let outcome = cli
        .options
        .check()
        .map_err(|error| error.to_string())
        .and_then(|settings| start(settings).map_err(|error| error.to_string()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// One line that says why the server does not start.
#[allow(clippy::print_stderr)]
fn fail(why: &str) -> ExitCode {
    eprintln!("butler-server: {}", why.replace('\n', " "));
    ExitCode::FAILURE
}

fn perform(command: Command) -> Result<ExitCode> {
    runtime()?.block_on(command.run())
}

fn start(settings: Settings) -> Result<()> {
    runtime()?.block_on(run(settings))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Internal(format!("the runtime: {error}")))
}

async fn run(settings: Settings) -> Result<()> {
    let _telemetry = setup::start(&settings)?;
    let listen = settings.listen;
    let limits = ServeLimits {
        grace: settings.shutdown,
        header_timeout: settings.header_timeout,
        max_connections: settings.max_connections,
    };
    let app = App::open(settings).await?;
    let fail = |error| Error::Configuration(format!("listening on {listen}: {error}"));
    let listener = TcpListener::bind(listen).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    let repositories = app.repositories.len();
    tracing::info!(%address, repositories, "listening");
    serve(listener, router(app), asked_to_stop()?, limits)
        .await
        .map_err(fail)
}

/// Ready when the process is asked to end.
fn asked_to_stop() -> Result<impl Future<Output = ()>> {
    let on = |kind| {
        signal(kind).map_err(|error| Error::Internal(format!("waiting for signals: {error}")))
    };
    let (mut terminate, mut interrupt) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}

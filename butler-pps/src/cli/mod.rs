//! The command line; a sub-command a file.

mod failure;
mod policy;
mod register;
mod run;
mod simulate;
mod state;
mod writer;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

pub(crate) use failure::{Failure, Outcome};

/// Publish prompt data products.
#[derive(Debug, Parser)]
#[command(name = "butler-pps", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// What is logged: error, warn, info, debug or trace, or a filter such as
    /// "info,butler_direct=debug" [default: info; warn for simulations].
    #[arg(
        long,
        global = true,
        env = "PROMPTPUB_LOG_LEVEL",
        value_name = "FILTER"
    )]
    log_level: Option<String>,

    /// The form of the log.
    #[arg(
        long,
        global = true,
        env = "PROMPTPUB_LOG_FORMAT",
        value_enum,
        default_value = "text"
    )]
    log_format: LogFormat,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Arguments>),
    Simulate(simulate::Arguments),
    Writer(writer::Arguments),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Register(register::Command),
    #[command(subcommand)]
    State(state::Command),
}

impl Command {
    async fn run(self) -> Outcome {
        match self {
            Self::Run(arguments) => arguments.run().await,
            Self::Simulate(arguments) => arguments.run().await,
            Self::Writer(arguments) => arguments.run().await,
            Self::Policy(command) => command.run().await,
            Self::Register(command) => command.run().await,
            Self::State(command) => command.run().await,
        }
    }
}

/// Runs the command that these arguments (the program's name first) ask for, and says how it went.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and version are no failures, and go to standard output.
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(1);
            return error
                .print()
                .map_or(ExitCode::FAILURE, |()| ExitCode::from(code));
        }
    };
    let outcome = start_log(&cli).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
        runtime.block_on(cli.command.run())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Logs go to standard error; results of commands to standard output.
fn start_log(cli: &Cli) -> Outcome {
    let usual = match cli.command {
        Command::Simulate(_) => "warn",
        _ => "info",
    };
    let level = cli.log_level.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(level)
        .map_err(|error| Failure::new(format!("log level '{level}': {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // It fails only if a subscriber is there already, which then serves.
    let _ = match cli.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

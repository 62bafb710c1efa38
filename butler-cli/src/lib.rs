//! The `butler` command: what people and scripts do with a repository.
//!
//! One file per sub-command in `commands`; what several of them share is in the modules beside it.
//! Whatever a library user would want is in the libraries.
//!
//! Exit codes: 0 for success, 1 for a failure, 2 for a command line that makes no sense.

mod cli;
mod commands;
mod confirm;
mod demo;
mod failure;
mod ingest_table;
mod log_record;
mod logging;
mod open;
mod options;
mod options_file;
mod output;
mod progress;
mod select;
mod switch;
mod transfer_mode;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::Cli;
use failure::Failure;
use progress::Bars;

/// Runs the command that these arguments (the program's name first) ask for, and says how it went.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match options_file::expand(arguments.into_iter().collect(), &Cli::command()) {
        Ok(arguments) => arguments,
        Err(failure) => return failure.report(),
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and version are no failures, and go to standard output.
        Err(error) => {
            let code = error.exit_code();
            return match error.print() {
                Ok(()) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    let bars = Bars::new(cli.progress.get());
    if let Err(failure) = logging::start(&cli.logging, &bars) {
        return failure.report();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format!("cannot start: {error}")).report(),
    };
    match runtime.block_on(cli.command.run(&bars)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

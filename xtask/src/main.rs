//! Developer commands: `cargo xtask test`, `cargo xtask bench`, `cargo xtask dist`, `cargo xtask check`.
//!
//! Each command does its own set-up and leaves nothing running. See the [`commands`] for what each does,
//! [`postgres`], [`kafka`] and [`venv`] for the services that the tests need.
// A command-line tool speaks on its standard streams.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod apt;
mod browser;
mod commands;
mod deny;
mod dist;
mod kafka;
mod native;
mod phase;
mod postgres;
mod readme;
mod suite;
mod tools;
mod venv;
mod workspace;

use butler_test_services::process;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Developer commands of the Butler workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up Python, PostgreSQL, Kafka and Chromium, then run `cargo test` with the given arguments.
    ///
    /// Tests the whole workspace unless a package is named: `cargo xtask test -p butler-core timespan`.
    Test {
        /// Passed on to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Set up Python, PostgreSQL and Kafka, then run a benchmark: `bench` of bulk writes and `bench server` of
    /// the server under load, against the reference implementation; `bench writer` of the Butler writer.
    Bench {
        /// `server`, `pps` or `writer`, and arguments of the benchmark.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Set up Python, PostgreSQL and Kafka, then run any command in that environment (a shell by default).
    Env {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Write the documents in `openapi` anew from the services' code.
    Openapi,
    /// Run the README's commands in an empty home directory.
    Readme,
    /// Build the programs and pack them, with documentation, charts and units, into an archive that two runs make alike.
    Dist {
        /// Where the archive goes.
        #[arg(long, value_name = "DIR", default_value = "dist")]
        output: PathBuf,
        /// Pack the programs of this directory instead of building them.
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
    },
    /// Format, lints, documentation, dependencies: everything that must be clean before a change lands, the quickest first.
    Check,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test { args } => commands::test(&args),
        Command::Bench { args } => commands::bench(&args),
        Command::Env { command } => commands::env(&command),
        Command::Openapi => commands::openapi(),
        Command::Readme => readme::check(),
        Command::Dist { output, programs } => commands::dist(output, programs),
        Command::Check => commands::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

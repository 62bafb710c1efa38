//! The command line as a whole.

use clap::Parser;

use crate::commands::Command;
use crate::logging::Logging;
use crate::progress::ShowProgress;

/// Find, fetch and organise the datasets of a Butler repository.
#[derive(Debug, Parser)]
#[command(
    name = "butler",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 success, 1 failure, 2 a command line that makes no sense."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// A YAML file with options of sub-commands, by their names; what is on the command line wins
    // Taken out before the command line is read.
    #[arg(short = '@', long, value_name = "FILE", global = true)]
    options_file: Vec<String>,

    #[command(flatten)]
    pub(crate) logging: Logging,

    #[command(flatten)]
    pub(crate) progress: ShowProgress,
}

#[cfg(test)]
mod tests;

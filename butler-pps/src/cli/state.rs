//! `butler-pps state`.

use clap::Subcommand;

use super::Outcome;

/// Look after the state database.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {}
    }
}

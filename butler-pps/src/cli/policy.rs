//! `butler-pps policy`.

use clap::Subcommand;

use super::Outcome;

/// Look at the policy of publication.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {}
    }
}

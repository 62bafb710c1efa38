//! `butler-pps register`.

use clap::Subcommand;

use super::Outcome;

/// Register datasets for publication.
#[derive(Debug, Subcommand)]
pub(super) enum Command {}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {}
    }
}

//! `butler-pps run`.

use clap::Args;

use super::Outcome;

/// Run the publication service.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) async fn run(self) -> Outcome {
        Ok(())
    }
}

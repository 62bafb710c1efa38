//! `butler-pps writer`.

use clap::Args;

use super::Outcome;

/// Run the Butler writer: take outputs of Prompt Processing from Kafka into the embargo repository.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) async fn run(self) -> Outcome {
        Ok(())
    }
}

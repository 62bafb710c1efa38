//! `butler-pps writer`.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, Outcome};
use crate::writer::{Writer, WriterSettings};

/// Run the Butler writer: take outputs of Prompt Processing from Kafka into the embargo repository.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: WriterSettings,
}

impl Arguments {
    pub(super) async fn run(self) -> Outcome {
        let failed = |error| Failure::new(format!("cannot listen to signals: {error}"));
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let stop = CancellationToken::new();
        let signalled = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
            tracing::info!("stopping");
            signalled.cancel();
        });
        let failed = |error: crate::writer::WriterError| Failure::new(error.to_string());
        let writer = Writer::open(self.settings).await.map_err(failed)?;
        writer.run(stop).await.map_err(failed)
    }
}

//! Waiting for what is out of reach.

use butler_core::error::Error;
use tokio_util::sync::CancellationToken;

use super::ingest::is_of_message;
use super::metrics::WriterMetrics;
use crate::backoff::{Backoff, Interrupted};

/// Makes attempts until the repository has decided. While it waits, no messages are received: they stay with the
/// broker.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) stop: CancellationToken,
    pub(super) metrics: WriterMetrics,
}

impl Patience {
    /// Tries until there is success or an error that is the message's fault, which is returned.
    pub(super) async fn until_decided<T, F>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<Result<T, Error>, Interrupted>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.until_done(what, || {
            let attempt = attempt();
            async {
                match attempt.await {
                    Err(error) if !is_of_message(&error) => Err(error),
                    decided => Ok(decided),
                }
            }
        })
        .await
    }

    /// Tries until there is success.
    pub(super) async fn until_done<T, F>(
        &self,
        what: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Interrupted>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut backoff = Backoff::new();
        loop {
            match attempt().await {
                Ok(done) => {
                    self.metrics.ready();
                    return Ok(done);
                }
                Err(error) => {
                    tracing::error!(%error, "{what} fails; trying again");
                    self.metrics.retried(what);
                    backoff.pause(&self.stop).await?;
                }
            }
        }
    }
}

//! Pauses between attempts.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The first pause.
const SHORTEST: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Work is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// Pauses of which each is twice the one before, up to half a minute.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(SHORTEST)
    }

    /// Pauses, for longer each time.
    pub(crate) async fn pause(&mut self, stop: &CancellationToken) -> Result<(), Interrupted> {
        let pause = self.0;
        self.0 = LONGEST.min(self.0 * 2);
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = stop.cancelled() => Err(Interrupted),
        }
    }
}

//! Telling users which datasets have become public, as DMTN-330 proposes: by lists that they fetch, and by
//! webhooks.
//!
//! Everything follows from the state database. First, releases become *announcements* of the hour that it is, one
//! transaction each. Then [`lists`] are written whole from what the database says, and receivers are told of what they
//! have not been told yet. So the process may be killed between any two lines: no release is in two lists or none, and
//! receivers that were told twice see it by the delivery's ID.

mod lists;
mod message;
mod settings;
mod webhooks;

use butler_core::error::Result;

use crate::clock::Clock;
use crate::state::{RunReport, State};

pub use lists::{INDEX, Lists};
pub use settings::{NotifyOptions, Receiver, Receivers, Webhook};
pub use webhooks::sign;

use webhooks::Webhooks;

/// Datasets in an announcement.
const ANNOUNCEMENT: usize = 1_000;

/// Tells users of releases.
#[derive(Debug, Default)]
pub struct Notifier {
    lists: Option<Lists>,
    webhooks: Option<Webhooks>,
}

impl Notifier {
    /// Takes where lists are kept, if they are, and who is told.
    ///
    /// # Errors
    /// [`Error::Configuration`](butler_core::Error::Configuration) if HTTP cannot be used.
    pub fn new(lists: Option<Lists>, webhooks: Vec<Webhook>) -> Result<Self> {
        let webhooks = match webhooks.is_empty() {
            true => None,
            false => Some(Webhooks::new(webhooks)?),
        };
        Ok(Self { lists, webhooks })
    }

    /// One run: up to `limit` releases are announced, and all that is not told yet is told. A receiver that does not
    /// answer keeps neither the lists nor other receivers waiting.
    ///
    /// # Errors
    /// The state database cannot be reached. What else goes wrong is in the report: `done` are datasets that were
    /// announced, `failed` attempts at receivers that failed.
    pub async fn run(&self, state: &State, clock: &Clock, limit: usize) -> Result<RunReport> {
        let mut report = RunReport::default();
        let names: Vec<&str> = self.webhooks.iter().flat_map(Webhooks::names).collect();
        while report.done < limit as u64 {
            let announced = state.announce(&names, clock.now(), ANNOUNCEMENT).await?;
            report.done += announced;
            if announced == 0 {
                break;
            }
        }
        if let Some(lists) = &self.lists
            && let Err(error) = lists.write(state).await
        {
            report.error = Some(format!("the lists of releases: {error}"));
        }
        if let Some(webhooks) = &self.webhooks {
            report.failed = webhooks.deliver(state, clock).await?;
        }
        Ok(report)
    }
}

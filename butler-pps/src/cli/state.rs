//! `butler-pps state`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::Outcome;
use super::failure::print;
use crate::clock::Clock;
use crate::commands::Command as Ordered;
use crate::settings::StateOptions;
use crate::state::{RepositoryName, State, Status, Step};

/// Look at the state of publication, and command it.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make the tables of the state database, or bring them up to date
    Migrate(Place),
    /// Count datasets by type and by what has become of them in each repository
    Counts(Place),
    /// Show tasks, and how their last run went
    Tasks(Place),
    /// Pause a task, or let it go on
    Pause {
        #[command(flatten)]
        place: Place,
        /// The task.
        task: String,
        /// Let it go on.
        #[arg(long)]
        resume: bool,
    },
    /// Look again for datasets that were missing, and try failed steps again
    Retry {
        #[command(flatten)]
        place: Place,
        /// The datasets; all if there are none.
        ids: Vec<Uuid>,
    },
    /// Hold a visit's datasets back, or let them go on
    HoldVisit {
        #[command(flatten)]
        place: Place,
        /// The instrument.
        instrument: String,
        /// The visit.
        visit: i64,
        /// Let them go on.
        #[arg(long)]
        release: bool,
    },
    /// Hold a type's datasets back, or let them go on
    HoldType {
        #[command(flatten)]
        place: Place,
        /// The dataset type.
        name: String,
        /// Let them go on.
        #[arg(long)]
        release: bool,
    },
    /// Show how far each receiver of webhooks is
    Webhooks(Place),
    /// Have receivers told of what was given up
    Resend {
        #[command(flatten)]
        place: Place,
        /// The receiver; all if none is named.
        webhook: Option<String>,
    },
    /// Have datasets expire and be deleted as soon as possible
    ForceExpire {
        #[command(flatten)]
        place: Place,
        /// The datasets.
        #[arg(required = true)]
        ids: Vec<Uuid>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    state: StateOptions,
}

impl Place {
    async fn open(&self) -> Outcome<State> {
        Ok(State::open(&self.state.location()?, 2).await?)
    }

    async fn command(&self, command: Ordered) -> Outcome {
        let state = self.open().await?;
        let who = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
        let who = format!("{who} (command line)");
        let entry = command.execute(&state, &who, Clock::system().now()).await?;
        print(&format!("{}\n", entry.outcome))
    }
}

impl Command {
    pub(super) async fn run(self) -> Outcome {
        match self {
            Self::Migrate(place) => place.open().await.map(drop),
            Self::Counts(place) => print(&counts(&place.open().await?).await?),
            Self::Tasks(place) => print(&tasks(&place.open().await?).await?),
            Self::Pause {
                place,
                task,
                resume: false,
            } => place.command(Ordered::Pause { task }).await,
            Self::Pause { place, task, .. } => place.command(Ordered::Resume { task }).await,
            Self::Retry { place, ids } => place.command(Ordered::Retry { ids }).await,
            Self::HoldVisit {
                place,
                instrument,
                visit,
                release: false,
            } => {
                place
                    .command(Ordered::HoldVisit { instrument, visit })
                    .await
            }
            Self::HoldVisit {
                place,
                instrument,
                visit,
                ..
            } => {
                let command = Ordered::ReleaseVisit { instrument, visit };
                place.command(command).await
            }
            Self::HoldType {
                place,
                name: dataset_type,
                release: false,
            } => place.command(Ordered::HoldType { dataset_type }).await,
            Self::HoldType {
                place,
                name: dataset_type,
                ..
            } => place.command(Ordered::ReleaseType { dataset_type }).await,
            Self::Webhooks(place) => print(&webhooks(&place.open().await?).await?),
            Self::Resend { place, webhook } => place.command(Ordered::Resend { webhook }).await,
            Self::ForceExpire { place, ids } => place.command(Ordered::ForceExpire { ids }).await,
        }
    }
}

async fn counts(state: &State) -> Outcome<String> {
    let names = RepositoryName::ALL.map(RepositoryName::name).join(" ");
    let mut text = format!("datasets dataset_type {names}\n");
    for (dataset_type, statuses, count) in state.counts().await? {
        let statuses = statuses.map(Status::name).join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{count} {dataset_type} {statuses}");
    }
    Ok(text)
}

async fn webhooks(state: &State) -> Outcome<String> {
    let mut text = String::new();
    for receiver in state.delivery_counts().await? {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{}: {} pending, {} delivered, {} given up",
            receiver.webhook, receiver.pending, receiver.delivered, receiver.dead
        );
        if let Some(error) = &receiver.error {
            let _ = write!(text, "; an error: {error}");
        }
        text.push('\n');
    }
    Ok(text)
}

async fn tasks(state: &State) -> Outcome<String> {
    let mut text = String::new();
    for step in Step::ALL {
        let task = state.task(step.name()).await?;
        let paused = if task.paused { " paused" } else { "" };
        let _ = write!(
            text,
            "{step}{paused}: {} done, {} failed",
            task.done, task.failed
        );
        if let Some(error) = &task.error {
            let _ = write!(text, "; last error: {error}");
        }
        text.push('\n');
    }
    Ok(text)
}

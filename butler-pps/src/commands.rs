//! What people may command, whichever way they do. Every command is noted in the audit log: that it was
//! given before it is carried out, and afterwards what came of it.

use butler_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::clock::Moment;
use crate::state::{AuditEntry, State, Step};

/// How many datasets the audit log names of one command.
const NAMED: usize = 100;

/// What the audit log says of a command until it is known what came of it.
const ASKED: &str = "asked for";

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A task is not to run until it is resumed; what it is at is finished first.
    Pause {
        /// The task's name.
        task: String,
    },
    /// A paused task is to go on.
    Resume {
        /// The task's name.
        task: String,
    },
    /// A task is to run as soon as possible.
    Run {
        /// The task's name.
        task: String,
    },
    /// Missing datasets are looked for again, and failed steps tried again at once.
    Retry {
        /// The datasets; all that are missing or have a problem if there are none.
        #[serde(default)]
        ids: Vec<Uuid>,
    },
    /// The datasets of a visit are held back from all steps.
    HoldVisit {
        /// The instrument.
        instrument: String,
        /// The visit.
        visit: i64,
    },
    /// The datasets of a visit go on.
    ReleaseVisit {
        /// The instrument.
        instrument: String,
        /// The visit.
        visit: i64,
    },
    /// The datasets of a type are held back from all steps.
    HoldType {
        /// The dataset type.
        dataset_type: String,
    },
    /// The datasets of a type go on.
    ReleaseType {
        /// The dataset type.
        dataset_type: String,
    },
    /// A receiver of webhooks is told again of what was given up.
    Resend {
        /// The receiver; all if none is named.
        #[serde(default)]
        webhook: Option<String>,
    },
    /// Datasets expire and are deleted as soon as possible, whatever policy and holds say.
    ForceExpire {
        /// The datasets.
        ids: Vec<Uuid>,
    },
}

impl Command {
    /// What it does, in words.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Run { .. } => "run",
            Self::Retry { .. } => "retry",
            Self::HoldVisit { .. } => "hold visit",
            Self::ReleaseVisit { .. } => "release visit",
            Self::HoldType { .. } => "hold type",
            Self::ReleaseType { .. } => "release type",
            Self::Resend { .. } => "resend",
            Self::ForceExpire { .. } => "force expire",
        }
    }

    /// What it does and what with, in one short line: what whoever commands has to confirm.
    #[must_use]
    pub fn summary(&self) -> String {
        let subject = match self {
            Self::Retry { ids } | Self::ForceExpire { ids } if ids.len() > 1 => {
                format!("{} datasets", ids.len())
            }
            _ => self.subject(),
        };
        format!("{} {subject}", self.action())
    }

    fn subject(&self) -> String {
        match self {
            Self::Pause { task } | Self::Resume { task } | Self::Run { task } => task.clone(),
            Self::HoldVisit { instrument, visit } | Self::ReleaseVisit { instrument, visit } => {
                format!("{instrument} {visit}")
            }
            Self::HoldType { dataset_type } | Self::ReleaseType { dataset_type } => {
                dataset_type.clone()
            }
            Self::Resend { webhook } => webhook.clone().unwrap_or_else(|| "all".to_owned()),
            Self::Retry { ids } if ids.is_empty() => "all".to_owned(),
            Self::Retry { ids } | Self::ForceExpire { ids } => {
                let named: Vec<String> = ids.iter().take(NAMED).map(Uuid::to_string).collect();
                match ids.len().saturating_sub(NAMED) {
                    0 => named.join(" "),
                    more => format!("{} and {more} more", named.join(" ")),
                }
            }
        }
    }

    /// Carries it out, and notes it. Gives the note.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such task, or nothing to do it with; any database
    /// error. Failures are noted as well.
    pub async fn execute(&self, state: &State, who: &str, now: Moment) -> Result<AuditEntry> {
        let mut entry = AuditEntry {
            time: now,
            who: who.to_owned(),
            action: self.action().to_owned(),
            subject: self.subject(),
            outcome: ASKED.to_owned(),
        };
        self.check()?;
        let note = state.add_audit(&entry).await?;
        let outcome = self.act(state, now).await;
        entry.outcome = match &outcome {
            Ok(outcome) => outcome.clone(),
            Err(error) => format!("failed: {error}"),
        };
        state.set_audit_outcome(note, &entry.outcome).await?;
        outcome.map(|_| entry)
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::InvalidArgument(what));
        match self {
            Self::Pause { task } | Self::Resume { task } | Self::Run { task }
                if Step::from_name(task).is_none() =>
            {
                let names = Step::ALL.map(Step::name).join(", ");
                wrong(format!("'{task}' is no task; tasks are {names}"))
            }
            Self::ForceExpire { ids } if ids.is_empty() => {
                wrong("name the datasets that are to expire".to_owned())
            }
            Self::HoldType { dataset_type: name }
            | Self::HoldVisit {
                instrument: name, ..
            } if name.is_empty() => wrong("the name is empty".to_owned()),
            _ => Ok(()),
        }
    }

    async fn act(&self, state: &State, now: Moment) -> Result<String> {
        let datasets = |count: u64| match count {
            1 => "1 dataset".to_owned(),
            count => format!("{count} datasets"),
        };
        let done = || "done".to_owned();
        match self {
            Self::Pause { task } => state.pause_task(task, true).await.map(|()| done()),
            Self::Resume { task } => state.pause_task(task, false).await.map(|()| done()),
            Self::Run { task } => state.request_run(task, now).await.map(|()| done()),
            Self::Retry { ids } => {
                let some = (!ids.is_empty()).then_some(&ids[..]);
                state.retry(some).await.map(datasets)
            }
            Self::HoldVisit { instrument, visit } => state
                .hold_visit(instrument, *visit, true)
                .await
                .map(datasets),
            Self::ReleaseVisit { instrument, visit } => state
                .hold_visit(instrument, *visit, false)
                .await
                .map(datasets),
            Self::HoldType { dataset_type } => {
                let held = state.hold_dataset_type(dataset_type, true).await;
                held.map(|()| done())
            }
            Self::ReleaseType { dataset_type } => {
                let released = state.hold_dataset_type(dataset_type, false).await;
                released.map(|()| done())
            }
            Self::Resend { webhook } => {
                let count = state.resend(webhook.as_deref(), now).await?;
                Ok(format!("{count} deliveries"))
            }
            Self::ForceExpire { ids } => state.force_expire(ids).await.map(datasets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_many_datasets_is_short_but_the_log_names_them() {
        let command = Command::ForceExpire {
            ids: vec![Uuid::nil(), Uuid::max()],
        };
        assert_eq!(command.summary(), "force expire 2 datasets");
        assert!(command.subject().contains(&Uuid::max().to_string()));
        let all = Command::Retry { ids: Vec::new() };
        assert_eq!(all.summary(), "retry all");
    }
}

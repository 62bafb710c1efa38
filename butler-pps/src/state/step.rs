//! The steps of a dataset's life, and when one may be taken.
//!
//! The rules that keep datasets safe are here, twice on purpose: as the condition of the query that
//! finds what is ready, and as a predicate on a row, by which what was found is checked again once
//! nobody else can be at work on it.

use std::fmt;

use super::models::{DatasetState, RepositoryName, Status};
use crate::clock::Moment;
use crate::policy::Rule;

/// A task, named after the step that it takes datasets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Datasets become known.
    Register,
    /// Files and records are copied from embargo to `prompt_prep`.
    ToPromptPrep,
    /// Records are copied and files are linked from `prompt_prep` to `/repo/main`.
    ToMain,
    /// Datasets are deleted from embargo.
    DeleteEmbargo,
    /// Records are copied from `prompt_prep` to the public repository for integration.
    ToGoogleInt,
    /// Records are copied from `prompt_prep` to the public repository.
    ToGoogleProd,
    /// Datasets expire in the public repository for integration.
    ExpireGoogleInt,
    /// Datasets expire in the public repository.
    ExpireGoogleProd,
    /// Files are deleted from `prompt_prep`.
    DeletePromptPrep,
    /// Files are deleted from `/repo/main`.
    DeleteMain,
    /// Users are told of datasets that are public. It changes no dataset.
    Notify,
}

/// What is ready to be linked to `/repo/main`. What is to expire by force is linked as well: nothing
/// leaves embargo before, whatever becomes of it afterwards.
const TO_MAIN: &str = "d.prompt_prep_status = 1 AND d.repo_main_status = 0";

/// What is safe to be deleted from embargo.
const DELETE_EMBARGO: &str =
    "d.embargo_status = 1 AND d.prompt_prep_status = 1 AND d.repo_main_status = 1";

/// Which datasets, by their type, a query is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clause {
    /// Datasets that the policy has ready: the condition besides the time, the column of the time,
    /// and what the rule says of it.
    Due {
        condition: &'static str,
        time: &'static str,
        cutoff: fn(&Rule, Moment) -> Option<Moment>,
    },
    /// Datasets of all types, also those without a rule.
    Any {
        condition: &'static str,
        time: &'static str,
    },
    /// Datasets that are to expire whatever the policy says.
    Forced { condition: &'static str },
}

impl Step {
    /// All steps in the order of a dataset's life.
    pub const ALL: [Self; 11] = [
        Self::Register,
        Self::ToPromptPrep,
        Self::ToMain,
        Self::DeleteEmbargo,
        Self::ToGoogleInt,
        Self::ToGoogleProd,
        Self::ExpireGoogleInt,
        Self::ExpireGoogleProd,
        Self::DeletePromptPrep,
        Self::DeleteMain,
        Self::Notify,
    ];

    /// The name of the task.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ToPromptPrep => "to_prompt_prep",
            Self::ToMain => "to_main",
            Self::DeleteEmbargo => "delete_embargo",
            Self::ToGoogleInt => "to_google_int",
            Self::ToGoogleProd => "to_google_prod",
            Self::ExpireGoogleInt => "expire_google_int",
            Self::ExpireGoogleProd => "expire_google_prod",
            Self::DeletePromptPrep => "delete_prompt_prep",
            Self::DeleteMain => "delete_main",
            Self::Notify => "notify",
        }
    }

    /// The step of a task's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    /// Where datasets come from, for steps that copy something.
    #[must_use]
    pub fn source(self) -> Option<RepositoryName> {
        match self {
            Self::ToPromptPrep => Some(RepositoryName::Embargo),
            Self::ToMain | Self::ToGoogleInt | Self::ToGoogleProd => {
                Some(RepositoryName::PromptPrep)
            }
            _ => None,
        }
    }

    /// The repository that the step changes.
    #[must_use]
    pub fn target(self) -> RepositoryName {
        match self {
            Self::Register | Self::DeleteEmbargo => RepositoryName::Embargo,
            Self::ToPromptPrep | Self::DeletePromptPrep => RepositoryName::PromptPrep,
            Self::ToMain | Self::DeleteMain => RepositoryName::Main,
            Self::ToGoogleInt | Self::ExpireGoogleInt => RepositoryName::GoogleInt,
            Self::ToGoogleProd | Self::ExpireGoogleProd | Self::Notify => {
                RepositoryName::GoogleProd
            }
        }
    }

    /// What becomes of a dataset in that repository, and the column that tells when.
    #[must_use]
    pub fn outcome(self) -> (Status, &'static str) {
        match self {
            Self::Register => (Status::Present, "registered_time"),
            Self::ToPromptPrep => (Status::Present, "unembargo_time"),
            Self::ToMain => (Status::Present, "repo_main_time"),
            Self::DeleteEmbargo => (Status::Deleted, "embargo_deleted_time"),
            Self::ToGoogleInt => (Status::Present, "google_int_time"),
            // What is told of is there since then.
            Self::ToGoogleProd | Self::Notify => (Status::Present, "google_prod_time"),
            Self::ExpireGoogleInt => (Status::Expired, "google_int_expired_time"),
            Self::ExpireGoogleProd => (Status::Expired, "google_prod_expired_time"),
            Self::DeletePromptPrep => (Status::Deleted, "prompt_prep_deleted_time"),
            Self::DeleteMain => (Status::Deleted, "repo_main_deleted_time"),
        }
    }

    /// The queries that together find what is ready for the step.
    pub(super) fn clauses(self) -> &'static [Clause] {
        match self {
            Self::Register | Self::Notify => &[],
            Self::ToPromptPrep => &[Clause::Due {
                condition: "d.embargo_status = 1 AND d.prompt_prep_status = 0 AND d.forced = 0",
                time: "observed_time",
                cutoff: |rule, now| Some(now.minus(rule.embargo)),
            }],
            Self::ToMain => &[
                Clause::Due {
                    condition: TO_MAIN,
                    time: "unembargo_time",
                    cutoff: |_, now| Some(now),
                },
                Clause::Forced { condition: TO_MAIN },
            ],
            Self::DeleteEmbargo => &[
                Clause::Any {
                    condition: DELETE_EMBARGO,
                    time: "unembargo_time",
                },
                Clause::Forced {
                    condition: DELETE_EMBARGO,
                },
            ],
            Self::ToGoogleInt => &[Clause::Due {
                condition: "d.prompt_prep_status = 1 AND d.google_int_status = 0
                                AND d.forced = 0",
                time: "unembargo_time",
                cutoff: |rule, now| rule.public.then_some(now),
            }],
            Self::ToGoogleProd => &[Clause::Due {
                condition: "d.prompt_prep_status = 1 AND d.google_prod_status = 0
                                AND d.forced = 0",
                time: "unembargo_time",
                cutoff: |rule, now| rule.public.then_some(now),
            }],
            Self::ExpireGoogleInt => &[
                Clause::Due {
                    condition: "d.google_int_status = 1",
                    time: "google_int_time",
                    cutoff: expired,
                },
                Clause::Forced {
                    condition: "d.google_int_status = 1",
                },
            ],
            Self::ExpireGoogleProd => &[
                Clause::Due {
                    condition: "d.google_prod_status = 1",
                    time: "google_prod_time",
                    cutoff: expired,
                },
                Clause::Forced {
                    condition: "d.google_prod_status = 1",
                },
            ],
            Self::DeletePromptPrep => &[
                // Expired in every public repository.
                Clause::Due {
                    condition: "d.prompt_prep_status = 1
                                AND d.google_int_status = 4 AND d.google_prod_status = 4
                                AND d.embargo_status <> 1 AND d.repo_main_status <> 0",
                    time: "unembargo_time",
                    cutoff: |_, now| Some(now),
                },
                // Never was, and will not be, in any public repository.
                Clause::Due {
                    condition: "d.prompt_prep_status = 1
                                AND d.google_int_status IN (0, 4) AND d.google_prod_status IN (0, 4)
                                AND d.embargo_status <> 1 AND d.repo_main_status <> 0",
                    time: "unembargo_time",
                    cutoff: |rule, now| expired(rule, now).filter(|_| !rule.public),
                },
                Clause::Forced {
                    condition: "d.prompt_prep_status = 1
                                AND d.google_int_status IN (0, 4) AND d.google_prod_status IN (0, 4)
                                AND d.embargo_status <> 1 AND d.repo_main_status <> 0",
                },
            ],
            Self::DeleteMain => &[
                Clause::Any {
                    condition: "d.repo_main_status = 1 AND d.prompt_prep_status = 3",
                    time: "prompt_prep_deleted_time",
                },
                Clause::Forced {
                    condition: "d.repo_main_status = 1 AND d.prompt_prep_status = 3",
                },
            ],
        }
    }

    /// Whether a dataset is ready for the step. `rule` is the one for its type, `type_held` tells
    /// whether that type is held back.
    #[must_use]
    pub fn is_ready(
        self,
        dataset: &DatasetState,
        rule: Option<&Rule>,
        type_held: bool,
        now: Moment,
    ) -> bool {
        use RepositoryName::{Embargo, GoogleInt, GoogleProd, Main, PromptPrep};
        use Status::{Deleted, Expired, NeverPresent, Present};

        if dataset.retry > now {
            return false;
        }
        let is = |repository, status| dataset.status(repository) == status;
        let free = !dataset.held && !type_held;
        let forced = dataset.forced;
        let due = |time: Option<Moment>| {
            let cutoff = rule.and_then(|rule| expired(rule, now));
            time.zip(cutoff)
                .is_some_and(|(time, cutoff)| time <= cutoff)
        };
        let publish = |repository| {
            free && !forced
                && rule.is_some_and(|rule| rule.public)
                && is(PromptPrep, Present)
                && is(repository, NeverPresent)
        };
        match self {
            Self::Register | Self::Notify => false,
            Self::ToPromptPrep => {
                free && !forced
                    && is(Embargo, Present)
                    && is(PromptPrep, NeverPresent)
                    && rule.is_some_and(|rule| dataset.times.observed <= now.minus(rule.embargo))
            }
            Self::ToMain => {
                (forced || (free && rule.is_some()))
                    && is(PromptPrep, Present)
                    && is(Main, NeverPresent)
            }
            Self::DeleteEmbargo => {
                (forced || free)
                    && is(Embargo, Present)
                    && is(PromptPrep, Present)
                    && is(Main, Present)
            }
            Self::ToGoogleInt => publish(GoogleInt),
            Self::ToGoogleProd => publish(GoogleProd),
            Self::ExpireGoogleInt => {
                is(GoogleInt, Present) && (forced || (free && due(dataset.times.google_int)))
            }
            Self::ExpireGoogleProd => {
                is(GoogleProd, Present) && (forced || (free && due(dataset.times.google_prod)))
            }
            Self::DeletePromptPrep => {
                let gone = |repository| is(repository, Expired) || is(repository, NeverPresent);
                let everywhere = is(GoogleInt, Expired) && is(GoogleProd, Expired);
                let internal =
                    rule.is_some_and(|rule| !rule.public) && due(dataset.times.unembargo);
                is(PromptPrep, Present)
                    && !is(Embargo, Present)
                    && !is(Main, NeverPresent)
                    && gone(GoogleInt)
                    && gone(GoogleProd)
                    && (forced || (free && rule.is_some() && (everywhere || internal)))
            }
            Self::DeleteMain => is(Main, Present) && is(PromptPrep, Deleted) && (forced || free),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Up to when datasets must have become available to have expired by now.
fn expired(rule: &Rule, now: Moment) -> Option<Moment> {
    rule.retention.map(|retention| now.minus(retention))
}

//! What the state database is about.

use std::fmt;
use std::str::FromStr;

use butler_core::error::{Error, Result};
use uuid::Uuid;

use crate::clock::Moment;

/// A repository that the service deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepositoryName {
    /// Where Prompt Processing puts its outputs.
    Embargo,
    /// The staging area at USDF, whose files the public repositories name.
    PromptPrep,
    /// `/repo/main`, for staff.
    Main,
    /// The public repository of the integration environment.
    GoogleInt,
    /// The public repository.
    GoogleProd,
}

impl RepositoryName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Embargo,
        Self::PromptPrep,
        Self::Main,
        Self::GoogleInt,
        Self::GoogleProd,
    ];

    /// The public ones.
    pub const PUBLIC: [Self; 2] = [Self::GoogleInt, Self::GoogleProd];

    /// The name in logs, settings and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embargo => "embargo",
            Self::PromptPrep => "prompt_prep",
            Self::Main => "repo_main",
            Self::GoogleInt => "google_int",
            Self::GoogleProd => "google_prod",
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What has become of a dataset in a repository. The numbers are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It was never there.
    NeverPresent = 0,
    /// It is there.
    Present = 1,
    /// It should be there, but is not.
    Missing = 2,
    /// It was there, and was deleted on purpose.
    Deleted = 3,
    /// It was there; now the registry alone knows it.
    Expired = 4,
}

impl Status {
    /// The status with a number.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if there is none.
    pub fn from_number(number: i64) -> Result<Self> {
        Ok(match number {
            0 => Self::NeverPresent,
            1 => Self::Present,
            2 => Self::Missing,
            3 => Self::Deleted,
            4 => Self::Expired,
            _ => {
                return Err(Error::corrupt(
                    "the state database",
                    format!("{number} is no status"),
                ));
            }
        })
    }

    /// The name, as technote DMTN-330 has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverPresent => "NEVER_PRESENT",
            Self::Present => "PRESENT",
            Self::Missing => "MISSING",
            Self::Deleted => "DELETED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// Who made a dataset. The numbers are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Prompt Processing.
    PromptProcessing = 1,
    /// Processing in the day after, of what Prompt Processing has not done.
    Catchup = 2,
}

impl Origin {
    /// The origin with a number.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if there is none.
    pub fn from_number(number: i64) -> Result<Self> {
        match number {
            1 => Ok(Self::PromptProcessing),
            2 => Ok(Self::Catchup),
            _ => Err(Error::corrupt(
                "the state database",
                format!("{number} is no origin"),
            )),
        }
    }

    /// The name, as events and batch files have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PromptProcessing => "prompt_processing",
            Self::Catchup => "catchup",
        }
    }
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::PromptProcessing, Self::Catchup]
            .into_iter()
            .find(|origin| origin.name() == text)
            .ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "'{text}' is no origin of datasets; known are 'prompt_processing' and 'catchup'"
                ))
            })
    }
}

/// A dataset that becomes known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDataset {
    /// Its ID.
    pub id: Uuid,
    /// Who made it.
    pub origin: Origin,
    /// The name of its type.
    pub dataset_type: String,
    /// Its instrument, if it has one.
    pub instrument: Option<String>,
    /// Its visit, if it has one.
    pub visit: Option<i64>,
    /// When the observation ended; unset if there is no saying.
    pub observed: Option<Moment>,
}

/// A dataset and how far it is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetState {
    /// Its ID.
    pub id: Uuid,
    /// Who made it.
    pub origin: Origin,
    /// The name of its type.
    pub dataset_type: String,
    /// Its instrument, if it has one.
    pub instrument: Option<String>,
    /// Its visit, if it has one.
    pub visit: Option<i64>,
    /// What has become of it in each repository, in the order of [`RepositoryName::ALL`].
    pub statuses: [Status; 5],
    /// When things happened to it.
    pub times: Times,
    /// Whether it is held back with its visit.
    pub held: bool,
    /// Whether it is to expire whatever the policy says.
    pub forced: bool,
    /// Why the last attempt at a step failed.
    pub problem: Option<String>,
    /// The step that failed.
    pub problem_step: Option<String>,
    /// How many attempts failed in a row.
    pub attempts: i64,
    /// When the next attempt may be.
    pub retry: Moment,
}

impl DatasetState {
    /// What has become of it in a repository.
    #[must_use]
    pub fn status(&self, repository: RepositoryName) -> Status {
        self.statuses[repository as usize]
    }
}

/// When things happened to a dataset; unset if they have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The observation ended, or the dataset became known if there is no saying.
    pub observed: Moment,
    /// It became known.
    pub registered: Moment,
    /// It came to `prompt_prep`.
    pub unembargo: Option<Moment>,
    /// It came to `/repo/main`.
    pub repo_main: Option<Moment>,
    /// It was deleted from the embargo repository.
    pub embargo_deleted: Option<Moment>,
    /// It was published in the integration environment.
    pub google_int: Option<Moment>,
    /// It was published.
    pub google_prod: Option<Moment>,
    /// It expired in the integration environment.
    pub google_int_expired: Option<Moment>,
    /// It expired.
    pub google_prod_expired: Option<Moment>,
    /// It was deleted from `prompt_prep`.
    pub prompt_prep_deleted: Option<Moment>,
    /// It was deleted from `/repo/main`.
    pub repo_main_deleted: Option<Moment>,
}

//! The five repositories.
//!
//! Each is opened when it is needed first. One that cannot be opened is left alone for a while, longer
//! each time, so that whoever needs another one is not kept waiting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use butler_core::error::{Error, Result};
use butler_direct::resource::Resources;
use butler_direct::{DirectButler, OpenOptions};
use tokio::sync::Mutex;

use crate::state::RepositoryName;

/// The shortest and longest time between two attempts to open a repository.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Connections to the database of each repository.
const CONNECTIONS: u32 = 8;

/// Where a repository is, and whether it is open.
#[derive(Debug)]
struct Place {
    uri: String,
    state: Mutex<Opened>,
}

#[derive(Debug)]
enum Opened {
    Yes(DirectButler),
    No {
        wait: Duration,
        until: Instant,
        why: String,
    },
}

/// How repositories are opened.
#[derive(Debug, Clone, Default)]
pub struct RepositoryOptions {
    /// The storages to use; those of the process's environment if unset.
    pub resources: Option<Resources>,
    /// How long others wait for files that this process is deleting when it is killed.
    pub trash_claim: Option<Duration>,
}

/// The repositories that the service deals with, by name.
#[derive(Debug)]
pub struct Repositories {
    places: BTreeMap<RepositoryName, Place>,
    options: RepositoryOptions,
}

impl Repositories {
    /// Takes the directories, addresses or labels of repositories. None is opened yet.
    #[must_use]
    pub fn new(
        uris: impl IntoIterator<Item = (RepositoryName, String)>,
        options: RepositoryOptions,
    ) -> Self {
        let places = uris.into_iter().map(|(name, uri)| {
            let state = Mutex::new(Opened::No {
                wait: SHORTEST,
                until: Instant::now(),
                why: String::new(),
            });
            (name, Place { uri, state })
        });
        Self {
            places: places.collect(),
            options,
        }
    }

    /// Whether there is a repository of that name.
    #[must_use]
    pub fn has(&self, name: RepositoryName) -> bool {
        self.places.contains_key(&name)
    }

    /// A repository, for reading and writing.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is none of that name; why it could not be opened, or an
    /// earlier attempt failed that is not long enough ago.
    pub async fn get(&self, name: RepositoryName) -> Result<DirectButler> {
        let place = self
            .places
            .get(&name)
            .ok_or_else(|| Error::Configuration(format!("no repository '{name}' is configured")))?;
        let mut opened = place.state.lock().await;
        let wait = match &*opened {
            Opened::Yes(butler) => return Ok(butler.clone()),
            Opened::No { until, why, .. } if *until > Instant::now() => {
                return Err(Error::Interrupted(format!(
                    "repository '{name}' could not be opened a moment ago: {why}"
                )));
            }
            Opened::No { wait, .. } => *wait,
        };
        match self.open(&place.uri).await {
            Ok(butler) => {
                tracing::info!(repository = %name, uri = place.uri, "opened");
                *opened = Opened::Yes(butler.clone());
                Ok(butler)
            }
            Err(error) => {
                tracing::warn!(repository = %name, uri = place.uri, %error, "cannot be opened");
                *opened = Opened::No {
                    wait: (wait * 2).min(LONGEST),
                    until: Instant::now() + wait,
                    why: error.to_string(),
                };
                Err(error)
            }
        }
    }

    /// As [`get`](Self::get), making sure that the database answers. Tasks do so before they take a
    /// worker up, which would otherwise wait in vain, and keep other tasks waiting.
    ///
    /// # Errors
    /// As for [`get`](Self::get); the database does not answer.
    pub async fn get_live(&self, name: RepositoryName) -> Result<DirectButler> {
        let butler = self.get(name).await?;
        let mut session = butler.registry().database().read().await?;
        session.fetch_all("SELECT 1", &[]).await?;
        Ok(butler)
    }

    async fn open(&self, uri: &str) -> Result<DirectButler> {
        let mut options = OpenOptions {
            // The default collections play no part.
            infer_defaults: false,
            max_connections: CONNECTIONS,
            resources: self.options.resources.clone(),
            ..OpenOptions::writeable()
        };
        if let Some(lasts) = self.options.trash_claim {
            options.trash_claim = lasts;
        }
        DirectButler::open(uri, options).await
    }

    /// Closes all that are open.
    pub async fn close(&self) {
        for place in self.places.values() {
            if let Opened::Yes(butler) = &*place.state.lock().await {
                butler.close().await;
            }
        }
    }
}

//! Opening repositories for many users.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use butler_client::{RemoteButlerFactory, RemoteOptions};
use butler_core::datasets::{DatasetRef, DatasetUri};
use butler_core::environment::Environment;
use butler_core::{Error, Result};
use butler_direct::DirectButler;
use butler_direct::config::{ButlerKind, ConfigReader, RepositoryIndex};
use butler_direct::resource::Resources;
use tokio::sync::OnceCell;

use crate::open::{refuse_writing, remote_factory, resources};
use crate::repository::Repository;

/// What all users of a repository share.
#[derive(Clone)]
enum Shared {
    Direct(DirectButler),
    Remote(RemoteButlerFactory),
}

/// Opens repositories by their labels, for services that do so for each request of each of their
/// users: connections, and what was read once, are shared. Clones share everything. Mirrors the
/// reference's `LabeledButlerFactory`.
///
/// ```no_run
/// # async fn example(delegated_token: &str) -> butler::Result<()> {
/// let factory = butler::LabeledButlerFactory::new();
/// let butler = factory.create("dp1", Some(delegated_token)).await?.reader();
/// println!("{}", butler.universe());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct LabeledButlerFactory {
    repositories: Option<Arc<BTreeMap<String, String>>>,
    writeable: bool,
    environment: Environment,
    resources: Arc<OnceLock<Resources>>,
    opened: Arc<Mutex<HashMap<String, Arc<OnceCell<Shared>>>>>,
}

impl fmt::Debug for LabeledButlerFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabeledButlerFactory")
            .field("repositories", &self.repositories)
            .finish_non_exhaustive()
    }
}

impl LabeledButlerFactory {
    /// A factory for the repositories in the repository index of the environment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A factory for repositories by these labels: directories, or addresses of configuration
    /// files.
    #[must_use]
    pub fn of<L: Into<String>, A: Into<String>>(
        repositories: impl IntoIterator<Item = (L, A)>,
    ) -> Self {
        let repositories = repositories.into_iter();
        let repositories = repositories.map(|(label, address)| (label.into(), address.into()));
        Self {
            repositories: Some(Arc::new(repositories.collect())),
            ..Self::default()
        }
    }

    /// The same for writing, which only direct repositories allow.
    #[must_use]
    pub fn writeable(mut self) -> Self {
        self.writeable = true;
        self
    }

    /// The same with another environment than the process's, for the index and for credentials.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self.resources = Arc::default();
        self
    }

    /// The repository of a label, for the user whose access token this is; without one, for nobody
    /// in particular, which only servers that let everybody in allow. Direct repositories do not
    /// look at it. What is in the environment is the service's own and never stands in for a user.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the label is not known; [`Error::Server`] if the server refuses
    /// the user, or wants to know one; others as for [`open`](crate::open()).
    pub async fn create(&self, label: &str, token: Option<&str>) -> Result<Repository> {
        match self.shared(label).await? {
            Shared::Direct(butler) => Ok(Repository::Direct(butler)),
            Shared::Remote(factory) => {
                let options = RemoteOptions::default();
                let butler = match token {
                    Some(token) => factory.open_with_token(token, options).await?,
                    None => factory.open_anonymous(options).await?,
                };
                Ok(Repository::Remote(butler))
            }
        }
    }

    /// The same for one user.
    #[must_use]
    pub fn bind(&self, token: Option<&str>) -> BoundFactory {
        BoundFactory {
            factory: self.clone(),
            token: token.map(str::to_owned),
        }
    }

    /// Whether there is a repository of this label.
    ///
    /// # Errors
    /// The repository index cannot be read.
    pub async fn knows(&self, label: &str) -> Result<bool> {
        Ok(self.address(label).await?.is_some())
    }

    /// Forgets all repositories, and closes their connections.
    pub async fn close(&self) {
        let opened = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *opened)
        };
        for cell in opened.into_values() {
            if let Some(Shared::Direct(butler)) = cell.get() {
                butler.close().await;
            }
        }
    }

    fn resources(&self) -> &Resources {
        self.resources.get_or_init(|| resources(&self.environment))
    }

    async fn address(&self, label: &str) -> Result<Option<String>> {
        if let Some(repositories) = &self.repositories {
            return Ok(repositories.get(label).cloned());
        }
        let reader = ConfigReader::new(self.resources().clone());
        let index = RepositoryIndex::from_environment(reader.loader()).await?;
        Ok(index.and_then(|index| index.get(label).map(str::to_owned)))
    }

    /// Opens a repository once; others wait, but not for repositories of other labels.
    async fn shared(&self, label: &str) -> Result<Shared> {
        let cell = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(opened.entry(label.to_owned()).or_default())
        };
        let shared = cell.get_or_try_init(|| self.open(label)).await;
        if shared.is_err() {
            // Labels that anybody may ask for must not pile up.
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if opened.get(label).is_some_and(|cell| !cell.initialized()) {
                opened.remove(label);
            }
        }
        shared.cloned()
    }

    async fn open(&self, label: &str) -> Result<Shared> {
        let address = self.address(label).await?.ok_or_else(|| {
            Error::InvalidArgument(format!("there is no repository of the label '{label}'"))
        })?;
        let resources = self.resources().clone();
        let config = ConfigReader::new(resources.clone()).open(&address).await?;
        Ok(match config.kind()? {
            ButlerKind::Direct => {
                let options = butler_direct::OpenOptions {
                    writeable: self.writeable,
                    resources: Some(resources),
                    ..butler_direct::OpenOptions::default()
                };
                Shared::Direct(DirectButler::from_config(config, options).await?)
            }
            ButlerKind::Remote => {
                refuse_writing(self.writeable)?;
                Shared::Remote(remote_factory(&config)?)
            }
        })
    }
}

/// A factory for one user.
#[derive(Clone)]
pub struct BoundFactory {
    factory: LabeledButlerFactory,
    token: Option<String>,
}

impl fmt::Debug for BoundFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundFactory")
            .field("factory", &self.factory)
            .finish_non_exhaustive()
    }
}

impl BoundFactory {
    /// The repository of a label.
    ///
    /// # Errors
    /// As for [`LabeledButlerFactory::create`].
    pub async fn create(&self, label: &str) -> Result<Repository> {
        self.factory.create(label, self.token.as_deref()).await
    }

    /// As [`open_dataset_uri`](crate::open_dataset_uri), for addresses whose repository has a
    /// label. Whoever has the address does not decide what else the service opens.
    ///
    /// # Errors
    /// As there, and for [`LabeledButlerFactory::create`].
    pub async fn open_dataset_uri(&self, uri: &str) -> Result<(Repository, Option<DatasetRef>)> {
        let uri: DatasetUri = uri.parse()?;
        let repository = self.create(uri.repository()).await?;
        let dataset = repository.registry().dataset(uri.dataset()).await?;
        Ok((repository, dataset))
    }
}

//! [`RemoteButler`]: a repository behind a server.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::butler::{Butler, ButlerDefaults, DefaultsOptions, Existence};
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::{ArtifactIndexInfo, DatasetUris};
use butler_core::dimensions::{DataIdValue, DimensionUniverse};
use butler_core::environment::Environment;
use butler_core::progress::Progress;
use butler_core::storage_class::StorageClassRegistry;
use butler_core::yaml;
use butler_core::{Error, Result};
use butler_formats::Table;
use bytes::Bytes;
use indexmap::IndexMap;
use reqwest::Client;
use url::Url;

use crate::auth::Credentials;
use crate::config::RemoteConfig;
use crate::connection::{Connection, http_client};
use crate::datastore::RemoteDatastore;
use crate::public_files::PublicFiles;
use crate::registry::{Remembered, RemoteRegistry};
use crate::retrieve::RetrieveOptions;
use crate::retry::RetryPolicy;

/// How a repository behind a server is opened.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// Collections searched by default, in order; if unset, the run alone.
    pub collections: Option<Vec<String>>,
    /// The RUN collection that is searched by default if no collections are given.
    pub run: Option<String>,
    /// Whether default values of governor dimensions are inferred from the default collections.
    pub infer_defaults: bool,
    /// Default values of governor dimensions.
    pub data_id: BTreeMap<String, DataIdValue>,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            collections: None,
            run: None,
            infer_defaults: true,
            data_id: BTreeMap::new(),
        }
    }
}

impl RemoteOptions {
    /// The same with collections to search by default.
    #[must_use]
    pub fn collections(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.collections = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

/// A server's repository, to be opened for many users: connections, and what does not change, are
/// shared. Mirrors the reference's `RemoteButlerFactory`.
#[derive(Clone)]
pub struct RemoteButlerFactory {
    config: RemoteConfig,
    http: Client,
    policy: RetryPolicy,
    storage_classes: Arc<StorageClassRegistry>,
    remembered: Arc<Remembered>,
}

impl fmt::Debug for RemoteButlerFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteButlerFactory")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl RemoteButlerFactory {
    /// A factory for a repository whose configuration is known. Nothing is contacted yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] if HTTP cannot be used on this machine.
    pub fn new(config: RemoteConfig) -> Result<Self> {
        Self::with_policy(config, RetryPolicy::default())
    }

    /// As [`new`](Self::new), with another idea of when to give up.
    ///
    /// # Errors
    /// As there.
    pub fn with_policy(config: RemoteConfig, policy: RetryPolicy) -> Result<Self> {
        Ok(Self {
            config,
            http: http_client(policy)?,
            policy,
            storage_classes: Arc::new(StorageClassRegistry::with_defaults()),
            remembered: Arc::default(),
        })
    }

    /// A factory for the repository at an address of HTTP, or whose configuration file is there.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is not an address of HTTP; [`Error::FileNotFound`],
    /// [`Error::Storage`] or [`Error::Configuration`] if the configuration cannot be read.
    pub async fn for_url(repository: &str) -> Result<Self> {
        let file = RemoteConfig::file_url(repository)?;
        let data = PublicFiles::new()?.read(file.as_str()).await?;
        let text = std::str::from_utf8(&data)
            .map_err(|error| Error::Configuration(format!("{file}: {error}")))?;
        Self::new(RemoteConfig::parse(text, &file)?)
    }

    /// The same with further storage classes, by which components and formats are known.
    #[must_use]
    pub fn storage_classes(mut self, classes: Arc<StorageClassRegistry>) -> Self {
        self.storage_classes = classes;
        self
    }

    /// Where the server is.
    #[must_use]
    pub const fn config(&self) -> &RemoteConfig {
        &self.config
    }

    /// The repository for the user whose token this is.
    ///
    /// # Errors
    /// As for [`open`](Self::open); [`Error::InvalidArgument`] if it cannot be a token.
    pub async fn open_with_token(
        &self,
        token: &str,
        options: RemoteOptions,
    ) -> Result<RemoteButler> {
        let credentials = Credentials::from_token(self.config.authentication, token)?;
        self.open(credentials, options).await
    }

    /// The repository for the user whose token is in the environment.
    ///
    /// # Errors
    /// As for [`open`](Self::open) and [`Credentials::from_environment`].
    pub async fn open_from_environment(
        &self,
        environment: &Environment,
        options: RemoteOptions,
    ) -> Result<RemoteButler> {
        let mode = self.config.authentication;
        let credentials = Credentials::from_environment(mode, &self.config.url, environment)?;
        self.open(credentials, options).await
    }

    /// The repository for a user.
    ///
    /// # Errors
    /// [`Error::Server`] if the server cannot be reached or refuses the user; errors of
    /// [`ButlerDefaults::resolve`].
    pub async fn open(
        &self,
        credentials: Credentials,
        options: RemoteOptions,
    ) -> Result<RemoteButler> {
        let http = self.http.clone();
        let connection = Connection::new(http, self.config.url.clone(), credentials, self.policy);
        let registry = RemoteRegistry::open(
            connection.clone(),
            Arc::clone(&self.storage_classes),
            Arc::clone(&self.remembered),
        );
        let registry = registry.await?;
        let options = DefaultsOptions {
            collections: options.collections,
            run: options.run,
            infer: options.infer_defaults,
            data_id: options.data_id,
        };
        let defaults = ButlerDefaults::resolve(&registry, options).await?;
        Ok(RemoteButler {
            registry,
            datastore: RemoteDatastore::new(connection),
            defaults: Arc::new(defaults),
        })
    }

    /// The repository without a token, for servers that let everybody in.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn open_anonymous(&self, options: RemoteOptions) -> Result<RemoteButler> {
        let credentials = Credentials::anonymous(self.config.authentication);
        self.open(credentials, options).await
    }
}

/// A repository behind a server, for reading.
///
/// Queries and lookups are those of [`Butler`], which [`reader`](Self::reader) gives; this adds what
/// goes beyond it. Clones share connections.
///
/// ```no_run
/// use butler_client::{RemoteButler, RemoteOptions};
/// use butler_core::query::SimpleQuery;
///
/// # async fn example() -> butler_core::Result<()> {
/// let options = RemoteOptions::default().collections(["LSSTComCam/DP1"]);
/// let server = "https://data.lsst.cloud/api/butler/repo/dp1";
/// let butler = RemoteButler::open(server, options).await?;
/// let query = SimpleQuery::new("instrument = 'LSSTComCam' AND visit > 2024110800000");
/// for image in butler.reader().query_datasets("visit_image", None, &query).await? {
///     println!("{image} has {} bytes", butler.get_bytes(&image).await?.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RemoteButler {
    registry: RemoteRegistry,
    datastore: RemoteDatastore,
    defaults: Arc<ButlerDefaults>,
}

impl RemoteButler {
    /// Opens the repository at an address of HTTP, or whose configuration file is there, with the
    /// token that is in the process's environment.
    ///
    /// # Errors
    /// As for [`RemoteButlerFactory::for_url`] and [`RemoteButlerFactory::open_from_environment`].
    pub async fn open(repository: &str, options: RemoteOptions) -> Result<Self> {
        let factory = RemoteButlerFactory::for_url(repository).await?;
        let environment = Environment::Process;
        factory.open_from_environment(&environment, options).await
    }

    /// The same repository with other defaults; connections are shared.
    ///
    /// # Errors
    /// As for [`ButlerDefaults::resolve`].
    pub async fn with_defaults(&self, options: DefaultsOptions) -> Result<Self> {
        let defaults = ButlerDefaults::resolve(&self.registry, options).await?;
        Ok(Self {
            defaults: Arc::new(defaults),
            ..self.clone()
        })
    }

    /// Reading as from any other repository.
    #[must_use]
    pub fn reader(&self) -> Butler {
        let registry = Arc::new(self.registry.clone());
        let datastore = Arc::new(self.datastore.clone());
        Butler::new(registry.clone(), datastore, Arc::clone(&self.defaults)).with_queries(registry)
    }

    /// What datasets there are.
    #[must_use]
    pub const fn registry(&self) -> &RemoteRegistry {
        &self.registry
    }

    /// Where they are.
    #[must_use]
    pub const fn datastore(&self) -> &RemoteDatastore {
        &self.datastore
    }

    /// Default collections, run and governor values.
    #[must_use]
    pub fn defaults(&self) -> &ButlerDefaults {
        &self.defaults
    }

    /// The dimensions.
    #[must_use]
    pub fn universe(&self) -> DimensionUniverse {
        butler_core::registry::Registry::universe(&self.registry)
    }

    /// The address of the repository on its server.
    #[must_use]
    pub fn server(&self) -> &Url {
        self.registry.connection().server()
    }

    /// The contents of a dataset's file, or of a component that has a file of its own.
    ///
    /// # Errors
    /// As for [`Datastore::get_bytes`](butler_core::datastore::Datastore::get_bytes).
    pub async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        butler_core::datastore::Datastore::get_bytes(&self.datastore, dataset).await
    }

    /// As [`RemoteDatastore::get_file`].
    ///
    /// # Errors
    /// As there.
    pub async fn get_file(&self, dataset: &DatasetRef, target: &Path) -> Result<()> {
        self.datastore.get_file(dataset, target).await
    }

    /// A dataset of structured data (JSON or YAML).
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is in another format; others as for
    /// [`get_bytes`](Self::get_bytes).
    pub async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        self.datastore.get_yaml(dataset).await
    }

    /// A dataset of structured data (JSON or YAML) as JSON.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml).
    pub async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        self.datastore.get_json(dataset).await
    }

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml); [`Error::InvalidArgument`] for an unknown column.
    pub async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        self.datastore.get_table(dataset, columns).await
    }

    /// Where a dataset is for now: signed addresses expire.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`] if it is not stored.
    pub async fn uris(&self, dataset: &DatasetRef) -> Result<DatasetUris> {
        self.reader().uris(dataset).await
    }

    /// What is known of each dataset; with `look`, files are looked for.
    ///
    /// # Errors
    /// [`Error::Server`], or [`Error::Storage`] if a storage refuses to answer.
    pub async fn exists(
        &self,
        datasets: &[DatasetRef],
        look: bool,
    ) -> Result<HashMap<DatasetId, Existence>> {
        self.reader().exists(datasets, look).await
    }

    /// Whether the server knows files of each dataset, without looking for them.
    ///
    /// # Errors
    /// [`Error::Server`].
    pub async fn stored_many(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, bool>> {
        self.reader().stored_many(datasets).await
    }

    /// As [`RemoteDatastore::retrieve_artifacts`].
    ///
    /// # Errors
    /// As there.
    pub async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &Path,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<PathBuf, ArtifactIndexInfo>> {
        self.datastore
            .retrieve_artifacts(datasets, destination, options, progress)
            .await
    }
}

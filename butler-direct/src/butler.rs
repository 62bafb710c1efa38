//! [`DirectButler`]: a repository opened through its database and files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use butler_core::butler::{Butler, ButlerDefaults, DefaultsOptions};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use butler_core::error::{Error, Result};
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::storage_class::StorageClassRegistry;

use crate::config::{ButlerConfig, ButlerKind, ConfigReader, DatabaseUrl};
use crate::datastores::{SharedDatastore, open_datastore};
use crate::db::{ACQUIRE_TIMEOUT, Access, ConnectOptions, Database, Location};
use crate::registry::trash::CLAIM_LASTS;
use crate::registry::{DatasetTypeOverrides, SqlRegistry};
use crate::resource::{ResourcePath, Resources};

/// The attribute in which a repository notes that it keeps observation metadata (ObsCore) tables.
const OBSCORE_ATTRIBUTE: &str = "config:registry.managers.obscore";

/// How a repository is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether writing is allowed.
    pub writeable: bool,
    /// Collections searched by default, in order; if unset, the run alone.
    pub collections: Option<Vec<String>>,
    /// The RUN collection that new datasets go into by default. When writing is allowed it is
    /// registered if it does not exist.
    pub run: Option<String>,
    /// Whether default values of governor dimensions are inferred from the default collections.
    pub infer_defaults: bool,
    /// Default values of governor dimensions.
    pub data_id: BTreeMap<String, DataIdValue>,
    /// Directories with defaults that win over those of `DAF_BUTLER_CONFIG_PATH`.
    pub search_path: Vec<ResourcePath>,
    /// The storages to read from; those of the process's environment if unset.
    pub resources: Option<Resources>,
    /// The most connections to the database that may be open at once.
    pub max_connections: u32,
    /// How long a caller waits for a connection to the database before it gives up.
    pub acquire_timeout: Duration,
    /// How long the database may take; see [`ConnectOptions::statement_timeout`].
    pub statement_timeout: Option<Duration>,
    /// How long others wait for the files that this one is deleting, should it be killed; longer than
    /// deleting a few thousand files takes.
    pub trash_claim: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            writeable: false,
            collections: None,
            run: None,
            infer_defaults: true,
            data_id: BTreeMap::new(),
            search_path: Vec::new(),
            resources: None,
            max_connections: 8,
            acquire_timeout: ACQUIRE_TIMEOUT,
            statement_timeout: None,
            trash_claim: CLAIM_LASTS,
        }
    }
}

impl OpenOptions {
    /// Options for reading and writing.
    pub fn writeable() -> Self {
        Self {
            writeable: true,
            ..Self::default()
        }
    }

    fn connection(&self, config: &ButlerConfig) -> Result<ConnectOptions> {
        let access = match self.writeable {
            true => Access::ReadWrite,
            false => Access::ReadOnly,
        };
        Ok(ConnectOptions {
            namespace: config.namespace()?,
            acquire_timeout: self.acquire_timeout,
            statement_timeout: self.statement_timeout,
            ..ConnectOptions::new(access, self.max_connections)
        })
    }

    /// The same with collections to search by default.
    #[must_use]
    pub fn collections(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.collections = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The same with a run that new datasets go into by default.
    #[must_use]
    pub fn run(mut self, name: impl Into<String>) -> Self {
        self.run = Some(name.into());
        self
    }
}

/// A repository reached through its database and its files.
///
/// Reading needs nothing but the repository; every writing method says what a failure leaves
/// behind.
#[derive(Debug, Clone)]
pub struct DirectButler {
    registry: SqlRegistry,
    config: Arc<ButlerConfig>,
    resources: Resources,
    datastore: SharedDatastore,
    defaults: Arc<ButlerDefaults>,
}

impl DirectButler {
    /// Opens a repository by its label in the repository index, its directory, or the address of
    /// its configuration file.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if there is no configuration; [`Error::Configuration`] if it is
    /// malformed, or is that of a repository behind a server; [`Error::UnsupportedVersion`] if the
    /// repository is of a version that cannot be handled; [`Error::Unavailable`] if the database
    /// cannot be reached, [`Error::Database`] if it refuses.
    ///
    /// A repository with an ObsCore table, which the reference's `obscore` manager keeps up with the
    /// datasets, can be read; opening it for writing is [`Error::UnsupportedVersion`].
    pub async fn open(repository: &str, mut options: OpenOptions) -> Result<Self> {
        let resources = options.resources.take().unwrap_or_default();
        let reader = ConfigReader::new(resources.clone()).search_path(options.search_path.clone());
        let config = reader.open(repository).await?;
        options.resources = Some(resources);
        Self::from_config(config, options).await
    }

    /// Opens the repository that a configuration, laid over all defaults, describes.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn from_config(config: ButlerConfig, options: OpenOptions) -> Result<Self> {
        if config.kind()? == ButlerKind::Remote {
            return Err(Error::Configuration(
                "the repository is behind a Butler server; it cannot be opened directly".to_owned(),
            ));
        }
        if let DatabaseUrl::SqliteFile(path) = config.database_url()?
            && !path.exists()
        {
            return Err(Error::FileNotFound(format!(
                "{}, the SQLite database of the repository",
                path.display()
            )));
        }
        let database = connect(&config, &options.connection(&config)?).await?;
        let overrides = DatasetTypeOverrides::from_config(config.config())?;
        let registry = SqlRegistry::open(database, storage_classes(&config)?)
            .await?
            .with_overrides(overrides)
            .with_trash_claim(options.trash_claim);
        Self::assemble(config, registry, options).await
    }

    /// Puts the parts of an open repository together.
    pub(crate) async fn assemble(
        config: ButlerConfig,
        registry: SqlRegistry,
        options: OpenOptions,
    ) -> Result<Self> {
        let resources = options.resources.unwrap_or_default();
        if options.writeable {
            refuse_obscore(&registry).await?;
            if let Some(run) = &options.run {
                let run_type = butler_core::collections::CollectionType::Run;
                registry.register_collection(run, run_type, None).await?;
            }
        }
        let datastore = open_datastore(&config, &registry, &resources).await?;
        let defaults = DefaultsOptions {
            collections: options.collections,
            run: options.run,
            infer: options.infer_defaults,
            data_id: options.data_id,
        };
        let defaults = ButlerDefaults::resolve(&registry, defaults).await?;
        Ok(Self {
            registry,
            config: Arc::new(config),
            resources,
            datastore,
            defaults: Arc::new(defaults),
        })
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

    /// The same repository, for reading, whose registry has connections of its own, with the limits
    /// of these options. None is opened before it is needed. The datastore is shared.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn beside(&self, options: &OpenOptions) -> Result<Self> {
        let connection = options.connection(&self.config)?;
        let database = self.registry.database();
        let database = database.beside(&location(&self.config)?, &connection)?;
        Ok(Self {
            registry: self.registry.clone().with_database(database),
            ..self.clone()
        })
    }

    /// The registry.
    pub fn registry(&self) -> &SqlRegistry {
        &self.registry
    }

    /// The configuration, laid over all defaults.
    pub fn config(&self) -> &ButlerConfig {
        &self.config
    }

    /// The storages that files are in.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The part of this that reads, without the means to write.
    pub fn reader(&self) -> Butler {
        let datastore: Arc<dyn butler_core::datastore::Datastore> = self.datastore.clone();
        Butler::new(
            Arc::new(self.registry.clone()),
            datastore,
            Arc::clone(&self.defaults),
        )
        .with_queries(Arc::new(self.registry.clone()))
    }

    /// Where datasets are kept.
    pub fn datastore(&self) -> &SharedDatastore {
        &self.datastore
    }

    /// Default collections, run and governor values.
    pub fn defaults(&self) -> &ButlerDefaults {
        &self.defaults
    }

    /// The dimensions.
    pub fn universe(&self) -> DimensionUniverse {
        self.registry.universe()
    }

    /// The storage classes.
    pub fn storage_classes(&self) -> &Arc<StorageClassRegistry> {
        self.registry.storage_classes()
    }

    /// Whether writing is allowed.
    pub fn is_writeable(&self) -> bool {
        self.registry.database().access() == Access::ReadWrite
    }

    /// Refuses if the repository was opened for reading only.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn require_writeable(&self) -> Result<()> {
        self.registry.database().require_writeable()
    }

    /// Makes a complete data ID for a dataset type of keys and values; defaults fill in governor
    /// dimensions.
    ///
    /// # Errors
    /// [`Error::MissingDatasetType`], [`Error::DimensionName`], [`Error::DimensionValue`],
    /// [`Error::DataIdValue`] or [`Error::InconsistentDataId`].
    pub async fn data_id<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
    ) -> Result<DataCoordinate> {
        let data_id: Vec<(N, V)> = data_id.into_iter().collect();
        let dataset_type = self.registry.dataset_type(dataset_type).await?;
        let data_id = self
            .defaults
            .data_id_for(dataset_type.dimensions(), data_id)?;
        let mut expanded = self
            .registry
            .expand_data_ids(std::slice::from_ref(&data_id))
            .await?;
        Ok(expanded.pop().unwrap_or(data_id))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.registry.database().close().await;
    }
}

/// Connects to the database that a configuration names.
pub(crate) async fn connect(config: &ButlerConfig, options: &ConnectOptions) -> Result<Database> {
    Database::connect_with(&location(config)?, options).await
}

fn location(config: &ButlerConfig) -> Result<Location> {
    Ok(match config.database_url()? {
        DatabaseUrl::SqliteFile(path) => Location::SqliteFile(path),
        DatabaseUrl::SqliteMemory => Location::SqliteMemory,
        DatabaseUrl::Postgres(url) => Location::Postgres(url.to_connection_string()),
    })
}

/// The storage classes that a configuration defines.
pub(crate) fn storage_classes(config: &ButlerConfig) -> Result<Arc<StorageClassRegistry>> {
    let mut classes = StorageClassRegistry::empty();
    classes.add_from_config(config.config())?;
    Ok(Arc::new(classes))
}

/// Refuses to write to a repository whose ObsCore table would be left behind.
///
/// The reference's `obscore` manager adds and removes rows of that table with the datasets of
/// configured RUN collections, or with the members of one TAGGED collection; this library does not.
/// Reading does not touch the table.
async fn refuse_obscore(registry: &SqlRegistry) -> Result<()> {
    match registry.attributes().await?.get(OBSCORE_ATTRIBUTE) {
        None => Ok(()),
        Some(manager) => Err(Error::unsupported_version(
            "the manager 'obscore' of the repository",
            manager,
            "repositories with ObsCore tables for reading only",
        )),
    }
}

//! The repositories that are served, opened for reading.

use std::sync::Arc;

use butler_core::butler::{Butler, ButlerDefaults, DefaultsOptions};
use butler_core::datasets::DatasetRef;
use butler_core::datastore::{Signer, StoredFile};
use butler_core::dimensions::{DataCoordinate, SerializedDataId};
use butler_core::error::Result;
use butler_core::wire::GetUniverseResponse;
use butler_direct::{DirectButler, OpenOptions};
use bytes::Bytes;
use uuid::Uuid;

use crate::settings::{RepositorySettings, Settings};

/// How many connections a pool has open, and how many of them are idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Open connections.
    pub open: u32,
    /// Those that nobody uses.
    pub idle: u32,
}

type Gauge = Box<dyn Fn() -> PoolUsage + Send + Sync>;

/// A repository that is served.
///
/// It has two pools of connections: one for look-ups, which are short, and one for queries, which
/// may not be, so that the former never wait for the latter.
pub struct Repository {
    /// The label.
    pub name: String,
    /// The groups whose members may use it.
    pub groups: Vec<String>,
    /// What signs addresses of files in object stores.
    pub signer: Arc<dyn Signer>,
    /// The body of `v1/universe`, which never changes.
    pub universe_body: Bytes,
    lookups: Butler,
    queries: Butler,
    record_tables: Vec<String>,
    pools: [(&'static str, Gauge); 2],
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens a repository.
    ///
    /// # Errors
    /// As [`DirectButler::open`].
    pub async fn open(
        name: &str,
        repository: &RepositorySettings,
        settings: &Settings,
    ) -> Result<Self> {
        let open = |connections, timeout| {
            let options = OpenOptions {
                infer_defaults: false,
                max_connections: connections,
                statement_timeout: Some(timeout),
                ..OpenOptions::default()
            };
            DirectButler::open(&repository.config_uri, options)
        };
        let (lookups, queries) = tokio::try_join!(
            open(settings.lookup_connections, settings.lookup_timeout),
            open(settings.query_connections, settings.query_timeout),
        )?;
        let universe = GetUniverseResponse {
            universe: lookups.universe().config().to_simple(),
        };
        let reader = lookups.reader();
        Ok(Self {
            name: name.to_owned(),
            groups: repository.authorized_groups.clone(),
            signer: Arc::new(lookups.resources().clone()),
            universe_body: serde_json::json!(universe).to_string().into(),
            record_tables: reader.datastore().record_tables(),
            lookups: reader,
            queries: queries.reader(),
            pools: [("lookups", gauge(&lookups)), ("queries", gauge(&queries))],
        })
    }

    /// The repository for look-ups.
    pub fn lookups(&self) -> &Butler {
        &self.lookups
    }

    /// The repository for look-ups that may leave governor dimensions to these values.
    ///
    /// # Errors
    /// As [`DataCoordinate::standardize`].
    pub fn lookups_with(&self, default_data_id: SerializedDataId) -> Result<Butler> {
        with_defaults(&self.lookups, default_data_id)
    }

    /// The repository for queries that may leave governor dimensions to these values.
    ///
    /// # Errors
    /// As [`DataCoordinate::standardize`].
    pub fn queries_with(&self, default_data_id: SerializedDataId) -> Result<Butler> {
        with_defaults(&self.queries, default_data_id)
    }

    /// The repository for queries with a default data ID that was read already.
    #[must_use]
    pub fn queries_of(&self, default_data_id: DataCoordinate) -> Butler {
        let defaults = ButlerDefaults::of_data_id(default_data_id);
        self.queries.with_checked_defaults(Arc::new(defaults))
    }

    /// The repository for queries that may leave governor dimensions to what these collections have
    /// one value of.
    ///
    /// # Errors
    /// As [`ButlerDefaults::resolve`].
    pub async fn queries_in(&self, collections: &[String]) -> Result<Butler> {
        let options = DefaultsOptions {
            collections: Some(collections.to_owned()),
            ..DefaultsOptions::default()
        };
        let defaults = ButlerDefaults::resolve(self.lookups.registry(), options).await?;
        Ok(self.queries.with_checked_defaults(Arc::new(defaults)))
    }

    /// A dataset and its files, the latter empty if it is stored nowhere; none if the dataset does
    /// not exist.
    ///
    /// # Errors
    /// Any database error.
    pub async fn dataset_files(&self, id: Uuid) -> Result<Option<(DatasetRef, Vec<StoredFile>)>> {
        let registry = self.lookups.registry();
        let found = registry.dataset_with_records(id, &self.record_tables);
        found.await?.map(|dataset| self.files(dataset)).transpose()
    }

    /// The files of a dataset that was found already.
    ///
    /// # Errors
    /// Any database error.
    pub async fn files_of(&self, dataset: DatasetRef) -> Result<(DatasetRef, Vec<StoredFile>)> {
        let registry = self.lookups.registry();
        let found = registry.attach_records(dataset, &self.record_tables);
        self.files(found.await?)
    }

    fn files(&self, dataset: DatasetRef) -> Result<(DatasetRef, Vec<StoredFile>)> {
        let files = match dataset.datastore_records() {
            Some(records) => self.lookups.datastore().recorded_files(records)?,
            None => Vec::new(),
        };
        Ok((dataset, files))
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// Any database error.
    pub async fn check(&self) -> Result<()> {
        let found = self.lookups.registry().dataset(Uuid::nil());
        found.await.map(drop)
    }

    /// The use of the pools, by what they are for.
    pub fn pools(&self) -> impl Iterator<Item = (&'static str, PoolUsage)> {
        self.pools.iter().map(|(name, gauge)| (*name, gauge()))
    }
}

fn with_defaults(butler: &Butler, data_id: SerializedDataId) -> Result<Butler> {
    if data_id.is_empty() {
        return Ok(butler.clone());
    }
    let data_id = DataCoordinate::standardize(butler.universe(), data_id, None, None)?;
    let defaults = ButlerDefaults::of_data_id(data_id);
    Ok(butler.with_checked_defaults(Arc::new(defaults)))
}

fn gauge(butler: &DirectButler) -> Gauge {
    let database = butler.registry().database().clone();
    Box::new(move || {
        let (open, idle) = database.pool_usage();
        PoolUsage { open, idle }
    })
}

//! The repositories that are served, opened for reading.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use butler_core::butler::{Butler, ButlerDefaults, DefaultsOptions};
use butler_core::datasets::DatasetRef;
use butler_core::datastore::{Signer, StoredFile};
use butler_core::dimensions::{DataCoordinate, SerializedDataId};
use butler_core::error::{Error, Result};
use butler_core::wire::GetUniverseResponse;
use butler_direct::config::{ButlerConfig, ConfigReader};
use butler_direct::resource::{Resources, S3Settings, SignatureVersion};
use butler_direct::{DirectButler, OpenOptions};
use bytes::Bytes;
use uuid::Uuid;

use crate::settings::{RepositorySettings, S3Signature, Settings};

/// How long a database may take to answer before the server starts without its repository.
const START_PATIENCE: Duration = Duration::from_secs(3);

/// How long the server rests before it tries again to open a repository: at first, and at most.
const RESTS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(15)];

/// A repository that is to be served, whether or not its database answers yet.
#[derive(Debug)]
pub struct Served {
    /// The label.
    pub name: String,
    /// The groups whose members may use it.
    pub groups: Vec<String>,
    opened: OnceLock<Arc<Repository>>,
}

impl Served {
    /// Opens a repository. If its database does not answer, that is tried again and again in the
    /// background, with growing pauses, until it does.
    ///
    /// # Errors
    /// As [`DirectButler::open`], but for [`Error::Unavailable`].
    pub async fn open(
        name: &str,
        repository: &RepositorySettings,
        settings: &Settings,
    ) -> Result<Arc<Self>> {
        let opener = Opener::new(name, &repository.config_uri, settings).await?;
        let served = Arc::new(Self {
            name: name.to_owned(),
            groups: repository.authorized_groups.clone(),
            opened: OnceLock::new(),
        });
        let why = match tokio::time::timeout(START_PATIENCE, opener.open()).await {
            Ok(Ok(repository)) => {
                served.opened.get_or_init(|| Arc::new(repository));
                return Ok(served);
            }
            Ok(Err(error)) if !matches!(error, Error::Unavailable { .. }) => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::error!(
            butler_repo = name,
            error = why,
            "the repository is opened later"
        );
        tokio::spawn(keep_trying(opener, Arc::downgrade(&served)));
        Ok(served)
    }

    /// The repository, once it is open.
    pub fn repository(&self) -> Option<&Arc<Repository>> {
        self.opened.get()
    }
}

/// Opens a repository as soon as that is possible, unless nobody wants it any more.
async fn keep_trying(opener: Opener, served: Weak<Served>) {
    let [mut rest, longest] = RESTS;
    while served.strong_count() > 0 {
        tokio::time::sleep(rest).await;
        rest = longest.min(rest * 2);
        match opener.open().await {
            Ok(repository) => {
                if let Some(served) = served.upgrade() {
                    served.opened.get_or_init(|| Arc::new(repository));
                    tracing::info!(butler_repo = opener.name, "the database answers now");
                }
                return;
            }
            Err(error) => {
                tracing::error!(butler_repo = opener.name, %error, "the repository stays closed");
            }
        }
    }
}

/// What it takes to open a repository.
struct Opener {
    name: String,
    config: ButlerConfig,
    lookups: OpenOptions,
    queries: OpenOptions,
}

impl Opener {
    /// Reads the configuration.
    async fn new(name: &str, config_uri: &str, settings: &Settings) -> Result<Self> {
        let s3 = S3Settings {
            signature_version: match settings.s3_signature_version {
                S3Signature::V4 => SignatureVersion::V4,
                S3Signature::V2 => SignatureVersion::V2,
            },
            ..S3Settings::default()
        };
        let resources = Resources::builder().s3(s3).build();
        let config = ConfigReader::new(resources.clone())
            .open(config_uri)
            .await?;
        let options = |connections, timeout| OpenOptions {
            infer_defaults: false,
            resources: Some(resources.clone()),
            max_connections: connections,
            acquire_timeout: settings.connection_timeout,
            statement_timeout: Some(timeout),
            ..OpenOptions::default()
        };
        Ok(Self {
            name: name.to_owned(),
            config,
            lookups: options(settings.lookup_connections, settings.lookup_timeout),
            queries: options(settings.query_connections, settings.query_timeout),
        })
    }

    async fn open(&self) -> Result<Repository> {
        let lookups = DirectButler::from_config(self.config.clone(), self.lookups.clone()).await?;
        Ok(Repository::new(
            &self.name,
            &lookups,
            &lookups.beside(&self.queries)?,
        ))
    }
}

/// How many connections a pool has open, and how many of them are idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUsage {
    /// Open connections.
    pub open: usize,
    /// Those that nobody uses.
    pub idle: usize,
}

type Gauge = Box<dyn Fn() -> PoolUsage + Send + Sync>;

/// A repository that is served.
///
/// It has two pools of connections: one for look-ups, which are short, and one for queries, which
/// may not be, so that the former never wait for the latter.
pub struct Repository {
    /// The label.
    pub name: String,
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
    fn new(name: &str, lookups: &DirectButler, queries: &DirectButler) -> Self {
        let universe = GetUniverseResponse {
            universe: lookups.universe().config().to_simple(),
        };
        let reader = lookups.reader();
        Self {
            name: name.to_owned(),
            signer: Arc::new(lookups.resources().clone()),
            universe_body: serde_json::json!(universe).to_string().into(),
            record_tables: reader.datastore().record_tables(),
            lookups: reader,
            queries: queries.reader(),
            pools: [("lookups", gauge(lookups)), ("queries", gauge(queries))],
        }
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

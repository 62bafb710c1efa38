//! Opening one repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use butler_client::{RemoteButlerFactory, RemoteConfig, RemoteOptions};
use butler_core::datasets::{DatasetRef, DatasetUri};
use butler_core::dimensions::DataIdValue;
use butler_core::environment::Environment;
use butler_core::storage_class::StorageClassRegistry;
use butler_core::{Error, Result};
use butler_direct::DirectButler;
use butler_direct::config::{ButlerConfig, ButlerKind, ConfigReader};
use butler_direct::resource::Resources;

use crate::repository::Repository;

/// How a repository is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether writing is allowed; never in repositories behind servers.
    pub writeable: bool,
    /// Collections searched by default, in order; if unset, the run alone.
    pub collections: Option<Vec<String>>,
    /// The RUN collection that new datasets go into by default.
    pub run: Option<String>,
    /// Whether default values of governor dimensions are inferred from the default collections.
    pub infer_defaults: bool,
    /// Default values of governor dimensions.
    pub data_id: BTreeMap<String, DataIdValue>,
    /// Where the repository index, credentials and access tokens are looked for.
    pub environment: Environment,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            writeable: false,
            collections: None,
            run: None,
            infer_defaults: true,
            data_id: BTreeMap::new(),
            environment: Environment::default(),
        }
    }
}

impl OpenOptions {
    /// The same with collections to search by default.
    #[must_use]
    pub fn collections(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.collections = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The same for writing.
    #[must_use]
    pub const fn writeable(mut self) -> Self {
        self.writeable = true;
        self
    }

    fn for_direct(self, resources: Resources) -> butler_direct::OpenOptions {
        butler_direct::OpenOptions {
            writeable: self.writeable,
            collections: self.collections,
            run: self.run,
            infer_defaults: self.infer_defaults,
            data_id: self.data_id,
            resources: Some(resources),
            ..butler_direct::OpenOptions::default()
        }
    }

    fn for_remote(self) -> RemoteOptions {
        RemoteOptions {
            collections: self.collections,
            run: self.run,
            infer_defaults: self.infer_defaults,
            data_id: self.data_id,
        }
    }
}

/// The storages that configurations and files are read from.
pub(crate) fn resources(environment: &Environment) -> Resources {
    Resources::builder()
        .environment(environment.clone())
        .build()
}

/// Opens a repository by its label in the repository index (`DAF_BUTLER_REPOSITORY_INDEX` or
/// `DAF_BUTLER_REPOSITORIES`), its directory, or the address of its configuration file. The
/// configuration decides whether it is opened directly or through a server; for a server, the
/// access token is looked for in the environment.
///
/// # Errors
/// [`Error::FileNotFound`] if there is no configuration; [`Error::Configuration`] if it is
/// malformed, or there is no access token; [`Error::ReadOnly`] if a repository behind a server is
/// to be opened for writing; others as for [`DirectButler::open`] and
/// [`RemoteButlerFactory::open`].
pub async fn open(repository: &str, options: OpenOptions) -> Result<Repository> {
    let resources = resources(&options.environment);
    let config = ConfigReader::new(resources.clone())
        .open(repository)
        .await?;
    match config.kind()? {
        ButlerKind::Direct => {
            let options = options.for_direct(resources);
            let butler = DirectButler::from_config(config, options).await?;
            Ok(Repository::Direct(butler))
        }
        ButlerKind::Remote => {
            refuse_writing(options.writeable)?;
            let environment = options.environment.clone();
            let butler = remote_factory(&config)?
                .open_from_environment(&environment, options.for_remote())
                .await?;
            Ok(Repository::Remote(butler))
        }
    }
}

pub(crate) fn refuse_writing(writeable: bool) -> Result<()> {
    match writeable {
        false => Ok(()),
        true => Err(Error::ReadOnly(
            "a repository behind a Butler server can be read only; open it directly to write"
                .to_owned(),
        )),
    }
}

/// What opens the repository behind a server that a configuration describes.
pub(crate) fn remote_factory(config: &ButlerConfig) -> Result<RemoteButlerFactory> {
    let root = config.root_text()?;
    let mut classes = StorageClassRegistry::empty();
    classes.add_from_config(config.config())?;
    let remote = RemoteConfig::from_config(config.config(), root.as_deref())?;
    Ok(RemoteButlerFactory::new(remote)?.storage_classes(Arc::new(classes)))
}

/// Opens the repository that an address of a dataset names, and looks the dataset up; it may not
/// be there. Services use [`BoundFactory::open_dataset_uri`](crate::BoundFactory::open_dataset_uri).
///
/// # Errors
/// [`Error::InvalidArgument`] if it is no address of a dataset; others as for [`open`].
pub async fn open_dataset_uri(
    uri: &str,
    options: OpenOptions,
) -> Result<(Repository, Option<DatasetRef>)> {
    let uri: DatasetUri = uri.parse()?;
    let repository = open(uri.repository(), options).await?;
    let dataset = repository.registry().dataset(uri.dataset()).await?;
    Ok((repository, dataset))
}

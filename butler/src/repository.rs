//! A repository that is open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use butler_client::RemoteButler;
use butler_client::RetrieveOptions;
use butler_core::Result;
use butler_core::butler::{Butler, Existence};
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::ArtifactIndexInfo;
use butler_core::progress::Progress;
use butler_core::registry::Registry;
use butler_core::transfer::TransferSource;
use butler_core::yaml;
use butler_direct::DirectButler;
use butler_direct::datastores::RetrieveOptions as DirectRetrieveOptions;
use butler_direct::resource::{ResourcePath, TransferMode};
use butler_formats::Table;
use bytes::Bytes;

/// A repository, reached in either way. What can be done with all of them is here; what only direct
/// repositories can is to be had by [`direct`](Self::direct).
#[derive(Debug, Clone)]
pub enum Repository {
    /// Through its database and files.
    Direct(DirectButler),
    /// Through a server.
    Remote(RemoteButler),
}

impl Repository {
    /// Lookups and queries.
    #[must_use]
    pub fn reader(&self) -> Butler {
        match self {
            Self::Direct(butler) => butler.reader(),
            Self::Remote(butler) => butler.reader(),
        }
    }

    /// What datasets there are.
    #[must_use]
    pub fn registry(&self) -> &dyn Registry {
        match self {
            Self::Direct(butler) => butler.registry(),
            Self::Remote(butler) => butler.registry(),
        }
    }

    /// The repository as one that others can take datasets from.
    #[must_use]
    pub fn source(&self) -> &dyn TransferSource {
        match self {
            Self::Direct(butler) => butler,
            Self::Remote(butler) => butler,
        }
    }

    /// The repository, if it is reached directly.
    #[must_use]
    pub const fn direct(&self) -> Option<&DirectButler> {
        match self {
            Self::Direct(butler) => Some(butler),
            Self::Remote(_) => None,
        }
    }

    /// The repository, if it is behind a server.
    #[must_use]
    pub const fn remote(&self) -> Option<&RemoteButler> {
        match self {
            Self::Direct(_) => None,
            Self::Remote(butler) => Some(butler),
        }
    }

    /// The contents of a dataset's file, or of a component that has a file of its own.
    ///
    /// # Errors
    /// As for [`Datastore::get_bytes`](butler_core::datastore::Datastore::get_bytes).
    pub async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        self.reader().get_bytes(dataset).await
    }

    /// A dataset of structured data (JSON or YAML).
    ///
    /// # Errors
    /// [`DatasetTypeNotSupported`](crate::Error::DatasetTypeNotSupported) if it is in another
    /// format; others as for [`get_bytes`](Self::get_bytes).
    pub async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        match self {
            Self::Direct(butler) => butler.get_yaml(dataset).await,
            Self::Remote(butler) => butler.get_yaml(dataset).await,
        }
    }

    /// A dataset of structured data (JSON or YAML) as JSON.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml).
    pub async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        match self {
            Self::Direct(butler) => butler.get_json(dataset).await,
            Self::Remote(butler) => butler.get_json(dataset).await,
        }
    }

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml);
    /// [`InvalidArgument`](crate::Error::InvalidArgument) for an unknown column.
    pub async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        match self {
            Self::Direct(butler) => butler.get_table(dataset, columns).await,
            Self::Remote(butler) => butler.get_table(dataset, columns).await,
        }
    }

    /// What is known of each dataset; with `look`, files are looked for.
    ///
    /// # Errors
    /// Any error of registry or storage.
    pub async fn exists(
        &self,
        datasets: &[DatasetRef],
        look: bool,
    ) -> Result<HashMap<DatasetId, Existence>> {
        self.reader().exists(datasets, look).await
    }

    /// Brings copies of the files of datasets to a local directory, and tells what is where.
    ///
    /// # Errors
    /// [`FileNotFound`](crate::Error::FileNotFound) if a dataset is not stored,
    /// [`FileExists`](crate::Error::FileExists) if a file is in the way; errors of storages.
    pub async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &Path,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<(PathBuf, ArtifactIndexInfo)>> {
        match self {
            Self::Remote(butler) => {
                let found = butler.retrieve_artifacts(datasets, destination, options, progress);
                Ok(found.await?.into_iter().collect())
            }
            Self::Direct(butler) => {
                let options = DirectRetrieveOptions {
                    mode: TransferMode::Copy,
                    preserve_path: options.preserve_path,
                    overwrite: options.overwrite,
                    write_index: options.write_index,
                    add_prefix: options.add_prefix,
                };
                let place = ResourcePath::from_local(destination)?;
                let found = butler.retrieve_artifacts(datasets, &place, options, progress);
                let found = found.await?.into_iter();
                Ok(found
                    .filter_map(|(path, artifact)| Some((path.local_path()?, artifact)))
                    .collect())
            }
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        if let Self::Direct(butler) = self {
            butler.close().await;
        }
    }
}

//! What every datastore does, whether it keeps files, memory or a connection to a server.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;

use super::DatastoreRecordData;
use crate::datasets::{DatasetId, DatasetRef};
use crate::error::{Error, Result};

/// Where the files of a dataset are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetUris {
    /// The URI of the one file that holds the dataset. Predicted URIs end in `#predicted`.
    pub primary: Option<String>,
    /// The URIs of the components' files by component name, if the dataset was taken apart.
    pub components: BTreeMap<String, String>,
}

impl DatasetUris {
    /// The URI of a dataset that lies in one file.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it was taken apart.
    pub fn single(&self) -> Result<&str> {
        match &self.primary {
            Some(uri) if self.components.is_empty() => Ok(uri),
            _ => Err(Error::InvalidArgument(format!(
                "the dataset lies in several files, one for each of the components {:?}; ask for \
                 one of them",
                self.components.keys().collect::<Vec<_>>()
            ))),
        }
    }

    /// All URIs.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.primary
            .iter()
            .chain(self.components.values())
            .map(String::as_str)
    }
}

/// Reading from a datastore.
#[async_trait]
pub trait Datastore: Send + Sync + std::fmt::Debug {
    /// The datastore's name and those of all datastores in it, as the registry's locations have
    /// them.
    fn names(&self) -> Vec<String>;

    /// Which of the datasets the datastore has records of, without looking at files.
    ///
    /// # Errors
    /// The records cannot be read.
    async fn knows(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>>;

    /// Which of the datasets are there, by looking at the files. A dataset that was taken apart
    /// is there if all its files are.
    ///
    /// # Errors
    /// The records cannot be read, or the storage refuses to answer.
    async fn exists(&self, datasets: &[DatasetRef]) -> Result<HashSet<DatasetId>>;

    /// Where datasets are. With `predict`, also where those would be that are not there; without,
    /// these are left out.
    ///
    /// # Errors
    /// The records cannot be read, or a place cannot be predicted.
    async fn uris(
        &self,
        datasets: &[DatasetRef],
        predict: bool,
    ) -> Result<HashMap<DatasetId, DatasetUris>>;

    /// The contents of the file of a dataset, or of a component that has a file of its own.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if the dataset or its file is not there, [`Error::FileIntegrity`]
    /// if the file's size differs from its record, [`Error::UnknownComponent`] if the component
    /// has no file of its own.
    async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes>;

    /// The records of datasets by the name of the datastore that has them. Datasets without
    /// records are left out.
    ///
    /// # Errors
    /// The records cannot be read.
    async fn records(&self, ids: &[DatasetId]) -> Result<IndexMap<String, DatastoreRecordData>>;
}

/// Writing to a datastore, as far as it is the same for all of them.
///
/// How datasets come in depends on the datastore: storing files and recording them in a registry
/// are two steps which only the owner of the registry can join.
#[async_trait]
pub trait DatastoreWriter: Datastore {
    /// Whether a dataset would be taken.
    fn accepts(&self, dataset: &DatasetRef) -> bool;

    /// Whether what is stored is gone when the process ends.
    fn is_ephemeral(&self) -> bool;

    /// Deletes the files of datasets in the trash, of all or of those `selected`, and their
    /// records. Returns the URIs of the files that were removed or, with `dry_run`, would be.
    /// Files which other datasets share, or which lie outside of the datastore, stay.
    ///
    /// A crash leaves some datasets in the trash, possibly without their files; emptying the
    /// trash again finishes the work.
    ///
    /// # Errors
    /// The records cannot be read or written. Files that cannot be removed are logged; they and
    /// their records stay in the trash.
    async fn empty_trash(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>>;
}

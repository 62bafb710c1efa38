//! What every datastore does, whether it keeps files, memory or a connection to a server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use indexmap::IndexMap;

use super::{DatastoreRecordData, StoredFileInfo};
use crate::datasets::{DatasetId, DatasetRef, DatastoreRecords};
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

/// A file that a dataset, or a component of one, is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// What was recorded of it.
    pub info: StoredFileInfo,
    /// Where it is: an absolute URI. A fragment tells where in the file the dataset is.
    pub uri: String,
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

    /// The tables of the registry in which records are kept; none by default.
    fn record_tables(&self) -> Vec<String> {
        Vec::new()
    }

    /// The files of a dataset with these records, in the first of the datastores that has some.
    /// Nothing is looked up. None by default.
    ///
    /// # Errors
    /// A record leads out of the datastore.
    fn recorded_files(&self, _records: &DatastoreRecords) -> Result<Vec<StoredFile>> {
        Ok(Vec::new())
    }

    /// The files of many datasets. Datasets without records are left out.
    ///
    /// # Errors
    /// As for [`records`](Self::records) and [`recorded_files`](Self::recorded_files).
    async fn files(&self, ids: &[DatasetId]) -> Result<IndexMap<DatasetId, Vec<StoredFile>>> {
        let mut all: IndexMap<DatasetId, DatastoreRecords> = IndexMap::new();
        for data in self.records(ids).await?.into_values() {
            for (id, tables) in data.records {
                all.entry(id).or_default().extend(tables);
            }
        }
        let mut files = IndexMap::with_capacity(all.len());
        for (id, records) in all {
            let found = self.recorded_files(&records)?;
            if !found.is_empty() {
                files.insert(id, found);
            }
        }
        Ok(files)
    }
}

/// What hands out addresses that let anyone read a file for a while.
#[async_trait]
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// An `http` or `https` URL to read a file with, made without asking the storage. The fragment
    /// of the URI is kept.
    ///
    /// # Errors
    /// [`Error::Storage`] if files at this kind of URI have no such address.
    async fn sign(&self, uri: &str, valid_for: Duration) -> Result<String>;
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

//! What a repository must give so that another can take datasets from it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::datasets::{DatasetId, DatasetRef};
use crate::datastore::StoredFileInfo;
use crate::dimensions::{DataIdValue, DimensionElement, DimensionRecord};
use crate::error::Result;
use crate::registry::Registry;

/// A file of a dataset that another repository may take.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The file's record in the datastore it is in.
    pub info: StoredFileInfo,
    /// Where it is, with the fragment if it is part of an archive.
    pub uri: String,
    /// Whether the record has an absolute address: the file is not within the datastore's root.
    pub absolute: bool,
    /// What fetches the file. None if whoever can read the storage reads it there.
    pub reader: Option<Arc<dyn SourceReader>>,
}

/// What fetches files that need more than access to a storage.
#[async_trait]
pub trait SourceReader: Debug + Send + Sync {
    /// Brings the file at an address that the source gave to a local path, which must not exist.
    /// The size, if it is known, is checked.
    ///
    /// # Errors
    /// [`Error::FileNotFound`](crate::Error::FileNotFound),
    /// [`Error::FileIntegrity`](crate::Error::FileIntegrity), or whatever keeps the file from
    /// being fetched. Nothing is left behind.
    async fn fetch(&self, uri: &str, size: Option<u64>, target: &Path) -> Result<()>;
}

/// A repository, however it is reached, that another can take datasets from. Mirrors the
/// reference's `FileTransferSource`, and what it asks of a source's registry besides.
#[async_trait]
pub trait TransferSource: Send + Sync {
    /// What datasets there are.
    fn registry(&self) -> &dyn Registry;

    /// The records of an element that have one of these keys in the given dimensions.
    ///
    /// # Errors
    /// The records cannot be read.
    async fn dimension_records_with(
        &self,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>>;

    /// The files of datasets. Datasets without records are left out.
    ///
    /// # Errors
    /// The records cannot be read.
    async fn files(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, Vec<SourceFile>>>;
}

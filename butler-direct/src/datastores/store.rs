//! What the datastores of a direct Butler can do, beside reading.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use butler_core::config::LookupKey;
use butler_core::datasets::{DatasetId, DatasetRef, FileDataset};
use butler_core::datastore::{
    ArtifactIndexInfo, DatastoreRecordData, DatastoreWriter, Entity, StoredFileInfo,
};
use butler_core::error::{Error, Result};
use butler_core::progress::{NoProgress, Progress};
use butler_core::transfer::{SourceFile, SourceReader};
use butler_core::yaml;
use butler_formats::{SchemaRef, Table};
use indexmap::IndexMap;

use super::put_data::PutData;
use super::staged::Staged;
use crate::registry::RegistryTransaction;
use crate::resource::{LocalCopy, ResourcePath, TransferMode};

/// A datastore of any kind, shared.
pub type SharedDatastore = Arc<dyn DirectDatastore>;

/// How files are ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestOptions {
    /// How files get into the datastore. `None` means that they are in it already;
    /// [`TransferMode::Auto`] means the same if they all lie below its root, and else a link or
    /// a copy (a mixture of both leaves what lies outside where it is).
    pub mode: Option<TransferMode>,
    /// Whether sizes, and checksums if the datastore is configured for them, are recorded.
    pub record_validation_info: bool,
}

impl IngestOptions {
    /// Ingest with this mode and all validation information.
    pub fn new(mode: Option<TransferMode>) -> Self {
        Self {
            mode,
            record_validation_info: true,
        }
    }
}

/// How artifacts are retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrieveOptions {
    /// How files get to the destination; they cannot be moved there.
    pub mode: TransferMode,
    /// Whether files keep their path within the datastore; else only its last component.
    pub preserve_path: bool,
    /// Whether files at the destination may be replaced.
    pub overwrite: bool,
    /// Whether an index ([`ZIP_INDEX_NAME`](super::ZIP_INDEX_NAME)) is written to the
    /// destination.
    pub write_index: bool,
    /// Whether file names begin with the first eight digits of a dataset ID, unless paths are
    /// preserved.
    pub add_prefix: bool,
}

impl Default for RetrieveOptions {
    fn default() -> Self {
        Self {
            mode: TransferMode::Auto,
            preserve_path: true,
            overwrite: false,
            write_index: false,
            add_prefix: false,
        }
    }
}

/// A file of a dataset, to be transferred to another repository.
#[derive(Debug, Clone)]
pub struct TransferFile {
    /// The file's record in the datastore it is in.
    pub info: StoredFileInfo,
    /// Where it is, with the fragment if it is part of an archive.
    pub uri: ResourcePath,
    /// Whether the record has an absolute address: the file is not within the datastore's root.
    pub absolute: bool,
    /// What fetches the file, if it is not simply read where it is.
    pub reader: Option<Arc<dyn SourceReader>>,
}

impl From<TransferFile> for SourceFile {
    fn from(file: TransferFile) -> Self {
        Self {
            uri: file.uri.to_string(),
            info: file.info,
            absolute: file.absolute,
            reader: file.reader,
        }
    }
}

impl TryFrom<SourceFile> for TransferFile {
    type Error = Error;

    fn try_from(file: SourceFile) -> Result<Self> {
        Ok(Self {
            uri: ResourcePath::relative(&file.uri)?,
            info: file.info,
            absolute: file.absolute,
            reader: file.reader,
        })
    }
}

/// A datastore that direct access can write to.
#[async_trait]
pub trait DirectDatastore: DatastoreWriter {
    /// The name.
    fn name(&self) -> &str;

    /// The roots of all file datastores in this one, by name.
    fn roots(&self) -> IndexMap<String, ResourcePath>;

    /// Creates the tables for records unless they are there. To be called once for a new
    /// repository; opening a repository for writing does it too.
    ///
    /// # Errors
    /// Any database error.
    async fn register_tables(&self, transaction: &mut RegistryTransaction) -> Result<()>;

    /// Whether files can be ingested, as opposed to put.
    fn can_ingest(&self) -> bool;

    /// Whether a template or formatter needs data IDs with dimension records: for a put, and an
    /// ingest that brings the file to a new place.
    fn needs_expanded_data_ids(&self, mode: Option<TransferMode>, dataset: &DatasetRef) -> bool;

    /// Whether files are looked for at their expected place if there is no record of them.
    fn trusts_requests(&self) -> bool;

    /// Stores a dataset, without recording it.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is
    /// rejected or the data are of a kind that its formatter does not write;
    /// [`Error::ConflictingDefinition`] if its place
    /// holds the file of another dataset; storage errors.
    async fn stage_put(&self, dataset: &DatasetRef, data: PutData) -> Result<Staged> {
        self.stage_puts(vec![(dataset.clone(), data)], &NoProgress)
            .await
    }

    /// Stores many datasets, several at once. If one fails, none stays.
    ///
    /// # Errors
    /// As for [`stage_put`](Self::stage_put).
    async fn stage_puts(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<Staged>;

    /// Brings files in, several at once. If one fails, none stays. Datasets that the datastore
    /// rejects are passed over: compare [`Staged::ids`] with what was given.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] for a missing file,
    /// [`Error::InvalidArgument`] for a file whose name does
    /// not suit the formatter, or that lies outside of the root with mode `None`; others as for
    /// [`stage_put`](Self::stage_put).
    async fn stage_ingest(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        progress: &dyn Progress,
    ) -> Result<Staged>;

    /// Brings a zip file in that [`retrieve_artifacts`](Self::retrieve_artifacts) or the reference
    /// has indexed. The datasets are those of its [`ZipIndex`](super::ZipIndex).
    ///
    /// # Errors
    /// [`Error::FileIntegrity`] if it has no usable index,
    /// [`Error::DatasetTypeNotSupported`] if one of
    /// its datasets is rejected; others as for [`stage_ingest`](Self::stage_ingest).
    async fn stage_ingest_zip(
        &self,
        archive: &ResourcePath,
        mode: Option<TransferMode>,
    ) -> Result<Staged>;

    /// The files of datasets, for a transfer to another repository. Datasets without records are
    /// left out.
    ///
    /// # Errors
    /// The records cannot be read.
    async fn transfer_files(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<TransferFile>>>;

    /// Brings in files from the datastore of another repository, with their records. Datasets
    /// that are stored here already are passed over, and so are those that are rejected.
    ///
    /// # Errors
    /// As for [`stage_ingest`](Self::stage_ingest).
    async fn stage_transfer(
        &self,
        datasets: Vec<(DatasetRef, Vec<TransferFile>)>,
        mode: TransferMode,
        progress: &dyn Progress,
    ) -> Result<Staged>;

    /// Takes over records that [`records`](butler_core::datastore::Datastore::records) gave; the
    /// files must be in place. Records of other datastores' names are passed over.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`] if a dataset
    /// has records already; database errors.
    async fn import_records(
        &self,
        transaction: &mut RegistryTransaction,
        records: &IndexMap<String, DatastoreRecordData>,
    ) -> Result<()>;

    /// A local file with the contents of a dataset, or of a component that has its own file: the
    /// very file, one in the cache, or a temporary copy.
    ///
    /// # Errors
    /// As for [`get_bytes`](butler_core::datastore::Datastore::get_bytes).
    async fn get_file(&self, dataset: &DatasetRef) -> Result<LocalCopy>;

    /// A dataset of structured data. Tables give their components `columns` (a list of names) and
    /// `rowcount` this way.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is
    /// in another format; others as for
    /// [`get_bytes`](butler_core::datastore::Datastore::get_bytes).
    async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value>;

    /// As [`get_yaml`](Self::get_yaml), as JSON.
    ///
    /// # Errors
    /// As there.
    async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value>;

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml);
    /// [`Error::InvalidArgument`] for an unknown column.
    async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table>;

    /// The schema of a table, with its metadata.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml).
    async fn get_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef>;

    /// Brings copies of files to a directory, and tells what is where.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if a dataset is not here,
    /// [`Error::FileExists`] if a file is in the way,
    /// [`Error::InvalidArgument`] for an impossible mode or
    /// two files that would get the same name.
    async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &ResourcePath,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<ResourcePath, ArtifactIndexInfo>>;

    /// Moves datasets to the trash, from where
    /// [`empty_trash`](butler_core::datastore::DatastoreWriter::empty_trash) deletes them after
    /// the transaction. Datasets that are not stored here are passed over.
    ///
    /// # Errors
    /// Any database error.
    async fn trash(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()>;

    /// Forgets datasets: their records go, their files stay.
    ///
    /// # Errors
    /// Any database error.
    async fn forget(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()>;

    /// What is wrong with the templates and formatters for these datasets and dataset types.
    fn faults(&self, entities: &[Entity<'_>]) -> Vec<String>;

    /// The keys by which the configuration tells datasets apart; some may come several times.
    fn lookup_keys(&self) -> Vec<LookupKey>;
}

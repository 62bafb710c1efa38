//! Importing what an export file says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, DatasetType, FileDataset};
use butler_core::error::{Error, Result};
use butler_core::export_yaml::{DatasetGroup, ImportData};
use butler_core::progress::Progress;
use butler_core::registry::{InsertMode, Registry};
use uuid::Uuid;

use super::ingest::{attach, data_ids_at};
use super::settle::settle;
use crate::butler::DirectButler;
use crate::datastores::{IngestOptions, Staged};
use crate::registry::RegistryTransaction;
use crate::registry::chains::ChainEdit;
use crate::resource::{ResourcePath, TransferMode};

/// What is imported of a file, and how.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Where relative paths of files in the export count from.
    pub directory: Option<ResourcePath>,
    /// How files come into the datastore; if unset, they must be in its root already.
    pub transfer: Option<TransferMode>,
    /// Elements whose dimension records are passed over.
    pub skip_dimensions: BTreeSet<String>,
    /// Whether sizes (and checksums, if the datastore is set up so) of files are recorded.
    pub record_validation: bool,
    /// Import nothing but what the registry holds.
    pub without_datastore: bool,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            directory: None,
            transfer: None,
            skip_dimensions: BTreeSet::new(),
            record_validation: true,
            without_datastore: false,
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportReport {
    /// How many datasets the file has.
    pub datasets: usize,
    /// What users should know about the import.
    pub warnings: Vec<String>,
}

impl DirectButler {
    /// Imports an export file. See [`import_text`](Self::import_text).
    ///
    /// A relative name is looked for in the directory of the options, then in the working
    /// directory.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if there is no such file; and as for
    /// [`import_text`](Self::import_text).
    pub async fn import_file(
        &self,
        file: &str,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<ImportReport> {
        self.require_writeable()?;
        let parse = ResourcePath::options()
            .directory(false)
            .environment(self.resources().environment().clone());
        let given = parse.clone().absolute(false).parse(file)?;
        let mut place = parse.parse(file)?;
        if let (false, Some(directory)) = (given.is_absolute(), &options.directory) {
            let inside = directory.as_directory()?.join(file)?;
            if self.resources().exists(&inside).await? {
                place = inside;
            }
        }
        let data = self.resources().read(&place).await?;
        let text = std::str::from_utf8(&data).map_err(|error| {
            Error::corrupt(
                format!("export file {place}"),
                format!("not valid UTF-8: {error}"),
            )
        })?;
        self.import_text(text, options, progress).await
    }

    /// Imports what an export file says: dataset types, collections, dimension records, datasets
    /// and their places in TAGGED and CALIBRATION collections, and the files.
    ///
    /// What is there already and equal stays, and so do dimension records with the same key;
    /// datasets keep their IDs. Files are brought into place first; then all else becomes known in
    /// one transaction. If that fails, the files are taken back, and nothing has changed.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] or [`Error::UnsupportedVersion`] if the file cannot be understood;
    /// [`Error::ConflictingDefinition`] if it contradicts what is in the repository.
    pub async fn import_text(
        &self,
        text: &str,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<ImportReport> {
        self.require_writeable()?;
        let mut data = ImportData::read(text, self.universe())?;
        for name in &options.skip_dimensions {
            self.universe().element(name)?;
        }
        for warning in &data.warnings {
            tracing::warn!("{warning}");
        }
        let mut known: HashMap<String, Arc<DatasetType>> = HashMap::new();
        for name in data.missing_dataset_types() {
            known.insert(name.to_owned(), self.registry().dataset_type(name).await?);
        }
        let groups = data.take_datasets(|name| known.get(name).cloned())?;

        let files = if options.without_datastore {
            Vec::new()
        } else {
            located(&groups, options.directory.as_ref())?
        };
        let staged = if files.is_empty() {
            Staged::new()
        } else {
            self.stage_files(files, &data, options, progress).await?
        };
        let outcome = async {
            let mut transaction = self.registry().begin().await?;
            register(&mut transaction, &data).await?;
            insert_records(&mut transaction, &data, options).await?;
            let refs = import_datasets(&mut transaction, &groups).await?;
            staged.record(&mut transaction).await?;
            associate(&mut transaction, &data, &refs).await?;
            transaction.commit().await?;
            Ok(refs.len())
        }
        .await;
        let datasets = settle(staged, outcome).await?;
        Ok(ImportReport {
            datasets,
            warnings: data.warnings,
        })
    }

    async fn stage_files(
        &self,
        mut files: Vec<FileDataset>,
        data: &ImportData,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        let places = self.places_to_expand(&files, options.transfer);
        if !places.is_empty() {
            // Dimension records name the files, and may come with the very import: they are
            // inserted to be looked up, and then again, for good, together with the datasets.
            let data_ids = data_ids_at(&files, &places);
            let mut transaction = self.registry().begin().await?;
            insert_records(&mut transaction, data, options).await?;
            let expanded = transaction.expand_data_ids(&data_ids).await?;
            transaction.rollback().await?;
            attach(&mut files, &places, expanded)?;
        }
        let refs: Vec<DatasetRef> = files.iter().flat_map(|file| &file.refs).cloned().collect();
        let wanted: Vec<Uuid> = refs.iter().map(DatasetRef::id).collect();
        let ingest = IngestOptions {
            mode: options.transfer,
            record_validation_info: options.record_validation,
        };
        let staged = self
            .datastore()
            .stage_ingest(files, ingest, progress)
            .await?;
        let outcome = self.refuse_rejected(&staged, &wanted, &refs);
        match outcome {
            Ok(()) => Ok(staged),
            Err(error) => settle(staged, Err(error)).await,
        }
    }
}

/// The files of an export, with relative paths counted from its directory.
fn located(groups: &[DatasetGroup], directory: Option<&ResourcePath>) -> Result<Vec<FileDataset>> {
    let directory = directory.map(ResourcePath::as_directory).transpose()?;
    groups
        .iter()
        .flat_map(|group| &group.files)
        .filter(|file| !file.path.is_empty())
        .map(|file| {
            let mut file = file.clone();
            if let Some(directory) = &directory {
                file.path = directory.join(&file.path)?.to_string();
            }
            Ok(file)
        })
        .collect()
}

/// Registers dataset types and collections; members of chains come before the chains.
async fn register(transaction: &mut RegistryTransaction, data: &ImportData) -> Result<()> {
    let doc = |name: &str| data.docs.get(name).map(String::as_str);
    let types: Vec<&DatasetType> = data.dataset_types.values().map(|t| &**t).collect();
    transaction.register_dataset_types(&types).await?;
    // All clients register collections in the same order, so that they do not block each other.
    let runs = data
        .runs
        .keys()
        .map(|name| (name.as_str(), CollectionType::Run));
    let others = data
        .collections
        .iter()
        .map(|(name, kind)| (name.as_str(), *kind));
    let collections: BTreeMap<&str, CollectionType> = runs.chain(others).collect();
    for (name, kind) in collections {
        transaction
            .register_collection(name, kind, doc(name))
            .await?;
    }
    for name in data.chains.keys() {
        transaction
            .register_collection(name, CollectionType::Chained, doc(name))
            .await?;
    }
    for (name, children) in &data.chains {
        transaction
            .edit_chain(name, ChainEdit::Replace, children)
            .await?;
    }
    Ok(())
}

async fn insert_records(
    transaction: &mut RegistryTransaction,
    data: &ImportData,
    options: &ImportOptions,
) -> Result<()> {
    for (name, records) in &data.records {
        if !options.skip_dimensions.contains(*name)
            && let Some(record) = records.first()
        {
            transaction
                .insert_dimension_records(record.element(), records, InsertMode::SkipExisting)
                .await?;
        }
    }
    Ok(())
}

/// Imports the datasets of all groups and returns them by ID.
async fn import_datasets(
    transaction: &mut RegistryTransaction,
    groups: &[DatasetGroup],
) -> Result<HashMap<Uuid, DatasetRef>> {
    let mut refs: HashMap<Uuid, DatasetRef> = HashMap::new();
    for group in groups {
        let datasets: Vec<DatasetRef> = group
            .files
            .iter()
            .flat_map(|file| &file.refs)
            .cloned()
            .collect();
        transaction.import_datasets(&datasets).await?;
        refs.extend(datasets.into_iter().map(|dataset| (dataset.id(), dataset)));
    }
    Ok(refs)
}

async fn associate(
    transaction: &mut RegistryTransaction,
    data: &ImportData,
    refs: &HashMap<Uuid, DatasetRef>,
) -> Result<()> {
    let find = |collection: &str, ids: &[Uuid]| -> Result<Vec<DatasetRef>> {
        ids.iter()
            .map(|id| {
                refs.get(id).cloned().ok_or_else(|| {
                    Error::corrupt(
                        "export file",
                        format!(
                            "collection '{collection}' has the member {id}, but the file has no \
                             such dataset"
                        ),
                    )
                })
            })
            .collect()
    };
    for (collection, ids) in &data.tags {
        transaction
            .associate(collection, &find(collection, ids)?)
            .await?;
    }
    for (collection, ranges) in &data.calibrations {
        for (timespan, ids) in ranges {
            transaction
                .certify(collection, &find(collection, ids)?, *timespan)
                .await?;
        }
    }
    Ok(())
}

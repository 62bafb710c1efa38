//! Taking files in as datasets.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::datasets::{DatasetId, DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::DataCoordinate;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;

use super::definitions::register_runs;
use super::records::GatheredRecords;
use super::settle::settle;
use crate::butler::DirectButler;
use crate::datastores::{IngestOptions, Staged, read_zip_index};
use crate::resource::{ResourcePath, TransferMode};

/// How a zip file of datasets is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IngestZipOptions {
    /// How the file gets into the datastore; none if it is in it already.
    pub mode: Option<TransferMode>,
    /// Whether it is no error if all datasets are stored already.
    pub skip_existing: bool,
    /// Insert the dimension records that the file has and the repository has not.
    pub transfer_dimensions: bool,
    /// Check everything, but change nothing.
    pub dry_run: bool,
}

impl DirectButler {
    /// Takes files in. Dataset types and runs are registered as needed; datasets keep the
    /// identifiers of their references. Returns how many datasets are new in the datastore.
    ///
    /// Files are brought into place first; then dataset types, runs, datasets and file records
    /// become known in one transaction. If that fails, the files are taken back, and nothing has
    /// changed. With `skip_existing`, files of which
    /// a dataset is stored already are passed over.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::ConflictingDefinition`] if two datasets have the same type,
    /// data ID and run, if one contradicts what is registered, or if one is stored already;
    /// [`Error::DatasetTypeNotSupported`] if the datastore refuses one; [`Error::FileNotFound`].
    pub async fn ingest(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        skip_existing: bool,
        progress: &dyn Progress,
    ) -> Result<usize> {
        self.ingest_with_records(
            files,
            &GatheredRecords::default(),
            options,
            skip_existing,
            progress,
        )
        .await
    }

    /// As [`ingest`](Self::ingest), with dimension records that become known in the same transaction;
    /// those that are there stay.
    ///
    /// # Errors
    /// As there, and any error of inserting the records.
    pub async fn ingest_with_records(
        &self,
        files: Vec<FileDataset>,
        records: &GatheredRecords,
        options: IngestOptions,
        skip_existing: bool,
        progress: &dyn Progress,
    ) -> Result<usize> {
        self.require_writeable()?;
        refuse_repeated(&files)?;
        let refs: Vec<DatasetRef> = files.iter().flat_map(|file| &file.refs).cloned().collect();
        let ids: Vec<DatasetId> = refs.iter().map(DatasetRef::id).collect();
        let known = self.datastore().knows(&ids).await?;
        let (existing, mut new): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.refs.iter().any(|r| known.contains(&r.id())));
        if let (Some(file), false) = (existing.first(), skip_existing) {
            return Err(stored_already(existing.len(), &file.path));
        }
        let types = self.new_dataset_types(&refs, true).await?;
        self.expand_files(&mut new, options.mode, records).await?;
        let wanted: Vec<DatasetId> = new
            .iter()
            .flat_map(|file| &file.refs)
            .map(DatasetRef::id)
            .collect();
        let staged = self
            .datastore()
            .stage_ingest(new, options, progress)
            .await?;
        let outcome = async {
            self.refuse_rejected(&staged, &wanted, &refs)?;
            self.record(&staged, &types, &refs, records).await
        }
        .await;
        settle(staged, outcome).await?;
        Ok(wanted.len())
    }

    /// Takes in a zip file that [`retrieve_artifacts`](Self::retrieve_artifacts) with an index, or
    /// the reference, has made. Dataset types and runs are registered as needed. Returns how many
    /// datasets are new: none if all are stored already and that is to be no error.
    ///
    /// # Errors
    /// As for [`ingest`](Self::ingest); [`Error::InvalidArgument`] if some datasets of the file are
    /// stored already and others are not; [`Error::FileIntegrity`] if it has no usable index.
    pub async fn ingest_zip(
        &self,
        archive: &ResourcePath,
        options: IngestZipOptions,
    ) -> Result<usize> {
        self.require_writeable()?;
        let index = read_zip_index(self.resources(), archive).await?;
        let refs = index.refs.to_refs(self.universe())?;
        let ids: Vec<DatasetId> = refs.iter().map(DatasetRef::id).collect();
        let known = self.datastore().knows(&ids).await?;
        if !known.is_empty() {
            if !options.skip_existing {
                return Err(stored_already(known.len(), &archive.to_string()));
            }
            if known.len() < ids.len() {
                return Err(Error::InvalidArgument(format!(
                    "{archive} holds {} datasets that are stored already and {} that are not; a \
                     zip file can only be taken in as a whole",
                    known.len(),
                    ids.len() - known.len()
                )));
            }
            return Ok(0);
        }
        let types = self.new_dataset_types(&refs, true).await?;
        if options.dry_run {
            return Ok(refs.len());
        }
        let mut records = GatheredRecords::default();
        if options.transfer_dimensions {
            let attached = refs
                .iter()
                .filter_map(|dataset| dataset.data_id().records());
            for record in attached.flatten().filter_map(|(_, record)| record) {
                if record.element().has_own_table() {
                    records.add(Arc::clone(record));
                }
            }
        }
        let staged = self
            .datastore()
            .stage_ingest_zip(archive, options.mode)
            .await?;
        let outcome = self.record(&staged, &types, &refs, &records).await;
        settle(staged, outcome).await?;
        Ok(refs.len())
    }

    /// Attaches dimension records to data IDs where the names of files need them.
    async fn expand_files(
        &self,
        files: &mut [FileDataset],
        mode: Option<TransferMode>,
        records: &GatheredRecords,
    ) -> Result<()> {
        let places = self.places_to_expand(files, mode);
        if places.is_empty() {
            return Ok(());
        }
        let data_ids = data_ids_at(files, &places);
        let expanded = self.expand_with(&data_ids, records).await?;
        attach(files, &places, expanded)
    }

    /// The datasets (by index of file, and of dataset in the file) whose data IDs must have
    /// dimension records for the names of their files.
    pub(super) fn places_to_expand(
        &self,
        files: &[FileDataset],
        mode: Option<TransferMode>,
    ) -> Vec<(usize, usize)> {
        let mut needs: HashMap<&str, bool> = HashMap::new();
        let mut places = Vec::new();
        for (file_index, file) in files.iter().enumerate() {
            for (ref_index, dataset) in file.refs.iter().enumerate() {
                let need = *needs
                    .entry(dataset.dataset_type().name())
                    .or_insert_with(|| self.datastore().needs_expanded_data_ids(mode, dataset));
                if need {
                    places.push((file_index, ref_index));
                }
            }
        }
        places
    }

    /// Refuses if the datastore has not taken all datasets.
    pub(super) fn refuse_rejected(
        &self,
        staged: &Staged,
        wanted: &[DatasetId],
        refs: &[DatasetRef],
    ) -> Result<()> {
        let taken = staged.ids();
        let missing: HashSet<&DatasetId> = wanted.iter().filter(|id| !taken.contains(id)).collect();
        match refs.iter().find(|dataset| missing.contains(&dataset.id())) {
            None => Ok(()),
            Some(dataset) => Err(Error::DatasetTypeNotSupported(format!(
                "the datastore '{}' does not take {} of the datasets, for example {dataset}",
                self.datastore().name(),
                missing.len()
            ))),
        }
    }

    async fn record(
        &self,
        staged: &Staged,
        types: &[Arc<DatasetType>],
        refs: &[DatasetRef],
        records: &GatheredRecords,
    ) -> Result<()> {
        let mut inserted = match records.is_empty() {
            true => refs.len(),
            false => 0,
        };
        loop {
            let mut transaction = self.registry().begin_inserting(inserted).await?;
            let done = async {
                transaction.register_dataset_types(types).await?;
                register_runs(&mut transaction, refs, &HashMap::new()).await?;
                records.insert(&mut transaction, self.universe()).await?;
                transaction.import_datasets(refs).await?;
                staged.record(&mut transaction).await
            }
            .await;
            match done {
                Ok(()) => return transaction.commit().await,
                Err(_) if transaction.checks_by_set() => transaction.rollback().await?,
                Err(error) => return Err(error),
            }
            inserted = 0;
        }
    }
}

/// The data IDs of some datasets of files.
pub(super) fn data_ids_at(files: &[FileDataset], places: &[(usize, usize)]) -> Vec<DataCoordinate> {
    places
        .iter()
        .map(|&(file, place)| files[file].refs[place].data_id().clone())
        .collect()
}

/// Replaces the data IDs of some datasets of files by expanded ones.
pub(super) fn attach(
    files: &mut [FileDataset],
    places: &[(usize, usize)],
    expanded: Vec<DataCoordinate>,
) -> Result<()> {
    for (&(file, place), data_id) in places.iter().zip(expanded) {
        let dataset = &mut files[file].refs[place];
        *dataset = dataset.expanded(data_id)?;
    }
    Ok(())
}

fn stored_already(count: usize, example: &str) -> Error {
    Error::ConflictingDefinition(format!(
        "datasets of {count} of the given files are stored already, for example of {example}; skip \
         existing ones, or leave them out"
    ))
}

/// Refuses datasets with the same type, run and data ID.
fn refuse_repeated(files: &[FileDataset]) -> Result<()> {
    let mut seen = HashMap::new();
    for file in files {
        for dataset in &file.refs {
            let key = (
                dataset.dataset_type().name(),
                dataset.run(),
                dataset.data_id(),
            );
            match seen.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(file.path.as_str());
                }
                Entry::Occupied(entry) => {
                    return Err(Error::ConflictingDefinition(format!(
                        "{} and {} both hold the dataset {dataset}; a run has only one dataset of \
                         a type and data ID",
                        entry.get(),
                        file.path
                    )));
                }
            }
        }
    }
    Ok(())
}

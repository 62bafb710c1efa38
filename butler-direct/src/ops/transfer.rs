//! Bringing datasets over from another repository.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use butler_core::collections::CollectionWildcard;
use butler_core::datasets::{DatasetId, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionElement, DimensionRecord};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::{CollectionQuery, Registry};
use butler_core::transfer::{SourceFile, TransferSource};

use super::definitions::register_runs;
use super::records::GatheredRecords;
use super::settle::settle;
use crate::butler::DirectButler;
use crate::datastores::TransferFile;
use crate::resource::TransferMode;

/// What is transferred, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// How files get here.
    pub mode: TransferMode,
    /// Leave datasets out that the source does not store; else they come without files.
    pub skip_missing: bool,
    /// Register dataset types that are not known here.
    pub register_dataset_types: bool,
    /// Bring over the dimension records that the datasets need; those that are here stay.
    pub transfer_dimensions: bool,
    /// Check everything, but change nothing.
    pub dry_run: bool,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            mode: TransferMode::Auto,
            skip_missing: true,
            register_dataset_types: false,
            transfer_dimensions: false,
            dry_run: false,
        }
    }
}

impl DirectButler {
    /// Transfers datasets from another repository, direct or remote, with their identifiers. Runs are registered as
    /// needed, with their documentation. Returns the datasets that are here now.
    ///
    /// Files are brought into place first, several at once; then dataset types, runs, dimension
    /// records, datasets and file records become known in one transaction. If that fails, the files
    /// are taken back, and nothing has changed. Datasets that are stored here already keep their
    /// files. The number of statements grows with the number of different dimensions
    /// and runs, not with that of datasets.
    ///
    /// # Errors
    /// [`Error::ReadOnly`];
    /// [`Error::MissingDatasetType`] unless types are to be
    /// registered; [`Error::ConflictingDefinition`] if a
    /// type or dataset contradicts one that is here, or dimension records are missing;
    /// [`Error::InconsistentUniverse`];
    /// [`Error::FileNotFound`] for a file that is lost.
    pub async fn transfer_from(
        &self,
        source: &dyn TransferSource,
        datasets: &[DatasetRef],
        options: TransferOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<DatasetRef>> {
        if !options.dry_run {
            self.require_writeable()?;
        }
        let mut files = source.files(datasets).await?;
        let wanted: Vec<DatasetRef> = datasets
            .iter()
            .filter(|dataset| !options.skip_missing || files.contains_key(&dataset.id()))
            .cloned()
            .collect();
        let refs = self.conform(&wanted)?;
        let types = self
            .new_dataset_types(&refs, options.register_dataset_types)
            .await?;
        if options.dry_run {
            return Ok(refs);
        }
        let records = if options.transfer_dimensions {
            let data_ids = wanted.iter().map(DatasetRef::data_id);
            GatheredRecords::gather(source, data_ids).await?
        } else {
            GatheredRecords::default()
        };
        let docs = run_docs(source, &wanted).await?;

        let stored = self.expand_from(source, &wanted, &refs, &records).await?;
        let mut transfers: Vec<(DatasetRef, Vec<TransferFile>)> = Vec::new();
        for dataset in stored {
            if let Some(files) = files.remove(&dataset.id()) {
                let files = files.into_iter().map(TransferFile::try_from);
                transfers.push((dataset, files.collect::<Result<_>>()?));
            }
        }
        let offered: Vec<DatasetId> = transfers.iter().map(|(dataset, _)| dataset.id()).collect();
        let staged = self
            .datastore()
            .stage_transfer(transfers, options.mode, progress)
            .await?;
        let taken = staged.ids();
        let refused = offered.iter().filter(|id| !taken.contains(*id)).count();
        if refused > 0 {
            tracing::info!(
                "of {} datasets, {refused} were not stored: they are here already, or the datastore \
                 does not take them",
                offered.len()
            );
        }
        let outcome = async {
            let mut transaction = self.registry().begin().await?;
            transaction.register_dataset_types(&types).await?;
            register_runs(&mut transaction, &refs, &docs).await?;
            records.insert(&mut transaction, self.universe()).await?;
            transaction.import_datasets(&refs).await?;
            staged.record(&mut transaction).await?;
            transaction.commit().await
        }
        .await;
        settle(staged, outcome).await?;
        Ok(refs)
    }

    /// The datasets in this repository's universe.
    pub(super) fn conform(&self, datasets: &[DatasetRef]) -> Result<Vec<DatasetRef>> {
        let mut types: HashMap<Arc<str>, Arc<DatasetType>> = HashMap::new();
        datasets
            .iter()
            .map(|dataset| {
                let conformed = dataset.conform_to(self.universe())?;
                // All datasets of a type share its definition.
                let name = Arc::clone(conformed.dataset_type().name());
                let shared = types
                    .entry(name)
                    .or_insert_with(|| Arc::clone(conformed.dataset_type()));
                Ok(conformed.with_dataset_type(Arc::clone(shared)))
            })
            .collect()
    }

    /// The datasets with dimension records attached where the names of their files need them. The
    /// source's records serve if they suit this repository's universe.
    async fn expand_from(
        &self,
        source: &dyn TransferSource,
        wanted: &[DatasetRef],
        refs: &[DatasetRef],
        records: &GatheredRecords,
    ) -> Result<Vec<DatasetRef>> {
        let mut needs: HashMap<&str, bool> = HashMap::new();
        let mut expanded = refs.to_vec();
        let mut places = Vec::new();
        for (place, dataset) in refs.iter().enumerate() {
            let name: &str = dataset.dataset_type().name();
            let need = *needs.entry(name).or_insert_with(|| {
                self.datastore().needs_expanded_data_ids(None, dataset)
                    || self
                        .datastore()
                        .needs_expanded_data_ids(Some(TransferMode::Copy), dataset)
            });
            if need {
                places.push(place);
            }
        }
        if places.is_empty() {
            return Ok(expanded);
        }
        let same = source.registry().universe() == self.universe();
        let from = if same { wanted } else { refs };
        let data_ids: Vec<DataCoordinate> = places
            .iter()
            .map(|&place| from[place].data_id().clone())
            .collect();
        let found = if same {
            source.registry().expand_data_ids(&data_ids).await?
        } else {
            let found = self.expand_with(&data_ids, records).await;
            match records.is_empty() {
                true => found.map_err(lacking_records)?,
                false => found?,
            }
        };
        for (place, data_id) in places.into_iter().zip(found) {
            expanded[place] = expanded[place].expanded(data_id)?;
        }
        Ok(expanded)
    }
}

#[async_trait]
impl TransferSource for DirectButler {
    fn registry(&self) -> &dyn Registry {
        Self::registry(self)
    }

    async fn dimension_records_with(
        &self,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        Self::registry(self)
            .dimension_records_with(element, dimensions, keys)
            .await
    }

    async fn files(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, Vec<SourceFile>>> {
        let files = self.datastore().transfer_files(datasets).await?;
        let files = files.into_iter();
        Ok(files
            .map(|(id, files)| (id, files.into_iter().map(SourceFile::from).collect()))
            .collect())
    }
}

/// What is said of records that are not here when datasets are imported without them.
fn lacking_records(error: Error) -> Error {
    match error {
        Error::DataIdValue(text) => Error::ConflictingDefinition(format!(
            "{text} Transfer the dimension records of the datasets as well."
        )),
        other => other,
    }
}

/// The documentation of the runs of datasets.
pub(super) async fn run_docs(
    source: &dyn TransferSource,
    datasets: &[DatasetRef],
) -> Result<HashMap<String, String>> {
    let mut runs: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for dataset in datasets {
        if seen.insert(dataset.run()) {
            runs.push(dataset.run().to_string());
        }
    }
    let mut query = CollectionQuery::new(CollectionWildcard::from_names(runs));
    query.with_doc = true;
    let found = source.registry().collections(&query).await?;
    Ok(found
        .into_iter()
        .map(|info| (info.name, info.doc))
        .collect())
}

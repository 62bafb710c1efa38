//! Dataset types and runs that datasets from elsewhere need.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::DataCoordinate;
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;

use super::records::GatheredRecords;
use crate::butler::DirectButler;
use crate::registry::RegistryTransaction;

/// The dataset types of datasets by name.
fn dataset_types(datasets: &[DatasetRef]) -> BTreeMap<&str, &Arc<DatasetType>> {
    let mut types = BTreeMap::new();
    for dataset in datasets {
        let dataset_type = dataset.dataset_type();
        if !types.contains_key(&**dataset_type.name()) {
            types.insert(&**dataset_type.name(), dataset_type);
        }
    }
    types
}

impl DirectButler {
    /// Checks that the dataset types are known here, or may be registered, and returns those that
    /// have yet to be: by [`RegistryTransaction::register_dataset_types`], in the transaction that
    /// needs them. A known type may differ in its storage class if each can be converted to the
    /// other.
    pub(super) async fn new_dataset_types(
        &self,
        datasets: &[DatasetRef],
        register: bool,
    ) -> Result<Vec<Arc<DatasetType>>> {
        let classes = self.storage_classes();
        let mut new = Vec::new();
        for dataset_type in dataset_types(datasets).into_values() {
            let known = match self.registry().dataset_type(dataset_type.name()).await {
                Ok(known) => known,
                Err(Error::MissingDatasetType(_)) if register => {
                    new.push(Arc::clone(dataset_type));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if *known != **dataset_type
                && !(known.is_compatible_with(dataset_type, classes)?
                    && dataset_type.is_compatible_with(&known, classes)?)
            {
                return Err(Error::ConflictingDefinition(format!(
                    "dataset type '{}' is defined here as {known:?}, which is not compatible with \
                     that of the new datasets, {dataset_type:?}",
                    dataset_type.name()
                )));
            }
        }
        Ok(new)
    }

    /// Data IDs with dimension records attached, some of which are about to be inserted: they are
    /// inserted to be looked up, and then again, for good, together with the datasets.
    pub(super) async fn expand_with(
        &self,
        data_ids: &[DataCoordinate],
        records: &GatheredRecords,
    ) -> Result<Vec<DataCoordinate>> {
        if records.is_empty() {
            return self.registry().expand_data_ids(data_ids).await;
        }
        let mut transaction = self.registry().begin().await?;
        records.insert(&mut transaction, self.universe()).await?;
        let found = transaction.expand_data_ids(data_ids).await?;
        transaction.rollback().await?;
        Ok(found)
    }

    /// The same datasets with dimension records attached to their data IDs, where a file template
    /// or formatter needs them.
    pub(super) async fn expand_datasets(&self, datasets: &mut [DatasetRef]) -> Result<()> {
        let data_ids: Vec<_> = datasets.iter().map(|d| d.data_id().clone()).collect();
        let expanded = self.registry().expand_data_ids(&data_ids).await?;
        for (dataset, data_id) in datasets.iter_mut().zip(expanded) {
            *dataset = dataset.expanded(data_id)?;
        }
        Ok(())
    }
}

/// Registers the runs of datasets, always in the same order so that clients do not block each
/// other.
pub(super) async fn register_runs(
    transaction: &mut RegistryTransaction,
    datasets: &[DatasetRef],
    docs: &HashMap<String, String>,
) -> Result<()> {
    let runs: BTreeSet<&str> = datasets.iter().map(|dataset| &**dataset.run()).collect();
    for run in runs {
        let doc = docs
            .get(run)
            .map(String::as_str)
            .filter(|doc| !doc.is_empty());
        transaction
            .register_collection(run, CollectionType::Run, doc)
            .await?;
    }
    Ok(())
}

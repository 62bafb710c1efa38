//! Messages in the repository's terms.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::datasets::{DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::{DataCoordinate, DimensionRecord};
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;

use crate::events::{PromptProcessingOutput, SerializedFileDataset};

/// What a message asks for, in the repository's terms.
#[derive(Debug, Clone, Default)]
pub(super) struct Output {
    /// Dimension records to be inserted.
    pub(super) records: Vec<Arc<DimensionRecord>>,
    /// Files to be ingested.
    pub(super) files: Vec<FileDataset>,
}

impl Output {
    /// Understands a message. Dataset types that it does not bring are the repository's.
    ///
    /// # Errors
    /// What it says is not possible in the repository's universe; a dataset type is missing.
    pub(super) async fn read(
        event: &PromptProcessingOutput,
        registry: &dyn Registry,
    ) -> Result<Self> {
        let universe = registry.universe();
        let records = event
            .dimension_records
            .iter()
            .map(|record| DimensionRecord::from_simple(record, universe).map(Arc::new));
        let records = records.collect::<Result<_>>()?;
        let mut types: HashMap<String, Arc<DatasetType>> = HashMap::new();
        for simple in &event.dataset_types {
            let dataset_type = DatasetType::from_simple(simple, universe)?;
            types.insert(simple.name.clone(), Arc::new(dataset_type));
        }
        for file in &event.datasets {
            for minimal in file.refs.values() {
                if !types.contains_key(&minimal.dataset_type_name) {
                    let found = registry.dataset_type(&minimal.dataset_type_name).await?;
                    types.insert(minimal.dataset_type_name.clone(), found);
                }
            }
        }
        let files = event.datasets.iter().map(|file| read_file(file, &types));
        let files = files.collect::<Result<_>>()?;
        Ok(Self { records, files })
    }
}

fn read_file(
    file: &SerializedFileDataset,
    types: &HashMap<String, Arc<DatasetType>>,
) -> Result<FileDataset> {
    let refs = file.refs.iter().map(|(id, minimal)| {
        // Every dataset type was looked up before.
        let dataset_type = types.get(&minimal.dataset_type_name).ok_or_else(|| {
            Error::MissingDatasetType(format!("no dataset type '{}'", minimal.dataset_type_name))
        })?;
        let values = minimal.data_id.iter();
        let data_id = DataCoordinate::standardize(
            dataset_type.dimensions().universe(),
            values.map(|(name, value)| (name, value.clone())),
            Some(dataset_type.dimensions()),
            None,
        )?;
        DatasetRef::new(
            Arc::clone(dataset_type),
            data_id,
            Arc::from(minimal.run.as_str()),
            *id,
        )
    });
    let refs: Vec<DatasetRef> = refs.collect::<Result<_>>()?;
    match refs.as_slice() {
        [] => Err(Error::InvalidArgument(format!(
            "the file {} holds no dataset",
            file.path
        ))),
        [first, rest @ ..] if rest.iter().any(|other| other.run() != first.run()) => {
            Err(Error::InvalidArgument(format!(
                "the file {} holds datasets of several runs",
                file.path
            )))
        }
        _ => Ok(FileDataset {
            path: file.path.clone(),
            refs,
            formatter: file.formatter.clone(),
        }),
    }
}

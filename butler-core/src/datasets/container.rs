//! Many dataset references in one compact JSON document.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DatasetRef, DatasetType, SerializedDatasetType};
use crate::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionGroup, DimensionRecord, DimensionRecordSet,
    DimensionUniverse, SerializableDimensionData, SerializedDataId,
};
use crate::error::{Error, Result};

/// A dataset reference without its identifier and with its dataset type by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinimalDatasetRef {
    /// The name of the dataset type.
    pub dataset_type_name: String,
    /// The RUN collection.
    pub run: String,
    /// The known keys and values of the data ID.
    pub data_id: SerializedDataId,
}

/// Many dataset references; zip files of datasets carry their index in this form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerializedDatasetRefContainer {
    /// The version of this model: `V1`.
    pub container_version: String,
    /// The version of the universe.
    pub universe_version: i64,
    /// The namespace of the universe.
    pub universe_namespace: String,
    /// The dataset types by name.
    pub dataset_types: IndexMap<String, SerializedDatasetType>,
    /// The references by identifier.
    pub compact_refs: IndexMap<Uuid, MinimalDatasetRef>,
    /// The records of all data IDs, if all had them.
    #[serde(default)]
    pub dimension_records: Option<SerializableDimensionData>,
}

const VERSION: &str = "V1";

impl SerializedDatasetRefContainer {
    /// Packs references of one universe, with their dimension records if all of them have some.
    pub fn from_refs<'a>(refs: impl IntoIterator<Item = &'a DatasetRef>) -> Self {
        let mut container = Self {
            container_version: VERSION.to_owned(),
            universe_version: 0,
            universe_namespace: "unknown".to_owned(),
            dataset_types: IndexMap::new(),
            compact_refs: IndexMap::new(),
            dimension_records: None,
        };
        let refs: Vec<&DatasetRef> = refs.into_iter().collect();
        if !refs.is_empty() && refs.iter().all(|dataset| dataset.data_id().has_records()) {
            container.dimension_records = Some(pack_records(&refs));
        }
        for (i, dataset) in refs.into_iter().enumerate() {
            if i == 0 {
                let universe = dataset.data_id().universe();
                container.universe_version = universe.version();
                container.universe_namespace = universe.namespace().to_owned();
            }
            let dataset_type = dataset.dataset_type();
            if !container.dataset_types.contains_key(&**dataset_type.name()) {
                container.dataset_types.insert(
                    dataset_type.name().to_string(),
                    dataset_type.to_simple(false),
                );
            }
            container.compact_refs.insert(
                dataset.id(),
                MinimalDatasetRef {
                    dataset_type_name: dataset_type.name().to_string(),
                    run: dataset.run().to_string(),
                    data_id: dataset.data_id().to_serialized_data_id(),
                },
            );
        }
        container
    }

    /// Unpacks the references, with dimension records attached if the container has them.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for another version of the model;
    /// [`Error::InconsistentUniverse`] for another namespace, or dimensions that mean something
    /// else in this universe; [`Error::CorruptRecord`] if a dataset type is missing;
    /// [`Error::DataIdValue`] if a dimension record is.
    pub fn to_refs(&self, universe: DimensionUniverse) -> Result<Vec<DatasetRef>> {
        if self.container_version != VERSION {
            return Err(Error::unsupported_version(
                "container of dataset references",
                &self.container_version,
                VERSION,
            ));
        }
        if self.compact_refs.is_empty() {
            return Ok(Vec::new());
        }
        if self.universe_namespace != universe.namespace() {
            return Err(Error::InconsistentUniverse(format!(
                "datasets of universe namespace '{}' cannot be read in '{}'",
                self.universe_namespace,
                universe.namespace()
            )));
        }
        let types: IndexMap<&str, Arc<DatasetType>> = self
            .dataset_types
            .iter()
            .map(|(name, model)| Ok((name.as_str(), Arc::new(self.dataset_type(model, universe)?))))
            .collect::<Result<_>>()?;
        let records: Option<HashMap<&str, DimensionRecordSet>> = match &self.dimension_records {
            None => None,
            Some(data) => {
                let sets = data.to_record_sets(universe)?.into_iter();
                Some(sets.map(|set| (set.element().name(), set)).collect())
            }
        };
        let mut runs: IndexMap<&str, Arc<str>> = IndexMap::new();
        self.compact_refs
            .iter()
            .map(|(id, minimal)| {
                let dataset_type =
                    types
                        .get(minimal.dataset_type_name.as_str())
                        .ok_or_else(|| {
                            Error::corrupt(
                                "container of dataset references",
                                format!("dataset type '{}' is missing", minimal.dataset_type_name),
                            )
                        })?;
                let run = runs
                    .entry(minimal.run.as_str())
                    .or_insert_with(|| Arc::from(minimal.run.as_str()));
                let data_id = DataCoordinate::standardize(
                    universe,
                    minimal
                        .data_id
                        .iter()
                        .map(|(name, value)| (name, value.clone())),
                    Some(dataset_type.dimensions()),
                    None,
                )?;
                let data_id = match &records {
                    Some(records) => attach_records(&data_id, records)?,
                    None => data_id,
                };
                DatasetRef::new(Arc::clone(dataset_type), data_id, Arc::clone(run), *id)
            })
            .collect()
    }

    fn dataset_type(
        &self,
        model: &SerializedDatasetType,
        universe: DimensionUniverse,
    ) -> Result<DatasetType> {
        if universe.version() == self.universe_version {
            return DatasetType::from_simple(model, universe);
        }
        let refuse = |why: String| {
            Error::InconsistentUniverse(format!(
                "dataset type '{}' of universe version {} cannot be read in version {}: {why}",
                model.name,
                self.universe_version,
                universe.version()
            ))
        };
        let dataset_type =
            DatasetType::from_simple(model, universe).map_err(|error| refuse(error.to_string()))?;
        let given = model.dimensions.as_deref().unwrap_or_default();
        let required = dataset_type.dimensions().required();
        let same = required.len() == given.len()
            && required
                .iter()
                .all(|name| given.iter().any(|other| other == name));
        if !same {
            return Err(refuse(format!(
                "its required dimensions {given:?} would become {required:?}"
            )));
        }
        Ok(dataset_type)
    }
}

/// The records of all data IDs, each once. Those of sky pixels can be computed, so they are left
/// out.
fn pack_records(refs: &[&DatasetRef]) -> SerializableDimensionData {
    let Some(first) = refs.first() else {
        return SerializableDimensionData::default();
    };
    let universe = first.data_id().universe();
    let group = refs.iter().fold(
        universe.empty_group().clone(),
        |group: DimensionGroup, dataset| group.union(dataset.data_id().dimensions()),
    );
    let mut sets: IndexMap<&str, DimensionRecordSet> = group
        .elements()
        .iter()
        .filter_map(|name| universe.get(name))
        .filter(|element| !element.is_skypix())
        .map(|element| (element.name(), DimensionRecordSet::new(element)))
        .collect();
    for dataset in refs {
        for (name, record) in dataset.data_id().records().into_iter().flatten() {
            if let (Some(set), Some(record)) = (sets.get_mut(name), record) {
                // A record that is of the set's element always fits.
                let _ = set.add(Arc::clone(record));
            }
        }
    }
    SerializableDimensionData::from_record_sets(sets.values())
}

/// Attaches records to a data ID; records tell the implied values that lead to further ones.
fn attach_records(
    data_id: &DataCoordinate,
    sets: &HashMap<&str, DimensionRecordSet>,
) -> Result<DataCoordinate> {
    let group = data_id.dimensions();
    let universe = group.universe();
    let mut known: HashMap<&str, DataIdValue> = data_id
        .mapping()
        .map(|(name, value)| (name, value.clone()))
        .collect();
    let mut found: HashMap<&str, Arc<DimensionRecord>> = HashMap::new();
    for name in group.lookup_order() {
        let (Some(element), Some(set)) = (universe.get(name), sets.get(name)) else {
            continue;
        };
        let key: Option<Vec<DataIdValue>> = element
            .required()
            .iter()
            .map(|dimension| known.get(dimension).cloned())
            .collect();
        let Some(record) = key.and_then(|key| set.find_by_values(&key).cloned()) else {
            continue;
        };
        for implied in element.implied() {
            let value = record.get(implied).and_then(ColumnValue::to_data_id_value);
            let Some(value) = value else { continue };
            known.entry(implied).or_insert(value);
        }
        found.insert(name, record);
    }
    data_id.expanded(|name| found.remove(name))
}

//! What is known of a collection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::CollectionType;
use crate::datasets::{DatasetRef, DatasetType, SerializedDatasetType};
use crate::dimensions::DimensionUniverse;
use crate::error::Result;

/// A collection as it is shown to users and sent over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CollectionInfo {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub collection_type: CollectionType,
    /// The documentation; empty if there is none.
    #[serde(default)]
    pub doc: String,
    /// The members of a CHAINED collection, in search order; empty for others.
    #[serde(default)]
    pub children: Vec<String>,
    /// The CHAINED collections that this one is a member of; none if that was not asked for.
    #[serde(default)]
    pub parents: Option<BTreeSet<String>>,
    /// The dataset types that may be found here; none if that was not asked for.
    #[serde(default)]
    pub dataset_types: Option<BTreeSet<String>>,
}

impl CollectionInfo {
    /// A collection of which nothing but name and type is known.
    pub fn new(name: impl Into<String>, collection_type: CollectionType) -> Self {
        Self {
            name: name.into(),
            collection_type,
            doc: String::new(),
            children: Vec::new(),
            parents: None,
            dataset_types: None,
        }
    }
}

/// Which dataset types and governor dimension values a collection may hold. What is not listed is
/// certainly absent, what is listed may be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CollectionSummary {
    /// The dataset types by name.
    pub dataset_types: IndexMap<Arc<str>, Arc<DatasetType>>,
    /// The values of each governor dimension.
    pub governors: BTreeMap<String, BTreeSet<String>>,
}

impl CollectionSummary {
    /// Adds a dataset type.
    pub fn add_dataset_type(&mut self, dataset_type: &Arc<DatasetType>) {
        self.dataset_types
            .entry(Arc::clone(dataset_type.name()))
            .or_insert_with(|| Arc::clone(dataset_type));
    }

    /// Adds a governor dimension's value.
    pub fn add_governor(&mut self, dimension: &str, value: &str) {
        match self.governors.get_mut(dimension) {
            Some(values) => {
                if !values.contains(value) {
                    values.insert(value.to_owned());
                }
            }
            None => {
                self.governors
                    .insert(dimension.to_owned(), BTreeSet::from([value.to_owned()]));
            }
        }
    }

    /// Adds what datasets bring along.
    pub fn add_datasets<'a>(&mut self, refs: impl IntoIterator<Item = &'a DatasetRef>) {
        for dataset in refs {
            self.add_dataset_type(dataset.dataset_type());
            for governor in dataset.data_id().dimensions().governors() {
                if let Some(value) = dataset.data_id().get(governor).and_then(|v| v.as_str()) {
                    self.add_governor(governor, value);
                }
            }
        }
    }

    /// Adds another summary.
    pub fn update(&mut self, other: &CollectionSummary) {
        for dataset_type in other.dataset_types.values() {
            self.add_dataset_type(dataset_type);
        }
        for (dimension, values) in &other.governors {
            self.governors
                .entry(dimension.clone())
                .or_default()
                .extend(values.iter().cloned());
        }
    }

    /// Why a search for a dataset type, with bounds on governor values, cannot find anything in
    /// the collection of this name; none if it may.
    pub fn rejection(
        &self,
        name: &str,
        dataset_type: &DatasetType,
        bounds: &BTreeMap<String, BTreeSet<String>>,
    ) -> Option<String> {
        let (parent, _) = dataset_type.name_and_component();
        if !self.dataset_types.contains_key(parent) {
            return Some(format!(
                "No datasets of type {parent} in collection '{name}'."
            ));
        }
        for (governor, present) in &self.governors {
            let Some(wanted) = bounds.get(governor) else {
                continue;
            };
            if dataset_type.dimensions().contains(governor) && present.is_disjoint(wanted) {
                return Some(format!(
                    "No datasets with {governor} in {wanted:?} in collection '{name}'."
                ));
            }
        }
        None
    }

    /// The JSON model.
    pub fn to_simple(&self) -> SerializedCollectionSummary {
        SerializedCollectionSummary {
            dataset_types: self
                .dataset_types
                .values()
                .map(|t| t.to_simple(false))
                .collect(),
            governors: self.governors.clone(),
        }
    }

    /// Reads the JSON model.
    ///
    /// # Errors
    /// As [`DatasetType::from_simple`].
    pub fn from_simple(
        simple: &SerializedCollectionSummary,
        universe: DimensionUniverse,
    ) -> Result<Self> {
        let mut summary = Self {
            governors: simple.governors.clone(),
            ..Self::default()
        };
        for model in &simple.dataset_types {
            summary.add_dataset_type(&Arc::new(DatasetType::from_simple(model, universe)?));
        }
        Ok(summary)
    }
}

/// A [`CollectionSummary`] in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedCollectionSummary {
    /// The dataset types.
    pub dataset_types: Vec<SerializedDatasetType>,
    /// The values of each governor dimension.
    pub governors: BTreeMap<String, BTreeSet<String>>,
}

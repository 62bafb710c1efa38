//! Records of many datasets together, as they are exported from a datastore.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::stored_file_info::{SerializedStoredFileInfo, StoredFileInfo};
use crate::datasets::DatastoreRecords;
use crate::error::{Error, Result};

/// The record class in JSON documents of this release.
const CLASS: &str = "lsst.daf.butler.datastore.stored_file_info.StoredFileInfo";
/// Record classes that stand for the same.
const KNOWN_CLASSES: [&str; 3] = [
    CLASS,
    "lsst.daf.butler.StoredFileInfo",
    "lsst.daf.butler.core.storedFileInfo.StoredFileInfo",
];

/// The file records of many datasets in one datastore.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatastoreRecordData {
    /// Records by dataset and by the name of the table that holds them. A dataset without records
    /// may be listed.
    pub records: IndexMap<Uuid, DatastoreRecords>,
}

/// A [`DatastoreRecordData`] in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerializedDatastoreRecordData {
    /// All datasets.
    pub dataset_ids: Vec<Uuid>,
    /// Records by record class, dataset (32 hexadecimal digits) and table.
    pub records:
        IndexMap<String, IndexMap<String, IndexMap<String, Vec<SerializedStoredFileInfo>>>>,
}

impl DatastoreRecordData {
    /// Adds records. Where a dataset has records of a table already, these are taken to be the
    /// same and nothing is added.
    pub fn update(&mut self, other: &Self) {
        for (id, tables) in &other.records {
            let own = self.records.entry(*id).or_default();
            for (table, records) in tables {
                let target = own.entry(Arc::clone(table)).or_default();
                if target.is_empty() {
                    target.extend(records.iter().cloned());
                }
            }
        }
    }

    /// The records of some of the datasets; none if there are none of them.
    pub fn subset(&self, ids: impl IntoIterator<Item = Uuid>) -> Option<Self> {
        let records: IndexMap<Uuid, DatastoreRecords> = ids
            .into_iter()
            .filter_map(|id| Some((id, self.records.get(&id)?.clone())))
            .collect();
        (!records.is_empty()).then_some(Self { records })
    }

    /// The JSON model. As in the reference, missing components are written as
    /// [`NULL_COMPONENT`](super::NULL_COMPONENT) here.
    pub fn to_simple(&self) -> SerializedDatastoreRecordData {
        let mut simple = SerializedDatastoreRecordData {
            dataset_ids: self.records.keys().copied().collect(),
            records: IndexMap::new(),
        };
        for (id, tables) in &self.records {
            for (table, records) in tables {
                // The reference takes the class from the records, so without any it has no name.
                let class = if records.is_empty() { "" } else { CLASS };
                simple
                    .records
                    .entry(class.to_owned())
                    .or_default()
                    .entry(id.simple().to_string())
                    .or_default()
                    .entry(table.to_string())
                    .or_default()
                    .extend(records.iter().map(row));
            }
        }
        simple
    }

    /// Reads the JSON model.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for another record class, [`Error::CorruptRecord`] if a
    /// dataset's identifier is none.
    pub fn from_simple(simple: SerializedDatastoreRecordData) -> Result<Self> {
        let mut data = Self::default();
        for id in simple.dataset_ids {
            data.records.entry(id).or_default();
        }
        for (class, datasets) in simple.records {
            for (id, tables) in datasets {
                let id = Uuid::parse_str(&id).map_err(|error| {
                    Error::corrupt("datastore records", format!("dataset id '{id}': {error}"))
                })?;
                let own = data.records.entry(id).or_default();
                for (table, records) in tables {
                    if !records.is_empty() && !KNOWN_CLASSES.contains(&class.as_str()) {
                        return Err(Error::unsupported_version(
                            "class of datastore records",
                            class,
                            CLASS,
                        ));
                    }
                    own.entry(table.into())
                        .or_default()
                        .extend(records.into_iter().map(StoredFileInfo::from_simple));
                }
            }
        }
        Ok(data)
    }
}

fn row(info: &StoredFileInfo) -> SerializedStoredFileInfo {
    SerializedStoredFileInfo {
        component: Some(info.component_column().to_owned()),
        ..info.to_simple()
    }
}

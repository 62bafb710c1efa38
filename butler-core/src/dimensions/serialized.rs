//! The shapes in which data IDs and records travel and are stored as JSON.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::coordinate::DataCoordinate;
use super::data_id::DataIdValue;
use super::record::DimensionRecord;
use super::record_set::DimensionRecordSet;
use super::universe::DimensionUniverse;
use crate::error::Result;

/// A data ID as a mapping.
pub type SerializedDataId = IndexMap<String, DataIdValue>;

/// A record as the list of its values, in the order of the element's schema.
pub type SerializedKeyValueDimensionRecord = Vec<Value>;

/// A record as a mapping of its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedDimensionRecord {
    /// The element's name.
    pub definition: String,
    /// Fields and values: bytes and regions in hexadecimal, timespans as `[begin, end]`.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub record: IndexMap<String, Value>,
}

/// A data ID, with its records if they are attached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedDataCoordinate {
    /// The known keys and values.
    #[serde(rename = "dataId")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub data_id: SerializedDataId,
    /// The records by the names of their elements; `null` if none are attached.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<std::collections::BTreeMap<String, SerializedDimensionRecord>>))]
    pub records: Option<IndexMap<String, SerializedDimensionRecord>>,
}

/// Records of several elements, each as the list of its values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SerializableDimensionData(pub IndexMap<String, Vec<SerializedKeyValueDimensionRecord>>);

impl SerializableDimensionData {
    /// The serialized form of sets of records.
    pub fn from_record_sets<'a>(sets: impl IntoIterator<Item = &'a DimensionRecordSet>) -> Self {
        let named =
            |set: &DimensionRecordSet| (set.element().name().to_owned(), set.serialize_records());
        Self(sets.into_iter().map(named).collect())
    }

    /// The sets of records.
    ///
    /// # Errors
    /// [`DimensionName`](crate::Error::DimensionName) if an element is unknown,
    /// [`CorruptRecord`](crate::Error::CorruptRecord) if a record cannot be read.
    pub fn to_record_sets(&self, universe: DimensionUniverse) -> Result<Vec<DimensionRecordSet>> {
        let read = |(name, records): (&String, &Vec<_>)| {
            let mut set = DimensionRecordSet::new(universe.element(name)?);
            set.deserialize_records(records)?;
            Ok(set)
        };
        self.0.iter().map(read).collect()
    }
}

impl DataCoordinate {
    /// The known keys and values as a mapping.
    #[must_use]
    pub fn to_serialized_data_id(&self) -> SerializedDataId {
        self.mapping()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }

    /// The serialized form; `minimal` leaves the records out.
    #[must_use]
    pub fn to_simple(&self, minimal: bool) -> SerializedDataCoordinate {
        let records = if minimal { None } else { self.records() };
        let records = records.map(|records| {
            records
                .filter_map(|(name, record)| Some((name.to_owned(), record?.to_simple())))
                .collect()
        });
        SerializedDataCoordinate {
            data_id: self.to_serialized_data_id(),
            records,
        }
    }

    /// Reads the serialized form; the keys decide the dimensions.
    ///
    /// # Errors
    /// As [`DataCoordinate::standardize`] and [`DimensionRecord::from_simple`].
    pub fn from_simple(
        simple: &SerializedDataCoordinate,
        universe: DimensionUniverse,
    ) -> Result<Self> {
        let data_id = Self::standardize(
            universe,
            simple
                .data_id
                .iter()
                .map(|(name, value)| (name, value.clone())),
            None,
            None,
        )?;
        let Some(records) = simple
            .records
            .as_ref()
            .filter(|records| !records.is_empty())
        else {
            return Ok(data_id);
        };
        let mut records: IndexMap<&str, Arc<DimensionRecord>> = records
            .iter()
            .map(|(name, record)| {
                let record = DimensionRecord::from_simple(record, universe)?;
                Ok((name.as_str(), Arc::new(record)))
            })
            .collect::<Result<_>>()?;
        data_id.expanded(|name| records.swap_remove(name))
    }
}

struct Mapping<'a>(&'a DataCoordinate);

impl Serialize for Mapping<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.mapping())
    }
}

struct Records<'a>(&'a DataCoordinate);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.records() {
            None => serializer.serialize_none(),
            Some(records) => {
                let known = records.filter_map(|(name, record)| Some((name, &**record?)));
                serializer.collect_map(known)
            }
        }
    }
}

impl Serialize for DataCoordinate {
    /// As [`SerializedDataCoordinate`], records included if they are attached.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("dataId", &Mapping(self))?;
        map.serialize_entry("records", &Records(self))?;
        map.end()
    }
}

//! Sets of records of one element.

use std::sync::Arc;

use indexmap::IndexMap;

use super::coordinate::DataCoordinate;
use super::data_id::DataIdValue;
use super::element::DimensionElement;
use super::record::DimensionRecord;
use super::serialized::SerializedKeyValueDimensionRecord;
use crate::error::{Error, Result};

/// Records of one element, one for each data ID, in the order they came.
#[derive(Clone, Debug)]
pub struct DimensionRecordSet {
    element: DimensionElement,
    by_values: IndexMap<Box<[DataIdValue]>, Arc<DimensionRecord>>,
}

impl DimensionRecordSet {
    /// An empty set for the records of an element.
    #[must_use]
    pub fn new(element: DimensionElement) -> Self {
        Self {
            element,
            by_values: IndexMap::new(),
        }
    }

    /// The element.
    #[must_use]
    pub fn element(&self) -> DimensionElement {
        self.element
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_values.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_values.is_empty()
    }

    /// The records.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<DimensionRecord>> {
        self.by_values.values()
    }

    /// Adds a record, replacing the one of the same data ID.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the record is of another element.
    pub fn add(&mut self, record: impl Into<Arc<DimensionRecord>>) -> Result<()> {
        let record = record.into();
        if record.element() != self.element {
            return Err(Error::InvalidArgument(format!(
                "a record of '{}' cannot be in a set of '{}' records",
                record.element(),
                self.element
            )));
        }
        self.by_values
            .insert(record.required_values().collect(), record);
        Ok(())
    }

    /// The record of the given required values (in the element's order).
    #[must_use]
    pub fn find_by_values(&self, values: &[DataIdValue]) -> Option<&Arc<DimensionRecord>> {
        self.by_values.get(values)
    }

    /// The record a data ID identifies; its dimensions may be more than the element's.
    #[must_use]
    pub fn find(&self, data_id: &DataCoordinate) -> Option<&Arc<DimensionRecord>> {
        let names = self.element.required().iter();
        let values: Option<Box<[_]>> = names.map(|name| data_id.get(name).cloned()).collect();
        self.by_values.get(&values?)
    }

    /// Removes the record of the given required values.
    pub fn remove(&mut self, values: &[DataIdValue]) -> Option<Arc<DimensionRecord>> {
        self.by_values.shift_remove(values)
    }

    /// All records in the form of lists of JSON values.
    #[must_use]
    pub fn serialize_records(&self) -> Vec<SerializedKeyValueDimensionRecord> {
        self.iter().map(|record| record.to_key_value()).collect()
    }

    /// Adds records given in the form of lists of JSON values.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if one of them cannot be read.
    pub fn deserialize_records(
        &mut self,
        records: &[SerializedKeyValueDimensionRecord],
    ) -> Result<()> {
        records
            .iter()
            .try_for_each(|values| self.add(DimensionRecord::from_key_value(self.element, values)?))
    }
}

impl PartialEq for DimensionRecordSet {
    /// Whether both hold records of the same element and data IDs.
    fn eq(&self, other: &Self) -> bool {
        self.element == other.element
            && self.len() == other.len()
            && self
                .by_values
                .keys()
                .all(|values| other.by_values.contains_key(values))
    }
}

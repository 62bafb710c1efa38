//! Dimension records of rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use butler_core::dimensions::{
    DataIdValue, DimensionElement, DimensionGroup, DimensionRecord, DimensionRecordSet,
};
use butler_core::error::{Error, Result};
use butler_core::query::ResultSpec;

use super::super::column::Column;
use super::values::{Layout, ValueColumn};
use crate::db::Row;
use crate::registry::skypix;

/// Records of one element that are remembered.
const MOST_REMEMBERED: usize = 1_000;

/// Where the values of an element's records come from.
#[derive(Debug)]
enum Source {
    /// The row.
    Row {
        element: DimensionElement,
        columns: Vec<ValueColumn>,
    },
    /// The pixel.
    Pixel {
        element: DimensionElement,
        key: usize,
    },
    /// What was fetched before.
    Fetched(Arc<DimensionRecordSet>),
}

impl Source {
    /// The row itself or, for a pixel, its index.
    fn of_row(element: DimensionElement, layout: &Layout) -> Result<Self> {
        if element.is_skypix() {
            let key = layout.position(&Column::Key(element.name()))?;
            return Ok(Self::Pixel { element, key });
        }
        let schema = element.schema();
        let keys: Vec<&'static str> = element.dimensions().collect();
        let mut columns = Vec::with_capacity(schema.len());
        for (index, spec) in schema.columns().iter().enumerate() {
            let column = match keys.get(index) {
                Some(name) => Column::Key(name),
                None => Column::Element(element.name(), &spec.name),
            };
            columns.push(ValueColumn::new(layout.position(&column)?, spec));
        }
        Ok(Self::Row { element, columns })
    }

    /// The record of a row; none if there is no record of a fetched element.
    fn read(&mut self, row: &Row, key: &[DataIdValue]) -> Result<Option<Arc<DimensionRecord>>> {
        match self {
            Self::Row { element, columns } => {
                let mut values = Vec::with_capacity(columns.len());
                for column in columns {
                    values.push(column.read(row)?);
                }
                DimensionRecord::from_values(*element, values).map(|r| Some(Arc::new(r)))
            }
            Self::Pixel { element, key } => {
                let pixel = DataIdValue::Int(row.int(*key)?);
                skypix::record(*element, &[pixel]).map(|record| Some(Arc::new(record)))
            }
            Self::Fetched(records) => Ok(records.find_by_values(key).cloned()),
        }
    }
}

/// Reads the records of results that are records.
#[derive(Debug)]
pub(super) struct OwnRecords(Source);

impl OwnRecords {
    pub(super) fn new(element: DimensionElement, layout: &Layout) -> Result<Self> {
        Source::of_row(element, layout).map(Self)
    }

    pub(super) fn read(&mut self, row: &Row) -> Result<Option<Arc<DimensionRecord>>> {
        self.0.read(row, &[])
    }
}

/// What is known of keys: their records, or that there are none.
type ByKey = HashMap<Box<[DataIdValue]>, Option<Arc<DimensionRecord>>>;

/// Reads the records of one element that belong to data IDs.
///
/// Rows with the same key have the same record, which is read once: many data IDs are of few
/// exposures, and each row carries all that is known of its exposure.
#[derive(Debug)]
pub(super) struct RecordReader {
    source: Source,
    /// Where the values of the element's key are among those of the data ID.
    places: Vec<usize>,
    /// The key and the record of the row before.
    last: Option<(Vec<DataIdValue>, Option<Arc<DimensionRecord>>)>,
    /// Unless no two rows have the same, or others know them.
    remembered: Option<ByKey>,
}

impl RecordReader {
    /// A reader of records for data IDs of a group.
    ///
    /// # Errors
    /// [`Error::Internal`] if a column is missing.
    pub(super) fn new(
        element: DimensionElement,
        group: &DimensionGroup,
        layout: &Layout,
        fetched: &FetchedRecords,
    ) -> Result<Self> {
        let keys = group.data_coordinate_keys();
        let place = |name: &&'static str| {
            keys.iter().position(|key| key == name).ok_or_else(|| {
                Error::Internal(format!("data IDs of {group} have no value for '{name}'"))
            })
        };
        let places: Vec<usize> = element
            .required()
            .iter()
            .map(place)
            .collect::<Result<_>>()?;
        let unique = group
            .required()
            .iter()
            .all(|name| element.required().contains(name));
        let (source, remembers) = match fetched.get(element.name()) {
            Some(records) => (Source::Fetched(Arc::clone(records)), false),
            None => (Source::of_row(element, layout)?, !unique),
        };
        Ok(Self {
            source,
            places,
            last: None,
            remembered: remembers.then(ByKey::new),
        })
    }

    /// The record that belongs to a row with this data ID; none if there is none.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] for values that cannot be read.
    pub(super) fn read(
        &mut self,
        row: &Row,
        data_id: &[DataIdValue],
    ) -> Result<Option<Arc<DimensionRecord>>> {
        let values = || self.places.iter().map(|place| &data_id[*place]);
        let mut key = match self.last.take() {
            Some((key, record)) if key.iter().eq(values()) => {
                let found = record.clone();
                self.last = Some((key, record));
                return Ok(found);
            }
            Some((key, _)) => key,
            None => Vec::new(),
        };
        key.clear();
        key.extend(values().cloned());
        let known = self.remembered.as_ref().and_then(|known| known.get(&*key));
        let record = match known {
            Some(record) => record.clone(),
            None => {
                let record = self.source.read(row, &key)?;
                if let Some(remembered) = &mut self.remembered {
                    if remembered.len() == MOST_REMEMBERED {
                        remembered.clear();
                    }
                    remembered.insert(key.as_slice().into(), record.clone());
                }
                record
            }
        };
        self.last = Some((key, record.clone()));
        Ok(record)
    }
}

/// Records of elements that rows do not carry, by name of the element.
pub(in crate::registry::query) type FetchedRecords =
    BTreeMap<&'static str, Arc<DimensionRecordSet>>;

/// The elements whose records are fetched before a query whose results have records.
pub(in crate::registry::query) fn elements_to_fetch(spec: &ResultSpec) -> Vec<DimensionElement> {
    if !spec.include_dimension_records() {
        return Vec::new();
    }
    elements(spec.dimensions())
        .filter(|element| element.is_cached() && !element.is_skypix())
        .collect()
}

/// The elements of a group, in its order.
pub(super) fn elements(group: &DimensionGroup) -> impl Iterator<Item = DimensionElement> {
    let universe = group.universe();
    let names = group.elements().iter();
    names.filter_map(move |name| universe.get(name))
}

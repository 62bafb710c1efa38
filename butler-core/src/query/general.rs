//! Rows of values, and what they are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::column_set::{DatasetField, ResultColumn};
use super::result_spec::ResultSpec;
use crate::datasets::{DatasetRef, DatasetType};
use crate::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionElement, DimensionGroup, DimensionRecord,
    DimensionRecordSet,
};
use crate::error::{Error, Result};

/// Which columns rows have, besides the keys of their dimensions.
#[derive(Clone, Debug, Default)]
pub struct GeneralColumns {
    pub(super) names: Vec<String>,
    pub(super) dimension_fields: BTreeMap<String, BTreeSet<String>>,
    pub(super) dataset_fields: BTreeMap<Arc<str>, BTreeSet<DatasetField>>,
}

impl GeneralColumns {
    /// No further columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A column by a name of the expression language: `visit`, `visit.exposure_time`, `raw.run`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// A field of an element's records.
    #[must_use]
    pub fn dimension_field(mut self, element: impl Into<String>, field: impl Into<String>) -> Self {
        let fields = self.dimension_fields.entry(element.into()).or_default();
        fields.insert(field.into());
        self
    }

    /// A column of a dataset search.
    #[must_use]
    pub fn dataset_field(mut self, dataset_type: impl Into<Arc<str>>, field: DatasetField) -> Self {
        let fields = self.dataset_fields.entry(dataset_type.into()).or_default();
        fields.insert(field);
        self
    }

    /// The columns of a dataset search that make a [`DatasetRef`]: ID and run.
    #[must_use]
    pub fn dataset(self, dataset_type: impl Into<Arc<str>>) -> Self {
        let dataset_type = dataset_type.into();
        self.dataset_field(Arc::clone(&dataset_type), DatasetField::DatasetId)
            .dataset_field(dataset_type, DatasetField::Run)
    }
}

/// What all rows of one query have in common.
#[derive(Debug)]
struct Header {
    dimensions: DimensionGroup,
    /// Names such as `visit`, `visit.exposure_time`, `raw.run`.
    names: Vec<String>,
    with_records: bool,
}

impl Header {
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// A row of values.
#[derive(Clone, Debug)]
pub struct GeneralRow {
    header: Arc<Header>,
    values: Vec<ColumnValue>,
    /// Those of cached elements and skypix dimensions.
    records: BTreeMap<&'static str, Arc<DimensionRecord>>,
}

impl GeneralRow {
    /// The value of a column, by its name: `visit`, `visit.exposure_time`, `raw.run`. With dimension
    /// records, those of all their fields besides the required keys are there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ColumnValue> {
        if let Some((element, field)) = name.split_once('.')
            && let Some(record) = self.records.get(element)
        {
            let required = record.schema().required();
            if !required.iter().any(|column| &*column.name == field)
                && let Some(value) = record.get(field)
            {
                return Some(value);
            }
        }
        self.values.get(self.header.position(name)?)
    }

    /// The columns that were asked for, and their values; not those of records.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &ColumnValue)> {
        let names = self.header.names.iter().map(String::as_str);
        names.zip(&self.values)
    }

    /// The values alone, in the order of
    /// [`ResultSpec::result_columns`](super::ResultSpec::result_columns).
    #[must_use]
    pub fn values(&self) -> &[ColumnValue] {
        &self.values
    }

    /// The data ID of the row, with records if they came along.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if a key has no value.
    pub fn data_id(&self) -> Result<DataCoordinate> {
        let dimensions = &self.header.dimensions;
        let keys = dimensions.data_coordinate_keys();
        let values: Vec<DataIdValue> = keys
            .iter()
            .map(|key| self.key(key))
            .collect::<Result<_>>()?;
        let data_id = DataCoordinate::from_full_values(dimensions.clone(), values)?;
        if !self.header.with_records {
            return Ok(data_id);
        }
        let universe = dimensions.universe();
        let mut records = BTreeMap::new();
        for name in dimensions.elements() {
            let record = match self.records.get(name) {
                Some(record) => Arc::clone(record),
                None => match universe.get(name) {
                    // Cached, but there is none: the row stands without it.
                    Some(element) if element.is_cached() || element.is_skypix() => continue,
                    Some(element) => Arc::new(self.record_of_columns(element)?),
                    None => continue,
                },
            };
            records.insert(*name, record);
        }
        data_id.expanded(|name| records.remove(name))
    }

    fn key(&self, dimension: &str) -> Result<DataIdValue> {
        let value = self.header.position(dimension);
        let value = value.and_then(|position| self.values.get(position)?.to_data_id_value());
        value.ok_or_else(|| {
            Error::corrupt(
                "query result",
                format_args!("dimension '{dimension}' has no value"),
            )
        })
    }

    /// The record of an element all of whose fields are columns of the row.
    fn record_of_columns(&self, element: DimensionElement) -> Result<DimensionRecord> {
        let keys = element.dimensions().map(|name| Ok(self.key(name)?.into()));
        let remainder = element.schema().remainder().iter().map(|column| {
            let name = format!("{}.{}", element.name(), column.name);
            self.header
                .position(&name)
                .and_then(|position| self.values.get(position).cloned())
                .ok_or_else(|| {
                    Error::corrupt("query result", format_args!("it has no column '{name}'"))
                })
        });
        let values: Vec<ColumnValue> = keys.chain(remainder).collect::<Result<_>>()?;
        DimensionRecord::from_values(element, values)
    }

    /// The dataset of a type in this row, if there is one; the row must have its ID and run.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the row does not have them; errors as of
    /// [`data_id`](Self::data_id) and [`DatasetRef::new`].
    pub fn dataset(&self, dataset_type: &Arc<DatasetType>) -> Result<Option<DatasetRef>> {
        let column = |field: DatasetField| {
            let name = format!("{}.{field}", dataset_type.name());
            self.get(&name).ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "the query did not ask for column '{name}', which datasets are made of"
                ))
            })
        };
        match (column(DatasetField::DatasetId)?, column(DatasetField::Run)?) {
            (ColumnValue::Uuid(id), ColumnValue::Str(run)) => {
                let dataset_type = Arc::clone(dataset_type);
                DatasetRef::new(dataset_type, self.data_id()?, Arc::clone(run), *id).map(Some)
            }
            (ColumnValue::Null, _) => Ok(None),
            _ => Err(Error::corrupt(
                "query result",
                format_args!("ID and run of dataset '{}'", dataset_type.name()),
            )),
        }
    }
}

/// Makes rows of the pages of one query.
#[derive(Debug)]
pub struct RowReader {
    header: Arc<Header>,
}

impl RowReader {
    pub(super) fn new(spec: &ResultSpec) -> Self {
        let columns = spec.result_columns();
        let names = columns
            .columns()
            .map(|column: ResultColumn| column.to_string());
        Self {
            header: Arc::new(Header {
                dimensions: spec.dimensions().clone(),
                names: names.collect(),
                with_records: spec.include_dimension_records(),
            }),
        }
    }

    pub(super) fn read(
        &self,
        rows: Vec<Vec<ColumnValue>>,
        records: Option<Vec<DimensionRecordSet>>,
    ) -> Result<Vec<GeneralRow>> {
        let records = records.unwrap_or_default();
        rows.into_iter()
            .map(|values| self.row(values, &records))
            .collect()
    }

    fn row(&self, values: Vec<ColumnValue>, sets: &[DimensionRecordSet]) -> Result<GeneralRow> {
        if values.len() != self.header.names.len() {
            return Err(Error::corrupt(
                "query result",
                format_args!(
                    "a row has {} values for {} columns",
                    values.len(),
                    self.header.names.len()
                ),
            ));
        }
        let mut row = GeneralRow {
            header: Arc::clone(&self.header),
            values,
            records: BTreeMap::new(),
        };
        for set in sets {
            let element = set.element();
            let required: Vec<DataIdValue> = element
                .required()
                .iter()
                .map(|name| row.key(name))
                .collect::<Result<_>>()?;
            if let Some(record) = set.find_by_values(&required) {
                row.records.insert(element.name(), Arc::clone(record));
            }
        }
        Ok(row)
    }
}

//! Rows of a query's statement as results.

mod records;
mod values;

use std::sync::Arc;

use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionElement, DimensionGroup, DimensionRecord,
    DimensionRecordSet,
};
use butler_core::error::{Error, Result};
use butler_core::query::{
    ColumnSet, DatasetField, DatasetTypeKey, ResultColumn, ResultKind, ResultPage, ResultSpec,
};

pub(super) use self::records::{FetchedRecords, elements_to_fetch};
use self::records::{OwnRecords, RecordReader, elements};
use self::values::{KeyColumn, NameColumn, ValueColumn};
pub(super) use self::values::{Layout, decode_region};
use super::column::Column;
use crate::db::Row;

/// Reads data IDs.
#[derive(Debug)]
struct DataIdReader {
    group: DimensionGroup,
    keys: Vec<KeyColumn>,
    records: Option<Vec<RecordReader>>,
    /// Of the row that is being read.
    values: Vec<DataIdValue>,
    found: Vec<Option<Arc<DimensionRecord>>>,
}

impl DataIdReader {
    fn new(
        group: &DimensionGroup,
        layout: &Layout,
        with_records: bool,
        fetched: &FetchedRecords,
    ) -> Result<Self> {
        let records = match with_records {
            true => {
                let readers = elements(group).map(|e| RecordReader::new(e, group, layout, fetched));
                Some(readers.collect::<Result<_>>()?)
            }
            false => None,
        };
        Ok(Self {
            group: group.clone(),
            keys: layout.keys(group.data_coordinate_keys(), group)?,
            records,
            values: Vec::new(),
            found: Vec::new(),
        })
    }

    fn read(&mut self, row: &Row) -> Result<DataCoordinate> {
        self.values.clear();
        for key in &mut self.keys {
            self.values.push(key.read(row)?);
        }
        let Some(readers) = &mut self.records else {
            return DataCoordinate::from_full_values(self.group.clone(), drained(&mut self.values));
        };
        self.found.clear();
        for reader in readers {
            self.found.push(reader.read(row, &self.values)?);
        }
        let values = drained(&mut self.values);
        let data_id = DataCoordinate::from_full_values(self.group.clone(), values)?;
        // They are asked for in the order of the group's elements, as they were read.
        let mut found = self.found.drain(..);
        data_id.expanded(|_| found.next().flatten())
    }
}

/// The values, of which the buffer is used again.
fn drained(values: &mut Vec<DataIdValue>) -> Arc<[DataIdValue]> {
    values.drain(..).collect()
}

/// Turns rows into pages of results.
#[derive(Debug)]
pub(super) enum PageReader {
    /// Of data IDs.
    DataIds(DataIds),
    /// Of records.
    Records(Records),
    /// Of datasets.
    Datasets(Datasets),
    /// Of values.
    General(General),
}

#[derive(Debug)]
pub(super) struct DataIds {
    reader: DataIdReader,
    page: Vec<DataCoordinate>,
}

#[derive(Debug)]
pub(super) struct Records {
    reader: OwnRecords,
    page: Vec<Arc<DimensionRecord>>,
}

#[derive(Debug)]
pub(super) struct Datasets {
    reader: DataIdReader,
    dataset_type: Arc<DatasetType>,
    id: usize,
    run: NameColumn,
    page: Vec<DatasetRef>,
}

#[derive(Debug)]
pub(super) struct General {
    columns: Vec<GeneralColumn>,
    records: Option<GeneralRecords>,
    page: Vec<Vec<ColumnValue>>,
}

/// Reads the records that general results do not have as columns.
#[derive(Debug)]
struct GeneralRecords {
    keys: Vec<KeyColumn>,
    /// With those of the page.
    readers: Vec<(RecordReader, DimensionRecordSet)>,
    /// Of the row that is being read.
    values: Vec<DataIdValue>,
}

#[derive(Debug)]
enum GeneralColumn {
    Value(ValueColumn),
    Name(NameColumn),
    /// A timestamp of dataset manager 1.x, as text.
    IngestTimestamp(usize),
}

impl PageReader {
    /// A reader of rows of this layout.
    ///
    /// # Errors
    /// [`Error::Internal`] if a column is missing.
    pub(super) fn new(
        spec: &ResultSpec,
        layout: &Layout,
        dataset_type: Option<Arc<DatasetType>>,
        fetched: &FetchedRecords,
        ingest_date_is_tai: bool,
    ) -> Result<Self> {
        let with_records = spec.include_dimension_records();
        Ok(match &spec.kind {
            ResultKind::DataCoordinate { dimensions, .. } => Self::DataIds(DataIds {
                reader: DataIdReader::new(dimensions, layout, with_records, fetched)?,
                page: Vec::new(),
            }),
            ResultKind::DimensionRecord { element } => Self::Records(Records {
                reader: OwnRecords::new(*element, layout)?,
                page: Vec::new(),
            }),
            ResultKind::DatasetRef {
                dataset_type_name,
                dimensions,
                ..
            } => {
                let dataset_type = dataset_type.ok_or_else(|| {
                    Error::Internal(format!("dataset type '{dataset_type_name}' is not known"))
                })?;
                let key = DatasetTypeKey::Named(Arc::clone(dataset_type_name));
                let column = |field| Column::Dataset(key.clone(), field);
                Self::Datasets(Datasets {
                    reader: DataIdReader::new(dimensions, layout, with_records, fetched)?,
                    dataset_type,
                    id: layout.position(&column(DatasetField::DatasetId))?,
                    run: layout.name(&column(DatasetField::Run))?,
                    page: Vec::new(),
                })
            }
            ResultKind::General { dimensions, .. } => {
                let columns = general_columns(&spec.result_columns(), layout, ingest_date_is_tai)?;
                let records = match with_records {
                    true => Some(GeneralRecords::new(dimensions, layout, fetched)?),
                    false => None,
                };
                Self::General(General {
                    columns,
                    records,
                    page: Vec::new(),
                })
            }
            other => {
                return Err(Error::UnimplementedQuery(format!(
                    "Results of kind {other:?} are not supported."
                )));
            }
        })
    }

    /// Adds a row to the page.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] for values that cannot be read.
    pub(super) fn add(&mut self, row: &Row) -> Result<()> {
        match self {
            Self::DataIds(reader) => reader.page.push(reader.reader.read(row)?),
            Self::Records(reader) => reader.page.extend(reader.reader.read(row)?),
            Self::Datasets(reader) => {
                let data_id = reader.reader.read(row)?;
                let run = reader.run.read(row)?;
                let dataset_type = Arc::clone(&reader.dataset_type);
                let id = row.uuid(reader.id)?;
                let dataset = DatasetRef::new(dataset_type, data_id, run, id)?;
                reader.page.push(dataset);
            }
            Self::General(reader) => {
                let mut values = Vec::with_capacity(reader.columns.len());
                for column in &mut reader.columns {
                    values.push(column.read(row)?);
                }
                reader.page.push(values);
                if let Some(records) = &mut reader.records {
                    records.add(row)?;
                }
            }
        }
        Ok(())
    }

    /// The number of rows in the page.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::DataIds(reader) => reader.page.len(),
            Self::Records(reader) => reader.page.len(),
            Self::Datasets(reader) => reader.page.len(),
            Self::General(reader) => reader.page.len(),
        }
    }

    /// The page, after which a new one begins.
    pub(super) fn take(&mut self) -> ResultPage {
        match self {
            Self::DataIds(reader) => ResultPage::DataCoordinates(taken(&mut reader.page)),
            Self::Records(reader) => ResultPage::DimensionRecords(taken(&mut reader.page)),
            Self::Datasets(reader) => ResultPage::DatasetRefs(taken(&mut reader.page)),
            Self::General(reader) => ResultPage::General {
                rows: taken(&mut reader.page),
                dimension_records: reader.records.as_mut().map(GeneralRecords::take),
            },
        }
    }
}

/// The page, in whose place is an empty one that need not grow to the same size.
fn taken<T>(page: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(page.len());
    std::mem::replace(page, next)
}

impl GeneralRecords {
    fn new(group: &DimensionGroup, layout: &Layout, fetched: &FetchedRecords) -> Result<Self> {
        // The row has the fields of all others as columns.
        let apart = |element: &DimensionElement| {
            element.is_skypix() || fetched.contains_key(element.name())
        };
        let reader = |element| {
            let reader = RecordReader::new(element, group, layout, fetched)?;
            Ok((reader, DimensionRecordSet::new(element)))
        };
        Ok(Self {
            keys: layout.keys(group.data_coordinate_keys(), group)?,
            readers: elements(group)
                .filter(apart)
                .map(reader)
                .collect::<Result<_>>()?,
            values: Vec::new(),
        })
    }

    fn add(&mut self, row: &Row) -> Result<()> {
        self.values.clear();
        for key in &mut self.keys {
            self.values.push(key.read(row)?);
        }
        for (reader, set) in &mut self.readers {
            if let Some(record) = reader.read(row, &self.values)? {
                set.add(record)?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<DimensionRecordSet> {
        let sets = self.readers.iter_mut().map(|(_, set)| {
            let empty = DimensionRecordSet::new(set.element());
            std::mem::replace(set, empty)
        });
        sets.collect()
    }
}

fn general_columns(
    columns: &ColumnSet,
    layout: &Layout,
    ingest_date_is_tai: bool,
) -> Result<Vec<GeneralColumn>> {
    columns
        .columns()
        .map(|column| {
            let spec = column.spec()?;
            let is_ingest_date = matches!(
                column,
                ResultColumn::DatasetField(_, DatasetField::IngestDate)
            );
            let column = Column::from(column);
            let position = layout.position(&column)?;
            Ok(match column {
                Column::Dataset(_, DatasetField::Run | DatasetField::Collection) => {
                    GeneralColumn::Name(layout.name(&column)?)
                }
                _ if is_ingest_date && !ingest_date_is_tai => {
                    GeneralColumn::IngestTimestamp(position)
                }
                _ => GeneralColumn::Value(ValueColumn::new(position, &spec)),
            })
        })
        .collect()
}

impl GeneralColumn {
    fn read(&mut self, row: &Row) -> Result<ColumnValue> {
        match self {
            Self::Value(value) => value.read(row),
            Self::Name(name) => name.read(row).map(ColumnValue::Str),
            Self::IngestTimestamp(position) => {
                let text = row.timestamp_text(*position)?.replace(' ', "T");
                use butler_core::time::{TimeFormat, TimeScale, parse_time};
                parse_time(&text, TimeFormat::Isot, TimeScale::Utc).map(ColumnValue::Time)
            }
        }
    }
}

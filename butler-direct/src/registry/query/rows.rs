//! Rows of a query's statement as results.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnSpec, ColumnType, ColumnValue, DataCoordinate, DataIdValue, DimensionElement,
    DimensionGroup, DimensionRecord, DimensionRecordSet, EncodedRegion,
};
use butler_core::error::{Error, Result};
use butler_core::query::{
    ColumnSet, DatasetField, DatasetTypeKey, ResultColumn, ResultKind, ResultPage, ResultSpec,
};
use butler_sphgeom::Region;

use super::column::{Column, SqlValue};
use crate::db::Row;
use crate::db::schema::SqlType;
use crate::registry::skypix;
use crate::registry::tables::sql_type;

/// Where the columns of a statement are in its rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    positions: HashMap<Column, usize>,
    /// The names for which rows have keys of collections.
    names: HashMap<usize, Arc<HashMap<i64, Arc<str>>>>,
}

impl Layout {
    pub(super) fn new(selected: &[(Column, SqlValue)]) -> Self {
        let mut layout = Self::default();
        let mut position = 0;
        for (column, value) in selected {
            layout.positions.insert(column.clone(), position);
            if let SqlValue::Collection(_, names) = value {
                let names = names.iter().cloned().collect();
                layout.names.insert(position, Arc::new(names));
            }
            position += value.width();
        }
        layout
    }

    /// The position of a column.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such column.
    pub(super) fn position(&self, column: &Column) -> Result<usize> {
        let found = self.positions.get(column).copied();
        found.ok_or_else(|| Error::Internal(format!("rows have no column {column:?}")))
    }

    fn name(&self, column: &Column) -> Result<NameColumn> {
        let position = self.position(column)?;
        let names = self.names.get(&position).cloned();
        Ok(NameColumn {
            position,
            names,
            last: None,
        })
    }

    fn keys(&self, names: &[&'static str], group: &DimensionGroup) -> Result<Vec<KeyColumn>> {
        let universe = group.universe();
        names
            .iter()
            .map(|name| {
                let key = universe.get(name).and_then(DimensionElement::key_type);
                Ok(KeyColumn {
                    position: self.position(&Column::Key(name))?,
                    is_text: matches!(key.map(sql_type), Some(SqlType::String { .. })),
                    last: None,
                })
            })
            .collect()
    }
}

/// A column of names of collections.
#[derive(Debug)]
struct NameColumn {
    position: usize,
    /// Without them, the row has the name itself.
    names: Option<Arc<HashMap<i64, Arc<str>>>>,
    last: Option<Arc<str>>,
}

impl NameColumn {
    fn read(&mut self, row: &Row) -> Result<Arc<str>> {
        match &self.names {
            Some(names) => {
                let key = row.int(self.position)?;
                names.get(&key).cloned().ok_or_else(|| {
                    Error::Internal(format!(
                        "a row is of collection {key}, which was not searched"
                    ))
                })
            }
            None => {
                let text = row.text(self.position)?;
                Ok(shared(&mut self.last, text))
            }
        }
    }
}

/// A shared string, which is that of the row before if it is the same.
fn shared(last: &mut Option<Arc<str>>, text: &str) -> Arc<str> {
    match last {
        Some(known) if **known == *text => Arc::clone(known),
        _ => Arc::clone(last.insert(text.into())),
    }
}

/// A column of a dimension's key.
#[derive(Debug)]
struct KeyColumn {
    position: usize,
    is_text: bool,
    last: Option<Arc<str>>,
}

impl KeyColumn {
    fn read(&mut self, row: &Row) -> Result<DataIdValue> {
        if self.is_text {
            let text = row.text(self.position)?;
            return Ok(DataIdValue::Str(shared(&mut self.last, text)));
        }
        Ok(DataIdValue::Int(row.int(self.position)?))
    }
}

/// The region in a column, or the union of all that are there.
pub(super) fn decode_region(text: &str) -> Result<Region> {
    Region::from_base64(text).map_err(|error| {
        Error::corrupt(
            "a dimension record",
            format!("its region is not valid: {error}"),
        )
    })
}

fn read_value(row: &Row, position: usize, spec: &ColumnSpec) -> Result<ColumnValue> {
    let bytes = || -> Result<Option<Vec<u8>>> {
        let Some(text) = row.opt_text(position)? else {
            return Ok(None);
        };
        BASE64
            .decode(text)
            .map(Some)
            .map_err(|error| Error::corrupt(format!("a value of '{}'", spec.name), error))
    };
    let value = match spec.column_type {
        ColumnType::Int => row.opt_int(position)?.map(ColumnValue::Int),
        ColumnType::DateTime | ColumnType::IngestDate => {
            row.opt_int(position)?.map(ColumnValue::Time)
        }
        ColumnType::Float => row.opt_float(position)?.map(ColumnValue::Float),
        ColumnType::Bool => row.opt_bool(position)?.map(ColumnValue::Bool),
        ColumnType::String { .. } => row.opt_text(position)?.map(|s| ColumnValue::Str(s.into())),
        ColumnType::Timespan => row.opt_timespan(position)?.map(ColumnValue::Timespan),
        ColumnType::Uuid => Some(ColumnValue::Uuid(row.uuid(position)?)),
        ColumnType::Hash { .. } => bytes()?.map(|bytes| ColumnValue::Bytes(bytes.into())),
        ColumnType::Region { .. } => bytes()?
            .map(|bytes| ColumnValue::Region(EncodedRegion::from_bytes(Arc::<[u8]>::from(bytes)))),
    };
    Ok(value.unwrap_or(ColumnValue::Null))
}

/// Where the values of an element's records come from.
#[derive(Debug)]
enum RecordSource {
    /// The row.
    Row {
        element: DimensionElement,
        columns: Vec<(usize, &'static ColumnSpec)>,
    },
    /// The pixel.
    Pixel {
        element: DimensionElement,
        key: usize,
    },
    /// What was fetched before.
    Fetched {
        keys: Vec<KeyColumn>,
        records: Arc<DimensionRecordSet>,
    },
}

impl RecordSource {
    fn row(element: DimensionElement, layout: &Layout) -> Result<Self> {
        let schema = element.schema();
        let keys: Vec<&'static str> = element.dimensions().collect();
        let mut columns = Vec::with_capacity(schema.len());
        for (index, spec) in schema.columns().iter().enumerate() {
            let column = match keys.get(index) {
                Some(name) => Column::Key(name),
                None => Column::Element(element.name(), &spec.name),
            };
            columns.push((layout.position(&column)?, spec));
        }
        Ok(Self::Row { element, columns })
    }

    fn pixel(element: DimensionElement, layout: &Layout) -> Result<Self> {
        let key = layout.position(&Column::Key(element.name()))?;
        Ok(Self::Pixel { element, key })
    }

    fn fetched(
        element: DimensionElement,
        group: &DimensionGroup,
        layout: &Layout,
        records: &Arc<DimensionRecordSet>,
    ) -> Result<Self> {
        Ok(Self::Fetched {
            keys: layout.keys(element.required(), group)?,
            records: Arc::clone(records),
        })
    }

    /// The record of a row; none if there is no record of a fetched element.
    fn read(&mut self, row: &Row) -> Result<Option<Arc<DimensionRecord>>> {
        match self {
            Self::Row { element, columns } => {
                let values = columns
                    .iter()
                    .map(|(position, spec)| read_value(row, *position, spec))
                    .collect::<Result<Vec<_>>>()?;
                DimensionRecord::from_values(*element, values).map(|r| Some(Arc::new(r)))
            }
            Self::Pixel { element, key } => {
                let pixel = DataIdValue::Int(row.int(*key)?);
                skypix::record(*element, &[pixel]).map(|record| Some(Arc::new(record)))
            }
            Self::Fetched { keys, records } => {
                let values = keys
                    .iter_mut()
                    .map(|key| key.read(row))
                    .collect::<Result<Vec<_>>>()?;
                Ok(records.find_by_values(&values).cloned())
            }
        }
    }
}

/// Records of elements that rows do not carry, by name of the element.
pub(super) type FetchedRecords = BTreeMap<&'static str, Arc<DimensionRecordSet>>;

/// The elements whose records are fetched before a query whose results have records.
pub(super) fn elements_to_fetch(spec: &ResultSpec) -> Vec<DimensionElement> {
    if !spec.include_dimension_records() {
        return Vec::new();
    }
    let group = spec.dimensions();
    let elements = group.elements().iter();
    let elements = elements.filter_map(|name| group.universe().get(name));
    elements
        .filter(|element| element.is_cached() && !element.is_skypix())
        .collect()
}

fn record_sources(
    group: &DimensionGroup,
    layout: &Layout,
    fetched: &FetchedRecords,
) -> Result<Vec<RecordSource>> {
    let universe = group.universe();
    let elements = group.elements().iter();
    elements
        .filter_map(|name| universe.get(name))
        .map(|element| {
            if element.is_skypix() {
                RecordSource::pixel(element, layout)
            } else if let Some(records) = fetched.get(element.name()) {
                RecordSource::fetched(element, group, layout, records)
            } else {
                RecordSource::row(element, layout)
            }
        })
        .collect()
}

/// Reads data IDs.
#[derive(Debug)]
struct DataIdReader {
    group: DimensionGroup,
    keys: Vec<KeyColumn>,
    records: Option<Vec<RecordSource>>,
}

impl DataIdReader {
    fn new(
        group: &DimensionGroup,
        layout: &Layout,
        with_records: bool,
        fetched: &FetchedRecords,
    ) -> Result<Self> {
        let records = match with_records {
            true => Some(record_sources(group, layout, fetched)?),
            false => None,
        };
        Ok(Self {
            group: group.clone(),
            keys: layout.keys(group.data_coordinate_keys(), group)?,
            records,
        })
    }

    fn read(&mut self, row: &Row) -> Result<DataCoordinate> {
        let values = self
            .keys
            .iter_mut()
            .map(|key| key.read(row))
            .collect::<Result<Vec<_>>>()?;
        let data_id = DataCoordinate::from_full_values(self.group.clone(), values)?;
        let Some(sources) = &mut self.records else {
            return Ok(data_id);
        };
        let records = sources
            .iter_mut()
            .map(|source| source.read(row))
            .collect::<Result<Vec<_>>>()?;
        // They are asked for in the order of the group's elements, as they were read.
        let mut records = records.into_iter();
        data_id.expanded(|_| records.next().flatten())
    }
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
    source: RecordSource,
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
    records: Option<Vec<(DimensionElement, RecordSource, DimensionRecordSet)>>,
    page: Vec<Vec<ColumnValue>>,
}

#[derive(Debug)]
enum GeneralColumn {
    Value(usize, ColumnSpec),
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
            ResultKind::DimensionRecord { element } => {
                let source = match element.is_skypix() {
                    true => RecordSource::pixel(*element, layout)?,
                    false => RecordSource::row(*element, layout)?,
                };
                Self::Records(Records {
                    source,
                    page: Vec::new(),
                })
            }
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
                    true => Some(general_records(dimensions, layout, fetched)?),
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
            Self::Records(reader) => reader.page.extend(reader.source.read(row)?),
            Self::Datasets(reader) => {
                let data_id = reader.reader.read(row)?;
                let run = reader.run.read(row)?;
                let dataset_type = Arc::clone(&reader.dataset_type);
                let id = row.uuid(reader.id)?;
                let dataset = DatasetRef::new(dataset_type, data_id, run, id)?;
                reader.page.push(dataset);
            }
            Self::General(reader) => {
                let values = reader
                    .columns
                    .iter_mut()
                    .map(|column| column.read(row))
                    .collect::<Result<_>>()?;
                reader.page.push(values);
                for (_, source, set) in reader.records.iter_mut().flatten() {
                    if let Some(record) = source.read(row)? {
                        set.add(record)?;
                    }
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
            Self::DataIds(reader) => ResultPage::DataCoordinates(std::mem::take(&mut reader.page)),
            Self::Records(reader) => ResultPage::DimensionRecords(std::mem::take(&mut reader.page)),
            Self::Datasets(reader) => ResultPage::DatasetRefs(std::mem::take(&mut reader.page)),
            Self::General(reader) => {
                let records = reader.records.as_mut().map(|records| {
                    let sets = records.iter_mut();
                    sets.map(|(element, _, set)| {
                        std::mem::replace(set, DimensionRecordSet::new(*element))
                    })
                    .collect()
                });
                ResultPage::General {
                    rows: std::mem::take(&mut reader.page),
                    dimension_records: records,
                }
            }
        }
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
                _ => GeneralColumn::Value(position, spec),
            })
        })
        .collect()
}

fn general_records(
    group: &DimensionGroup,
    layout: &Layout,
    fetched: &FetchedRecords,
) -> Result<Vec<(DimensionElement, RecordSource, DimensionRecordSet)>> {
    let universe = group.universe();
    let mut records = Vec::new();
    for element in group
        .elements()
        .iter()
        .filter_map(|name| universe.get(name))
    {
        let source = if element.is_skypix() {
            RecordSource::pixel(element, layout)?
        } else if let Some(known) = fetched.get(element.name()) {
            RecordSource::fetched(element, group, layout, known)?
        } else {
            // The row has the record's fields as columns.
            continue;
        };
        records.push((element, source, DimensionRecordSet::new(element)));
    }
    Ok(records)
}

impl GeneralColumn {
    fn read(&mut self, row: &Row) -> Result<ColumnValue> {
        match self {
            Self::Value(position, spec) => read_value(row, *position, spec),
            Self::Name(name) => name.read(row).map(ColumnValue::Str),
            Self::IngestTimestamp(position) => {
                let text = row.timestamp_text(*position)?.replace(' ', "T");
                use butler_core::time::{TimeFormat, TimeScale, parse_time};
                parse_time(&text, TimeFormat::Isot, TimeScale::Utc).map(ColumnValue::Time)
            }
        }
    }
}

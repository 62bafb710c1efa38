//! Tables in Parquet files, with the metadata that the reference expects in them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Metadata, Schema, SchemaRef};
use butler_core::error::{Error, Result};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

/// The number of rows, in a schema's metadata.
const ROW_COUNT: &str = "lsst::arrow::rowcount";
/// Before a column's name: the length of its longest string in characters (or bytes, if it is
/// binary).
const LENGTH: &str = "lsst::arrow::len::";
/// The length of strings of a column that has none.
const DEFAULT_LENGTH: usize = 10;
/// The schema in Arrow's own encoding, in a file's metadata.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// A table: a schema and batches of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// A table of batches that have this schema, apart from metadata.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a batch has other columns.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Self> {
        for batch in &batches {
            if batch.schema_ref().fields() != schema.fields() {
                return Err(Error::InvalidArgument(format!(
                    "all batches of a table need the columns {:?}, but one has {:?}",
                    names(&schema),
                    names(batch.schema_ref())
                )));
            }
        }
        Ok(Self { schema, batches })
    }

    /// The schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The table with these columns only, in its own order. `name` tells errors what it is.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown column.
    pub fn select(&self, columns: &[&str], name: &str) -> Result<Self> {
        let kept = indices(&self.schema, columns, name)?;
        let failed = |error| Error::Internal(format!("selecting columns of {name}: {error}"));
        let batches = self.batches.iter().map(|batch| batch.project(&kept));
        Ok(Self {
            schema: Arc::new(self.schema.project(&kept).map_err(failed)?),
            batches: batches
                .collect::<std::result::Result<_, _>>()
                .map_err(failed)?,
        })
    }

    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl From<RecordBatch> for Table {
    fn from(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            batches: vec![batch],
        }
    }
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|f| f.name().as_str()).collect()
}

/// The positions of columns, in the schema's order.
fn indices(schema: &Schema, columns: &[&str], name: &str) -> Result<Vec<usize>> {
    for column in columns {
        if schema.column_with_name(column).is_none() {
            return Err(Error::InvalidArgument(format!(
                "{name} has no column '{column}'; its columns are {:?}",
                names(schema)
            )));
        }
    }
    let all = 0..schema.fields().len();
    Ok(all
        .filter(|index| columns.contains(&schema.field(*index).name().as_str()))
        .collect())
}

fn longest(column: &dyn Array) -> Option<usize> {
    fn of<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> usize {
        texts
            .flatten()
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
    }
    fn of_bytes<'a>(items: impl Iterator<Item = Option<&'a [u8]>>) -> usize {
        items.flatten().map(<[u8]>::len).max().unwrap_or(0)
    }
    Some(match column.data_type() {
        DataType::Utf8 => of(column.as_string::<i32>().iter()),
        DataType::LargeUtf8 => of(column.as_string::<i64>().iter()),
        DataType::Utf8View => of(column.as_string_view().iter()),
        DataType::Binary => of_bytes(column.as_binary::<i32>().iter()),
        DataType::LargeBinary => of_bytes(column.as_binary::<i64>().iter()),
        DataType::BinaryView => of_bytes(column.as_binary_view().iter()),
        _ => return None,
    })
}

/// The schema's metadata, completed by what the reference needs.
fn complete_metadata(table: &Table) -> Metadata {
    let mut metadata = table.schema.metadata().clone();
    metadata.insert(ROW_COUNT.to_owned(), table.row_count().to_string());
    for (index, field) in table.schema.fields().iter().enumerate() {
        let key = format!("{LENGTH}{}", field.name());
        if metadata.contains_key(&key) || field.name().starts_with("__") {
            continue;
        }
        let length = if table.row_count() == 0 {
            let is_text = matches!(
                field.data_type(),
                DataType::Utf8
                    | DataType::LargeUtf8
                    | DataType::Utf8View
                    | DataType::Binary
                    | DataType::LargeBinary
                    | DataType::BinaryView
            );
            is_text.then_some(DEFAULT_LENGTH)
        } else {
            table
                .batches
                .iter()
                .filter_map(|batch| longest(batch.column(index)))
                .max()
        };
        if let Some(length) = length {
            metadata.insert(key, length.to_string());
        }
    }
    metadata
}

/// A Parquet file with a table.
///
/// # Errors
/// [`Error::DatasetTypeNotSupported`] if a column is of a type that Parquet has not.
pub fn write_table(table: &Table) -> Result<Bytes> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::DatasetTypeNotSupported(format!("the table cannot be written as Parquet: {error}"))
    };
    let metadata = complete_metadata(table);
    let key_values: Vec<KeyValue> = metadata
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(key_values))
        .build();
    let schema = Arc::new(table.schema.as_ref().clone().with_metadata(metadata));
    let mut output = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut output, Arc::clone(&schema), Some(properties))
        .map_err(|error| failed(&error))?;
    for batch in &table.batches {
        let batch = batch
            .clone()
            .with_schema(Arc::clone(&schema))
            .map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
    }
    writer.close().map_err(|error| failed(&error))?;
    Ok(output.into())
}

fn open(data: Bytes, uri: &str) -> Result<ParquetRecordBatchReaderBuilder<Bytes>> {
    ParquetRecordBatchReaderBuilder::try_new_with_options(data, ArrowReaderOptions::new())
        .map_err(|error| Error::corrupt(uri, error))
}

fn file_schema(builder: &ParquetRecordBatchReaderBuilder<Bytes>) -> SchemaRef {
    let mut schema = builder.schema().as_ref().clone();
    let pairs = builder.metadata().file_metadata().key_value_metadata();
    for pair in pairs.into_iter().flatten() {
        if let Some(value) = &pair.value
            && pair.key != ARROW_SCHEMA
            && !schema.metadata.contains_key(&pair.key)
        {
            schema.metadata.insert(&pair.key, value);
        }
    }
    Arc::new(schema)
}

/// Reads a table, or some of its columns in the file's order.
///
/// # Errors
/// [`Error::CorruptRecord`] if the file is no Parquet file; [`Error::InvalidArgument`] for an
/// unknown column.
pub fn read_table(data: Bytes, columns: Option<&[&str]>, uri: &str) -> Result<Table> {
    let mut builder = open(data, uri)?;
    let schema = file_schema(&builder);
    let mut kept: Vec<usize> = (0..schema.fields().len()).collect();
    if let Some(columns) = columns {
        kept = indices(&schema, columns, uri)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), kept.iter().copied());
        builder = builder.with_projection(mask);
    }
    let projected = schema
        .project(&kept)
        .map_err(|error| Error::corrupt(uri, error))?;
    let reader = builder
        .build()
        .map_err(|error| Error::corrupt(uri, error))?;
    let schema = Arc::new(projected);
    let batches = reader
        .map(|batch| batch?.with_schema(Arc::clone(&schema)))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| Error::corrupt(uri, error))?;
    Ok(Table { schema, batches })
}

/// The schema of a table, with the file's metadata.
///
/// # Errors
/// [`Error::CorruptRecord`] if the file is no Parquet file.
pub fn read_schema(data: Bytes, uri: &str) -> Result<SchemaRef> {
    Ok(file_schema(&open(data, uri)?))
}

/// The names of a table's columns, without those that hold an index of pandas.
///
/// # Errors
/// As [`read_schema`].
pub fn read_columns(data: Bytes, uri: &str) -> Result<Vec<String>> {
    let schema = read_schema(data, uri)?;
    let columns = schema.fields().iter().map(|field| field.name().clone());
    Ok(columns.filter(|name| !name.starts_with("__")).collect())
}

/// The number of rows of a table.
///
/// # Errors
/// As [`read_schema`].
pub fn read_row_count(data: Bytes, uri: &str) -> Result<i64> {
    Ok(open(data, uri)?.metadata().file_metadata().num_rows())
}

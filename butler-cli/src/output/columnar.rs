//! Apache Arrow and Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, RecordBatchOptions,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::cells::{Cell, Column, Kind};
use super::stream::RowSink;

/// The rows that are kept in memory until they make a row group of a Parquet file.
pub(super) const ROW_GROUP: usize = 1 << 16;

/// A Parquet file, a row group at a time.
pub(super) struct Parquet<W: Write + Send> {
    columns: Columns,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(sink: W, columns: &[Column]) -> io::Result<Self> {
        let columns = Columns::new(columns);
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .build();
        let schema = Arc::clone(&columns.schema);
        let writer = ArrowWriter::try_new(sink, schema, Some(properties));
        Ok(Self {
            columns,
            writer: writer.map_err(io::Error::other)?,
        })
    }
}

impl<W: Write + Send> RowSink for Parquet<W> {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()> {
        let batch = self.columns.batch(&rows)?;
        self.writer.write(&batch).map_err(as_io)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.writer.close().map(drop).map_err(as_io)
    }
}

/// The error of the sink itself, if it is one.
fn as_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => *inner,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}

/// An Arrow IPC stream, a batch for each page.
pub(super) struct Arrow<W: Write> {
    columns: Columns,
    writer: StreamWriter<W>,
}

impl<W: Write> Arrow<W> {
    pub(super) fn new(sink: W, columns: &[Column]) -> io::Result<Self> {
        let columns = Columns::new(columns);
        let writer = StreamWriter::try_new(sink, &columns.schema);
        Ok(Self {
            columns,
            writer: writer.map_err(arrow_as_io)?,
        })
    }
}

impl<W: Write> RowSink for Arrow<W> {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()> {
        let batch = self.columns.batch(&rows)?;
        self.writer.write(&batch).map_err(arrow_as_io)?;
        self.writer.flush().map_err(arrow_as_io)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.writer.finish().map_err(arrow_as_io)
    }
}

fn arrow_as_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, inner) => inner,
        other => io::Error::other(other),
    }
}

/// Columns that take rows of cells.
struct Columns {
    kinds: Vec<Kind>,
    schema: Arc<Schema>,
}

impl Columns {
    fn new(columns: &[Column]) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, data_type(column.kind), true))
            .collect();
        Self {
            kinds: columns.iter().map(|column| column.kind).collect(),
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn batch(&self, rows: &[Vec<Cell>]) -> io::Result<RecordBatch> {
        let kinds = self.kinds.iter().enumerate();
        let arrays = kinds.map(|(place, &kind)| array(kind, rows.iter().map(|row| &row[place])));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays.collect(), &options)
            .map_err(io::Error::other)
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Text => DataType::Utf8,
        Kind::List => DataType::List(Arc::new(item())),
    }
}

/// What lists hold.
fn item() -> Field {
    Field::new_list_field(DataType::Utf8, true)
}

/// Cells as an array. Those that are not of the column's kind are null.
fn array<'a>(kind: Kind, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    match kind {
        Kind::Bool => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Cell::Bool(value) => Some(*value),
            _ => None,
        }))),
        Kind::Int => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Cell::Int(value) => Some(*value),
            _ => None,
        }))),
        Kind::Float => Arc::new(Float64Array::from_iter(cells.map(|cell| match cell {
            Cell::Float(value) => Some(*value),
            _ => None,
        }))),
        Kind::Text => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(value) => Some(value),
            _ => None,
        }))),
        Kind::List => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item());
            for cell in cells {
                if let Cell::List(values) = cell {
                    builder.append_value(values.iter().map(Some));
                } else {
                    builder.append_null();
                }
            }
            Arc::new(builder.finish())
        }
    }
}

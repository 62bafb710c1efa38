//! Apache Arrow and Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;

use super::cells::{Cell, Kind, Rows};

/// Writes a Parquet file.
pub(super) fn parquet(sink: &mut (dyn Write + Send), rows: &Rows) -> io::Result<()> {
    let batch = batch(rows)?;
    let mut writer = ArrowWriter::try_new(sink, batch.schema(), None).map_err(io::Error::other)?;
    writer.write(&batch).map_err(io::Error::other)?;
    writer.close().map_err(io::Error::other)?;
    Ok(())
}

/// Writes an Arrow IPC stream.
pub(super) fn arrow(sink: &mut dyn Write, rows: &Rows) -> io::Result<()> {
    let batch = batch(rows)?;
    let mut writer = StreamWriter::try_new(sink, &batch.schema()).map_err(io::Error::other)?;
    writer.write(&batch).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)
}

fn batch(rows: &Rows) -> io::Result<RecordBatch> {
    let mut fields = Vec::with_capacity(rows.columns.len());
    let mut arrays = Vec::with_capacity(rows.columns.len());
    for (place, column) in rows.columns.iter().enumerate() {
        let cells = rows.rows.iter().map(|row| &row[place]);
        let array = array(column.kind, cells);
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(io::Error::other)
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
            let item = Field::new_list_field(DataType::Utf8, true);
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item);
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

//! JSON and CSV.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::cells::{Cell, Column};
use super::stream::RowSink;

/// An array with an object for each row, each on a line of its own.
pub(super) struct Json<W> {
    sink: W,
    columns: Vec<Column>,
    /// What goes before the next row.
    separator: &'static str,
}

impl<W: Write> Json<W> {
    pub(super) const fn new(sink: W, columns: Vec<Column>) -> Self {
        Self {
            sink,
            columns,
            separator: "[\n",
        }
    }
}

impl<W: Write> RowSink for Json<W> {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()> {
        for row in rows {
            let fields = self.columns.iter().zip(&row);
            let object: Map<String, Value> = fields
                .map(|(column, cell)| (column.name.clone(), cell.to_json()))
                .collect();
            write!(self.sink, "{}{}", self.separator, Value::Object(object))?;
            self.separator = ",\n";
        }
        self.sink.flush()
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.separator.starts_with('[') {
            write!(self.sink, "[")?;
        }
        writeln!(self.sink, "\n]")?;
        self.sink.flush()
    }
}

/// A header and a record for each row. Null is an empty field.
pub(super) struct Csv<W: Write>(::csv::Writer<W>);

impl<W: Write> Csv<W> {
    pub(super) fn new(sink: W, columns: &[Column]) -> io::Result<Self> {
        let mut writer = ::csv::Writer::from_writer(sink);
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self(writer))
    }
}

impl<W: Write> RowSink for Csv<W> {
    fn write(&mut self, rows: Vec<Vec<Cell>>) -> io::Result<()> {
        for row in rows {
            self.0.write_record(row.iter().map(ToString::to_string))?;
        }
        self.0.flush()
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.0.flush()
    }
}

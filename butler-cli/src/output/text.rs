//! JSON and CSV.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::cells::Rows;

/// Writes an array with an object for each row, each on a line of its own.
pub(super) fn json(sink: &mut dyn Write, rows: &Rows) -> io::Result<()> {
    write!(sink, "[")?;
    for (place, row) in rows.rows.iter().enumerate() {
        let fields = rows.columns.iter().zip(row);
        let object: Map<String, Value> = fields
            .map(|(column, cell)| (column.name.clone(), cell.to_json()))
            .collect();
        let comma = if place == 0 { "" } else { "," };
        write!(sink, "{comma}\n{}", Value::Object(object))?;
    }
    writeln!(sink, "\n]")
}

/// Writes a header and a record for each row. Null is an empty field.
pub(super) fn csv(sink: &mut dyn Write, rows: &Rows) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(sink);
    writer.write_record(rows.columns.iter().map(|column| &column.name))?;
    for row in &rows.rows {
        writer.write_record(row.iter().map(ToString::to_string))?;
    }
    writer.flush()
}

//! Tables of dimension records.

use butler_core::dimensions::{
    ColumnSpec, ColumnType, ColumnValue, DimensionElement, DimensionRecord,
};
use butler_core::time;
use butler_core::timespan::Timespan;

use super::cells::{Cell, Column, Kind};

/// The columns of records of an element.
///
/// People see regions left out and timespans to the second. Machines get regions in the hexadecimal
/// form of their encoding, and the ends of timespans as columns of their own, in TAI.
pub(crate) fn record_columns(element: DimensionElement, for_people: bool) -> Vec<Column> {
    let columns = element.schema().columns().iter();
    columns
        .flat_map(|spec| columns_of(spec, for_people))
        .collect()
}

/// The cells of a record in those columns.
pub(crate) fn record_cells(record: &DimensionRecord, for_people: bool) -> Vec<Cell> {
    let fields = record.fields();
    fields
        .flat_map(|(spec, value)| cells_of(spec, value, for_people))
        .collect()
}

fn columns_of(spec: &ColumnSpec, for_people: bool) -> Vec<Column> {
    let name = &*spec.name;
    let kind = match spec.column_type {
        ColumnType::Timespan if for_people => {
            return vec![Column::new(name, Kind::Text).titled("timespan (TAI)")];
        }
        ColumnType::Timespan => {
            return ["begin", "end"]
                .map(|end| Column::new(format!("{name}_{end}"), Kind::Text))
                .into();
        }
        ColumnType::Int => Kind::Int,
        ColumnType::Float => Kind::Float,
        ColumnType::Bool => Kind::Bool,
        _ => Kind::Text,
    };
    vec![Column::new(name, kind)]
}

fn cells_of(spec: &ColumnSpec, value: &ColumnValue, for_people: bool) -> Vec<Cell> {
    let cell = match value {
        ColumnValue::Null if spec.column_type == ColumnType::Timespan && !for_people => {
            return vec![Cell::Null, Cell::Null];
        }
        ColumnValue::Timespan(timespan) if !for_people => return ends(*timespan),
        ColumnValue::Timespan(timespan) => Cell::text(timespan.to_string()),
        // As the reference's tables show it.
        ColumnValue::Null if for_people => Cell::text("None"),
        ColumnValue::Null => Cell::Null,
        ColumnValue::Bool(value) => Cell::Bool(*value),
        ColumnValue::Int(value) => Cell::Int(*value),
        ColumnValue::Float(value) => Cell::Float(*value),
        ColumnValue::Str(value) => Cell::text(&**value),
        ColumnValue::Region(_) if for_people => Cell::text("(elided)"),
        ColumnValue::Region(value) => Cell::text(value.to_hex()),
        ColumnValue::Bytes(_) if for_people => match value.to_json() {
            serde_json::Value::String(hex) => Cell::text(format!("0x{hex}")),
            _ => Cell::Null,
        },
        ColumnValue::Time(value) => Cell::text(time::format_tai_isot(*value, 9)),
        other => match other.to_json() {
            serde_json::Value::String(text) => Cell::Text(text),
            _ => Cell::Null,
        },
    };
    vec![cell]
}

/// The ends of a timespan; null where there is none.
fn ends(timespan: Timespan) -> Vec<Cell> {
    [timespan.begin(), timespan.end()]
        .map(|end| end.map_or(Cell::Null, |end| Cell::text(time::format_tai_isot(end, 9))))
        .into()
}

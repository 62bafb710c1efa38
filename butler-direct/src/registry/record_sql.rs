//! Dimension records and data IDs as SQL values.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use butler_core::dimensions::{
    ColumnSpec, ColumnType, ColumnValue, DataIdValue, DimensionElement, DimensionRecord,
    EncodedRegion,
};
use butler_core::error::{Error, Result};

use super::tables::sql_type;
use crate::db::bulk::BulkColumn;
use crate::db::dialect::quote;
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Row};

/// A data ID value as a parameter.
pub(super) fn key_param(value: &DataIdValue) -> Param {
    match value {
        DataIdValue::Int(number) => Param::Int(*number),
        DataIdValue::Str(text) => Param::from(text),
    }
}

/// A data ID value from a column.
pub(super) fn key_value(row: &Row, index: usize, ty: SqlType) -> Result<DataIdValue> {
    Ok(match ty {
        SqlType::BigInt => DataIdValue::Int(row.int(index)?),
        _ => DataIdValue::Str(row.shared_text(index)?),
    })
}

/// The columns of an element's table, in the order of its records' values.
pub(super) fn columns(element: DimensionElement) -> Vec<BulkColumn> {
    let column = |c: &ColumnSpec| BulkColumn::new(&*c.name, sql_type(c.column_type));
    element.schema().columns().iter().map(column).collect()
}

/// The select list of an element's table, as [`record_from_row`] reads it.
pub(super) fn select_list(element: DimensionElement, dialect: Dialect, alias: &str) -> String {
    let names: Vec<String> = columns(element)
        .iter()
        .flat_map(|c| dialect.physical_columns(&c.name, c.ty))
        .map(|name| format!("{alias}.{}", quote(&name)))
        .collect();
    names.join(", ")
}

/// A record's values as parameters.
pub(super) fn record_params(record: &DimensionRecord) -> Vec<Param> {
    record
        .fields()
        .map(|(column, value)| value_param(column, value))
        .collect()
}

fn value_param(column: &ColumnSpec, value: &ColumnValue) -> Param {
    match value {
        ColumnValue::Null => Param::Null(sql_type(column.column_type)),
        ColumnValue::Bool(value) => Param::Bool(*value),
        ColumnValue::Int(value) | ColumnValue::Time(value) => Param::Int(*value),
        ColumnValue::Float(value) => Param::Float(*value),
        ColumnValue::Str(value) => Param::from(value),
        ColumnValue::Bytes(bytes) => Param::from(BASE64.encode(bytes)),
        ColumnValue::Timespan(value) => Param::Timespan(*value),
        ColumnValue::Region(region) => Param::from(BASE64.encode(region.as_bytes())),
        ColumnValue::Uuid(id) => Param::Uuid(*id),
    }
}

/// Reads a record from the columns that [`select_list`] names, starting at `first`.
///
/// # Errors
/// [`Error::CorruptRecord`] naming the element and column whose value cannot be read.
pub(super) fn record_from_row(
    element: DimensionElement,
    row: &Row,
    first: usize,
    dialect: Dialect,
) -> Result<DimensionRecord> {
    let mut index = first;
    let mut values = Vec::with_capacity(element.schema().len());
    for column in element.schema().columns() {
        values.push(value_from_row(element, column, row, index)?);
        index += dialect
            .physical_columns("", sql_type(column.column_type))
            .len();
    }
    DimensionRecord::from_values(element, values)
}

fn value_from_row(
    element: DimensionElement,
    column: &ColumnSpec,
    row: &Row,
    index: usize,
) -> Result<ColumnValue> {
    let value = match column.column_type {
        ColumnType::Int => row.opt_int(index)?.map(ColumnValue::Int),
        ColumnType::DateTime | ColumnType::IngestDate => row.opt_int(index)?.map(ColumnValue::Time),
        ColumnType::Float => row.opt_float(index)?.map(ColumnValue::Float),
        ColumnType::Bool => row.opt_bool(index)?.map(ColumnValue::Bool),
        ColumnType::String { .. } => row.opt_text(index)?.map(|s| ColumnValue::Str(s.into())),
        ColumnType::Timespan => row.opt_timespan(index)?.map(ColumnValue::Timespan),
        ColumnType::Uuid => Some(ColumnValue::Uuid(row.uuid(index)?)),
        ColumnType::Hash { .. } => {
            decoded(element, column, row, index)?.map(|b| ColumnValue::Bytes(b.into()))
        }
        ColumnType::Region { .. } => decoded(element, column, row, index)?
            .map(|b| ColumnValue::Region(EncodedRegion::from_bytes(Arc::<[u8]>::from(b)))),
    };
    Ok(value.unwrap_or(ColumnValue::Null))
}

fn decoded(
    element: DimensionElement,
    column: &ColumnSpec,
    row: &Row,
    index: usize,
) -> Result<Option<Vec<u8>>> {
    let Some(text) = row.opt_text(index)? else {
        return Ok(None);
    };
    BASE64.decode(text).map(Some).map_err(|e| {
        Error::corrupt(
            format!("a record of '{element}'"),
            format!("the value of '{}' is not valid base64: {e}", column.name),
        )
    })
}

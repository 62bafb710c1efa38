//! Values in rows, by the place of their columns.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use butler_core::dimensions::{
    ColumnSpec, ColumnType, ColumnValue, DataIdValue, DimensionElement, DimensionGroup,
    EncodedRegion,
};
use butler_core::error::{Error, Result};
use butler_sphgeom::Region;

use super::super::column::{Column, SqlValue};
use crate::db::Row;
use crate::db::schema::SqlType;
use crate::registry::tables::sql_type;

/// Where the columns of a statement are in its rows.
#[derive(Debug, Clone, Default)]
pub(in crate::registry::query) struct Layout {
    positions: HashMap<Column, usize>,
    /// The names for which rows have keys of collections.
    names: HashMap<usize, Arc<HashMap<i64, Arc<str>>>>,
}

impl Layout {
    pub(in crate::registry::query) fn new(selected: &[(Column, SqlValue)]) -> Self {
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
    pub(in crate::registry::query) fn position(&self, column: &Column) -> Result<usize> {
        let found = self.positions.get(column).copied();
        found.ok_or_else(|| Error::Internal(format!("rows have no column {column:?}")))
    }

    pub(super) fn name(&self, column: &Column) -> Result<NameColumn> {
        let position = self.position(column)?;
        let names = self.names.get(&position).cloned();
        Ok(NameColumn {
            position,
            names,
            last: None,
        })
    }

    pub(super) fn keys(
        &self,
        names: &[&'static str],
        group: &DimensionGroup,
    ) -> Result<Vec<KeyColumn>> {
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
pub(super) struct NameColumn {
    position: usize,
    /// Without them, the row has the name itself.
    names: Option<Arc<HashMap<i64, Arc<str>>>>,
    last: Option<Arc<str>>,
}

impl NameColumn {
    pub(super) fn read(&mut self, row: &Row) -> Result<Arc<str>> {
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
pub(super) struct KeyColumn {
    position: usize,
    is_text: bool,
    last: Option<Arc<str>>,
}

impl KeyColumn {
    pub(super) fn read(&mut self, row: &Row) -> Result<DataIdValue> {
        if self.is_text {
            let text = row.text(self.position)?;
            return Ok(DataIdValue::Str(shared(&mut self.last, text)));
        }
        Ok(DataIdValue::Int(row.int(self.position)?))
    }
}

/// The region in a column, or the union of all that are there.
pub(in crate::registry::query) fn decode_region(text: &str) -> Result<Region> {
    Region::from_base64(text).map_err(|error| {
        Error::corrupt(
            "a dimension record",
            format!("its region is not valid: {error}"),
        )
    })
}

/// A column of values of any type.
#[derive(Debug)]
pub(super) struct ValueColumn {
    position: usize,
    column_type: ColumnType,
    name: Arc<str>,
    last: Option<Arc<str>>,
}

impl ValueColumn {
    pub(super) fn new(position: usize, spec: &ColumnSpec) -> Self {
        Self {
            position,
            column_type: spec.column_type,
            name: Arc::clone(&spec.name),
            last: None,
        }
    }

    pub(super) fn read(&mut self, row: &Row) -> Result<ColumnValue> {
        let position = self.position;
        let value = match self.column_type {
            ColumnType::Int => row.opt_int(position)?.map(ColumnValue::Int),
            ColumnType::DateTime | ColumnType::IngestDate => {
                row.opt_int(position)?.map(ColumnValue::Time)
            }
            ColumnType::Float => row.opt_float(position)?.map(ColumnValue::Float),
            ColumnType::Bool => row.opt_bool(position)?.map(ColumnValue::Bool),
            ColumnType::String { .. } => {
                let text = row.opt_text(position)?;
                text.map(|text| ColumnValue::Str(shared(&mut self.last, text)))
            }
            ColumnType::Timespan => row.opt_timespan(position)?.map(ColumnValue::Timespan),
            ColumnType::Uuid => Some(ColumnValue::Uuid(row.uuid(position)?)),
            ColumnType::Hash { .. } => self
                .bytes(row)?
                .map(|bytes| ColumnValue::Bytes(bytes.into())),
            ColumnType::Region { .. } => self
                .bytes(row)?
                .map(|bytes| ColumnValue::Region(EncodedRegion::from_bytes(bytes))),
        };
        Ok(value.unwrap_or(ColumnValue::Null))
    }

    fn bytes(&self, row: &Row) -> Result<Option<Vec<u8>>> {
        let bytes = row.opt_text(self.position)?.map(|text| BASE64.decode(text));
        bytes
            .transpose()
            .map_err(|error| Error::corrupt(format!("a value of '{}'", self.name), error))
    }
}

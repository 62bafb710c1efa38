//! The values that a data ID's records imply, as part of another statement.

use std::collections::HashMap;

use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionGroup};
use butler_core::error::Result;

use crate::db::Row;
use crate::db::dialect::quote;
use crate::db::schema::SqlType;
use crate::registry::context::Context;
use crate::registry::record_sql::key_value;
use crate::registry::tables::sql_type;

/// A query of at most one row, with a column for each implied dimension of a group, in its order.
pub(super) struct Implied {
    /// The query, without parentheses.
    pub(super) sql: String,
    types: Vec<SqlType>,
}

impl Implied {
    /// How many columns it has.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }

    /// The data ID with the implied values of a row, which begin at column `first`; as it is if there
    /// is no record that implies one of them.
    pub(super) fn complete(
        &self,
        data_id: &DataCoordinate,
        row: &Row,
        first: usize,
    ) -> Result<DataCoordinate> {
        let mut values: Vec<DataIdValue> = data_id.required_values().to_vec();
        for (index, ty) in (first..).zip(&self.types) {
            let is_there = match ty {
                SqlType::BigInt => row.opt_int(index)?.is_some(),
                _ => row.opt_text(index)?.is_some(),
            };
            if !is_there {
                return Ok(data_id.clone());
            }
            values.push(key_value(row, index, *ty)?);
        }
        DataCoordinate::from_full_values(data_id.dimensions().clone(), values)
    }
}

impl Context {
    /// The values that records imply for a data ID of the group, whose required values are these
    /// expressions; none if nothing is implied.
    pub(super) fn implied(
        &self,
        group: &DimensionGroup,
        required: &[String],
    ) -> Result<Option<Implied>> {
        if group.implied().is_empty() {
            return Ok(None);
        }
        // Where the value of each dimension is, and its type.
        let mut known: HashMap<&str, (String, SqlType)> = HashMap::new();
        for (name, expression) in group.required().iter().zip(required) {
            known.insert(name, (expression.clone(), SqlType::Text));
        }
        let (mut tables, mut conditions) = (Vec::new(), Vec::new());
        for name in group.lookup_order() {
            let element = self.universe.element(name)?;
            if element.implied().is_empty() {
                continue;
            }
            let alias = format!("e{}", tables.len());
            tables.push(format!(
                "{} AS {alias}",
                self.database.table(element.name())
            ));
            // The columns of a record are those of its keys, in this order, then others.
            for (dimension, column) in element.dimensions().zip(element.schema().columns()) {
                let own = format!("{alias}.{}", quote(&column.name));
                match known.get(dimension) {
                    Some((expression, _)) => conditions.push(format!("{own} = {expression}")),
                    None => drop(known.insert(dimension, (own, sql_type(column.column_type)))),
                }
            }
        }
        let implied = group.implied().iter().map(|name| known.remove(name));
        let Some(columns) = implied.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let (columns, types): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let named = columns.iter().enumerate();
        let named: Vec<_> = named
            .map(|(i, column)| format!("{column} AS i{i}"))
            .collect();
        Ok(Some(Implied {
            sql: format!(
                "SELECT {} FROM {} WHERE {}",
                named.join(", "),
                tables.join(", "),
                conditions.join(" AND ")
            ),
            types,
        }))
    }
}

//! Data IDs that queries join: uploaded ones, and those of materialized queries.
//!
//! They are kept here, column by column, and travel with each statement that joins them. So they
//! need no session in the database, and no right to write to it: a read replica will do, and a
//! connection pool between.

use std::collections::BTreeSet;
use std::sync::Arc;

use butler_core::dimensions::{DataIdValue, DimensionGroup};
use butler_core::error::{Error, Result};
use butler_core::query::DatasetTypeKey;
use sea_query::{Alias, Expr, Func, Query};

use super::column::{Column, SqlValue};
use super::scope::{Scope, Statement, column, subquery};
use crate::db::{Dialect, Param};
use crate::registry::record_sql::key_param;
use crate::registry::tables::sql_type;

/// Rows of dimension keys.
#[derive(Debug, Clone)]
pub(super) struct KeyRows {
    names: Vec<&'static str>,
    columns: Vec<Param>,
    rows: usize,
}

impl KeyRows {
    /// No rows, with columns of these dimensions of a group.
    pub(super) fn new(dimensions: &DimensionGroup, names: &[&'static str]) -> Self {
        let universe = dimensions.universe();
        let column = |name: &&'static str| {
            let key = universe.get(name).and_then(|d| d.key_type());
            match key.map(sql_type) {
                Some(crate::db::schema::SqlType::String { .. }) => Param::Texts(Vec::new()),
                _ => Param::Ints(Vec::new()),
            }
        };
        Self {
            columns: names.iter().map(column).collect(),
            names: names.to_vec(),
            rows: 0,
        }
    }

    /// Adds a row with a value for each column.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] for too few or too many; [`Error::DimensionValue`] for values of
    /// other types than the dimensions have.
    pub(super) fn push(&mut self, row: &[DataIdValue]) -> Result<()> {
        if row.len() != self.names.len() {
            return Err(Error::InvalidQuery(format!(
                "An uploaded row has {} values, but there are {} dimensions ({}).",
                row.len(),
                self.names.len(),
                self.names.join(", ")
            )));
        }
        for ((column, name), value) in self.columns.iter_mut().zip(&self.names).zip(row) {
            match (column, key_param(value)) {
                (Param::Ints(values), Param::Int(number)) => values.push(number),
                (Param::Texts(values), Param::Text(text)) => values.push(text),
                _ => {
                    return Err(Error::DimensionValue(format!(
                        "'{value}' is no value of dimension '{name}'."
                    )));
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows as something to join.
    pub(super) fn scope(&self, statement: &mut Statement<'_>) -> Scope {
        let mut select = Query::select();
        if self.names.is_empty() {
            // Rows without columns: they are there, or not.
            select.expr_as(Expr::cust("1"), Alias::new("nothing"));
            if self.rows == 0 {
                select.and_where(Expr::cust("1 = 0"));
            }
        }
        match statement.dialect() {
            Dialect::Postgres => {
                for (name, values) in self.names.iter().zip(&self.columns) {
                    let values = statement.param(values.clone());
                    let expr = statement.sql("unnest({})", [values]);
                    select.expr_as(expr, Alias::new(*name));
                }
            }
            Dialect::Sqlite if !self.names.is_empty() => {
                let json = statement.param(self.to_json());
                for (index, name) in self.names.iter().enumerate() {
                    let expr = Expr::cust(format!("json_extract(value, '$[{index}]')"));
                    select.expr_as(expr, Alias::new(*name));
                }
                let function = Func::cust("json_each").arg(json);
                select.from_function(function, Alias::new("j"));
            }
            Dialect::Sqlite => {}
        }
        let alias = statement.alias("k");
        let mut scope = Scope::source(subquery(select, &alias));
        for name in &self.names {
            scope.provide(Column::Key(name), SqlValue::Scalar(column(&alias, name)));
        }
        scope
    }

    fn to_json(&self) -> String {
        let value = |column: &Param, row: usize| match column {
            Param::Ints(values) => serde_json::Value::from(values[row]),
            Param::Texts(values) => serde_json::Value::from(&*values[row]),
            _ => serde_json::Value::Null,
        };
        let rows = (0..self.rows).map(|row| {
            let values = self.columns.iter().map(|column| value(column, row));
            values.collect::<serde_json::Value>()
        });
        rows.collect::<serde_json::Value>().to_string()
    }
}

/// The data IDs of a query whose results are kept.
#[derive(Debug, Clone)]
pub(super) struct Materialization {
    /// The data IDs, with all keys.
    pub(super) rows: Arc<KeyRows>,
    /// The dataset types whose searches constrained them.
    pub(super) datasets: BTreeSet<DatasetTypeKey>,
}

//! The values that data IDs imply: the band of a physical filter, the day of an exposure.

use std::collections::HashMap;

use butler_core::dimensions::{ColumnType, DataCoordinate, DataIdValue, DimensionElement};
use butler_core::error::Result;

use super::context::Context;
use super::dimension_records::key_types;
use super::record_sql::key_param;
use crate::db::dialect::quote;
use crate::db::{Param, Session};

/// Where a statement takes a key from.
enum Source<'v> {
    /// It is known.
    Value(&'v DataIdValue),
    /// A table has it.
    Column(String),
}

impl Context {
    /// The data ID with implied values, by one statement; as it was, if there are none or records
    /// are missing.
    pub(super) async fn with_implied(
        &self,
        session: &mut Session,
        data_id: DataCoordinate,
    ) -> Result<DataCoordinate> {
        let group = data_id.dimensions().clone();
        if group.implied().is_empty() {
            return Ok(data_id);
        }
        let dialect = self.database.dialect();
        let required = group.required().iter().zip(data_id.required_values());
        let mut known: HashMap<&str, Source<'_>> = required
            .map(|(name, value)| (*name, Source::Value(value)))
            .collect();
        let universe = group.universe();
        let mut left: Vec<DimensionElement> = Vec::new();
        for name in group.elements() {
            let element = universe.element(name)?;
            if !element.implied().is_empty() && element.has_own_table() {
                left.push(element);
            }
        }
        let (mut tables, mut conditions) = (Vec::new(), Vec::new());
        let mut params: Vec<Param> = Vec::new();
        // Each table may need keys that another one gives.
        while let Some(place) = left.iter().position(|element| {
            let mut keys = element.required().iter();
            keys.all(|key| known.contains_key(key))
        }) {
            let element = left.swap_remove(place);
            let alias = format!("t{}", tables.len());
            tables.push(format!(
                "{} AS {alias}",
                self.database.table(element.name())
            ));
            for ((column, _), name) in key_types(element).iter().zip(element.required()) {
                let value = match &known[name] {
                    Source::Column(column) => column.clone(),
                    Source::Value(value) => {
                        params.push(key_param(value));
                        dialect.placeholder(params.len())
                    }
                };
                conditions.push(format!("{alias}.{} = {value}", quote(column)));
            }
            for name in element.implied() {
                let column = format!("{alias}.{}", quote(name));
                known.entry(name).or_insert(Source::Column(column));
            }
        }
        let mut columns = Vec::new();
        for name in group.implied() {
            match known.get(name) {
                Some(Source::Column(column)) => columns.push(column.as_str()),
                _ => return Ok(data_id),
            }
        }
        let sql = format!(
            "SELECT {} FROM {} WHERE {}",
            columns.join(", "),
            tables.join(", "),
            conditions.join(" AND ")
        );
        let Some(row) = session.fetch_optional(&sql, &params).await? else {
            return Ok(data_id);
        };
        let mut values = data_id.required_values().to_vec();
        for (index, name) in group.implied().iter().enumerate() {
            let value = match universe.dimension(name)?.key_type() {
                Some(ColumnType::String { .. }) => row.opt_text(index)?.map(DataIdValue::from),
                _ => row.opt_int(index)?.map(DataIdValue::Int),
            };
            match value {
                Some(value) => values.push(value),
                None => return Ok(data_id),
            }
        }
        DataCoordinate::from_full_values(group, values)
    }
}

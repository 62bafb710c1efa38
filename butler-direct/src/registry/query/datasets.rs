//! Searches for datasets as something to join.

use std::collections::BTreeSet;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::error::Result;
use butler_core::query::DatasetField;
use butler_core::timespan::Timespan;
use sea_query::{Expr, ExprTrait, UnionType};

use super::analysis::Search;
use super::column::{Column, SqlValue};
use super::scope::{Scope, Statement, column};
use crate::db::Dialect;
use crate::db::schema::SqlType;
use crate::registry::collection_keys::{CollectionKey, CollectionKeys};
use crate::registry::collections::CollectionRecord;

/// What a search has to provide besides the dimension keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) fields: BTreeSet<DatasetField>,
    pub(super) collection_key: bool,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && !self.collection_key
    }

    fn columns(&self, search: &Search) -> Vec<Column> {
        let keys = search.dimensions().required().iter().copied();
        let mut columns: Vec<Column> = keys.map(Column::Key).collect();
        let fields = self.fields.iter();
        columns.extend(fields.map(|field| Column::Dataset(search.key.clone(), *field)));
        if self.collection_key {
            columns.push(Column::CollectionKey(search.key.clone()));
        }
        columns
    }
}

/// A search as a scope: rows of the tables of memberships, with the required dimensions as keys.
///
/// # Errors
/// [`Error::Internal`](butler_core::Error::Internal) only.
pub(super) fn scope(
    statement: &mut Statement<'_>,
    search: &Search,
    wanted: &Wanted,
) -> Result<Scope> {
    let of_kind = |calibration: bool| -> Vec<&CollectionRecord> {
        let all = search.collections.iter();
        all.filter(|c| (c.kind == CollectionType::Calibration) == calibration)
            .collect()
    };
    let (plain, calibrations) = (of_kind(false), of_kind(true));
    let mut parts = Vec::new();
    // A search without any collection finds nothing, but its columns must be there.
    if !plain.is_empty() || calibrations.is_empty() {
        let table = Arc::clone(&search.record.tags);
        parts.push(part(statement, search, wanted, &plain, &table, false)?);
    }
    if let (Some(table), false) = (&search.record.calibs, calibrations.is_empty()) {
        parts.push(part(statement, search, wanted, &calibrations, table, true)?);
    }
    let columns = wanted.columns(search);
    let mut parts = parts.into_iter();
    let Some((first, distinct)) = parts.next() else {
        // Only calibrations have a table of validity ranges, and only they are in such collections.
        return Ok(Scope::default());
    };
    let second = parts.next();
    if second.is_none() && !distinct {
        return Ok(first);
    }
    let (mut select, selected) = first.select(&columns)?;
    if distinct {
        select.distinct();
    }
    if let Some((second, distinct)) = second {
        let (mut other, _) = second.select(&columns)?;
        if distinct {
            other.distinct();
        }
        select.union(UnionType::Distinct, other);
    }
    let alias = statement.alias("u");
    Ok(Scope::query(select, &selected, alias))
}

/// The part of a search in one table, and whether its rows may repeat.
fn part(
    statement: &mut Statement<'_>,
    search: &Search,
    wanted: &Wanted,
    collections: &[&CollectionRecord],
    table: &str,
    with_timespan: bool,
) -> Result<(Scope, bool)> {
    let alias = statement.alias("m");
    let mut scope = Scope::table(statement.table(table), &alias);
    let type_id = statement.param(search.record.id);
    scope.condition(column(&alias, "dataset_type_id").eq(type_id.clone()));
    let collection = column(&alias, statement.keys.reference());
    match collections {
        [] => scope.condition(Expr::cust("1 = 0")),
        [only] => {
            let key = statement.param(only.key.param());
            scope.condition(collection.clone().eq(key));
        }
        several => {
            let keys = statement.keys.array(several.iter().map(|c| &c.key));
            let keys = statement.param(keys);
            let condition = match statement.dialect() {
                Dialect::Postgres => statement.sql("{} = ANY({})", [collection.clone(), keys]),
                Dialect::Sqlite => statement.sql(
                    "{} IN (SELECT value FROM json_each({}))",
                    [collection.clone(), keys],
                ),
            };
            scope.condition(condition);
        }
    }
    for dimension in search.dimensions().required() {
        scope.provide_key(dimension, column(&alias, dimension));
    }
    let id = column(&alias, "dataset_id");
    let mut static_alias = None;
    for field in &wanted.fields {
        let value = match field {
            DatasetField::DatasetId => SqlValue::Scalar(id.clone()),
            DatasetField::Collection => {
                collection_name(statement.keys, &collection, &search.collections)
            }
            DatasetField::Run if search.in_runs_only() => {
                collection_name(statement.keys, &collection, &search.collections)
            }
            DatasetField::Run => {
                let dataset = join_dataset(statement, &mut scope, &mut static_alias, &id, &type_id);
                let run = statement.alias("r");
                let on = column(&run, statement.keys.column())
                    .eq(column(&dataset, statement.keys.run_reference()));
                let table = statement.table("collection");
                scope.join_table(table, &run, on);
                SqlValue::Scalar(column(&run, "name"))
            }
            DatasetField::IngestDate => {
                let dataset = join_dataset(statement, &mut scope, &mut static_alias, &id, &type_id);
                SqlValue::Scalar(column(&dataset, "ingest_date"))
            }
            DatasetField::Timespan if with_timespan => timespan_of(statement.dialect(), &alias),
            DatasetField::Timespan => statement.timespan(Timespan::UNBOUNDED),
        };
        scope.provide(Column::Dataset(search.key.clone(), *field), value);
    }
    if wanted.collection_key {
        let value = SqlValue::Scalar(collection);
        scope.provide(Column::CollectionKey(search.key.clone()), value);
    }
    // The data ID alone is not unique in several collections.
    let distinct = collections.len() > 1 && wanted.is_empty();
    Ok((scope, distinct))
}

/// Joins the table of all datasets, once.
fn join_dataset(
    statement: &mut Statement<'_>,
    scope: &mut Scope,
    joined: &mut Option<String>,
    id: &Expr,
    type_id: &Expr,
) -> String {
    if let Some(alias) = joined {
        return alias.clone();
    }
    let alias = statement.alias("d");
    let on = column(&alias, "id").eq(id.clone());
    scope.join_table(statement.table("dataset"), &alias, on);
    scope.condition(column(&alias, "dataset_type_id").eq(type_id.clone()));
    joined.insert(alias).clone()
}

/// The name of a collection, given the expression for its key.
fn collection_name(keys: CollectionKeys, key: &Expr, collections: &[CollectionRecord]) -> SqlValue {
    match keys {
        CollectionKeys::Numbers => {
            let names = collections.iter().filter_map(|c| match &c.key {
                CollectionKey::Number(number) => Some((*number, Arc::clone(&c.name))),
                CollectionKey::Name(_) => None,
            });
            SqlValue::Collection(key.clone(), Arc::new(names.collect()))
        }
        CollectionKeys::Names => SqlValue::Scalar(key.clone().cast_as("text")),
    }
}

/// The timespan columns of a table.
pub(super) fn timespan_of(dialect: Dialect, alias: &str) -> SqlValue {
    let names = dialect.physical_columns("timespan", SqlType::Timespan);
    match &names[..] {
        [begin, end] => SqlValue::Ends(column(alias, begin), column(alias, end)),
        _ => SqlValue::Range(column(alias, "timespan")),
    }
}

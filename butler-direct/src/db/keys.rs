//! Tuples of key values as a table in a `FROM` clause, so that one statement looks up any number
//! of compound keys.

use std::sync::Arc;

use serde_json::Value;

use super::dialect::{Dialect, quote};
use super::param::{Param, hex};
use super::schema::SqlType;

/// A `FROM` item with one row per key tuple, and the parameters it binds.
#[derive(Debug, Clone)]
pub struct KeyTable {
    /// The item, aliased `k`; its columns carry the names given.
    pub sql: String,
    /// Its parameters, numbered from the index given.
    pub params: Vec<Param>,
}

/// Makes the table of `rows`, each with a value per column.
///
/// `first_parameter` is the one-based index of its first placeholder. Columns may be of integer,
/// string or dataset ID type.
pub fn key_table<'a, R>(
    dialect: Dialect,
    columns: &[(&str, SqlType)],
    rows: R,
    first_parameter: usize,
) -> KeyTable
where
    R: IntoIterator<Item = &'a [Param]>,
{
    match dialect {
        Dialect::Postgres => postgres_table(columns, rows, first_parameter, |array| array),
        Dialect::Sqlite => sqlite_table(columns, rows, first_parameter),
    }
}

/// As [`key_table`] on PostgreSQL, but its planner is not told how many rows there are: it then
/// looks each up in an index, instead of reading a large table as a whole.
pub fn key_table_of_any_size<'a, R>(
    columns: &[(&str, SqlType)],
    rows: R,
    first_parameter: usize,
) -> KeyTable
where
    R: IntoIterator<Item = &'a [Param]>,
{
    let hidden = |array| format!("(SELECT {array})");
    postgres_table(columns, rows, first_parameter, hidden)
}

fn postgres_table<'a, R>(
    columns: &[(&str, SqlType)],
    rows: R,
    first: usize,
    argument: impl Fn(String) -> String,
) -> KeyTable
where
    R: IntoIterator<Item = &'a [Param]>,
{
    let mut params: Vec<Param> = columns
        .iter()
        .map(|(_, ty)| match ty {
            SqlType::Uuid => Param::Uuids(Vec::new()),
            SqlType::BigInt | SqlType::SmallInt => Param::Ints(Vec::new()),
            _ => Param::Texts(Vec::new()),
        })
        .collect();
    for row in rows {
        for (array, value) in params.iter_mut().zip(row) {
            match (array, value) {
                (Param::Uuids(array), Param::Uuid(id)) => array.push(*id),
                (Param::Ints(array), Param::Int(number)) => array.push(*number),
                (Param::Texts(array), Param::Text(text)) => array.push(Arc::clone(text)),
                (_, other) => unreachable!("a key column never holds {other:?}"),
            }
        }
    }
    let arrays: Vec<String> = columns
        .iter()
        .zip(first..)
        .map(|((_, ty), index)| match ty {
            SqlType::Uuid => format!("${index}::uuid[]"),
            SqlType::BigInt | SqlType::SmallInt => format!("${index}::bigint[]"),
            _ => format!("${index}::text[]"),
        })
        .map(argument)
        .collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| quote(name)).collect();
    KeyTable {
        sql: format!("unnest({}) AS k({})", arrays.join(", "), names.join(", ")),
        params,
    }
}

fn sqlite_table<'a, R>(columns: &[(&str, SqlType)], rows: R, first: usize) -> KeyTable
where
    R: IntoIterator<Item = &'a [Param]>,
{
    let tuples: Vec<Value> = rows
        .into_iter()
        .map(|row| {
            row.iter()
                .map(|value| match value {
                    Param::Int(number) => Value::from(*number),
                    Param::SmallInt(number) => Value::from(*number),
                    Param::Text(text) => Value::from(&**text),
                    Param::Uuid(id) => Value::from(hex(id)),
                    other => unreachable!("a key column never holds {other:?}"),
                })
                .collect()
        })
        .collect();
    let names: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, (name, _))| format!("json_extract(value, '$[{i}]') AS {}", quote(name)))
        .collect();
    KeyTable {
        sql: format!(
            "(SELECT {} FROM json_each(?{first})) AS k",
            names.join(", ")
        ),
        params: vec![Param::from(Value::Array(tuples).to_string())],
    }
}

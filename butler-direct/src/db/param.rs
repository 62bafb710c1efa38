//! Values bound to SQL statements.

use std::sync::Arc;

use butler_core::time::civil_from_days;
use butler_core::timespan::Timespan;
use sqlx::Arguments;
use sqlx::postgres::types::PgRange;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Encode, Type};
use uuid::Uuid;

use super::error::SqlError;
use super::schema::SqlType;

/// A value for a placeholder.
///
/// The array forms serve `= ANY($1)` on PostgreSQL; on SQLite they are bound as a JSON array for
/// `json_each`. Use [`Database::in_array`](super::database::Database::in_array) to write either.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL of the given type.
    Null(SqlType),
    /// A boolean.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 16-bit integer.
    SmallInt(i16),
    /// A float.
    Float(f64),
    /// A string.
    Text(Arc<str>),
    /// A dataset ID.
    Uuid(Uuid),
    /// A timespan (one parameter on PostgreSQL, two on SQLite).
    Timespan(Timespan),
    /// A UTC time of dataset manager 1.x, as microseconds since 1970-01-01T00:00:00 UTC.
    Timestamp(i64),
    /// An array of integers.
    Ints(Vec<i64>),
    /// An array of strings.
    Texts(Vec<Arc<str>>),
    /// An array of dataset IDs.
    Uuids(Vec<Uuid>),
}

impl From<i64> for Param {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<&Arc<str>> for Param {
    fn from(value: &Arc<str>) -> Self {
        Self::Text(Arc::clone(value))
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Uuid> for Param {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl Param {
    /// `value`, or NULL of the given type.
    pub fn or_null(value: Option<impl Into<Self>>, ty: SqlType) -> Self {
        value.map_or(Self::Null(ty), Into::into)
    }

    /// The ends of a timespan as a PostgreSQL range sees them: unbounded ends are `None`, an empty
    /// timespan has no ends at all.
    pub(crate) fn range_ends(timespan: Timespan) -> Option<(Option<i64>, Option<i64>)> {
        if timespan.is_empty() {
            return None;
        }
        let begin = Some(timespan.begin_ns()).filter(|ns| *ns > Timespan::MIN_NS);
        let end = Some(timespan.end_ns()).filter(|ns| *ns < Timespan::MAX_NS);
        Some((begin, end))
    }

    pub(super) fn bind_postgres(&self, args: &mut PgArguments) -> Result<(), SqlError> {
        match self {
            Self::Null(ty) => match ty {
                SqlType::BigInt => add_pg(args, None::<i64>),
                SqlType::SmallInt => add_pg(args, None::<i16>),
                SqlType::Float => add_pg(args, None::<f64>),
                SqlType::Bool => add_pg(args, None::<bool>),
                SqlType::Uuid => add_pg(args, None::<Uuid>),
                SqlType::Timespan => add_pg(args, None::<PgRange<i64>>),
                SqlType::String { .. }
                | SqlType::Text
                | SqlType::Varchar
                | SqlType::Base64
                | SqlType::Timestamp => add_pg(args, None::<String>),
            },
            Self::Bool(value) => add_pg(args, *value),
            Self::Int(value) => add_pg(args, *value),
            Self::SmallInt(value) => add_pg(args, *value),
            Self::Float(value) => add_pg(args, *value),
            Self::Text(value) => add_pg(args, &**value),
            Self::Uuid(value) => add_pg(args, *value),
            Self::Timespan(value) => {
                let range = match Self::range_ends(*value) {
                    Some((begin, end)) => PgRange {
                        start: begin.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Included),
                        end: end.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded),
                    },
                    // PostgreSQL normalises [x, x) to its `empty` range.
                    None => PgRange {
                        start: std::ops::Bound::Included(0),
                        end: std::ops::Bound::Excluded(0),
                    },
                };
                add_pg(args, range)
            }
            // Statements that take a timestamp cast the text.
            Self::Timestamp(micros) => add_pg(args, format_timestamp(*micros)),
            Self::Ints(values) => add_pg(args, values.as_slice()),
            Self::Texts(values) => {
                let borrowed: Vec<&str> = values.iter().map(|s| &**s).collect();
                add_pg(args, borrowed)
            }
            Self::Uuids(values) => add_pg(args, values.as_slice()),
        }
    }

    pub(super) fn bind_sqlite(&self, args: &mut SqliteArguments) -> Result<(), SqlError> {
        match self {
            Self::Null(SqlType::Timespan) => {
                add_sqlite(args, None::<i64>)?;
                add_sqlite(args, None::<i64>)
            }
            Self::Null(_) => add_sqlite(args, None::<i64>),
            Self::Bool(value) => add_sqlite(args, *value),
            Self::Int(value) => add_sqlite(args, *value),
            Self::SmallInt(value) => add_sqlite(args, i64::from(*value)),
            Self::Float(value) => add_sqlite(args, *value),
            Self::Text(value) => add_sqlite(args, Arc::clone(value)),
            Self::Uuid(value) => add_sqlite(args, hex(value)),
            Self::Timespan(value) => {
                add_sqlite(args, value.begin_ns())?;
                add_sqlite(args, value.end_ns())
            }
            Self::Timestamp(micros) => add_sqlite(args, format_timestamp(*micros)),
            Self::Ints(values) => add_sqlite(args, json_array(values)),
            Self::Texts(values) => add_sqlite(args, json_array(values)),
            Self::Uuids(values) => {
                let texts: Vec<String> = values.iter().map(hex).collect();
                add_sqlite(args, json_array(&texts))
            }
        }
    }
}

fn json_array<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).expect("arrays of integers and strings are valid JSON")
}

/// The 32 hexadecimal digits that stand for a dataset ID on SQLite.
pub(crate) fn hex(id: &Uuid) -> String {
    id.simple().to_string()
}

/// `YYYY-MM-DD hh:mm:ss.ffffff`, the text both databases read as a timestamp.
pub(crate) fn format_timestamp(micros: i64) -> String {
    let (days, rest) = (
        micros.div_euclid(86_400_000_000),
        micros.rem_euclid(86_400_000_000),
    );
    let (year, month, day) = civil_from_days(days);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{fraction:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

fn add_pg<'q, T: Encode<'q, Postgres> + Type<Postgres>>(
    args: &mut PgArguments,
    value: T,
) -> Result<(), SqlError> {
    args.add(value)
        .map_err(|e| SqlError::new("binding a parameter", sqlx::Error::Encode(e)))
}

fn add_sqlite<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(
    args: &mut SqliteArguments,
    value: T,
) -> Result<(), SqlError> {
    Arguments::add(args, value)
        .map_err(|e| SqlError::new("binding a parameter", sqlx::Error::Encode(e)))
}

#[cfg(test)]
mod tests {
    use super::format_timestamp;

    #[test]
    fn timestamps_are_written_as_civil_time() {
        assert_eq!(format_timestamp(0), "1970-01-01 00:00:00.000000");
        assert_eq!(
            format_timestamp(951_782_400_000_001),
            "2000-02-29 00:00:00.000001"
        );
        assert_eq!(format_timestamp(-1), "1969-12-31 23:59:59.999999");
    }
}

//! Rows of either database, read by column index.

use std::sync::Arc;

use butler_core::timespan::Timespan;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgRange;
use sqlx::postgres::{PgRow, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, ColumnIndex, Decode, Row as _, Type, ValueRef};
use uuid::Uuid;

use super::error::SqlError;

mod binary;

type Result<T> = std::result::Result<T, SqlError>;

/// A row of a result.
#[derive(Debug)]
pub enum Row {
    /// From PostgreSQL.
    Postgres(PgRow),
    /// From SQLite.
    Sqlite(SqliteRow),
}

impl Row {
    /// An integer column of any width, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>> {
        match self {
            Self::Postgres(row) => match binary::int(row, index) {
                Some(value) => Ok(Some(value)),
                None => get(row, index),
            },
            Self::Sqlite(row) => get_unchecked(row, index),
        }
    }

    /// An integer column that is never NULL.
    pub fn int(&self, index: usize) -> Result<i64> {
        self.opt_int(index)?
            .ok_or_else(|| self.unexpected_null(index))
    }

    /// A string column, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>> {
        match self {
            Self::Postgres(row) => match binary::text(row, index) {
                Some(value) => Ok(Some(value)),
                None => get(row, index),
            },
            Self::Sqlite(row) => get_unchecked(row, index),
        }
    }

    /// A string column that is never NULL.
    pub fn text(&self, index: usize) -> Result<&str> {
        self.opt_text(index)?
            .ok_or_else(|| self.unexpected_null(index))
    }

    /// A string column as a shared string.
    pub fn shared_text(&self, index: usize) -> Result<Arc<str>> {
        self.text(index).map(Into::into)
    }

    /// A float column, or `None` for NULL.
    pub fn opt_float(&self, index: usize) -> Result<Option<f64>> {
        match self {
            Self::Postgres(row) => match binary::float(row, index) {
                Some(value) => Ok(Some(value)),
                None => get(row, index),
            },
            Self::Sqlite(row) => get_unchecked(row, index),
        }
    }

    /// A boolean column, or `None` for NULL.
    pub fn opt_bool(&self, index: usize) -> Result<Option<bool>> {
        match self {
            Self::Postgres(row) => match binary::bool(row, index) {
                Some(value) => Ok(Some(value)),
                None => get(row, index),
            },
            Self::Sqlite(row) => get_unchecked(row, index),
        }
    }

    /// A boolean column that is never NULL.
    pub fn bool(&self, index: usize) -> Result<bool> {
        self.opt_bool(index)?
            .ok_or_else(|| self.unexpected_null(index))
    }

    /// A dataset ID, or `None` for NULL.
    pub fn opt_uuid(&self, index: usize) -> Result<Option<Uuid>> {
        match self {
            Self::Postgres(row) => match binary::uuid(row, index) {
                Some(value) => Ok(Some(value)),
                None => get(row, index),
            },
            Self::Sqlite(_) => {
                let id = self.opt_text(index)?.map(Uuid::try_parse).transpose();
                id.map_err(|e| self.decode_error(index, Box::new(e)))
            }
        }
    }

    /// A dataset ID that is never NULL.
    pub fn uuid(&self, index: usize) -> Result<Uuid> {
        self.opt_uuid(index)?
            .ok_or_else(|| self.unexpected_null(index))
    }

    /// A timespan, or `None` for NULL. It takes one column on PostgreSQL and two on SQLite,
    /// starting at `index`.
    pub fn opt_timespan(&self, index: usize) -> Result<Option<Timespan>> {
        match self {
            Self::Postgres(row) => Ok(get::<_, Option<RangeTimespan>>(row, index)?.map(|r| r.0)),
            Self::Sqlite(_) => match (self.opt_int(index)?, self.opt_int(index + 1)?) {
                (Some(begin), Some(end)) => Ok(Some(Timespan::from_ns(begin, end))),
                (None, None) => Ok(None),
                _ => Err(self.decode_error(
                    index,
                    "a timespan has one end that is NULL and one that is not".into(),
                )),
            },
        }
    }

    /// A timestamp of dataset manager 1.x as text (`YYYY-MM-DD hh:mm:ss[.ffffff]`). On PostgreSQL
    /// the statement must cast the column to `text`.
    pub fn timestamp_text(&self, index: usize) -> Result<&str> {
        self.text(index)
    }

    fn column_name(&self, index: usize) -> String {
        match self {
            Self::Postgres(row) => row.column(index).name().to_owned(),
            Self::Sqlite(row) => row.column(index).name().to_owned(),
        }
    }

    fn unexpected_null(&self, index: usize) -> SqlError {
        self.decode_error(
            index,
            "the value is NULL where the schema forbids it".into(),
        )
    }

    fn decode_error(
        &self,
        index: usize,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> SqlError {
        let index = self.column_name(index);
        SqlError::new("reading a row", sqlx::Error::ColumnDecode { index, source })
    }
}

fn get<'r, R, T>(row: &'r R, index: usize) -> Result<T>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    row.try_get(index)
        .map_err(|e| SqlError::new("reading a row", e))
}

/// SQLite columns have no fixed types, so the value decides, not the declaration.
fn get_unchecked<'r, T>(row: &'r SqliteRow, index: usize) -> Result<Option<T>>
where
    T: Decode<'r, sqlx::Sqlite>,
{
    let value = row
        .try_get_raw(index)
        .map_err(|e| SqlError::new("reading a row", e))?;
    if value.is_null() {
        return Ok(None);
    }
    T::decode(value).map(Some).map_err(|source| {
        let index = row.column(index).name().to_owned();
        SqlError::new("reading a row", sqlx::Error::ColumnDecode { index, source })
    })
}

/// An `int8range` as PostgreSQL sends it. The driver's own type reads an empty range as an unbounded
/// one, which would make every timespan overlap it.
struct RangeTimespan(Timespan);

const RANGE_EMPTY: u8 = 0x01;
const RANGE_LOWER_INCLUSIVE: u8 = 0x02;
const RANGE_UPPER_INCLUSIVE: u8 = 0x04;
const RANGE_LOWER_UNBOUNDED: u8 = 0x08;
const RANGE_UPPER_UNBOUNDED: u8 = 0x10;

impl Type<Postgres> for RangeTimespan {
    fn type_info() -> PgTypeInfo {
        <PgRange<i64> as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for RangeTimespan {
    fn decode(value: PgValueRef<'r>) -> std::result::Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a range was sent as text".into());
        }
        let (&flags, mut rest) = value
            .as_bytes()?
            .split_first()
            .ok_or("a range has no bytes")?;
        if flags & RANGE_EMPTY != 0 {
            return Ok(Self(Timespan::EMPTY));
        }
        let mut bound = || -> std::result::Result<i64, BoxDynError> {
            // Each bound is a four-byte length, which is eight, and the integer.
            let (bytes, after) = rest
                .get(4..)
                .and_then(|b| b.split_first_chunk::<8>())
                .ok_or("a range is cut off")?;
            rest = after;
            Ok(i64::from_be_bytes(*bytes))
        };
        let begin = if flags & RANGE_LOWER_UNBOUNDED != 0 {
            Timespan::MIN_NS
        } else {
            bound()? + i64::from(flags & RANGE_LOWER_INCLUSIVE == 0)
        };
        let end = if flags & RANGE_UPPER_UNBOUNDED != 0 {
            Timespan::MAX_NS
        } else {
            bound()? + i64::from(flags & RANGE_UPPER_INCLUSIVE != 0)
        };
        Ok(Self(Timespan::from_ns(begin, end)))
    }
}

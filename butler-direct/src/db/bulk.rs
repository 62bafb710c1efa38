//! Writing many rows with few round trips.
//!
//! On PostgreSQL rows travel as one binary `COPY`; on SQLite as multi-row `INSERT`s whose text
//! depends only on the table, so that it is prepared once. Rows are encoded before the first is
//! sent, into a form about as large as they are in the database.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Executor};

use super::dialect::{Dialect, quote, quote_all};
use super::error::SqlError;
use super::param::Param;
use super::schema::SqlType;
use super::session::{Borrowed, Session, summary};

type Result<T> = std::result::Result<T, SqlError>;

/// Bytes of `COPY` data gathered before they are sent.
const COPY_CHUNK: usize = 256 * 1024;

/// Rows from which on PostgreSQL resolves conflicts through a temporary table.
pub(super) const LARGE_UPSERT: usize = 2_000;

/// Parameters in one SQLite statement; more makes statements slower to bind without saving time.
const SQLITE_PARAMETERS: usize = 4_000;

/// `COPY`'s binary signature, flags and header extension length.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A column to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkColumn {
    /// Name of the (logical) column.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
}

impl BulkColumn {
    /// A column.
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            name: name.into(),
            ty,
        }
    }
}

/// Inserts rows into `table` (quoted and qualified) and returns their number.
///
/// Each row that the iterator gives has one value per column.
///
/// # Errors
/// Any database error; within a transaction nothing of the batch remains after its rollback.
pub fn insert<'s, I>(
    session: &'s mut Session,
    table: &str,
    columns: &[BulkColumn],
    rows: I,
) -> BoxFuture<'s, Result<u64>>
where
    I: IntoIterator,
    I::Item: AsRef<[Param]>,
{
    match session.dialect() {
        Dialect::Postgres => {
            let chunks = copy_chunks(rows);
            let sql = copy_statement(table, columns);
            async move { copy_in(session, &sql, chunks).await }.boxed()
        }
        Dialect::Sqlite => {
            let statements = values_statements(Dialect::Sqlite, table, columns, "", rows);
            run_all(session, statements).boxed()
        }
    }
}

/// What to do with a row whose key is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnConflict<'a> {
    /// Keep the row that is there, whichever constraint it collides with.
    Ignore,
    /// Keep the row that is there if it has the same values in these (key) columns.
    IgnoreOn(&'a [&'a str]),
    /// Replace the other columns of the row that has the same values in these (key) columns. No
    /// two of the rows given may have the same key.
    Replace(&'a [&'a str]),
}

impl OnConflict<'_> {
    pub(super) fn clause(&self, dialect: Dialect, columns: &[BulkColumn]) -> String {
        match self {
            Self::Ignore => " ON CONFLICT DO NOTHING".to_owned(),
            Self::IgnoreOn(keys) => {
                format!(" ON CONFLICT ({}) DO NOTHING", quote_all(keys.iter()))
            }
            Self::Replace(keys) => {
                let assignments: Vec<String> = columns
                    .iter()
                    .filter(|c| !keys.contains(&c.name.as_str()))
                    .flat_map(|c| dialect.physical_columns(&c.name, c.ty))
                    .map(|name| format!("{0} = excluded.{0}", quote(&name)))
                    .collect();
                let action = if assignments.is_empty() {
                    "NOTHING".to_owned()
                } else {
                    format!("UPDATE SET {}", assignments.join(", "))
                };
                format!(" ON CONFLICT ({}) DO {action}", quote_all(keys.iter()))
            }
        }
    }
}

/// Inserts rows, resolving conflicts, and returns the number of rows that were written.
///
/// Small batches travel as parameters; large ones on PostgreSQL as a `COPY` into a temporary
/// table, for which the session must be a transaction.
///
/// # Errors
/// Any database error.
pub fn upsert<'s, I>(
    session: &'s mut Session,
    table: &str,
    columns: &[BulkColumn],
    on_conflict: &OnConflict<'_>,
    rows: I,
) -> BoxFuture<'s, Result<u64>>
where
    I: IntoIterator,
    I::Item: AsRef<[Param]>,
{
    let dialect = session.dialect();
    let clause = on_conflict.clause(dialect, columns);
    let mut rows = rows.into_iter();
    if dialect == Dialect::Postgres {
        let first: Vec<I::Item> = rows.by_ref().take(LARGE_UPSERT).collect();
        if first.len() == LARGE_UPSERT {
            let chunks = copy_chunks(first.into_iter().chain(rows));
            return upsert_by_copy(session, table, columns, &clause, chunks);
        }
        let statements = values_statements(dialect, table, columns, &clause, first);
        return run_all(session, statements).boxed();
    }
    let statements = values_statements(dialect, table, columns, &clause, rows);
    run_all(session, statements).boxed()
}

/// Merges encoded rows into a table. The session must be a transaction on PostgreSQL.
pub(super) fn upsert_by_copy<'s>(
    session: &'s mut Session,
    table: &str,
    columns: &[BulkColumn],
    clause: &str,
    chunks: Vec<BytesMut>,
) -> BoxFuture<'s, Result<u64>> {
    let temporary = quote(&format!("butler_upsert_{}", uuid::Uuid::new_v4().simple()));
    let names = quote_all(columns.iter().map(|c| &c.name));
    let create = format!(
        "CREATE TEMPORARY TABLE {temporary} ON COMMIT DROP AS
         SELECT {names} FROM {table} WHERE FALSE"
    );
    let copy = copy_statement(&temporary, columns);
    let merge = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {temporary}{clause}");
    async move {
        session.try_execute_script(create).await?;
        copy_in(session, &copy, chunks).await?;
        let written = session.try_execute(&merge, &[]).await?;
        session
            .try_execute_script(format!("DROP TABLE {temporary}"))
            .await?;
        Ok(written)
    }
    .boxed()
}

pub(super) fn copy_statement(table: &str, columns: &[BulkColumn]) -> String {
    let names = quote_all(columns.iter().map(|c| &c.name));
    format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)")
}

/// Encodes rows for `COPY`; no chunks if there are no rows.
pub(super) fn copy_chunks<I>(rows: I) -> Vec<BytesMut>
where
    I: IntoIterator,
    I::Item: AsRef<[Param]>,
{
    let mut chunks = Vec::new();
    let mut buffer = BytesMut::new();
    for row in rows {
        if buffer.is_empty() {
            buffer.reserve(COPY_CHUNK + 4096);
            if chunks.is_empty() {
                buffer.put_slice(COPY_HEADER);
            }
        }
        let values = row.as_ref();
        // A row has as many values as the caller named columns, far fewer than 32,768.
        buffer.put_i16(i16::try_from(values.len()).unwrap_or(i16::MAX));
        for value in values {
            encode_copy(&mut buffer, value);
        }
        if buffer.len() >= COPY_CHUNK {
            chunks.push(std::mem::take(&mut buffer));
        }
    }
    if !buffer.is_empty() || !chunks.is_empty() {
        buffer.put_i16(-1);
        chunks.push(buffer);
    }
    chunks
}

pub(super) async fn copy_in(
    session: &mut Session,
    sql: &str,
    chunks: Vec<BytesMut>,
) -> Result<u64> {
    if !chunks.is_empty() {
        session.database().note_statement(sql);
    }
    let Borrowed::Postgres(connection) = session.borrow() else {
        unreachable!("COPY is only used on PostgreSQL")
    };
    if chunks.is_empty() {
        return Ok(0);
    }
    let fail = |e| SqlError::new(summary(sql), e);
    let mut copy = connection.copy_in_raw(sql).await.map_err(fail)?;
    for chunk in chunks {
        copy.send(&chunk[..]).await.map_err(fail)?;
    }
    copy.finish().await.map_err(fail)
}

/// Appends one value in `COPY`'s binary format: a four-byte length and the type's send format.
fn encode_copy(buffer: &mut BytesMut, value: &Param) {
    match value {
        Param::Null(_) => buffer.put_i32(-1),
        Param::Bool(v) => {
            buffer.put_i32(1);
            buffer.put_u8(u8::from(*v));
        }
        Param::Int(v) => {
            buffer.put_i32(8);
            buffer.put_i64(*v);
        }
        Param::SmallInt(v) => {
            buffer.put_i32(2);
            buffer.put_i16(*v);
        }
        Param::Float(v) => {
            buffer.put_i32(8);
            buffer.put_f64(*v);
        }
        Param::Text(v) => {
            // PostgreSQL limits a value to 1 GiB, which fits.
            buffer.put_i32(i32::try_from(v.len()).unwrap_or(i32::MAX));
            buffer.put_slice(v.as_bytes());
        }
        Param::Uuid(v) => {
            buffer.put_i32(16);
            buffer.put_slice(v.as_bytes());
        }
        Param::Timestamp(micros) => {
            // PostgreSQL counts microseconds from 2000-01-01.
            const EPOCH_2000: i64 = 946_684_800_000_000;
            buffer.put_i32(8);
            buffer.put_i64(micros - EPOCH_2000);
        }
        Param::Timespan(v) => match Param::range_ends(*v) {
            None => {
                buffer.put_i32(1);
                buffer.put_u8(0x01);
            }
            Some((begin, end)) => {
                let bounds = i32::from(begin.is_some()) + i32::from(end.is_some());
                buffer.put_i32(1 + 12 * bounds);
                // Lower bound inclusive (0x02) or infinite (0x08); upper exclusive or infinite.
                let lower = if begin.is_some() { 0x02 } else { 0x08 };
                let upper = if end.is_some() { 0x00 } else { 0x10 };
                buffer.put_u8(lower | upper);
                for bound in [begin, end].into_iter().flatten() {
                    buffer.put_i32(8);
                    buffer.put_i64(bound);
                }
            }
        },
        Param::Ints(_) | Param::Texts(_) | Param::Uuids(_) => {
            unreachable!("no table of the schema has array columns")
        }
    }
}

/// Encoded parameters of a statement.
enum Arguments {
    Postgres(PgArguments),
    Sqlite(SqliteArguments),
}

/// Multi-row `INSERT`s of all rows. Those that are full share one text.
fn values_statements<I>(
    dialect: Dialect,
    table: &str,
    columns: &[BulkColumn],
    suffix: &str,
    rows: I,
) -> Result<Vec<(Arc<str>, Arguments)>>
where
    I: IntoIterator,
    I::Item: AsRef<[Param]>,
{
    let names: Vec<String> = columns
        .iter()
        .flat_map(|c| dialect.physical_columns(&c.name, c.ty))
        .collect();
    let budget = match dialect {
        Dialect::Sqlite => SQLITE_PARAMETERS,
        Dialect::Postgres => dialect.max_parameters(),
    };
    let rows_per_statement = (budget / names.len().max(1)).max(1);
    let head = format!("INSERT INTO {table} ({}) VALUES ", quote_all(&names));
    let text =
        |rows| -> Arc<str> { values_statement(&head, suffix, dialect, names.len(), rows).into() };
    let mut full_text: Option<Arc<str>> = None;
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut count = 0;
        let batch = rows
            .by_ref()
            .take(rows_per_statement)
            .inspect(|_| count += 1);
        let arguments = match dialect {
            Dialect::Postgres => {
                let mut arguments = PgArguments::default();
                for row in batch {
                    for param in row.as_ref() {
                        param.bind_postgres(&mut arguments)?;
                    }
                }
                Arguments::Postgres(arguments)
            }
            Dialect::Sqlite => {
                let mut arguments = SqliteArguments::default();
                for row in batch {
                    for param in row.as_ref() {
                        param.bind_sqlite(&mut arguments)?;
                    }
                }
                Arguments::Sqlite(arguments)
            }
        };
        let sql = if count == rows_per_statement {
            Arc::clone(full_text.get_or_insert_with(|| text(count)))
        } else {
            text(count)
        };
        statements.push((sql, arguments));
    }
    Ok(statements)
}

fn values_statement(
    head: &str,
    suffix: &str,
    dialect: Dialect,
    width: usize,
    rows: usize,
) -> String {
    let mut sql = String::with_capacity(head.len() + suffix.len() + rows * width * 5);
    sql.push_str(head);
    let mut index = 0;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            if column > 0 {
                sql.push_str(", ");
            }
            index += 1;
            match dialect {
                Dialect::Postgres => sql.push_str(&dialect.placeholder(index)),
                Dialect::Sqlite => sql.push('?'),
            }
        }
        sql.push(')');
    }
    sql.push_str(suffix);
    sql
}

async fn run_all(
    session: &mut Session,
    statements: Result<Vec<(Arc<str>, Arguments)>>,
) -> Result<u64> {
    let mut written = 0;
    for (sql, arguments) in statements? {
        let context = summary(&sql);
        session.database().note_statement(&sql);
        let statement = AssertSqlSafe(sql);
        let done = match (session.borrow(), arguments) {
            (Borrowed::Postgres(connection), Arguments::Postgres(arguments)) => connection
                .execute(sqlx::query_with(statement, arguments))
                .await
                .map(|done| done.rows_affected()),
            (Borrowed::Sqlite(connection), Arguments::Sqlite(arguments)) => connection
                .execute(sqlx::query_with(statement, arguments))
                .await
                .map(|done| done.rows_affected()),
            _ => unreachable!("the statements were made for the session's dialect"),
        };
        written += done.map_err(|e| SqlError::new(context, e))?;
    }
    Ok(written)
}

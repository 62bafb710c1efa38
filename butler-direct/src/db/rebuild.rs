//! Large inserts into SQLite tables, whose indexes are made anew afterwards.
//!
//! SQLite keeps an index up to date with a search for each row, and rows come in the order of one
//! index only. A table of memberships has five indexes or more besides its keys. Where a batch is
//! large compared with its table, they are therefore dropped, and created again after the rows
//! were written: SQLite then sorts. All that is part of the caller's transaction, so that others
//! see the table with all its indexes, before it or after it, and a crash undoes everything.

use super::bulk::{self, BulkColumn};
use super::dialect::quote;
use super::error::SqlError;
use super::param::Param;
use super::session::Session;

type Result<T> = std::result::Result<T, SqlError>;

/// Rows from which on it pays.
const LARGE: usize = 10_000;

/// The savepoint before the indexes are dropped.
const SAVEPOINT: &str = "butler_rebuild";

/// Inserts rows into the table of that name, as [`bulk::insert`] does. The session must be a
/// transaction on SQLite.
///
/// # Errors
/// Any database error; the indexes are there then, too.
pub(super) async fn insert<I>(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    rows: I,
) -> Result<u64>
where
    I: ExactSizeIterator,
    I::Item: AsRef<[Param]>,
{
    let target = session.database().table(table);
    let indexes = match rows.len() >= LARGE && session.in_transaction() {
        true => indexes(session, table, rows.len()).await?,
        false => Vec::new(),
    };
    if indexes.is_empty() {
        return bulk::insert(session, &target, columns, rows).await;
    }
    let run = async |session: &mut Session, sql: String| session.try_execute_script(sql).await;
    run(session, format!("SAVEPOINT {SAVEPOINT}")).await?;
    session.suspend();
    let work = async {
        for index in &indexes {
            run(session, format!("DROP INDEX {}", quote(&index.name))).await?;
        }
        let written = bulk::insert(session, &target, columns, rows).await?;
        for index in &indexes {
            run(session, index.sql.clone()).await?;
        }
        Ok(written)
    };
    let done = work.await;
    if done.is_err() {
        run(session, format!("ROLLBACK TO {SAVEPOINT}")).await?;
    }
    run(session, format!("RELEASE {SAVEPOINT}")).await?;
    session.resume();
    done
}

/// An index and the statement that creates it.
#[derive(Debug)]
struct Index {
    name: String,
    sql: String,
}

/// The indexes that are worth making anew for so many rows: none of those that constraints or
/// references rest on.
async fn indexes(session: &mut Session, table: &str, rows: usize) -> Result<Vec<Index>> {
    // The highest row ID is at least the number of rows, and known at once.
    let sql = format!("SELECT max(rowid) FROM {}", session.database().table(table));
    let highest = match session.try_fetch_all(&sql, &[]).await?.first() {
        Some(row) => row.opt_int(0)?.unwrap_or(0),
        None => 0,
    };
    if i64::try_from(rows).is_ok_and(|rows| rows < highest / 2) {
        return Ok(Vec::new());
    }
    let sql = r#"SELECT m.name, m.sql FROM pragma_index_list(?1) AS i
                   JOIN sqlite_master AS m ON m.type = 'index' AND m.name = i.name
                  WHERE i."unique" = 0 AND i.origin = 'c' AND m.sql IS NOT NULL
                  ORDER BY m.rootpage"#;
    let found = session.try_fetch_all(sql, &[Param::from(table)]).await?;
    found
        .iter()
        .map(|row| {
            Ok(Index {
                name: row.text(0)?.to_owned(),
                sql: row.text(1)?.to_owned(),
            })
        })
        .collect()
}

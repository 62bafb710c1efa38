//! Large inserts whose references are checked set by set.
//!
//! PostgreSQL checks a foreign key with one query for each row, which costs more than writing the
//! row does: a dataset has ten of them. The rows of one batch refer to few rows of other tables,
//! though. Where the role may set `session_replication_role` (a superuser, or since PostgreSQL 15
//! whoever was granted `SET` on that parameter), a large insert therefore looks up the distinct
//! keys it refers to, in one statement that also locks their rows as the row-wise check would
//! (`FOR KEY SHARE`), and then writes with the row-wise checks switched off. Other constraints
//! stay in force.
//!
//! Whatever is out of the ordinary (a table with triggers of somebody else, an unusual foreign
//! key, a key that is not there) is left to the database's own row-wise checks, so that errors
//! are the same in both ways.
//!
//! SQLite checks references more quickly, but they are a third of the time all the same. It lets them
//! be switched off only before a transaction begins, so that large inserts into a file get a
//! [transaction of their own](super::Database::begin_unchecked). In it all inserts are checked set by
//! set, and whoever began it starts again with an ordinary one if anything is wrong, so that errors
//! are the same there as well. Large inserts also go through [`rebuild`].

use std::collections::HashSet;
use std::sync::Arc;

use bytes::BytesMut;
use uuid::Uuid;

use super::bulk::{self, BulkColumn, LARGE_UPSERT, OnConflict};
use super::dialect::{Dialect, quote};
use super::error::SqlError;
use super::keys::{key_table, key_table_of_any_size};
use super::param::Param;
use super::rebuild;
use super::schema::SqlType;
use super::session::Session;

type Result<T> = std::result::Result<T, SqlError>;

/// Rows from which on the additional round trips pay.
const LARGE: usize = 1_000;

/// How the references of large inserts are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferenceChecks {
    /// Set by set where the role may switch row-wise checks off, else row by row.
    #[default]
    Sets,
    /// Row by row, by the database.
    Rows,
}

/// A foreign key of the table written to, as the database's catalogue has it.
#[derive(Debug)]
struct Reference {
    /// Qualified, quoted name of the table referred to.
    table: String,
    /// Positions of the referring columns in the rows.
    source: Vec<usize>,
    /// Types of the referring columns.
    types: Vec<SqlType>,
    /// Names of the columns referred to.
    target: Vec<String>,
}

impl Reference {
    /// A key without columns yet.
    fn to(table: String) -> Self {
        Self {
            table,
            source: Vec::new(),
            types: Vec::new(),
            target: Vec::new(),
        }
    }
}

/// One value of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum KeyValue {
    Int(i64),
    Text(Arc<str>),
    Uuid(Uuid),
}

/// The distinct keys that the rows seen so far refer to.
#[derive(Debug, Default)]
struct Keys {
    last: Vec<Param>,
    distinct: HashSet<Vec<KeyValue>>,
    /// Whether a value was of a type that keys never have.
    strange: bool,
}

impl Keys {
    fn add(&mut self, reference: &Reference, row: &[Param]) {
        let values = || reference.source.iter().map(|index| &row[*index]);
        // Sorted rows bring the same key many times in a row.
        if self.last.iter().eq(values()) {
            return;
        }
        let mut key = Vec::with_capacity(reference.source.len());
        for value in values() {
            key.push(match value {
                Param::Int(number) => KeyValue::Int(*number),
                Param::SmallInt(number) => KeyValue::Int(i64::from(*number)),
                Param::Text(text) => KeyValue::Text(Arc::clone(text)),
                Param::Uuid(id) => KeyValue::Uuid(*id),
                // A key with a NULL in it refers to nothing.
                Param::Null(_) => return,
                _ => {
                    self.strange = true;
                    return;
                }
            });
        }
        self.distinct.insert(key);
        self.last.clear();
        self.last.extend(values().cloned());
    }

    /// The keys in order, as parameters.
    fn sorted(self) -> Vec<Vec<Param>> {
        let mut keys: Vec<_> = self.distinct.into_iter().collect();
        keys.sort_unstable();
        let param = |value| match value {
            KeyValue::Int(number) => Param::Int(number),
            KeyValue::Text(text) => Param::Text(text),
            KeyValue::Uuid(id) => Param::Uuid(id),
        };
        keys.into_iter()
            .map(|key| key.into_iter().map(param).collect())
            .collect()
    }
}

/// Inserts rows into the table of that (logical) name, as [`bulk::insert`] does, and returns their
/// number. The session must be a transaction.
///
/// References to the `trusted` tables are known to hold: their rows were written in the same
/// transaction.
///
/// # Errors
/// Any database error; a missing reference is of kind
/// [`ForeignKey`](super::SqlErrorKind::ForeignKey).
pub async fn insert<I>(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    rows: I,
    trusted: &[&str],
) -> Result<u64>
where
    I: ExactSizeIterator,
    I::Item: AsRef<[Param]>,
{
    let target = session.database().table(table);
    if session.is_unchecked() {
        return insert_unchecked(session, table, columns, None, rows, trusted).await;
    }
    let references = match rows.len() >= LARGE {
        true => references(session, &target, columns, trusted, false).await?,
        false => None,
    };
    let Some(references) = references else {
        return match session.dialect() {
            Dialect::Postgres => bulk::insert(session, &target, columns, rows).await,
            Dialect::Sqlite => rebuild::insert(session, table, columns, rows).await,
        };
    };
    let (chunks, keys) = encode(rows, &references);
    let sql = bulk::copy_statement(&target, columns);
    if !all_there(session, &references, keys).await? {
        // The database finds the row at fault and names it.
        return bulk::copy_in(session, &sql, chunks).await;
    }
    switch_off(session).await?;
    let written = bulk::copy_in(session, &sql, chunks).await?;
    switch_on(session).await?;
    Ok(written)
}

/// Inserts rows in a transaction in which SQLite checks no foreign keys, and then checks them.
async fn insert_unchecked<I>(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    on_conflict: Option<&OnConflict<'_>>,
    rows: I,
    trusted: &[&str],
) -> Result<u64>
where
    I: ExactSizeIterator,
    I::Item: AsRef<[Param]>,
{
    let references = sqlite_references(session, table, columns, trusted).await?;
    let mut keys: Vec<Keys> = references.iter().map(|_| Keys::default()).collect();
    let rows = Gathering {
        rows,
        references: &references,
        keys: &mut keys,
    };
    let written = match on_conflict {
        None => rebuild::insert(session, table, columns, rows).await?,
        Some(action) => {
            let target = session.database().table(table);
            bulk::upsert(session, &target, columns, action, rows).await?
        }
    };
    match all_there(session, &references, keys).await? {
        true => Ok(written),
        false => Err(SqlError::missing_reference(table)),
    }
}

/// The foreign keys of a table in SQLite.
async fn sqlite_references(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    trusted: &[&str],
) -> Result<Vec<Reference>> {
    let sql = r#"SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?1)
                  ORDER BY id, seq"#;
    let rows = session.try_fetch_all(sql, &[Param::from(table)]).await?;
    let mut references: Vec<(i64, Reference)> = Vec::new();
    for row in &rows {
        let (id, target) = (row.int(0)?, row.text(1)?);
        if trusted.contains(&target) {
            continue;
        }
        let place = columns
            .iter()
            .position(|column| column.name == row.text(2).unwrap_or(""));
        // The schema always names both columns, and all are written.
        let (Some(place), Some(to)) = (place, row.opt_text(3)?) else {
            return Err(SqlError::missing_reference(table));
        };
        if references.last().is_none_or(|(last, _)| *last != id) {
            let table = session.database().table(target);
            references.push((id, Reference::to(table)));
        }
        if let Some((_, reference)) = references.last_mut() {
            reference.source.push(place);
            reference.types.push(columns[place].ty);
            reference.target.push(to.to_owned());
        }
    }
    Ok(references
        .into_iter()
        .map(|(_, reference)| reference)
        .collect())
}

/// Inserts rows into the table of that (logical) name, resolving conflicts, as [`bulk::upsert`]
/// does, and returns the number of rows that were written. The session must be a transaction.
///
/// # Errors
/// As for [`insert`].
pub async fn upsert<I>(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    on_conflict: &OnConflict<'_>,
    rows: I,
) -> Result<u64>
where
    I: ExactSizeIterator,
    I::Item: AsRef<[Param]>,
{
    let target = session.database().table(table);
    let updates = matches!(on_conflict, OnConflict::Replace(_));
    if session.is_unchecked() {
        return insert_unchecked(session, table, columns, Some(on_conflict), rows, &[]).await;
    }
    let references = match rows.len() >= LARGE_UPSERT {
        true => references(session, &target, columns, &[], updates).await?,
        false => None,
    };
    let Some(references) = references else {
        return bulk::upsert(session, &target, columns, on_conflict, rows).await;
    };
    let (chunks, keys) = encode(rows, &references);
    let clause = on_conflict.clause(Dialect::Postgres, columns);
    if !all_there(session, &references, keys).await? {
        return bulk::upsert_by_copy(session, &target, columns, &clause, chunks).await;
    }
    switch_off(session).await?;
    let written = bulk::upsert_by_copy(session, &target, columns, &clause, chunks).await?;
    switch_on(session).await?;
    Ok(written)
}

/// Switches row-wise checks off for the transaction. A rollback, also one to a savepoint, takes
/// that back.
async fn switch_off(session: &mut Session) -> Result<()> {
    session.suspend();
    let sql = "SET LOCAL session_replication_role = replica";
    session.try_execute_script(sql.to_owned()).await
}

async fn switch_on(session: &mut Session) -> Result<()> {
    let sql = "SET LOCAL session_replication_role = origin";
    session.try_execute_script(sql.to_owned()).await?;
    session.resume();
    Ok(())
}

/// Encodes rows and gathers the keys they refer to.
fn encode<I>(rows: I, references: &[Reference]) -> (Vec<BytesMut>, Vec<Keys>)
where
    I: Iterator,
    I::Item: AsRef<[Param]>,
{
    let mut keys: Vec<Keys> = references.iter().map(|_| Keys::default()).collect();
    let chunks = bulk::copy_chunks(Gathering {
        rows,
        references,
        keys: &mut keys,
    });
    (chunks, keys)
}

/// Rows whose keys are gathered as they pass.
struct Gathering<'k, I> {
    rows: I,
    references: &'k [Reference],
    keys: &'k mut [Keys],
}

impl<I> Iterator for Gathering<'_, I>
where
    I: Iterator,
    I::Item: AsRef<[Param]>,
{
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let row = self.rows.next()?;
        for (keys, reference) in self.keys.iter_mut().zip(self.references) {
            keys.add(reference, row.as_ref());
        }
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<I> ExactSizeIterator for Gathering<'_, I>
where
    I: ExactSizeIterator,
    I::Item: AsRef<[Param]>,
{
}

/// The foreign keys to check, or nothing if the table is better left to the database. Tables that
/// others refer to are, if rows are to be updated: those references would have to be checked, too.
async fn references(
    session: &mut Session,
    table: &str,
    columns: &[BulkColumn],
    trusted: &[&str],
    updates: bool,
) -> Result<Option<Vec<Reference>>> {
    let may = session.dialect() == Dialect::Postgres
        && session.database().clone().may_check_by_set(session).await?;
    if !may {
        return Ok(None);
    }
    // Triggers of others would be switched off together with the checks. The check itself needs
    // a lock, for which the role must be allowed to write to the table referred to.
    let sql = "
        SELECT c.confrelid::regclass::text, p.relname::text,
               array_to_json(ARRAY(SELECT a.attname FROM unnest(c.conkey) WITH ORDINALITY AS k(n, i)
                                     JOIN pg_catalog.pg_attribute AS a
                                       ON a.attrelid = c.conrelid AND a.attnum = k.n
                                    ORDER BY k.i))::text,
               array_to_json(ARRAY(SELECT a.attname FROM unnest(c.confkey) WITH ORDINALITY AS k(n, i)
                                     JOIN pg_catalog.pg_attribute AS a
                                       ON a.attrelid = c.confrelid AND a.attnum = k.n
                                    ORDER BY k.i))::text,
               c.confmatchtype = 's' AND p.relkind = 'r' AND t.relkind = 'r'
                   AND has_table_privilege(c.confrelid, 'UPDATE')
                   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                                    WHERE g.tgrelid = c.conrelid AND NOT g.tgisinternal)
                   AND NOT ($2 AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS i
                                            WHERE i.confrelid = c.conrelid))
          FROM pg_catalog.pg_constraint AS c
          JOIN pg_catalog.pg_class AS p ON p.oid = c.confrelid
          JOIN pg_catalog.pg_class AS t ON t.oid = c.conrelid
         WHERE c.conrelid = CAST($1 AS regclass) AND c.contype = 'f'
         ORDER BY c.conname";
    let params = [Param::from(table), Param::Bool(updates)];
    let rows = session.try_fetch_all(sql, &params).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut references = Vec::with_capacity(rows.len());
    for row in &rows {
        if !row.bool(4)? {
            return Ok(None);
        }
        if trusted.contains(&row.text(1)?) {
            continue;
        }
        let names = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
        let (source, target) = (names(row.text(2)?), names(row.text(3)?));
        let places: Option<Vec<usize>> = source
            .iter()
            .map(|name| columns.iter().position(|column| column.name == *name))
            .collect();
        // A column that is not written has its default, of which nothing is known here.
        let Some(source) = places.filter(|p| !p.is_empty() && p.len() == target.len()) else {
            return Ok(None);
        };
        references.push(Reference {
            table: row.text(0)?.to_owned(),
            types: source.iter().map(|index| columns[*index].ty).collect(),
            source,
            target,
        });
    }
    Ok(Some(references))
}

/// Whether all keys are there. Their rows stay until the end of the transaction.
async fn all_there(
    session: &mut Session,
    references: &[Reference],
    keys: Vec<Keys>,
) -> Result<bool> {
    let dialect = session.dialect();
    let mut terms = Vec::new();
    let mut params = Vec::new();
    let mut wanted = Vec::new();
    for (reference, keys) in references.iter().zip(keys) {
        if keys.strange {
            return Ok(false);
        }
        let keys = keys.sorted();
        if keys.is_empty() {
            continue;
        }
        let names: Vec<String> = (0..reference.source.len())
            .map(|i| format!("k{i}"))
            .collect();
        let columns: Vec<(&str, SqlType)> = names
            .iter()
            .map(String::as_str)
            .zip(reference.types.iter().copied())
            .collect();
        let rows = keys.iter().map(Vec::as_slice);
        let (table, lock) = match dialect {
            Dialect::Postgres => (
                key_table_of_any_size(&columns, rows, params.len() + 1),
                " FOR KEY SHARE OF r",
            ),
            // The transaction excludes all others.
            Dialect::Sqlite => (key_table(dialect, &columns, rows, params.len() + 1), ""),
        };
        let equal: Vec<String> = names
            .iter()
            .zip(&reference.target)
            .map(|(name, target)| format!("r.{} = k.{}", quote(target), quote(name)))
            .collect();
        terms.push(format!(
            "(SELECT count(*) FROM (SELECT 1 FROM {} CROSS JOIN {} AS r WHERE {}{lock}) AS found)",
            table.sql,
            reference.table,
            equal.join(" AND ")
        ));
        params.extend(table.params);
        wanted.push(keys.len());
    }
    if terms.is_empty() {
        return Ok(true);
    }
    let sql = format!("SELECT {}", terms.join(", "));
    let rows = session.try_fetch_all(&sql, &params).await?;
    for (index, wanted) in wanted.into_iter().enumerate() {
        let found = match rows.first() {
            Some(row) => row.int(index)?,
            None => 0,
        };
        if usize::try_from(found).ok() != Some(wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

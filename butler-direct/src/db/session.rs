//! One database connection, inside a transaction or not.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor, Transaction};

use butler_core::error::{Error, Result};

use super::database::Database;
use super::dialect::{Dialect, quote};
use super::error::SqlError;
use super::param::Param;
use super::postgres::{Kept, Pooled, PostgresTransaction};
use super::row::Row;

/// How long the rest of an answer that nobody wants may take, before its connection is closed.
const SHORT_REST: Duration = Duration::from_millis(50);

/// What a session holds.
#[derive(Debug)]
pub(super) enum Connection {
    Postgres(Pooled),
    PostgresTransaction(PostgresTransaction),
    Sqlite(PoolConnection<Sqlite>),
    SqliteTransaction(Transaction<'static, Sqlite>),
}

/// A borrowed connection of either kind.
pub(super) enum Borrowed<'a> {
    Postgres(&'a mut Kept),
    Sqlite(&'a mut SqliteConnection),
}

/// A connection on which statements run one after the other.
///
/// A session from [`Database::begin`] is a transaction: dropping it undoes everything since its
/// start. Parts of a transaction can be undone with savepoints.
#[derive(Debug)]
pub struct Session {
    database: Database,
    connection: Connection,
    savepoints: u32,
    suspended: bool,
    unchecked: bool,
}

/// A point in a transaction to which it can be rolled back.
#[derive(Debug)]
#[must_use = "a savepoint is released or rolled back to"]
pub struct Savepoint(String);

impl Session {
    pub(super) fn new(database: Database, connection: Connection) -> Self {
        Self {
            database,
            connection,
            savepoints: 0,
            suspended: false,
            unchecked: false,
        }
    }

    /// The same session, on a connection that checks no foreign keys.
    pub(super) fn unchecked(self) -> Self {
        Self {
            unchecked: true,
            ..self
        }
    }

    /// Whether the database checks no foreign keys in this session.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.unchecked
    }

    /// The database the session belongs to.
    pub fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn borrow(&mut self) -> Borrowed<'_> {
        match &mut self.connection {
            Connection::Postgres(c) => Borrowed::Postgres(c),
            Connection::PostgresTransaction(c) => Borrowed::Postgres(c),
            Connection::Sqlite(c) => Borrowed::Sqlite(c),
            Connection::SqliteTransaction(c) => Borrowed::Sqlite(c),
        }
    }

    /// Whether the session is a transaction.
    pub fn in_transaction(&self) -> bool {
        matches!(
            self.connection,
            Connection::PostgresTransaction(_) | Connection::SqliteTransaction(_)
        )
    }

    /// Notes that constraints or indexes are switched off for a while. If whoever does that is
    /// dropped half-way, they stay so, and the transaction must not become lasting.
    pub(super) fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Notes that they are back.
    pub(super) fn resume(&mut self) {
        self.suspended = false;
    }

    /// Makes the transaction's work lasting.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when a large write was broken off; any database error. In either
    /// case nothing was written.
    pub async fn commit(self) -> Result<()> {
        if self.suspended {
            self.rollback().await?;
            return Err(Error::Interrupted(
                "a large write was broken off, so that the transaction was undone; try again"
                    .to_owned(),
            ));
        }
        let done = match self.connection {
            Connection::PostgresTransaction(t) => t.commit().await,
            Connection::SqliteTransaction(t) => t.commit().await,
            Connection::Postgres(_) | Connection::Sqlite(_) => Ok(()),
        };
        done.map_err(|e| SqlError::new("committing a transaction", e).into())
    }

    /// Undoes the transaction's work.
    ///
    /// # Errors
    /// Any database error; the work is undone all the same.
    pub async fn rollback(self) -> Result<()> {
        let done = match self.connection {
            Connection::PostgresTransaction(t) => t.rollback().await,
            Connection::SqliteTransaction(t) => t.rollback().await,
            Connection::Postgres(_) | Connection::Sqlite(_) => Ok(()),
        };
        done.map_err(|e| SqlError::new("rolling back a transaction", e).into())
    }

    /// Sets a savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn savepoint(&mut self) -> Result<Savepoint> {
        self.savepoints += 1;
        let name = format!("butler_{}", self.savepoints);
        self.execute_script(format!("SAVEPOINT {}", quote(&name)))
            .await?;
        Ok(Savepoint(name))
    }

    /// Keeps what was done since the savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release(&mut self, savepoint: Savepoint) -> Result<()> {
        self.execute_script(format!("RELEASE SAVEPOINT {}", quote(&savepoint.0)))
            .await
    }

    /// Undoes what was done since the savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        let name = quote(&savepoint.0);
        self.execute_script(format!("ROLLBACK TO SAVEPOINT {name}"))
            .await?;
        // Whatever was switched off was so since the savepoint.
        self.resume();
        self.execute_script(format!("RELEASE SAVEPOINT {name}"))
            .await
    }

    /// Runs a statement without parameters that is not worth preparing, such as DDL.
    ///
    /// # Errors
    /// Any database error.
    pub async fn execute_script(&mut self, sql: String) -> Result<()> {
        Ok(self.try_execute_script(sql).await?)
    }

    /// As [`execute_script`](Self::execute_script), with the error classified.
    ///
    /// # Errors
    /// Any database error.
    pub async fn try_execute_script(&mut self, sql: String) -> std::result::Result<(), SqlError> {
        let context = summary(&sql);
        self.database.note_statement(&sql);
        let statement = AssertSqlSafe(sql);
        let done = match self.borrow() {
            Borrowed::Postgres(c) => {
                let done = sqlx::raw_sql(statement).execute(&mut **c).await;
                c.note(&done);
                done.map(|done| done.rows_affected())
            }
            Borrowed::Sqlite(c) => sqlx::raw_sql(statement)
                .execute(c)
                .await
                .map(|done| done.rows_affected()),
        };
        done.map_err(|e| SqlError::new(context, e))?;
        Ok(())
    }

    /// Runs a statement and returns the number of rows it affected.
    ///
    /// # Errors
    /// Any database error, classified.
    pub async fn try_execute(
        &mut self,
        sql: &str,
        params: &[Param],
    ) -> std::result::Result<u64, SqlError> {
        self.database.note_statement(sql);
        let statement = AssertSqlSafe(sql);
        let done = match self.borrow() {
            Borrowed::Postgres(c) => {
                let query = sqlx::query_with(statement, postgres_arguments(params)?);
                let done = c.execute(query).await;
                c.note(&done);
                done.map(|done| done.rows_affected())
            }
            Borrowed::Sqlite(c) => {
                let query = sqlx::query_with(statement, sqlite_arguments(params)?);
                c.execute(query).await.map(|done| done.rows_affected())
            }
        };
        done.map_err(|e| SqlError::new(summary(sql), e))
    }

    /// Runs a statement and returns the number of rows it affected.
    ///
    /// # Errors
    /// Any database error.
    pub async fn execute(&mut self, sql: &str, params: &[Param]) -> Result<u64> {
        Ok(self.try_execute(sql, params).await?)
    }

    /// Runs a query and streams its rows; nothing but a page of rows is held in memory.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn fetch<'a>(
        &'a mut self,
        sql: &'a str,
        params: &[Param],
    ) -> BoxStream<'a, std::result::Result<Row, SqlError>> {
        self.database.note_statement(sql);
        let statement = AssertSqlSafe(sql);
        let failed = |error| futures::stream::once(async { Err(error) }).boxed();
        match self.borrow() {
            Borrowed::Postgres(c) => match postgres_arguments(params) {
                Ok(args) => {
                    let (c, suspect) = c.parts();
                    let steps = c.fetch_many(sqlx::query_with(statement, args));
                    rows(steps, sql, Row::Postgres, Some(suspect))
                }
                Err(error) => failed(error),
            },
            Borrowed::Sqlite(c) => match sqlite_arguments(params) {
                Ok(args) => {
                    let steps = c.fetch_many(sqlx::query_with(statement, args));
                    rows(steps, sql, Row::Sqlite, None)
                }
                Err(error) => failed(error),
            },
        }
    }

    /// Runs a query and returns all its rows. Only for results of known, small size.
    ///
    /// # Errors
    /// Any database error.
    pub async fn fetch_all(&mut self, sql: &str, params: &[Param]) -> Result<Vec<Row>> {
        Ok(self.fetch(sql, params).try_collect().await?)
    }

    /// As [`fetch_all`](Self::fetch_all), with the error classified.
    ///
    /// # Errors
    /// Any database error.
    pub async fn try_fetch_all(
        &mut self,
        sql: &str,
        params: &[Param],
    ) -> std::result::Result<Vec<Row>, SqlError> {
        self.fetch(sql, params).try_collect().await
    }

    /// Runs a query and returns its first row, if any.
    ///
    /// # Errors
    /// Any database error.
    pub async fn fetch_optional(&mut self, sql: &str, params: &[Param]) -> Result<Option<Row>> {
        Ok(self.fetch(sql, params).try_next().await?)
    }

    /// The process of the server that runs this session's statements; none if there is no server. A
    /// pooler in between may have given the session another.
    pub fn server_process(&self) -> Option<i32> {
        match &self.connection {
            Connection::Postgres(kept) => Some(kept.process()),
            Connection::PostgresTransaction(kept) => Some(kept.process()),
            Connection::Sqlite(_) | Connection::SqliteTransaction(_) => None,
        }
    }

    /// Ends the session while a statement is under way, of which nobody wants the rest.
    ///
    /// Given back to the pool as it is, the connection would read the rest before its next use. If
    /// that is short, it does so at once, which is cheaper than a new connection; otherwise it is
    /// closed. A server that computes would not notice before it has something to say; it is told to
    /// stop by way of another connection, provided that its process still runs this very statement:
    /// with a pooler in between, it may be somebody else's by now.
    pub(crate) fn abandon(self, sql: String) {
        let Self {
            database,
            connection: Connection::Postgres(mut connection),
            ..
        } = self
        else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(Pooled::take(connection));
            return;
        };
        runtime.spawn(async move {
            if let Ok(Ok(())) = tokio::time::timeout(SHORT_REST, connection.ping()).await {
                return;
            }
            let process = connection.process();
            drop(Pooled::take(connection));
            if let Err(error) = database.cancel(process, &sql).await {
                tracing::warn!("cannot cancel a statement that nobody waits for: {error}");
            }
        });
    }

    /// The database system.
    pub fn dialect(&self) -> Dialect {
        self.database.dialect()
    }
}

/// The rows of a statement, without what is said of each statement at its end.
///
/// The driver has such a stream as well, but one more in between for every row. Errors are noted in
/// `suspect`.
fn rows<'a, D: Send + 'a, R: Send + 'a>(
    steps: BoxStream<'a, sqlx::Result<sqlx::Either<D, R>>>,
    sql: &'a str,
    row: impl Fn(R) -> Row + Send + 'a,
    mut suspect: Option<&'a mut bool>,
) -> BoxStream<'a, std::result::Result<Row, SqlError>> {
    let rows = steps.filter_map(move |step| {
        std::future::ready(match step {
            Ok(sqlx::Either::Right(found)) => Some(Ok(row(found))),
            Ok(sqlx::Either::Left(_)) => None,
            Err(error) => {
                if let Some(suspect) = &mut suspect {
                    **suspect = true;
                }
                Some(Err(SqlError::new(summary(sql), error)))
            }
        })
    });
    rows.boxed()
}

fn postgres_arguments(params: &[Param]) -> std::result::Result<PgArguments, SqlError> {
    let mut args = PgArguments::default();
    for param in params {
        param.bind_postgres(&mut args)?;
    }
    Ok(args)
}

pub(super) fn sqlite_arguments(params: &[Param]) -> std::result::Result<SqliteArguments, SqlError> {
    let mut args = SqliteArguments::default();
    for param in params {
        param.bind_sqlite(&mut args)?;
    }
    Ok(args)
}

/// The start of a statement, for messages.
pub(super) fn summary(sql: &str) -> String {
    const LONGEST: usize = 100;
    let mut text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    format!("running “{text}”")
}

//! A handle to one database and namespace.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use butler_core::error::{Error, Result};
use sqlx::sqlite::SqlitePool;
use tokio::sync::OnceCell;

use super::connect::{Access, ConnectOptions};
use super::ddl::DdlWriter;
use super::dialect::{Dialect, quote};
use super::error::SqlError;
use super::param::Param;
use super::postgres::PostgresPool;
use super::references::ReferenceChecks;
use super::schema::TableSpec;
use super::session::{Connection, Session};

#[derive(Debug)]
pub(super) enum Pool {
    Postgres(PostgresPool),
    Sqlite(SqlitePool),
}

#[derive(Debug)]
struct Inner {
    pool: Pool,
    /// Connections to a SQLite file on which it does not check foreign keys, for
    /// [`Database::begin_unchecked`]: the switch works only outside of transactions.
    unchecked: Option<SqlitePool>,
    namespace: Option<String>,
    access: Access,
    label: String,
    statements: AtomicU64,
    record: OnceLock<Mutex<Vec<String>>>,
    reference_checks: ReferenceChecks,
    may_check_by_set: OnceCell<bool>,
}

/// A handle to a database; clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

impl Database {
    pub(super) fn new(
        pool: Pool,
        unchecked: Option<SqlitePool>,
        namespace: Option<String>,
        label: String,
        options: &ConnectOptions,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                pool,
                unchecked,
                namespace,
                access: options.access,
                label,
                statements: AtomicU64::new(0),
                record: OnceLock::new(),
                reference_checks: options.reference_checks,
                may_check_by_set: OnceCell::new(),
            }),
        }
    }

    /// The database system.
    pub fn dialect(&self) -> Dialect {
        match self.inner.pool {
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// The PostgreSQL schema of the repository.
    pub fn namespace(&self) -> Option<&str> {
        self.inner.namespace.as_deref()
    }

    fn namespace_or_default(&self) -> &str {
        self.namespace().unwrap_or("public")
    }

    /// What may be done to the database.
    pub fn access(&self) -> Access {
        self.inner.access
    }

    /// A description for messages, without credentials.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// How many connections are open, and how many of them are idle.
    pub fn pool_usage(&self) -> (usize, usize) {
        let (open, idle) = match &self.inner.pool {
            Pool::Postgres(pool) => pool.usage(),
            Pool::Sqlite(pool) => (pool.size() as usize, pool.num_idle()),
        };
        (open, idle)
    }

    /// How many statements were sent to the database so far, by all clones of this handle. What
    /// begins and ends transactions does not count; a bulk write counts as often as it is sent.
    pub fn statement_count(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// From now on, keeps the text of each statement, for [`recorded`](Self::recorded). This is
    /// for tests and investigations: the record grows without bounds.
    pub fn record_statements(&self) {
        self.inner.record.get_or_init(Mutex::default);
    }

    /// The statements since they were last asked for.
    pub fn recorded(&self) -> Vec<String> {
        let record = self.inner.record.get();
        record.map_or_else(Vec::new, |record| {
            std::mem::take(&mut *record.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    /// Takes note of a statement that is being sent.
    pub(super) fn note_statement(&self, sql: &str) {
        self.inner.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(record) = self.inner.record.get() {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.push(sql.to_owned());
        }
    }

    /// The quoted, qualified name of a table.
    pub fn table(&self, name: &str) -> String {
        self.ddl().qualified(name)
    }

    /// A writer of DDL for this database.
    pub fn ddl(&self) -> DdlWriter<'_> {
        DdlWriter {
            dialect: self.dialect(),
            namespace: self.namespace(),
        }
    }

    /// A condition that holds where `column` (quoted) is in the array bound to parameter `index`.
    pub fn in_array(&self, column: &str, index: usize) -> String {
        match self.dialect() {
            Dialect::Postgres => format!("{column} = ANY(${index})"),
            Dialect::Sqlite => format!("{column} IN (SELECT value FROM json_each(?{index}))"),
        }
    }

    /// As [`in_array`](Self::in_array), for columns whose values are unique, such as dataset IDs,
    /// and arrays of any size: an index is used however many values there are.
    ///
    /// PostgreSQL's planner takes an array of tens of thousands of values for a good part of a
    /// table and reads all of it. It is not told how many there are. A plan that knows no number
    /// also costs the same whatever is bound, so that after a few times the server keeps it.
    pub fn in_ids(&self, column: &str, index: usize) -> String {
        match self.dialect() {
            Dialect::Postgres => format!("{column} = ANY(ARRAY(SELECT unnest(${index})))"),
            Dialect::Sqlite => self.in_array(column, index),
        }
    }

    /// Whether the connections' role may switch row-wise reference checks off, and shall.
    pub(super) async fn may_check_by_set(
        &self,
        session: &mut Session,
    ) -> std::result::Result<bool, SqlError> {
        if self.inner.reference_checks == ReferenceChecks::Rows {
            return Ok(false);
        }
        let ask = async {
            // Before PostgreSQL 15 only superusers may, and the function does not exist.
            let sql = "SELECT rolsuper,
                              current_setting('server_version_num')::bigint >= 150000
                         FROM pg_catalog.pg_roles WHERE rolname = current_user";
            let rows = session.try_fetch_all(sql, &[]).await?;
            let Some(row) = rows.first() else {
                return Ok(false);
            };
            if row.bool(0)? || !row.bool(1)? {
                return row.bool(0);
            }
            let sql = "SELECT has_parameter_privilege('session_replication_role', 'SET')";
            let rows = session.try_fetch_all(sql, &[]).await?;
            rows.first().map_or(Ok(false), |row| row.bool(0))
        };
        let may = self.inner.may_check_by_set.get_or_try_init(|| ask).await;
        may.copied()
    }

    /// Starts a session for reading: every statement sees what was committed before it.
    ///
    /// # Errors
    /// Fails when no connection can be had.
    pub async fn read(&self) -> Result<Session> {
        let connection = match &self.inner.pool {
            Pool::Postgres(pool) => Connection::Postgres(pool.acquire().await.map_err(busy)?),
            Pool::Sqlite(pool) => Connection::Sqlite(pool.acquire().await.map_err(busy)?),
        };
        Ok(Session::new(self.clone(), connection))
    }

    /// Starts a transaction for reading only: all its statements see one state.
    ///
    /// # Errors
    /// Fails when no connection can be had.
    pub async fn begin_read(&self) -> Result<Session> {
        let connection = match &self.inner.pool {
            Pool::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Connection::PostgresTransaction(pool.begin(begin).await.map_err(busy)?)
            }
            Pool::Sqlite(pool) => Connection::SqliteTransaction(pool.begin().await.map_err(busy)?),
        };
        Ok(Session::new(self.clone(), connection))
    }

    /// Starts a transaction for writing. It is rolled back when dropped without
    /// [`Session::commit`]. On SQLite it holds the write lock from the start, so that two writers
    /// wait for each other instead of failing half-way.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] when the database was opened for reading only; a database error when no
    /// connection or lock can be had.
    pub async fn begin(&self) -> Result<Session> {
        self.require_writeable()?;
        let connection = match &self.inner.pool {
            Pool::Postgres(pool) => {
                // Locks protect what is looked up after them, which a server that is set up for
                // another level would not show.
                let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
                Connection::PostgresTransaction(pool.begin(begin).await.map_err(busy)?)
            }
            Pool::Sqlite(pool) => Connection::SqliteTransaction(
                pool.begin_with("BEGIN IMMEDIATE").await.map_err(busy)?,
            ),
        };
        Ok(Session::new(self.clone(), connection))
    }

    /// Starts a transaction for writing in which SQLite does not check foreign keys; `None` if there
    /// is no such thing in this database. Only inserts through
    /// [`references`](super::references) may be done in it, which check them set by set.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub(crate) async fn begin_unchecked(&self) -> Result<Option<Session>> {
        self.require_writeable()?;
        let Some(pool) = &self.inner.unchecked else {
            return Ok(None);
        };
        let begun = pool.begin_with("BEGIN IMMEDIATE").await.map_err(busy)?;
        let connection = Connection::SqliteTransaction(begun);
        Ok(Some(Session::new(self.clone(), connection).unchecked()))
    }

    /// Has the PostgreSQL server stop a process, if it is running this statement.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn cancel(&self, process: i32, sql: &str) -> Result<()> {
        // The server keeps the start of the text only, by default 1,023 bytes.
        const COMPARED: usize = 200;
        let start: String = sql.chars().take(COMPARED).collect();
        let mut session = self.read().await?;
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                       WHERE pid = $1 AND state = 'active' AND left(query, char_length($2)) = $2";
        session
            .fetch_all(
                cancel,
                &[Param::Int(process.into()), Param::from(start.as_str())],
            )
            .await?;
        Ok(())
    }

    /// Refuses if the database was opened for reading only.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn require_writeable(&self) -> Result<()> {
        match self.inner.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly(format!(
                "{} was opened for reading only; open the repository as writeable",
                self.inner.label
            ))),
        }
    }

    /// Keeps other clients from creating tables in the namespace until the end of the
    /// transaction, after waiting for those that are at it. What is looked up afterwards is what
    /// they left.
    ///
    /// There is one lock for all tables: clients that create several in one transaction would
    /// otherwise have to agree on an order. On SQLite a transaction excludes all others anyway.
    ///
    /// # Errors
    /// Any database error.
    pub async fn lock_definitions(&self, session: &mut Session) -> Result<()> {
        if self.dialect() == Dialect::Postgres {
            let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
            let key = format!("butler definitions in {}", self.namespace_or_default());
            session.execute(sql, &[Param::from(key)]).await?;
        }
        Ok(())
    }

    /// Creates a table that other clients may be creating at the same time. The session must be a
    /// transaction.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ensure_table(&self, session: &mut Session, spec: &TableSpec) -> Result<()> {
        self.ensure_tables(session, &[spec], &[]).await
    }

    /// Creates those of the tables that are not there, which other clients may be creating at the
    /// same time. The session must be a transaction.
    ///
    /// A foreign key locks the table that it refers to against writing until the transaction ends.
    /// `referenced` are such tables in the order in which writers lock them.
    ///
    /// Clients of the reference implementation know nothing of
    /// [`lock_definitions`](Self::lock_definitions). They take the names of one table, lock what it
    /// refers to, and commit. So all names are taken here before the first lock: who waits for a
    /// name holds nothing that anybody else waits for.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ensure_tables(
        &self,
        session: &mut Session,
        specs: &[&TableSpec],
        referenced: &[&str],
    ) -> Result<()> {
        if self.missing_tables(session, specs).await?.is_empty() {
            return Ok(());
        }
        self.lock_definitions(session).await?;
        let missing = self.missing_tables(session, specs).await?;
        if self.dialect() == Dialect::Sqlite {
            for spec in missing {
                for statement in self.ddl().create(spec, true) {
                    session.execute_script(statement).await?;
                }
            }
            return Ok(());
        }
        let mut created = Vec::new();
        for spec in missing {
            if self.create_unlinked(session, spec).await? {
                created.push(spec);
            }
        }
        let keys: BTreeSet<&str> = created
            .iter()
            .flat_map(|spec| &spec.foreign_keys)
            .map(|key| key.table.as_str())
            .collect();
        let locked: Vec<String> = referenced
            .iter()
            .filter(|name| keys.contains(*name))
            .map(|name| self.table(name))
            .collect();
        if !locked.is_empty() {
            let tables = locked.join(", ");
            let lock = format!("LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE");
            session.execute_script(lock).await?;
        }
        for statement in created.into_iter().filter_map(|spec| self.ddl().link(spec)) {
            session.execute_script(statement).await?;
        }
        Ok(())
    }

    async fn missing_tables<'s>(
        &self,
        session: &mut Session,
        specs: &[&'s TableSpec],
    ) -> Result<Vec<&'s TableSpec>> {
        let mut missing = Vec::new();
        for spec in specs {
            if !self.table_exists(session, &spec.name).await? {
                missing.push(*spec);
            }
        }
        Ok(missing)
    }

    /// Creates a table without its foreign keys, and says whether nobody else was faster.
    ///
    /// Where others have created it and not yet committed, PostgreSQL waits for them, and fails on an
    /// index of its catalogue or on the finished table.
    async fn create_unlinked(&self, session: &mut Session, spec: &TableSpec) -> Result<bool> {
        let savepoint = session.savepoint().await?;
        for statement in self.ddl().create_unlinked(spec) {
            let Err(error) = session.try_execute_script(statement).await else {
                continue;
            };
            if !error.kind.is_already_there() {
                return Err(error.into());
            }
            session.rollback_to(savepoint).await?;
            return match self.table_exists(session, &spec.name).await? {
                true => Ok(false),
                false => Err(error.into()),
            };
        }
        session.release(savepoint).await?;
        Ok(true)
    }

    /// Whether a table of that name exists in the namespace.
    ///
    /// # Errors
    /// Any database error.
    pub async fn table_exists(&self, session: &mut Session, name: &str) -> Result<bool> {
        let (sql, params) = match self.dialect() {
            Dialect::Postgres => (
                "SELECT 1::bigint FROM pg_catalog.pg_class AS c
                   JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v')",
                vec![Param::from(self.namespace_or_default()), Param::from(name)],
            ),
            Dialect::Sqlite => (
                "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?1",
                vec![Param::from(name)],
            ),
        };
        Ok(session.fetch_optional(sql, &params).await?.is_some())
    }

    /// Closes all connections. Those to PostgreSQL that are in use close when they are given back;
    /// the others are waited for.
    pub async fn close(&self) {
        match &self.inner.pool {
            Pool::Postgres(pool) => pool.close().await,
            Pool::Sqlite(pool) => pool.close().await,
        }
        if let Some(pool) = &self.inner.unchecked {
            pool.close().await;
        }
    }

    /// Creates the PostgreSQL schema of the repository unless it is there. The session must be a
    /// transaction; until its end no other client creates tables there.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ensure_namespace(&self, session: &mut Session) -> Result<()> {
        self.lock_definitions(session).await?;
        if let (Dialect::Postgres, Some(namespace)) = (self.dialect(), self.namespace()) {
            let sql = "SELECT 1::bigint FROM pg_catalog.pg_namespace WHERE nspname = $1";
            if session
                .fetch_optional(sql, &[Param::from(namespace)])
                .await?
                .is_none()
            {
                let statement = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(namespace));
                session.execute_script(statement).await?;
            }
        }
        Ok(())
    }
}

fn busy(error: sqlx::Error) -> Error {
    SqlError::new("getting a database connection", error).into()
}

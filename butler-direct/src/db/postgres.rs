//! Connections to a PostgreSQL server, and what keeps them for the next who needs one.
//!
//! The driver's own pool asks the server for a sign of life whenever a connection is given back,
//! which is a round trip for every look-up.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use butler_core::error::{Error, Result};
use deadpool::managed::{Manager, Metrics, Object, PoolError, QueueMode, RecycleResult};
use deadpool::{Runtime, managed};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::connect::{Access, ConnectOptions};

/// How long a connection counts as working after it gave a sign of life.
const FRESH: Duration = Duration::from_secs(1);

/// How long the server may take to give a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(600);

/// How long a connection is used at most: what a server keeps for one only grows.
const LIFETIME: Duration = Duration::from_secs(1_800);

/// How long to wait before a server that refuses connections is asked again, the first time and at
/// most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(2));

/// A connection, and what is known of its health.
#[derive(Debug)]
pub(super) struct Kept {
    connection: PgConnection,
    /// The process of the server that it began with; a pooler in between may give it another.
    process: i32,
    /// When it last gave a sign of life that was asked for.
    checked: Instant,
    /// Whether something went wrong since.
    suspect: bool,
}

impl Kept {
    fn new((connection, process): (PgConnection, i32)) -> Self {
        Self {
            connection,
            process,
            checked: Instant::now(),
            suspect: false,
        }
    }

    /// The process of the server that runs its statements, unless a pooler gave it another.
    pub(super) fn process(&self) -> i32 {
        self.process
    }

    /// The connection, and where to note that something went wrong: before others get it, it is then
    /// asked for a sign of life.
    pub(super) fn parts(&mut self) -> (&mut PgConnection, &mut bool) {
        (&mut self.connection, &mut self.suspect)
    }

    /// Notes if something went wrong.
    pub(super) fn note<T>(&mut self, done: &sqlx::Result<T>) {
        self.suspect |= done.is_err();
    }
}

impl Deref for Kept {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// A connection that goes back to its pool when dropped.
pub(super) type Pooled = Object<Connector>;

/// A bounded number of connections, opened when they are needed.
#[derive(Debug, Clone)]
pub(super) struct PostgresPool(managed::Pool<Connector>);

impl PostgresPool {
    /// A pool that has no connection yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there can be no such pool.
    pub(super) fn new(options: PgConnectOptions, wanted: &ConnectOptions) -> Result<Self> {
        let connector = Connector {
            options,
            settings: session_settings(wanted),
            patience: wanted.acquire_timeout,
        };
        let size = usize::try_from(wanted.max_connections).unwrap_or(usize::MAX);
        let pool = managed::Pool::builder(connector)
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(wanted.acquire_timeout))
            // The one that was used last has the most in its caches, and the others may go.
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|error| Error::Configuration(error.to_string()))?;
        if let Ok(runtime) = Handle::try_current() {
            let pool = pool.weak();
            runtime.spawn(async move {
                loop {
                    sleep(IDLE / 4).await;
                    let Some(pool) = pool.upgrade() else { return };
                    let kept = pool.retain(|_, metrics| metrics.last_used() < IDLE);
                    close(kept.removed).await;
                }
            });
        }
        Ok(Self(pool))
    }

    /// A connection, as soon as there is one.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] when all are in use for too long; why the server cannot be
    /// reached.
    pub(super) async fn acquire(&self) -> sqlx::Result<Pooled> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed => sqlx::Error::PoolClosed,
            other => sqlx::Error::Io(io::Error::other(other.to_string())),
        })
    }

    /// A connection on which a transaction has begun.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire); any database error.
    pub(super) async fn begin(&self, statement: &'static str) -> sqlx::Result<PostgresTransaction> {
        // Before it begins, so that it is rolled back if nobody waits for the answer.
        let mut begun = PostgresTransaction(Some(self.acquire().await?));
        begun.execute(statement).await?;
        Ok(begun)
    }

    /// How many connections are open, and how many of them are idle.
    pub(super) fn usage(&self) -> (usize, usize) {
        let status = self.0.status();
        (status.size, status.available)
    }

    /// Closes the idle connections now and the others when they are given back.
    pub(super) async fn close(&self) {
        let idle = self.0.retain(|_, _| false);
        self.0.close();
        close(idle.removed).await;
    }
}

/// Says good-bye to the server, which hears of it otherwise as well.
async fn close(connections: Vec<Kept>) {
    for kept in connections {
        if let Err(error) = kept.connection.close().await {
            tracing::debug!("cannot close a database connection in good order: {error}");
        }
    }
}

/// Opens connections, and looks after those that were in use before.
#[derive(Debug)]
pub(super) struct Connector {
    options: PgConnectOptions,
    settings: String,
    /// How long a server that is not ready yet is waited for.
    patience: Duration,
}

impl Connector {
    /// A connection, and the process of the server that is behind it.
    async fn connect(&self) -> sqlx::Result<(PgConnection, i32)> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        let script = format!("{} SELECT pg_backend_pid();", self.settings);
        let rows = sqlx::raw_sql(AssertSqlSafe(script)).fetch_all(&mut connection);
        let process = match rows.await?.first() {
            Some(row) => row.try_get(0)?,
            None => return Err(sqlx::Error::RowNotFound),
        };
        Ok((connection, process))
    }

    /// A connection to a server that may be about to start.
    async fn connect_patiently(&self) -> sqlx::Result<(PgConnection, i32)> {
        let begin = Instant::now();
        let (mut pause, longest) = BACK_OFF;
        loop {
            let left = self.patience.saturating_sub(begin.elapsed());
            let failed = match timeout(left, self.connect()).await {
                Ok(Err(error)) if is_passing(&error) => error,
                Ok(done) => return done,
                Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            };
            if begin.elapsed() + pause >= self.patience {
                return Err(failed);
            }
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}

impl Manager for Connector {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Kept> {
        // Boxed, since everything that needs a connection would otherwise have room for this.
        Box::pin(self.connect_patiently()).await.map(Kept::new)
    }

    async fn recycle(&self, kept: &mut Kept, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() > LIFETIME {
            return Err(managed::RecycleError::message("it has had its time"));
        }
        // However busy it is: in use again and again, it would fail again and again.
        if kept.suspect || kept.checked.elapsed() > FRESH {
            match timeout(SIGN_OF_LIFE, Box::pin(kept.connection.ping())).await {
                Ok(alive) => alive?,
                Err(_) => return Err(managed::RecycleError::message("it gives no sign of life")),
            }
            kept.suspect = false;
            kept.checked = Instant::now();
        }
        Ok(())
    }
}

/// Whether a server may be about to start, or to have a connection to spare.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// What a new connection is told first. Parameters at its start would do as well, but poolers refuse
/// them.
fn session_settings(wanted: &ConnectOptions) -> String {
    // The planner takes the small tables of a new repository, which nobody has analysed, for large
    // ones, and then compiles statements anew each time, for far longer than they run.
    let mut settings = "SET jit = off;".to_owned();
    if wanted.access == Access::ReadOnly {
        settings.push_str("SET default_transaction_read_only = on;");
    }
    if let Some(limit) = wanted.statement_timeout {
        settings.push_str(&format!("SET statement_timeout = {};", limit.as_millis()));
    }
    settings
}

/// A transaction, which is rolled back when dropped before its end.
#[derive(Debug)]
pub(super) struct PostgresTransaction(Option<Pooled>);

impl PostgresTransaction {
    /// Makes its work lasting.
    ///
    /// # Errors
    /// Any database error, with nothing done unless the connection was lost meanwhile.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        self.end("COMMIT").await
    }

    /// Undoes its work.
    ///
    /// # Errors
    /// Any database error; the work is undone all the same.
    pub(super) async fn rollback(self) -> sqlx::Result<()> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> sqlx::Result<()> {
        self.execute(statement).await?;
        // Only now is there nothing left to undo.
        self.0 = None;
        Ok(())
    }
}

impl Deref for PostgresTransaction {
    type Target = Kept;

    fn deref(&self) -> &Kept {
        match &self.0 {
            Some(connection) => connection,
            None => unreachable!("a transaction has its connection until it ends"),
        }
    }
}

impl DerefMut for PostgresTransaction {
    fn deref_mut(&mut self) -> &mut Kept {
        match &mut self.0 {
            Some(connection) => connection,
            None => unreachable!("a transaction has its connection until it ends"),
        }
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            // The server undoes what a client that went away has begun.
            drop(Object::take(connection));
            return;
        };
        runtime.spawn(async move {
            // It stands behind whatever of the transaction's statements is still under way.
            if let Err(error) = connection.execute("ROLLBACK").await {
                tracing::debug!("cannot roll a transaction back, closing its connection: {error}");
                drop(Object::take(connection));
            }
        });
    }
}

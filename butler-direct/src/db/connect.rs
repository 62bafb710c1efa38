//! Connecting to databases.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use butler_core::error::{Error, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};

use super::database::{Database, Pool};
use super::error::SqlError;
use super::postgres::PostgresPool;
use super::references::ReferenceChecks;

/// How long a statement waits for another process's lock on a SQLite file before it gives up.
pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Most memory for pages of a SQLite file, in KiB (that is what the sign says). Pages that a large
/// write has changed then wait there for its end, instead of going to the file and back.
const SQLITE_CACHE: &str = "-65536";

/// How long a caller waits for a connection before it gives up, if nothing else is asked for.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many steps SQLite takes between looks at the clock: a fraction of a millisecond.
const SQLITE_STEPS: i32 = 10_000;

/// How long a connection on which SQLite checks no foreign keys is kept for the next large insert.
const UNCHECKED_IDLE: Duration = Duration::from_secs(10);

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    SqliteFile(PathBuf),
    /// A SQLite database in memory, private to the [`Database`] and gone with it.
    SqliteMemory,
    /// A PostgreSQL server: a `postgresql://` URL with credentials.
    Postgres(String),
}

/// What may be done to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only reading; a write is refused before it reaches the database.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// How a database is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The PostgreSQL schema that holds the repository; without one, the first of the
    /// connection's search path.
    pub namespace: Option<String>,
    /// What may be done to the database.
    pub access: Access,
    /// The most connections that are open at once.
    pub max_connections: u32,
    /// How long a statement waits for another process's lock on a SQLite file before it gives up.
    pub sqlite_busy_timeout: Duration,
    /// How the references of large inserts are checked on PostgreSQL.
    pub reference_checks: ReferenceChecks,
    /// How long a caller waits for a connection before it gives up.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may take for one statement (as the server is set up, if unset), and
    /// SQLite for all that a session asks (without limit, if unset). Zero is no limit.
    pub statement_timeout: Option<Duration>,
    /// Whether the database is for a registry. Without the extension that its tables need, a
    /// PostgreSQL database is then refused.
    pub for_registry: bool,
}

impl ConnectOptions {
    /// The usual options.
    pub fn new(access: Access, max_connections: u32) -> Self {
        Self {
            namespace: None,
            access,
            max_connections,
            sqlite_busy_timeout: SQLITE_BUSY_TIMEOUT,
            reference_checks: ReferenceChecks::default(),
            acquire_timeout: ACQUIRE_TIMEOUT,
            statement_timeout: None,
            for_registry: true,
        }
    }
}

impl Database {
    /// Connects to a database.
    ///
    /// `namespace` is the PostgreSQL schema that holds the repository; `None` stands for the first
    /// of the connection's search path. `max_connections` bounds the pool.
    ///
    /// # Errors
    /// Fails when the database cannot be reached, or when a PostgreSQL database for a registry lacks
    /// the `btree_gist` extension, without which validity ranges cannot be kept apart.
    pub async fn connect(
        location: &Location,
        namespace: Option<&str>,
        access: Access,
        max_connections: u32,
    ) -> Result<Self> {
        let options = ConnectOptions {
            namespace: namespace.map(str::to_owned),
            ..ConnectOptions::new(access, max_connections)
        };
        Self::connect_with(location, &options).await
    }

    /// Connects to a database, with all options.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(location: &Location, options: &ConnectOptions) -> Result<Self> {
        match location {
            Location::Postgres(url) => Self::connect_postgres(url, options).await,
            Location::SqliteFile(path) => {
                let wanted = options;
                let options = sqlite_file(path, wanted);
                let label = format!("SQLite database {}", path.display());
                Self::connect_sqlite(options, false, label, wanted).await
            }
            Location::SqliteMemory => {
                let wanted = ConnectOptions {
                    // Each connection to a database in memory sees a database of its own.
                    max_connections: 1,
                    ..options.clone()
                };
                let options = SqliteConnectOptions::new().in_memory(true);
                let label = "SQLite database in memory".to_owned();
                Self::connect_sqlite(options, true, label, &wanted).await
            }
        }
    }

    /// Another pool of connections to the same database, for reading only. None is opened before
    /// it is needed.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the location is none. A database in memory has one connection,
    /// which is shared.
    pub fn beside(&self, location: &Location, options: &ConnectOptions) -> Result<Self> {
        let wanted = ConnectOptions {
            access: Access::ReadOnly,
            ..options.clone()
        };
        let pool = match location {
            Location::Postgres(url) => {
                let options = postgres_options(url)?;
                Pool::Postgres(PostgresPool::new(options, &wanted)?)
            }
            Location::SqliteFile(path) => {
                let options = sqlite_file(path, &wanted).foreign_keys(true);
                Pool::Sqlite(sqlite_pool(&wanted).connect_lazy_with(options))
            }
            Location::SqliteMemory => return Ok(self.clone()),
        };
        let namespace = self.namespace().map(str::to_owned);
        let label = self.label().to_owned();
        Ok(Self::new(pool, None, namespace, label, &wanted))
    }

    async fn connect_postgres(url: &str, wanted: &ConnectOptions) -> Result<Self> {
        let options = postgres_options(url)?;
        let label = format!(
            "PostgreSQL database {} at {}",
            options.get_database().unwrap_or("(default)"),
            options.get_host()
        );
        let pool = PostgresPool::new(options, wanted)?;
        let mut connection = pool
            .acquire()
            .await
            .map_err(|e| SqlError::new(format!("connecting to {label}"), e))?;
        let (current, has_gist): (Option<String>, bool) = sqlx::query_as(
            "SELECT current_schema()::text,
                    EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist')",
        )
        .fetch_one(&mut **connection)
        .await
        .map_err(|e| SqlError::new(format!("inspecting {label}"), e))?;
        if wanted.for_registry && !has_gist {
            return Err(Error::Configuration(format!(
                "{label} lacks the btree_gist extension, which a Butler repository needs; an \
                 administrator must run CREATE EXTENSION btree_gist in that database"
            )));
        }
        let namespace = wanted.namespace.clone().or(current);
        let pool = Pool::Postgres(pool);
        Ok(Self::new(pool, None, namespace, label, wanted))
    }

    async fn connect_sqlite(
        options: SqliteConnectOptions,
        in_memory: bool,
        label: String,
        wanted: &ConnectOptions,
    ) -> Result<Self> {
        let mut options = options.foreign_keys(true);
        if wanted.access == Access::ReadWrite {
            options = options.pragma("cache_size", SQLITE_CACHE);
        }
        let pool = sqlite_pool(wanted)
            .connect_with(options.clone())
            .await
            .map_err(|e| SqlError::new(format!("opening {label}"), e))?;
        let by_set = wanted.access == Access::ReadWrite
            && wanted.reference_checks == ReferenceChecks::Sets
            && !in_memory;
        let unchecked = by_set.then(|| {
            SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(wanted.acquire_timeout)
                .test_before_acquire(false)
                .idle_timeout(UNCHECKED_IDLE)
                .connect_lazy_with(options.foreign_keys(false))
        });
        let pool = Pool::Sqlite(pool);
        Ok(Self::new(pool, unchecked, None, label, wanted))
    }
}

fn sqlite_file(path: &Path, wanted: &ConnectOptions) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(wanted.access == Access::ReadWrite)
        .read_only(wanted.access == Access::ReadOnly)
        .busy_timeout(wanted.sqlite_busy_timeout)
}

fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|e| Error::Configuration(format!("the PostgreSQL URL is not valid: {e}")))?;
    Ok(options.application_name("butler"))
}

fn sqlite_pool(wanted: &ConnectOptions) -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new()
        .max_connections(wanted.max_connections)
        .acquire_timeout(wanted.acquire_timeout)
        // There is no server that could have gone away.
        .test_before_acquire(false)
        // A database in memory lives as long as its only connection.
        .min_connections(u32::from(wanted.max_connections == 1))
        .idle_timeout(None)
        .max_lifetime(None);
    let limit = wanted.statement_timeout.filter(|limit| !limit.is_zero());
    let Some(limit) = limit else {
        return options;
    };
    options
        .after_connect(move |connection, _| Box::pin(limit_session(connection, limit)))
        .before_acquire(move |connection, _| {
            Box::pin(async move { limit_session(connection, limit).await.map(|()| true) })
        })
}

/// Has SQLite break off whatever it does when a session has had its time. SQLite knows no limits
/// for statements; one that computes without giving a row could be stopped by nothing else.
async fn limit_session(
    connection: &mut SqliteConnection,
    limit: Duration,
) -> std::result::Result<(), sqlx::Error> {
    let begin = Instant::now();
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(SQLITE_STEPS, move || begin.elapsed() < limit);
    Ok(())
}

//! Opening and migrating the state database.

use std::path::PathBuf;
use std::str::FromStr;

use butler_core::error::{Error, Result};
use butler_direct::db::{Access, ConnectOptions, Database, Dialect, Location, Session};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};
use url::Url;

/// All migrations in order: number, what it does, and the statements.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("migrations/1_state.sql")),
    (
        2,
        "task totals",
        include_str!("migrations/2_task_totals.sql"),
    ),
    (3, "releases", include_str!("migrations/3_releases.sql")),
    (4, "tally", include_str!("migrations/4_tally.sql")),
];

/// What databases want to be told in words of their own.
#[derive(Debug, Clone, Copy)]
struct Flavor {
    /// The type of dataset IDs.
    uuid_type: &'static str,
    /// A key that numbers itself.
    serial_key: &'static str,
    /// What keeps the table `tally`.
    tally_triggers: &'static str,
}

const SQLITE: Flavor = Flavor {
    uuid_type: "CHAR(32)",
    serial_key: "INTEGER PRIMARY KEY AUTOINCREMENT",
    tally_triggers: include_str!("migrations/4_tally_sqlite.sql"),
};

const POSTGRES: Flavor = Flavor {
    uuid_type: "UUID",
    serial_key: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    tally_triggers: include_str!("migrations/4_tally_postgres.sql"),
};

/// Where the state database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// A SQLite file, which is made if it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by a URL with credentials, and a schema in it. Without a schema it is
    /// the first of the connection's search path.
    Postgres {
        /// `postgresql://user:password@host:port/database`
        url: String,
        /// The schema, which is made if it is not there.
        schema: Option<String>,
    },
}

impl StateLocation {
    /// Reads a URI: `sqlite:///path`, or `postgresql://…` (with a driver's name, as SQLAlchemy has
    /// it, or without), with `?schema=…` for a schema. A password given apart goes into it.
    ///
    /// # Errors
    /// [`Error::Configuration`] says what is wrong.
    pub fn parse(uri: &str, password: Option<&str>) -> Result<Self> {
        let wrong = |why: &str| {
            Error::Configuration(format!(
                "the state database must be sqlite:///PATH or \
                 postgresql://USER@HOST:PORT/DATABASE: {why}"
            ))
        };
        if let Some(path) = uri.strip_prefix("sqlite:///") {
            return match path {
                "" => Err(wrong("there is no path")),
                path => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        let mut url = Url::parse(uri).map_err(|error| wrong(&error.to_string()))?;
        let scheme = url.scheme().split('+').next().unwrap_or_default();
        if scheme != "postgresql" && scheme != "postgres" {
            return Err(wrong(&format!("its scheme is '{scheme}'")));
        }
        // Url refuses to change such schemes in place.
        url = Url::parse(&uri.replacen(url.scheme(), "postgresql", 1))
            .map_err(|error| wrong(&error.to_string()))?;
        if password.is_some() {
            url.set_password(password)
                .map_err(|()| wrong("there is no host to give the password to"))?;
        }
        let (own, rest): (Vec<_>, Vec<_>) = url
            .query_pairs()
            .into_owned()
            .partition(|(name, _)| name == "schema");
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        Ok(Self::Postgres {
            url: url.into(),
            schema: own.into_iter().next().map(|(_, schema)| schema),
        })
    }
}

/// The state database. Clones share connections.
#[derive(Debug, Clone)]
pub struct State {
    database: Database,
    location: StateLocation,
}

impl State {
    /// Opens the state database, after bringing its tables up to date.
    ///
    /// # Errors
    /// Any database error.
    pub async fn open(location: &StateLocation, max_connections: u32) -> Result<Self> {
        migrate(location).await?;
        let mut options = ConnectOptions {
            for_registry: false,
            ..ConnectOptions::new(Access::ReadWrite, max_connections)
        };
        let place = match location {
            StateLocation::Sqlite(path) => Location::SqliteFile(path.clone()),
            StateLocation::Postgres { url, schema } => {
                options.namespace.clone_from(schema);
                Location::Postgres(url.clone())
            }
        };
        Ok(Self {
            database: Database::connect_with(&place, &options).await?,
            location: location.clone(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn location(&self) -> &StateLocation {
        &self.location
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// A table's name in statements.
    pub(super) fn table(&self, name: &str) -> String {
        self.database.table(name)
    }

    /// The n-th placeholder in statements, from 1.
    pub(super) fn hole(&self, index: usize) -> String {
        self.database.dialect().placeholder(index)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<()> {
        self.read().await?.fetch_all("SELECT 1", &[]).await?;
        Ok(())
    }

    pub(super) async fn read(&self) -> Result<Session> {
        self.database.read().await
    }

    pub(super) async fn begin(&self) -> Result<Session> {
        self.database.begin().await
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.database.dialect() == Dialect::Postgres
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// Connects to PostgreSQL outside of any pool.
pub(super) async fn connect_postgres(url: &str, schema: Option<&str>) -> Result<PgConnection> {
    let fail = |error| Error::database("connecting to the state database", error);
    let mut options = PgConnectOptions::from_str(url)
        .map_err(fail)?
        .application_name("butler-pps");
    if let Some(schema) = schema {
        options = options.options([("search_path", schema)]);
    }
    options.connect().await.map_err(fail)
}

async fn migrate(location: &StateLocation) -> Result<()> {
    let fail = |error| Error::database("bringing the state database up to date", error);
    let close = |error| Error::database("closing a connection", error);
    match location {
        StateLocation::Sqlite(path) => {
            let mut connection: SqliteConnection = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                // Readers do not wait for writers, nor these for them.
                .journal_mode(SqliteJournalMode::Wal)
                .connect()
                .await
                .map_err(|error| Error::database("opening the state database", error))?;
            migrator(SQLITE).run(&mut connection).await.map_err(fail)?;
            connection.close().await.map_err(close)
        }
        StateLocation::Postgres { url, schema } => {
            let mut connection = connect_postgres(url, schema.as_deref()).await?;
            if let Some(schema) = schema {
                let sql = format!(
                    "CREATE SCHEMA IF NOT EXISTS {}",
                    butler_direct::db::dialect::quote(schema)
                );
                sqlx::query(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await
                    .map_err(|error| Error::database("making the schema of the state", error))?;
            }
            migrator(POSTGRES)
                .run(&mut connection)
                .await
                .map_err(fail)?;
            connection.close().await.map_err(close)
        }
    }
}

fn migrator(flavor: Flavor) -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, what, sql)| {
        let sql = sql
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n")
            .replace("UUID_TYPE", flavor.uuid_type)
            .replace("SERIAL_KEY", flavor.serial_key)
            .replace("TALLY_TRIGGERS", flavor.tally_triggers);
        let sql = AssertSqlSafe(sql).into_sql_str();
        Migration::new(*version, (*what).into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn uris_of_sqlalchemy_are_understood() {
        let given = "postgresql+psycopg://rubin@db:5432/pps?schema=state&sslmode=require";
        let location = StateLocation::parse(given, Some("s3:cret")).unwrap();
        let StateLocation::Postgres { url, schema } = location else {
            panic!("{given} is PostgreSQL");
        };
        assert_eq!(
            url,
            "postgresql://rubin:s3%3Acret@db:5432/pps?sslmode=require"
        );
        assert_eq!(schema.as_deref(), Some("state"));
        let file = StateLocation::parse("sqlite:////var/state.db", None).unwrap();
        assert_eq!(file, StateLocation::Sqlite("/var/state.db".into()));
    }

    #[test]
    fn other_uris_are_refused() {
        for wrong in ["", "mysql://db/x", "sqlite:///", "postgres"] {
            assert!(StateLocation::parse(wrong, None).is_err(), "{wrong}");
        }
    }
}

//! A schema of its own for each test, on the PostgreSQL server that all of them share, and servers of a test's own.

use crate::provided;
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use std::thread;

pub use butler_test_services::{PostgresServer, Shutdown};

/// Starts a server for one test, which may stop and start it.
///
/// # Panics
/// When PostgreSQL is not installed or does not start.
#[must_use]
pub fn start_server() -> PostgresServer {
    PostgresServer::start().unwrap_or_else(|error| panic!("no PostgreSQL server: {error}"))
}

/// The URL of the server, `postgresql://user@host:port/database`, for a superuser.
///
/// # Panics
/// When `BUTLER_TEST_POSTGRES` is not set.
#[must_use]
pub fn url() -> String {
    provided("BUTLER_TEST_POSTGRES")
}

/// A schema name that nothing else uses; what is in the schema is dropped with the value.
///
/// The schema itself does not exist at first: creating a repository creates it. The server has the
/// `btree_gist` extension.
#[derive(Debug)]
pub struct TestSchema {
    name: String,
    url: String,
}

impl TestSchema {
    /// Takes a new name, `test_` and 32 hexadecimal digits.
    ///
    /// # Panics
    /// When `BUTLER_TEST_POSTGRES` is not set.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default that panics would surprise"
    )]
    pub fn new() -> Self {
        Self::on(url())
    }

    /// Takes a new name on another server.
    #[must_use]
    pub fn on(url: String) -> Self {
        Self {
            name: format!("test_{}", uuid::Uuid::new_v4().simple()),
            url,
        }
    }

    /// The schema's name: the `namespace` of a registry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's URL: the `db` of a registry.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Creates the schema, empty.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn create(&self) {
        self.execute(format!("CREATE SCHEMA {}", self.name))
            .unwrap_or_else(|error| panic!("cannot create schema {}: {error}", self.name));
    }

    /// Runs statements on a connection that is opened for them. Works in and out of async code, because
    /// the connection lives on a thread of its own.
    fn execute(&self, statements: String) -> Result<(), sqlx::Error> {
        let url = self.url.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let options: PgConnectOptions = url.parse()?;
                let mut connection = options.connect().await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
                    .execute(&mut connection)
                    .await?;
                connection.close().await
            })
        })
        .join()
        .expect("the thread returns its errors")
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        // A test that failed may have left a transaction open. Waiting for it would hide the failure; the
        // server goes away with the run in any case.
        let statements = format!(
            "SET lock_timeout = '2s'; SET client_min_messages = 'warning'; \
             DROP SCHEMA IF EXISTS {} CASCADE",
            self.name
        );
        // Nothing rests on it: the name is never used again.
        let _ = self.execute(statements);
    }
}

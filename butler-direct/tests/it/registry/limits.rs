//! Limits on what a database may take for what it is asked.

use std::time::Duration;

use butler_core::error::Error;
use butler_direct::db::{Access, ConnectOptions, Database, Location};
use butler_tests::postgres;

/// A count without an end, in either dialect.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n)
                       SELECT count(*) FROM n";

async fn a_statement_that_takes_too_long_is_given_up(location: &Location) {
    let options = ConnectOptions {
        statement_timeout: Some(Duration::from_millis(500)),
        ..ConnectOptions::new(Access::ReadOnly, 1)
    };
    let database = Database::connect_with(location, &options).await.unwrap();
    for database in [database.beside(location, &options).unwrap(), database] {
        let mut session = database.read().await.unwrap();
        let error = session.fetch_all(ENDLESS, &[]).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("too long"), "{error}");
        drop(session);
        // The connection is as good as before.
        let mut session = database.read().await.unwrap();
        assert_eq!(session.fetch_all("SELECT 1", &[]).await.unwrap().len(), 1);
    }
}

async fn no_connection_is_waited_for_without_end(location: &Location) {
    let options = ConnectOptions {
        acquire_timeout: Duration::from_millis(500),
        ..ConnectOptions::new(Access::ReadOnly, 1)
    };
    let database = Database::connect_with(location, &options).await.unwrap();
    let held = database.read().await.unwrap();
    let error = database.read().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    drop(held);
    database.read().await.unwrap();
}

#[tokio::test]
async fn sqlite_has_limits() {
    a_statement_that_takes_too_long_is_given_up(&Location::SqliteMemory).await;
    no_connection_is_waited_for_without_end(&Location::SqliteMemory).await;
    let directory = tempfile::tempdir().unwrap();
    let location = Location::SqliteFile(directory.path().join("db.sqlite3"));
    let writeable = Database::connect(&location, None, Access::ReadWrite, 1);
    drop(writeable.await.unwrap());
    a_statement_that_takes_too_long_is_given_up(&location).await;
}

#[tokio::test]
async fn postgres_has_limits() {
    let location = Location::Postgres(postgres::url());
    a_statement_that_takes_too_long_is_given_up(&location).await;
    no_connection_is_waited_for_without_end(&location).await;
}

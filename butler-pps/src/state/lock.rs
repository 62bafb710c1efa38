//! The lock that makes sure that one instance of the service alone is at work.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use butler_core::error::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use tokio::sync::Mutex;

use super::State;
use super::database::{StateLocation, connect_postgres};

/// The first half of the key of the advisory lock: "pps".
const LOCK_CLASS: i32 = 0x0070_7073;

/// Held as long as the process lives, or the connection to PostgreSQL. Dropping it sets it free.
#[derive(Debug)]
pub struct InstanceLock(Kind);

#[derive(Debug)]
enum Kind {
    Postgres(Mutex<PgConnection>),
    File(#[expect(dead_code, reason = "the lock goes with the file")] File),
}

impl InstanceLock {
    /// Takes the lock; none if another instance has it.
    ///
    /// # Errors
    /// The database, or the lock's file, cannot be reached.
    pub async fn try_take(state: &State) -> Result<Option<Self>> {
        match state.location() {
            StateLocation::Postgres { url, schema } => {
                let mut connection = connect_postgres(url, schema.as_deref()).await?;
                // The table's number differs for each state database.
                let row =
                    sqlx::query("SELECT pg_try_advisory_lock($1, 'dataset'::regclass::oid::int)")
                        .bind(LOCK_CLASS)
                        .fetch_one(&mut connection)
                        .await
                        .map_err(lost)?;
                let taken: bool = row.try_get(0).map_err(lost)?;
                Ok(taken.then(|| Self(Kind::Postgres(Mutex::new(connection)))))
            }
            StateLocation::Sqlite(path) => {
                let path = lock_file(path);
                let file = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&path)
                    .map_err(|error| Error::io(&path, error))?;
                match file.try_lock() {
                    Ok(()) => Ok(Some(Self(Kind::File(file)))),
                    Err(TryLockError::WouldBlock) => Ok(None),
                    Err(TryLockError::Error(error)) => Err(Error::io(&path, error)),
                }
            }
        }
    }

    /// Makes sure that the lock is still held: it ends with its connection.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it is not held any more.
    pub async fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::File(_) => Ok(()),
            Kind::Postgres(connection) => {
                let mut connection = connection.lock().await;
                connection.ping().await.map_err(|error| {
                    Error::Interrupted(format!(
                        "the lock of the active instance is lost with its connection: {error}"
                    ))
                })
            }
        }
    }
}

fn lock_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn lost(error: sqlx::Error) -> Error {
    Error::database("taking the lock of the active instance", error)
}

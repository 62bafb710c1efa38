//! Database errors with what the registry needs to know of them.

use butler_core::error::Error;

/// The kinds of failure that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// A unique or primary key constraint was violated.
    Unique,
    /// A foreign key was violated.
    ForeignKey,
    /// An exclusion constraint was violated.
    Exclusion,
    /// A check or `NOT NULL` constraint was violated, or a value is too long for its column.
    Check,
    /// The database was locked for longer than the library waits, or two transactions waited for
    /// each other and this one was chosen to give way.
    Busy,
    /// The connection broke or could not be made.
    Disconnected,
    /// No connection was to be had for longer than callers wait, or the server takes no more.
    Exhausted,
    /// The statement took longer than it may, or was stopped from outside.
    TimedOut,
    /// The statement names a table or column that is not there.
    MissingTable,
    /// The statement creates a table, index, sequence or schema that is there already.
    Duplicate,
    /// Anything else.
    Other,
}

impl SqlErrorKind {
    /// The kind of failure of the database behind an error of an operation; none if it is another
    /// error.
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Database { source, .. } => source.downcast_ref().map(classify),
            _ => None,
        }
    }

    /// Whether a definition failed because what it defines is there already: PostgreSQL reports
    /// what another client creates at the same time as a violation of its catalogue's indexes.
    pub fn is_already_there(self) -> bool {
        matches!(self, Self::Duplicate | Self::Unique)
    }
}

/// A failed statement.
#[derive(Debug, thiserror::Error)]
#[error("{context}: {source}")]
pub struct SqlError {
    /// What the library was doing.
    pub context: String,
    /// What kind of failure it is.
    pub kind: SqlErrorKind,
    /// What the driver said.
    #[source]
    pub source: sqlx::Error,
}

impl SqlError {
    /// Classifies a driver error.
    pub fn new(context: impl Into<String>, source: sqlx::Error) -> Self {
        Self {
            context: context.into(),
            kind: classify(&source),
            source,
        }
    }

    /// A reference that is not there, found by a check of our own.
    pub(super) fn missing_reference(table: &str) -> Self {
        Self {
            context: format!("checking what new rows of '{table}' refer to"),
            kind: SqlErrorKind::ForeignKey,
            source: sqlx::Error::RowNotFound,
        }
    }

    /// The same error under another description of what was being done.
    #[must_use]
    pub fn during(self, context: impl Into<String>) -> Self {
        Self {
            context: context.into(),
            ..self
        }
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        let context = match error.kind {
            SqlErrorKind::Busy => format!(
                "{}: the data is locked by another client; try again when it has finished",
                error.context
            ),
            SqlErrorKind::Disconnected => {
                format!("{}: the connection to the database was lost", error.context)
            }
            SqlErrorKind::Exhausted => {
                format!("{}: no connection was to be had in time", error.context)
            }
            SqlErrorKind::TimedOut => format!("{}: it takes too long", error.context),
            _ => {
                return Self::Database {
                    context: error.context,
                    source: Box::new(error.source),
                };
            }
        };
        Self::Unavailable {
            context,
            source: Box::new(error.source),
        }
    }
}

/// Whether PostgreSQL undid a transaction only because of what other transactions did at the same
/// time, so that it may well succeed when it is run anew: a deadlock, or a failed serialization.
pub(crate) fn gave_way(error: &Error) -> bool {
    let Error::Unavailable { source, .. } = error else {
        return false;
    };
    let Some(sqlx::Error::Database(error)) = source.downcast_ref::<sqlx::Error>() else {
        return false;
    };
    matches!(error.code().as_deref(), Some("40P01" | "40001"))
}

/// Whether the database has refused a value, as opposed to being out of reach, out of order or busy: another
/// attempt with the same data fails as well.
pub fn is_refused_value(error: &Error) -> bool {
    let Error::Database { source, .. } = error else {
        return false;
    };
    match source.downcast_ref::<sqlx::Error>() {
        // What the driver itself cannot hand over.
        Some(sqlx::Error::Encode(_)) => true,
        Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
            // PostgreSQL's data exceptions and integrity violations; SQLite's SQLITE_TOOBIG,
            // SQLITE_CONSTRAINT and SQLITE_MISMATCH, extended codes included.
            let sqlite = code.parse::<u32>().map(|code| code & 0xff);
            match code.len() {
                5 => code.starts_with("22") || code.starts_with("23"),
                _ => matches!(sqlite, Ok(18..=20)),
            }
        }),
        _ => false,
    }
}

fn classify(error: &sqlx::Error) -> SqlErrorKind {
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some("23P01") => SqlErrorKind::Exclusion,
            // SQLite's SQLITE_BUSY and SQLITE_LOCKED with their extended codes; PostgreSQL's
            // lock_not_available, deadlock_detected, serialization_failure.
            Some("5" | "6" | "261" | "517" | "262" | "55P03" | "40P01" | "40001") => {
                SqlErrorKind::Busy
            }
            Some("42P01" | "42703") => SqlErrorKind::MissingTable,
            // duplicate_table (an index or a sequence as well), duplicate_schema, duplicate_object.
            Some("42P07" | "42P06" | "42710") => SqlErrorKind::Duplicate,
            // admin_shutdown, crash_shutdown, cannot_connect_now; what poolers say of a server that
            // is gone.
            Some("57P01" | "57P02" | "57P03") => SqlErrorKind::Disconnected,
            Some(code) if code.len() == 5 && code.starts_with("08") => SqlErrorKind::Disconnected,
            // too_many_connections.
            Some("53300") => SqlErrorKind::Exhausted,
            // query_canceled; SQLite's SQLITE_INTERRUPT.
            Some("57014" | "9") => SqlErrorKind::TimedOut,
            Some("1") if error.message().starts_with("no such table") => SqlErrorKind::MissingTable,
            _ if error.is_unique_violation() => SqlErrorKind::Unique,
            _ if error.is_foreign_key_violation() => SqlErrorKind::ForeignKey,
            _ if error.is_check_violation() => SqlErrorKind::Check,
            // not_null_violation, string_data_right_truncation.
            Some("23502" | "1299" | "22001") => SqlErrorKind::Check,
            _ => SqlErrorKind::Other,
        },
        sqlx::Error::PoolTimedOut => SqlErrorKind::Exhausted,
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            SqlErrorKind::Disconnected
        }
        _ => SqlErrorKind::Other,
    }
}

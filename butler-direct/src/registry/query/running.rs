//! A statement under way, which ends when nobody waits for its rows any more.

use butler_core::error::Result;
use futures::stream::BoxStream;

use crate::db::{Param, Row, Session, SqlError};

/// A statement and the session that runs it.
///
/// If this is dropped before [`finish`](Self::finish), the statement is cancelled: the caller has
/// gone away, has had enough, or there was an error.
#[derive(Debug)]
pub(super) struct Running {
    /// Until it is finished.
    session: Option<Session>,
    sql: String,
    params: Vec<Param>,
}

impl Running {
    /// Gets ready to run a statement.
    pub(super) fn new(session: Session, (sql, params): (String, Vec<Param>)) -> Self {
        Self {
            session: Some(session),
            sql,
            params,
        }
    }

    /// Starts the statement; its rows as they come.
    pub(super) fn rows(&mut self) -> BoxStream<'_, Result<Row, SqlError>> {
        match &mut self.session {
            Some(session) => session.fetch(&self.sql, &self.params),
            None => Box::pin(futures::stream::empty()),
        }
    }

    /// Gives the connection back: all rows have been read.
    pub(super) fn finish(mut self) {
        self.session = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.abandon(std::mem::take(&mut self.sql));
        }
    }
}

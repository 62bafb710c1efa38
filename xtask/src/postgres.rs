//! A temporary PostgreSQL server for the time of one command.

use crate::apt;
use butler_test_services::PostgresServer;
use std::env;

/// The variable with the URL of the server, read by the tests and, when it is set already, by us.
pub(crate) const URL_VARIABLE: &str = "BUTLER_TEST_POSTGRES";

/// A PostgreSQL server; stopped and removed when dropped, and also when this process is killed.
pub(crate) struct Postgres {
    url: String,
    /// Held for what its end does; absent when the server is somebody else's.
    _own: Option<PostgresServer>,
}

impl Postgres {
    /// Takes the server of `BUTLER_TEST_POSTGRES`, else starts one. Also returns a summary for people.
    pub(crate) fn prepare() -> Result<(Self, String), String> {
        if let Ok(url) = env::var(URL_VARIABLE) {
            let summary = format!("{url} (from {URL_VARIABLE})");
            return Ok((Self { url, _own: None }, summary));
        }
        if !PostgresServer::is_installed() {
            apt::install(&["postgresql", "postgresql-contrib"], "PostgreSQL's server")?;
        }
        let own = PostgresServer::start()?;
        let url = own.url();
        let summary = format!("{url} ({})", own.version()?);
        let own = Some(own);
        Ok((Self { url, _own: own }, summary))
    }

    /// The URL that tests and benchmarks connect with, as a superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

//! Files that web servers give to everybody.

use butler_core::wire::FileAuthentication;
use butler_core::{Error, Result};
use bytes::Bytes;
use url::Url;

use crate::auth::{AuthenticationMode, Credentials};
use crate::config::http_url;
use crate::connection::{Connection, http_client};
use crate::download;
use crate::files::RemoteFile;
use crate::retry::RetryPolicy;

/// Reads files that need no token: configurations, repository indexes.
#[derive(Debug, Clone)]
pub struct PublicFiles {
    connection: Connection,
}

impl PublicFiles {
    /// Nothing is contacted yet.
    ///
    /// # Errors
    /// [`Error::Configuration`] if HTTP cannot be used on this machine.
    pub fn new() -> Result<Self> {
        let policy = RetryPolicy::default();
        let nowhere = Url::parse("http://localhost/")
            .map_err(|error| Error::Internal(format!("an address: {error}")))?;
        let nobody = Credentials::anonymous(AuthenticationMode::default());
        Ok(Self {
            connection: Connection::new(http_client(policy)?, nowhere, nobody, policy),
        })
    }

    /// The contents of a file.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no address of HTTP; [`Error::FileNotFound`];
    /// [`Error::Storage`].
    pub async fn read(&self, url: &str) -> Result<Bytes> {
        download::to_memory(&self.connection, file(url)?).await
    }
}

fn file(url: &str) -> Result<RemoteFile> {
    let url =
        http_url(url).map_err(|reason| Error::InvalidArgument(format!("'{url}' {reason}")))?;
    Ok(RemoteFile::at(url, FileAuthentication::None))
}

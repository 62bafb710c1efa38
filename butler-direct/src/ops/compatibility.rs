//! Looking at a repository's versions, also where they are not supported.

use std::time::Duration;

use butler_core::error::{Error, Result};

use crate::butler::connect;
use crate::config::{ButlerKind, ConfigReader};
use crate::db::{Access, ConnectOptions};
use crate::registry::attributes;
use crate::registry::compatibility::Compatibility;
use crate::resource::{ResourcePath, Resources};

/// How long the database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// A repository, and the versions of its parts.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Inspection {
    /// The database, without its password.
    pub database: String,
    /// The schema within the database.
    pub namespace: Option<String>,
    /// The versions.
    #[serde(flatten)]
    pub compatibility: Compatibility,
}

/// Reads the versions of a repository (label, directory or address of the configuration file),
/// whether or not they are supported. Nothing is written.
///
/// # Errors
/// [`Error::FileNotFound`] if there is no configuration;
/// [`Error::Configuration`] if it is malformed, if the repository
/// is behind a server, or if the database holds none;
/// [`Error::Database`] if it cannot be reached.
pub async fn inspect(
    repository: &str,
    resources: Resources,
    search_path: Vec<ResourcePath>,
) -> Result<Inspection> {
    let reader = ConfigReader::new(resources).search_path(search_path);
    let config = reader.open(repository).await?;
    if config.kind()? == ButlerKind::Remote {
        return Err(Error::Configuration(
            "the repository is behind a Butler server; only that has its versions".to_owned(),
        ));
    }
    let options = ConnectOptions {
        namespace: config.namespace()?,
        ..ConnectOptions::new(Access::ReadOnly, 1)
    };
    let connected = tokio::time::timeout(PATIENCE, connect(&config, &options)).await;
    let too_slow = |elapsed| Error::database("connecting", elapsed);
    let database = connected.map_err(too_slow)??;
    let mut session = database.read().await?;
    let attributes = attributes::fetch_all(&mut session).await?;
    drop(session);
    let inspection = Inspection {
        database: database.label().to_owned(),
        namespace: database.namespace().map(str::to_owned),
        compatibility: Compatibility::of_attributes(&attributes),
    };
    database.close().await;
    Ok(inspection)
}

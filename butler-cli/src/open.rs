//! Opening the repository that a command is about.

use butler::{Butler, Error, OpenOptions, Repository};
use butler_direct::DirectButler;

use crate::failure::{Failure, Outcome};

/// Opens a repository for reading, however it is reached.
pub(crate) async fn repository(address: &str) -> Outcome<Repository> {
    open(address, OpenOptions::default()).await
}

/// Opens a repository for lookups and queries, however it is reached.
pub(crate) async fn reader(address: &str) -> Outcome<Butler> {
    Ok(repository(address).await?.reader())
}

/// Opens a repository's database and files for reading.
pub(crate) async fn direct(address: &str) -> Outcome<DirectButler> {
    open_directly(address, OpenOptions::default()).await
}

/// Opens a repository for writing.
pub(crate) async fn writer(address: &str) -> Outcome<DirectButler> {
    open_directly(address, OpenOptions::default().writeable()).await
}

async fn open_directly(address: &str, options: OpenOptions) -> Outcome<DirectButler> {
    match open(address, options).await? {
        Repository::Direct(butler) => Ok(butler),
        Repository::Remote(_) => Err(Failure::new(format!(
            "{address} is behind a Butler server; this command needs its database and files"
        ))),
    }
}

async fn open(address: &str, options: OpenOptions) -> Outcome<Repository> {
    let opened = butler::open(address, options).await;
    opened.map_err(|error| match error {
        Error::FileNotFound(_) => Failure::from(error).hint(
            "name the directory of a repository, its configuration file, or a label of the index \
             that DAF_BUTLER_REPOSITORY_INDEX names; `butler create` makes a repository",
        ),
        other => other.into(),
    })
}

//! Opening the repository that a command is about.

use butler_core::butler::Butler;
use butler_core::error::Error;
use butler_direct::{DirectButler, OpenOptions};

use crate::failure::{Failure, Outcome};

/// Opens a repository for reading, however it is reached.
pub(crate) async fn reader(repository: &str) -> Outcome<Butler> {
    Ok(direct(repository).await?.reader())
}

/// Opens a repository's database and files for reading.
pub(crate) async fn direct(repository: &str) -> Outcome<DirectButler> {
    open(repository, OpenOptions::default()).await
}

/// Opens a repository for writing.
pub(crate) async fn writer(repository: &str) -> Outcome<DirectButler> {
    open(repository, OpenOptions::writeable()).await
}

async fn open(repository: &str, options: OpenOptions) -> Outcome<DirectButler> {
    let opened = DirectButler::open(repository, options).await;
    opened.map_err(|error| match error {
        Error::FileNotFound(_) => Failure::from(error).hint(
            "name the directory of a repository, its configuration file, or a label of the index \
             that DAF_BUTLER_REPOSITORY_INDEX names; `butler create` makes a repository",
        ),
        other => other.into(),
    })
}

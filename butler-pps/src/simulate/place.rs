//! Where everything is: a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::config::Config;
use butler_core::error::{Error, Result};
use butler_direct::DirectButler;
use butler_direct::ops::create::CreateOptions;

use crate::repositories::{Repositories, RepositoryOptions};
use crate::state::{RepositoryName, StateLocation};

/// The file by which the directory of a simulation is known.
const MARK: &str = "butler-pps-simulation";

/// The directory of a simulation.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// Makes the repositories. What an earlier simulation has left there goes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is something else in the directory; it cannot be written to.
    pub(crate) async fn make(root: &Path) -> Result<Self> {
        let fail = |error| Error::io(root, error);
        if root.join(MARK).is_file() {
            std::fs::remove_dir_all(root).map_err(fail)?;
        }
        std::fs::create_dir_all(root).map_err(fail)?;
        if std::fs::read_dir(root).map_err(fail)?.next().is_some() {
            return Err(Error::InvalidArgument(format!(
                "{} is neither empty nor what a simulation has left; name another directory",
                root.display()
            )));
        }
        let root = root.canonicalize().map_err(fail)?;
        let place = Self { root };
        let mark = place.root.join(MARK);
        std::fs::write(&mark, "").map_err(|error| Error::io(&mark, error))?;
        for directory in [place.batches(), place.lists()] {
            std::fs::create_dir(&directory).map_err(|error| Error::io(&directory, error))?;
        }
        for name in RepositoryName::ALL {
            place.create(name).await?.close().await;
        }
        Ok(place)
    }

    /// Makes a repository. The public ones see the files of `prompt_prep`.
    async fn create(&self, name: RepositoryName) -> Result<DirectButler> {
        let mut config = Config::new();
        if RepositoryName::PUBLIC.contains(&name) {
            let files = text(&self.repository(RepositoryName::PromptPrep))?.to_owned();
            config.set(".datastore.root", files.as_str())?;
        }
        let options = CreateOptions {
            config,
            keep_roots: true,
            ..CreateOptions::default()
        };
        DirectButler::create(text(&self.repository(name))?, options).await
    }

    /// The directory of a repository.
    pub(crate) fn repository(&self, name: RepositoryName) -> PathBuf {
        self.root.join(name.name())
    }

    /// Where batch files are written to.
    pub(crate) fn batches(&self) -> PathBuf {
        self.root.join("batches")
    }

    /// Where releases are listed.
    pub(crate) fn lists(&self) -> PathBuf {
        self.root.join("releases")
    }

    /// The file of the state database.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.root.join("state.sqlite3")
    }

    pub(super) fn state(&self) -> StateLocation {
        StateLocation::Sqlite(self.state_file())
    }

    pub(super) fn repositories(&self) -> Arc<Repositories> {
        let uris = RepositoryName::ALL.map(|name| {
            let root = self.repository(name).to_string_lossy().into_owned();
            (name, root)
        });
        Arc::new(Repositories::new(uris, RepositoryOptions::default()))
    }
}

/// A path as text.
pub(super) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Error::InvalidArgument(format!("{} is no text", path.display())))
}

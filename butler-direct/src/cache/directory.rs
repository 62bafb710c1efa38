//! The directory a cache is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

/// The directory for links to files that are being read, which are never expired.
const EXEMPT: &str = "exempt";

/// A directory that is given, or a temporary one that is made when it is first needed and removed
/// with the last user of the cache or of a file in it.
#[derive(Debug, Default)]
pub(super) struct CacheDirectory {
    given: Option<PathBuf>,
    /// Where the temporary directory goes.
    parent: PathBuf,
    temporary: OnceLock<Arc<TempDir>>,
}

impl CacheDirectory {
    /// Makes sure that a given directory exists.
    pub(super) fn new(given: Option<PathBuf>, parent: PathBuf) -> io::Result<Self> {
        if let Some(path) = &given {
            fs::create_dir_all(path)?;
        }
        Ok(Self {
            given,
            parent,
            temporary: OnceLock::new(),
        })
    }

    /// The directory, unless it would have to be made first.
    pub(super) fn existing(&self) -> Option<&Path> {
        self.given
            .as_deref()
            .or_else(|| self.temporary.get().map(|directory| directory.path()))
    }

    /// The directory, made if it has to be.
    pub(super) fn path(&self) -> io::Result<&Path> {
        if let Some(path) = self.existing() {
            return Ok(path);
        }
        let made = tempfile::Builder::new()
            .prefix("butler-cache-dir-")
            .tempdir_in(&self.parent)?;
        // If another task was quicker, its directory is used and this one removed.
        Ok(self.temporary.get_or_init(|| Arc::new(made)).path())
    }

    /// What keeps a temporary directory in being; none if the directory was given.
    pub(super) fn holder(&self) -> Option<Arc<TempDir>> {
        self.temporary.get().cloned()
    }

    /// The directory for links to files in use, and for downloads on their way into the cache.
    pub(super) fn exempt(&self) -> io::Result<PathBuf> {
        let path = self.path()?.join(EXEMPT);
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

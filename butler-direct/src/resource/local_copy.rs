//! Local files that stand for resources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::{TempDir, TempPath};

/// A local file standing for a resource.
#[derive(Debug)]
pub struct LocalCopy {
    path: PathBuf,
    temporary: Option<TempPath>,
    /// Dropped after the file, so that a temporary directory lasts as long as what is in use.
    _directory: Option<Arc<TempDir>>,
}

impl LocalCopy {
    /// The resource itself.
    pub(super) fn in_place(path: PathBuf) -> Self {
        Self {
            path,
            temporary: None,
            _directory: None,
        }
    }

    /// A local file that goes with this value.
    pub(crate) fn temporary(path: PathBuf) -> std::io::Result<Self> {
        TempPath::try_from_path(path).map(Self::from)
    }

    /// The same, lying in a directory that has to stay as long.
    pub(crate) fn within(self, directory: Option<Arc<TempDir>>) -> Self {
        Self {
            _directory: directory,
            ..self
        }
    }

    /// Where the file is. A temporary one disappears with this value.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was made for this occasion.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }
}

impl From<TempPath> for LocalCopy {
    fn from(temporary: TempPath) -> Self {
        Self {
            path: temporary.to_path_buf(),
            temporary: Some(temporary),
            _directory: None,
        }
    }
}

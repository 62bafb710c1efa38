//! Atomic creation of files.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

/// Directories known to exist, so that a batch of files checks each only once.
#[derive(Debug, Default)]
pub(super) struct KnownDirectories(HashSet<PathBuf>);

impl KnownDirectories {
    /// Makes the directory a file is to be put in.
    pub(super) fn make_parent(&mut self, file: &Path) -> io::Result<()> {
        let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty()) else {
            return Ok(());
        };
        if self.0.contains(parent) {
            return Ok(());
        }
        if !parent.is_dir() {
            fs::create_dir_all(parent).map_err(|error| match error.kind() {
                // Something above the file is itself a file.
                io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
                _ => error,
            })?;
        }
        self.0.insert(parent.to_owned());
        Ok(())
    }
}

/// A new file beside `destination`, gone when dropped unless [published](publish).
pub(super) fn temporary_beside(destination: &Path) -> io::Result<NamedTempFile> {
    let directory = destination.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".butler-")
        .rand_bytes(12)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
}

/// Gives a finished file its name.
pub(super) fn publish(
    file: NamedTempFile,
    destination: &Path,
    overwrite: bool,
    durable: bool,
) -> io::Result<()> {
    if durable {
        file.as_file().sync_all()?;
    }
    publish_path(file.into_temp_path(), destination, overwrite)?;
    if durable && let Some(directory) = destination.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Renames a temporary path into place.
pub(super) fn publish_path(path: TempPath, destination: &Path, overwrite: bool) -> io::Result<()> {
    if overwrite {
        path.persist(destination).map_err(|failed| failed.error)
    } else {
        path.persist_noclobber(destination)
            .map_err(|failed| failed.error)
    }
}

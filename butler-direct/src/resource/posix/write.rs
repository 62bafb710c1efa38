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

/// A new file that is to get a name; gone when dropped unless [published](publish).
#[derive(Debug)]
pub(super) enum NewFile {
    /// It has no name yet, so that not even a process that is killed leaves anything behind.
    Unnamed(File),
    /// It has a temporary name, where the file system cannot do without.
    Named(NamedTempFile),
}

impl NewFile {
    pub(super) fn as_file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    pub(super) fn as_file_mut(&mut self) -> &mut File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file_mut(),
        }
    }
}

/// A new file in the directory of `destination`.
pub(super) fn temporary_beside(destination: &Path) -> io::Result<NewFile> {
    let directory = destination.parent().unwrap_or(Path::new("."));
    match unnamed::create(directory) {
        Some(file) => Ok(NewFile::Unnamed(file)),
        None => named().tempfile_in(directory).map(NewFile::Named),
    }
}

/// How temporary names are made.
fn named() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix(".butler-")
        .rand_bytes(12)
        .permissions(Permissions::from_mode(0o666));
    builder
}

/// Gives a finished file its name.
pub(super) fn publish(
    file: NewFile,
    destination: &Path,
    overwrite: bool,
    durable: bool,
) -> io::Result<()> {
    if durable {
        file.as_file().sync_all()?;
    }
    match file {
        NewFile::Named(file) => publish_path(file.into_temp_path(), destination, overwrite)?,
        NewFile::Unnamed(file) => match unnamed::link(&file, destination) {
            Err(error) if overwrite && error.kind() == io::ErrorKind::AlreadyExists => {
                let directory = destination.parent().unwrap_or(Path::new("."));
                let linked = named().make_in(directory, |at| unnamed::link(&file, at))?;
                publish_path(linked.into_temp_path(), destination, true)?;
            }
            done => done?,
        },
    }
    if durable && let Some(directory) = destination.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Renames a temporary path into place.
fn publish_path(path: TempPath, destination: &Path, overwrite: bool) -> io::Result<()> {
    if overwrite {
        path.persist(destination).map_err(|failed| failed.error)
    } else {
        path.persist_noclobber(destination)
            .map_err(|failed| failed.error)
    }
}

/// Files without a name.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;
    use std::sync::LazyLock;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

    /// A name can only be given through this directory.
    static HAS_PROC: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/self/fd").is_dir());

    /// A file in a directory; none if that is not possible there.
    pub(super) fn create(directory: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        // Whatever else is wrong shows when a named file is made.
        HAS_PROC
            .then(|| open(directory, flags, mode).ok())
            .flatten()
            .map(File::from)
    }

    /// Gives it a name that is not taken.
    pub(super) fn link(file: &File, name: &Path) -> io::Result<()> {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(linkat(CWD, link, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create(_directory: &Path) -> Option<File> {
        None
    }

    pub(super) fn link(_file: &File, _name: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

//! Atomic creation of files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;
use uuid::Uuid;

/// What the owner, the group and others may do with a new file, before the umask takes its part.
const MODE: u32 = 0o666;

/// How often something is tried that other processes, which write the same file, may undo.
const ATTEMPTS: usize = 64;

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
    Named(Named),
}

impl NewFile {
    pub(super) fn as_file(&self) -> &File {
        match self {
            Self::Unnamed(file) | Self::Named(Named { file, .. }) => file,
        }
    }

    pub(super) fn as_file_mut(&mut self) -> &mut File {
        match self {
            Self::Unnamed(file) | Self::Named(Named { file, .. }) => file,
        }
    }
}

/// A new file in the directory of `destination`.
pub(super) fn temporary_beside(destination: &Path) -> io::Result<NewFile> {
    let directory = destination.parent().unwrap_or(Path::new("."));
    match unnamed::create(directory) {
        Some(file) => Ok(NewFile::Unnamed(file)),
        None => Named::beside(destination).map(NewFile::Named),
    }
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
        NewFile::Named(named) => named.publish(destination, overwrite)?,
        NewFile::Unnamed(file) => match unnamed::link(&file, destination) {
            Err(error) if overwrite && error.kind() == io::ErrorKind::AlreadyExists => {
                replace(destination, |at| unnamed::link(&file, at))?;
            }
            done => done?,
        },
    }
    if durable && let Some(directory) = destination.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Puts what `make` makes, whole and at once, in the place of `destination`: beside it first, then
/// renamed over it.
///
/// The name in between is always the same one for a destination, and whoever finds something there
/// puts it in its place. So what a killed process left is gone as soon as the destination is
/// written again, which whoever takes over from it does; and of several processes that replace one
/// file none undoes what another made.
pub(super) fn replace(
    destination: &Path,
    make: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary_name(destination, "");
    for _ in 0..ATTEMPTS {
        match make(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                put_in_place(&temporary, destination)?;
            }
            made => {
                made?;
                return put_in_place(&temporary, destination);
            }
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Renames a finished file; nothing is to be done when another process did.
fn put_in_place(temporary: &Path, destination: &Path) -> io::Result<()> {
    let renamed = fs::rename(temporary, destination);
    // A rename onto another name of the same file does nothing, and leaves both names.
    let left = match found(destination)? {
        Some(put) => renamed.is_err() || is_at(&put, temporary)?,
        None => renamed.is_err(),
    };
    if left {
        remove(temporary)?;
    }
    match renamed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Where what is to become `destination` is kept until then.
fn temporary_name(destination: &Path, suffix: &str) -> PathBuf {
    // Not the name itself, which may be as long as the file system allows.
    let name = destination.file_name().unwrap_or(OsStr::new(""));
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes());
    destination.with_file_name(format!(".butler-{}{suffix}", digest.simple()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A new file under a temporary name.
///
/// Like that of [`replace`] the name is always the same one for a destination, and the file is
/// locked, so that one that a killed process left is used again and one that is being written is
/// not.
#[derive(Debug)]
pub(super) struct Named {
    // First, to be removed while it is locked.
    path: TempPath,
    file: File,
}

impl Named {
    fn beside(destination: &Path) -> io::Result<Self> {
        let path = temporary_name(destination, ".part");
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(MODE)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file.metadata()?, &path)? => {
                    file.set_len(0)?;
                    let path = TempPath::try_from_path(path)?;
                    return Ok(Self { path, file });
                }
                // Its owner finished it between the two calls.
                Ok(()) => {}
                // Someone else writes the same file, or the file system has no locks.
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => break,
            }
        }
        let directory = destination.parent().unwrap_or(Path::new("."));
        let (file, path) = tempfile::Builder::new()
            .prefix(".butler-")
            .rand_bytes(12)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(directory)?
            .into_parts();
        Ok(Self { path, file })
    }

    fn publish(self, destination: &Path, overwrite: bool) -> io::Result<()> {
        let renamed = if overwrite {
            self.path.persist(destination)
        } else {
            self.path.persist_noclobber(destination)
        };
        renamed.map_err(|failed| failed.error)
    }
}

/// Whether a path is a name of a known file.
fn is_at(known: &Metadata, path: &Path) -> io::Result<bool> {
    let same = |found: Metadata| (found.dev(), found.ino()) == (known.dev(), known.ino());
    Ok(found(path)?.is_some_and(same))
}

/// What is at a path, if anything.
fn found(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
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

    use super::MODE;

    /// A name can only be given through this directory.
    static HAS_PROC: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/self/fd").is_dir());

    /// A file in a directory; none if that is not possible there.
    pub(super) fn create(directory: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(MODE);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn named(destination: &Path, content: &str) -> Named {
        let mut named = Named::beside(destination).unwrap();
        named.file.write_all(content.as_bytes()).unwrap();
        named
    }

    #[test]
    fn what_a_killed_process_left_is_gone_when_the_file_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a");
        fs::write(&target, "old").unwrap();
        fs::write(temporary_name(&target, ""), "another's").unwrap();
        fs::write(temporary_name(&target, ".part"), "a long part of another's").unwrap();

        replace(&target, |at| symlink("elsewhere", at)).unwrap();
        assert_eq!(fs::read_link(&target).unwrap(), Path::new("elsewhere"));
        named(&target, "new").publish(&target, true).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(names(directory.path()), ["a"]);
    }

    #[test]
    fn two_that_write_one_file_write_two_files() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a");
        let (first, second) = (named(&target, "first"), named(&target, "second"));
        let third = named(&target, "third");
        first.publish(&target, false).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");
        let refused = third.publish(&target, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        second.publish(&target, true).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "second");
        assert_eq!(names(directory.path()), ["a"]);
    }

    #[test]
    fn many_that_replace_one_file_leave_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a");
        fs::write(&target, "old").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut file = temporary_beside(&target).unwrap();
                        file.as_file_mut().write_all(b"new").unwrap();
                        publish(file, &target, true, false).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(names(directory.path()), ["a"]);
    }
}

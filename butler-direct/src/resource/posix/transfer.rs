//! Bringing a local file to another local place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::write::{KnownDirectories, publish, replace, temporary_beside};
use crate::resource::error::Result;
use crate::resource::{ResourceError, ResourcePath, TransferMode, Transferred};

/// Files up to this many bytes are copied through memory.
const SMALL: u64 = 64 << 10;

/// Performs transfers between local files, one after another, in the calling thread.
#[derive(Debug)]
pub(in crate::resource) struct LocalTransfer {
    directories: KnownDirectories,
    durable: bool,
}

impl LocalTransfer {
    /// Transfers whose copies are forced to the disk if `durable`.
    pub(in crate::resource) fn new(durable: bool) -> Self {
        Self {
            directories: KnownDirectories::default(),
            durable,
        }
    }

    /// Transfers one file. Links and renames act on the file that symbolic links in the source
    /// lead to; a symbolic link at the destination is replaced, never followed.
    pub(in crate::resource) fn run(
        &mut self,
        from: &ResourcePath,
        to: &ResourcePath,
        mode: TransferMode,
        overwrite: bool,
    ) -> Result<Transferred> {
        let (Some(source), Some(target)) = (from.local_path(), to.local_path()) else {
            return Err(unsupported(
                from,
                to,
                mode,
                "both ends have to be local files",
            ));
        };
        let existing = match fs::symlink_metadata(&target) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(ResourceError::io(to, "inspect")(error)),
        };
        if let Some(existing) = &existing {
            let other =
                fs::symlink_metadata(&source).map_err(ResourceError::io(from, "inspect"))?;
            if (existing.dev(), existing.ino()) == (other.dev(), other.ino()) {
                return Ok(Transferred::SameFile);
            }
            if !overwrite {
                return Err(ResourceError::AlreadyExists {
                    uri: to.to_string(),
                });
            }
            if existing.is_dir() {
                return Err(ResourceError::IsADirectory {
                    uri: to.to_string(),
                });
            }
        }
        let found = fs::metadata(&source).map_err(ResourceError::io(from, "inspect"))?;
        if found.is_dir() {
            return Err(ResourceError::IsADirectory {
                uri: from.to_string(),
            });
        }
        self.directories
            .make_parent(&target)
            .map_err(ResourceError::io(to, "make the directory of"))?;

        let mode = if mode == TransferMode::Auto {
            TransferMode::Link
        } else {
            mode
        };
        let replacing = existing.is_some();
        let failed = ResourceError::io(to, "write");
        match mode {
            TransferMode::Copy => {
                // Tell an unreadable source from an unwritable destination.
                let input = File::open(&source).map_err(ResourceError::io(from, "read"))?;
                self.copy(input, &target, overwrite).map_err(failed)?;
            }
            TransferMode::Move => {
                let real = real_path(from, &source)?;
                self.rename(&real, &target, overwrite).map_err(failed)?;
            }
            TransferMode::Link => {
                let real = real_path(from, &source)?;
                install(&target, replacing, |at| {
                    fs::hard_link(&real, at).or_else(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => Err(error),
                        _ => symlink(&real, at),
                    })
                })
                .map_err(failed)?;
            }
            TransferMode::Hardlink => {
                let real = real_path(from, &source)?;
                install(&target, replacing, |at| fs::hard_link(&real, at)).map_err(failed)?;
            }
            TransferMode::Symlink => {
                let real = real_path(from, &source)?;
                install(&target, replacing, |at| symlink(&real, at)).map_err(failed)?;
            }
            TransferMode::RelSymlink => {
                let real = real_path(from, &source)?;
                let directory = target.parent().unwrap_or(Path::new("/"));
                let directory =
                    fs::canonicalize(directory).map_err(ResourceError::io(to, "resolve"))?;
                let relative = relative_path(&real, &directory);
                install(&target, replacing, |at| symlink(&relative, at)).map_err(failed)?;
            }
            TransferMode::Auto | TransferMode::Direct => {
                return Err(unsupported(
                    from,
                    to,
                    mode,
                    "nothing is transferred in this mode; only a datastore can use it",
                ));
            }
        }
        Ok(Transferred::Done(mode))
    }

    fn copy(&self, mut input: File, target: &Path, overwrite: bool) -> io::Result<()> {
        let found = input.metadata()?;
        let mut output = temporary_beside(target)?;
        if found.len() <= SMALL {
            // Cheaper than asking the kernel to do it when there is little to copy.
            let mut data = Vec::with_capacity(SMALL as usize + 1);
            Read::by_ref(&mut input)
                .take(SMALL + 1)
                .read_to_end(&mut data)?;
            output.as_file_mut().write_all(&data)?;
        }
        io::copy(&mut input, output.as_file_mut())?;
        output.as_file().set_permissions(found.permissions())?;
        publish(output, target, overwrite, self.durable)
    }

    fn rename(&self, real: &Path, target: &Path, overwrite: bool) -> io::Result<()> {
        let renamed = if overwrite {
            fs::rename(real, target)
        } else {
            // Unlike a rename, a link never replaces what another process just put there.
            fs::hard_link(real, target).and_then(|()| fs::remove_file(real))
        };
        match renamed {
            Ok(()) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                ) =>
            {
                Err(error)
            }
            // Another file system, or one without hard links.
            Err(_) => {
                self.copy(File::open(real)?, target, overwrite)?;
                fs::remove_file(real)
            }
        }
    }
}

/// Makes a link at `target`, in the place of what is there if there is to be any.
fn install(
    target: &Path,
    replacing: bool,
    make: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    if replacing {
        replace(target, make)
    } else {
        make(target)
    }
}

fn real_path(from: &ResourcePath, source: &Path) -> Result<PathBuf> {
    fs::canonicalize(source).map_err(ResourceError::io(from, "resolve"))
}

/// The way from one absolute directory to an absolute path.
fn relative_path(path: &Path, from: &Path) -> PathBuf {
    let common = path
        .components()
        .zip(from.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(path.components().skip(common)).collect();
    if way.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        way
    }
}

fn unsupported(
    from: &ResourcePath,
    to: &ResourcePath,
    mode: TransferMode,
    reason: &'static str,
) -> ResourceError {
    ResourceError::UnsupportedTransfer {
        mode,
        from: from.to_string(),
        to: to.to_string(),
        reason,
    }
}

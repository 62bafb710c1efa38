//! Where the demo's repository is: made once, whole or not at all, and used again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use butler_core::progress::Progress;

use super::fill;
use crate::failure::{Failure, Outcome};

/// What the repository's contents are a version of; a repository with another one is made anew.
const VERSION: &str = "1";
/// The file in the repository's directory that holds the version.
const MARK: &str = "butler-demo-version";

/// The repository, ready to be used.
#[derive(Debug)]
pub(crate) struct Demo {
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// How long it took to make it; none if it was there.
    pub(crate) made_in: Option<Duration>,
}

/// The directory if none is named: among the data of the user's programs.
pub(crate) fn default_directory() -> Outcome<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = variable("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    let data = data.ok_or_else(|| {
        Failure::new("there is no home directory to make the demo in")
            .hint("--directory names a place for it")
    })?;
    Ok(data.join("butler/demo"))
}

/// Makes the repository if it is not there. It is made beside its place and moved there at the end,
/// so that an attempt that ended early leaves nothing that looks like it. Of two attempts at once,
/// one waits for the other.
pub(crate) async fn prepare(directory: &Path, progress: &dyn Progress) -> Outcome<Demo> {
    let fail = |what: &str, path: &Path, error: std::io::Error| {
        Failure::new(format!("cannot {what} {}: {error}", path.display()))
    };
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|error| fail("make", parent, error))?;
    let parent = parent
        .canonicalize()
        .map_err(|error| fail("find", parent, error))?;
    let name = directory.file_name().ok_or_else(|| {
        Failure::Usage(format!(
            "{} is no place for the demo: it has no name",
            directory.display()
        ))
    })?;
    let directory = parent.join(name);
    let beside = |suffix: &str| {
        let mut path = directory.clone().into_os_string();
        path.push(suffix);
        PathBuf::from(path)
    };
    let lock_path = beside(".lock");
    let lock = File::create(&lock_path).map_err(|error| fail("make", &lock_path, error))?;
    lock.lock()
        .map_err(|error| fail("lock", &lock_path, error))?;
    let there = fs::read_to_string(directory.join(MARK)).ok();
    if there.as_deref() == Some(VERSION) {
        return Ok(Demo {
            directory,
            made_in: None,
        });
    }
    if there.is_some() {
        fs::remove_dir_all(&directory).map_err(|error| fail("remove", &directory, error))?;
    } else if fs::read_dir(&directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!(
            "{} is not empty, and not the demo's repository",
            directory.display()
        ))
        .hint("--directory names another place"));
    }
    let start = Instant::now();
    let partial = beside(".partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|error| fail("remove", &partial, error))?;
    }
    let root = partial
        .to_str()
        .ok_or_else(|| Failure::new(format!("{} is no text", partial.display())))?;
    fill(root, progress).await?;
    let mark = partial.join(MARK);
    fs::write(&mark, VERSION).map_err(|error| fail("write", &mark, error))?;
    fs::rename(&partial, &directory).map_err(|error| fail("make", &directory, error))?;
    Ok(Demo {
        directory,
        made_in: Some(start.elapsed()),
    })
}

//! `butler-server private-copies`, for init containers.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use butler_core::{Error, Result};
use clap::Args;

/// The arguments of `private-copies`.
#[derive(Debug, Args)]
pub struct PrivateCopies {
    /// Where the files are.
    pub from: PathBuf,
    /// Where they go, in place of files of the same names.
    pub to: PathBuf,
}

impl PrivateCopies {
    pub(super) fn run(self) -> Result<ExitCode> {
        let entries = match fs::read_dir(&self.from) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => return Err(failed(&self.from, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&self.from, error))?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || !entry.path().is_file() {
                continue;
            }
            copy(&entry.path(), &self.to.join(name))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let content = fs::read(from).map_err(|error| failed(from, error))?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed(to, error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o400);
    let written = options
        .open(to)
        .and_then(|mut file| file.write_all(&content));
    written.map_err(|error| failed(to, error))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(path.display().to_string(), error)
}

//! The option that says how files get to their place.

use butler_direct::ops::export::ExportFiles;
use butler_direct::resource::{ResourcePath, TransferMode};
use clap::{Args, ValueEnum};

/// How files get to their place.
#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// How files get to their place
    #[arg(short, long, value_name = "MODE", value_enum, ignore_case = true, default_value_t = Mode::Auto)]
    transfer: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    Auto,
    Link,
    Symlink,
    Hardlink,
    Copy,
    Move,
    Relsymlink,
    Direct,
}

impl Transfer {
    /// How files are exported to a directory.
    pub(crate) fn of_export(&self, directory: &ResourcePath) -> ExportFiles {
        match self.mode() {
            TransferMode::Direct => ExportFiles::Direct,
            mode => ExportFiles::Transfer(directory.clone(), mode),
        }
    }

    /// The mode.
    pub(crate) const fn mode(&self) -> TransferMode {
        match self.transfer {
            Mode::Auto => TransferMode::Auto,
            Mode::Link => TransferMode::Link,
            Mode::Symlink => TransferMode::Symlink,
            Mode::Hardlink => TransferMode::Hardlink,
            Mode::Copy => TransferMode::Copy,
            Mode::Move => TransferMode::Move,
            Mode::Relsymlink => TransferMode::RelSymlink,
            Mode::Direct => TransferMode::Direct,
        }
    }
}

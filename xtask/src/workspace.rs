//! Where things are, and how Cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the workspace: of the one that Cargo runs this program for, so that checkouts may share a
/// target directory.
pub(crate) fn root() -> PathBuf {
    let manifest_dir =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest_dir)
        .parent()
        .expect("the manifest of xtask is in a folder of the workspace")
        .to_owned()
}

/// Cargo's target directory: this program runs from `<target>/<profile>/xtask`.
pub(crate) fn target_dir() -> Result<PathBuf, String> {
    let exe = env::current_exe().map_err(|error| format!("cannot find my own path: {error}"))?;
    exe.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is not in a target directory", exe.display()))
}

/// A call of Cargo in the workspace's root.
///
/// What `cargo run` has told this program about itself is not handed on: build scripts that watch those
/// variables would run again each time that `cargo test` and `cargo xtask test` alternate.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    forget_own_package(&mut command);
    command
}

/// Removes the variables with which Cargo describes the package of xtask.
pub(crate) fn forget_own_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || [
                "CARGO_BIN_NAME",
                "CARGO_CRATE_NAME",
                "CARGO_PRIMARY_PACKAGE",
            ]
            .contains(&name)
        {
            command.env_remove(name);
        }
    }
}

/// What went wrong with a file or directory.
pub(crate) fn fault(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

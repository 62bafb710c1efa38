//! Installs missing system packages where that is possible: as root on Debian and its kin.

use crate::process;
use std::process::Command;

/// Installs `packages`. `purpose` completes the sentence "… is missing" when it cannot.
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<(), String> {
    let names = packages.join(" ");
    if process::output(Command::new("apt-get").arg("--version")).is_err() {
        return Err(format!(
            "{purpose} is missing; install it (Debian's packages: {names})"
        ));
    }
    if !process::is_root() {
        return Err(format!(
            "{purpose} is missing; install it: sudo apt-get install {names}"
        ));
    }
    println!("xtask: {purpose} is missing: apt-get install {names}");
    // A refresh can fail for one broken source of several; whether the install works decides.
    let refreshed = process::output(apt_get().arg("update"));
    process::output(
        apt_get()
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    )
    .map(drop)
    .map_err(|error| match refreshed {
        Ok(_) => error,
        Err(refresh_error) => format!("{error}\nbefore that: {refresh_error}"),
    })
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-o", "Acquire::Retries=3"]);
    command
}

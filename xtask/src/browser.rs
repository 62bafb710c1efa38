//! Chromium and the program that drives it, for tests of web pages.

use crate::{apt, process};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Names the driver; taken over where it is set.
pub(crate) const DRIVER_VARIABLE: &str = "BUTLER_TEST_CHROMEDRIVER";

/// The driver on the path; it is installed together with the browser where it is missing. Also returns
/// a summary for people.
pub(crate) fn prepare() -> Result<(PathBuf, String), String> {
    if let Some(driver) = env::var_os(DRIVER_VARIABLE) {
        let driver = PathBuf::from(driver);
        let summary = format!("{} (from {DRIVER_VARIABLE})", driver.display());
        return Ok((driver, summary));
    }
    let driver = PathBuf::from("chromedriver");
    let version = || process::output(Command::new(&driver).arg("--version"));
    let found = match version() {
        Ok(found) => found,
        Err(_) => {
            let packages = ["chromium", "chromium-driver"];
            apt::install(&packages, "Chromium with its driver")?;
            version()?
        }
    };
    let summary = found.split(" (").next().unwrap_or_default().to_owned();
    Ok((driver, summary))
}

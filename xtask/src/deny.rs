//! What `cargo deny` says of the dependencies.

use crate::phase::phase;
use crate::workspace::fault;
use crate::{process, tools, workspace};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a clone of RustSec's database of advisories.
const DATABASE_VARIABLE: &str = "BUTLER_ADVISORY_DB";

/// What cargo-deny calls its copy of that database.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// Licences, duplicates, sources, versions that were taken back, and advisories.
///
/// The database of advisories is in a Git repository, which a machine that reaches only package registries cannot fetch.
/// Unless `BUTLER_ADVISORY_DB` names a clone of it, a database stands in that has what `deny.toml` knows of.
pub(crate) fn check() -> Result<(), String> {
    let program = phase("cargo-deny", tools::cargo_deny)?;
    phase("deny", || {
        run(
            &program,
            &workspace::root().join("deny.toml"),
            &["licenses", "bans", "sources"],
        )?;
        Ok(((), "licences, duplicates and sources clean".to_owned()))
    })?;
    phase("advisories", || {
        let home = workspace::target_dir()?.join("tools/advisories");
        let which = database(&home)?;
        let config = configuration(&home)?;
        run(&program, &config, &["advisories"])?;
        Ok((
            (),
            format!("clean by {which}, and no version was taken back"),
        ))
    })
}

fn run(program: &Path, config: &Path, checks: &[&str]) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .args(["--offline", "--log-level", "error", "--config"])
        .arg(config)
        .arg("check")
        .args(checks);
    process::run(&mut command)
}

/// Puts the database where cargo-deny looks for it, and says which one it is.
fn database(home: &Path) -> Result<String, String> {
    let copy = home.join(DATABASE);
    if copy.exists() {
        fs::remove_dir_all(&copy).map_err(|error| fault(&copy, &error))?;
    }
    fs::create_dir_all(home).map_err(|error| fault(home, &error))?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&copy).args(arguments);
        process::output(&mut command)
    };
    let which = match env::var_os(DATABASE_VARIABLE) {
        Some(original) => {
            let mut clone = Command::new("git");
            clone.args(["clone", "--quiet"]).arg(&original).arg(&copy);
            process::output(&mut clone)?;
            git(&["log", "-1", "--format=RustSec's database of %cs"])?
        }
        None => {
            let crates = copy.join("crates");
            for entry in entries(&workspace::root().join("xtask/advisories"))? {
                for advisory in entries(&entry)? {
                    let package = crates.join(entry.file_name().unwrap_or_default());
                    fs::create_dir_all(&package).map_err(|error| fault(&package, &error))?;
                    let to = package.join(advisory.file_name().unwrap_or_default());
                    fs::copy(&advisory, &to).map_err(|error| fault(&to, &error))?;
                }
            }
            git(&["init", "--quiet"])?;
            git(&["add", "--all"])?;
            let nobody = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
            git(&[
                &nobody[..],
                &["commit", "--quiet", "--message", "Known advisories"],
            ]
            .concat())?;
            format!("known advisories alone ({DATABASE_VARIABLE} names no clone of RustSec's)")
        }
    };
    // Its age is that of the last fetch.
    git(&["fetch", "--quiet", ".", "HEAD"])?;
    Ok(which)
}

/// The configuration with the place of the database.
fn configuration(home: &Path) -> Result<PathBuf, String> {
    let original = workspace::root().join("deny.toml");
    let text = fs::read_to_string(&original).map_err(|error| fault(&original, &error))?;
    let place = format!("[advisories]\ndb-path = {:?}\n", home.display().to_string());
    let path = home.join("deny.toml");
    fs::write(&path, text.replacen("[advisories]\n", &place, 1))
        .map_err(|error| fault(&path, &error))?;
    Ok(path)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let found = fs::read_dir(directory).map_err(|error| fault(directory, &error))?;
    let paths = found.map(|entry| entry.map(|entry| entry.path()));
    paths
        .collect::<Result<_, _>>()
        .map_err(|error| fault(directory, &error))
}

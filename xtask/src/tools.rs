//! Programs that are taken from the path, else built into the target directory, once.

use crate::{process, workspace};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names Helm's program; taken over where it is set.
pub(crate) const HELM_VARIABLE: &str = "BUTLER_TEST_HELM";

/// A program that is built if there is none.
struct Tool {
    name: &'static str,
    /// With which it tells its version.
    version_arguments: &'static [&'static str],
    /// How its version begins, of those that will do.
    versions: &'static [&'static str],
    /// Builds it into a directory's `bin`.
    build: fn(&Path) -> Command,
}

/// The cargo-deny on the path, else one that is built.
pub(crate) fn cargo_deny() -> Result<(PathBuf, String), String> {
    Tool {
        name: "cargo-deny",
        version_arguments: &["--version"],
        versions: &["cargo-deny "],
        build: |tools| {
            let mut command = workspace::cargo();
            command
                .args(["install", "cargo-deny", "--locked", "--quiet", "--no-track"])
                .args(["--version", "0.20.2", "--debug", "--root"])
                .arg(tools)
                .env("CARGO_TARGET_DIR", tools.join("build"));
            command
        },
    }
    .ready()
}

/// The Helm of [`HELM_VARIABLE`], else the one on the path, else one that is built, which needs Go.
pub(crate) fn helm() -> Result<(PathBuf, String), String> {
    if let Some(program) = env::var_os(HELM_VARIABLE) {
        let program = PathBuf::from(program);
        let summary = format!("{} (from {HELM_VARIABLE})", program.display());
        return Ok((program, summary));
    }
    Tool {
        name: "helm",
        version_arguments: &["version", "--template", "{{.Version}}"],
        versions: &["v3.", "v4."],
        build: |tools| {
            // Without debug information linking takes half the time.
            let mut command = Command::new("go");
            command
                .args(["install", "-ldflags=-s -w", "-trimpath"])
                .arg("helm.sh/helm/v3/cmd/helm@v3.22.0")
                .env("GOBIN", tools.join("bin"))
                .env("GOFLAGS", "")
                .env("CGO_ENABLED", "0");
            command
        },
    }
    .ready()
}

impl Tool {
    fn ready(&self) -> Result<(PathBuf, String), String> {
        let tools = workspace::target_dir()?.join("tools");
        let own = tools.join("bin").join(self.name);
        for program in [Path::new(self.name), &own] {
            if let Some(version) = self.version(program) {
                return Ok((program.to_owned(), version));
            }
        }
        process::output(&mut (self.build)(&tools))?;
        match self.version(&own) {
            Some(version) => Ok((own, format!("{version} (built)"))),
            None => Err(format!("{} does not run", own.display())),
        }
    }

    /// The version of a program, if it is there and one that will do.
    fn version(&self, program: &Path) -> Option<String> {
        let version = process::output(Command::new(program).args(self.version_arguments)).ok()?;
        self.versions
            .iter()
            .any(|begin| version.starts_with(begin))
            .then_some(version)
    }
}

//! Runs the scripts of `tests/python` with the reference implementation.

mod host;

use crate::provided;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The Python interpreter that has the reference implementation.
///
/// # Panics
/// When `BUTLER_TEST_PYTHON` is not set.
#[must_use]
pub fn interpreter() -> PathBuf {
    provided("BUTLER_TEST_PYTHON").into()
}

/// The directory of the scripts.
#[must_use]
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// The interpreter with a script of `tests/python`, which leaves no files beside it and is not warned.
fn python(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command
        .arg(scripts().join(name))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore")
        .env_remove("PYTHONPATH");
    command
}

/// A script that is going to run: arguments, variables, input.
#[derive(Debug)]
pub struct Script {
    name: String,
    command: Command,
    input: Vec<u8>,
    /// An empty home, so that neither settings of a person nor a home that cannot be read matter.
    home: TempDir,
}

impl Script {
    /// Prepares `tests/python/<name>`.
    ///
    /// # Panics
    /// When `BUTLER_TEST_PYTHON` is not set.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = python(name);
        command
            .env("HOME", home.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_CACHE_HOME");
        Self {
            name: name.to_owned(),
            command,
            input: Vec::new(),
            home,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets environment variables, for example those of [`crate::s3::S3Server::environment`].
    #[must_use]
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Gives the script a JSON document on its standard input (empty otherwise).
    #[must_use]
    pub fn input(mut self, document: &Value) -> Self {
        self.input = document.to_string().into_bytes();
        self
    }

    /// Runs it to its end and returns the JSON document that it printed. Blocks the thread.
    ///
    /// # Panics
    /// When it fails or prints something else; its standard error is in the message.
    pub fn run(self) -> Value {
        let name = self.name.clone();
        let output = self.output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{name} ended with {}:\n{stdout}\n{stderr}",
            output.status
        );
        serde_json::from_str(&stdout).unwrap_or_else(|error| {
            panic!("{name} did not print JSON ({error}):\n{stdout}\n{stderr}")
        })
    }

    /// The command that runs it, for those who talk to it meanwhile; without input. The home it has
    /// is empty, and gone with the second value.
    #[must_use]
    pub fn into_command(self) -> (Command, TempDir) {
        (self.command, self.home)
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn output(self) -> Output {
        host::output(&self.command, &self.input)
    }
}

/// Runs a script with arguments and a JSON document as its input, and returns the JSON that it prints.
///
/// # Panics
/// As [`Script::run`].
pub fn run_script<I>(name: &str, arguments: I, input: &Value) -> Value
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    Script::new(name).args(arguments).input(input).run()
}

/// Steps of `write_repo.py` that make collections of all types of what `datasets.yaml` has.
#[must_use]
pub fn collection_steps() -> Value {
    json!([
        {"do": "collection", "name": "tag", "type": "TAGGED", "doc": "Some biases."},
        {"do": "associate", "collection": "tag", "dataset_type": "bias", "run": "imported_g"},
        {"do": "collection", "name": "calib", "type": "CALIBRATION"},
        {"do": "certify", "collection": "calib", "dataset_type": "flat", "run": "imported_r",
         "begin": "2020-01-01T00:00:00", "end": "2020-02-01T00:00:00"},
        {"do": "collection", "name": "chain", "type": "CHAINED"},
        {"do": "collection", "name": "outer", "type": "CHAINED", "doc": "Chains of chains."},
        {"do": "chain", "name": "chain", "children": ["tag", "imported_r"]},
        {"do": "chain", "name": "outer", "children": ["chain", "imported_g"]},
        {"do": "type", "name": "document", "dimensions": ["detector", "exposure"],
         "storage_class": "StructuredDataDict"},
    ])
}

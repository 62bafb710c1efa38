//! Python virtual environments with pinned packages: the reference implementation, and what tests servers.

use crate::{apt, process, workspace};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names under which a Python may be found, the best first.
const PYTHONS: [&str; 6] = [
    "python3.12",
    "python3.11",
    "python3.13",
    "python3.14",
    "python3",
    "python",
];

/// A virtual environment.
pub(crate) struct Environment {
    /// Names the interpreter; taken over where it is set.
    pub(crate) variable: &'static str,
    /// Moves the environment from its directory below Cargo's target directory.
    home_variable: &'static str,
    directory: &'static str,
    /// What is installed, in `tests/python`.
    requirements: &'static str,
    /// Imports when the environment is sound.
    module: &'static str,
}

/// The reference implementation.
pub(crate) const REFERENCE: Environment = Environment {
    variable: "BUTLER_TEST_PYTHON",
    home_variable: "BUTLER_TEST_VENV",
    directory: "test-venv",
    requirements: "requirements.txt",
    module: "lsst.daf.butler.version",
};

/// Schemathesis, whose requirements are not those of the reference.
pub(crate) const SCHEMATHESIS: Environment = Environment {
    variable: "BUTLER_TEST_SCHEMATHESIS",
    home_variable: "BUTLER_TEST_SCHEMATHESIS_VENV",
    directory: "schemathesis-venv",
    requirements: "requirements-schemathesis.txt",
    module: "schemathesis",
};

/// What checks manifests of Kubernetes, the compose file and the Dockerfile.
pub(crate) const DEPLOY: Environment = Environment {
    variable: "BUTLER_TEST_DEPLOY_PYTHON",
    home_variable: "BUTLER_TEST_DEPLOY_VENV",
    directory: "deploy-venv",
    requirements: "requirements-deploy.txt",
    module: "kubernetes_validate",
};

impl Environment {
    /// Makes it ready and returns its interpreter.
    ///
    /// A copy of the requirements is its stamp: as long as they are unchanged and its module imports, the
    /// environment is used as it is.
    pub(crate) fn prepare(&self) -> Result<(PathBuf, String), String> {
        if let Some(python) = env::var_os(self.variable) {
            let python = PathBuf::from(python);
            let summary = format!("{} (from {})", python.display(), self.variable);
            return Ok((python, summary));
        }
        let home = match env::var_os(self.home_variable) {
            Some(path) => env::current_dir()
                .map_err(|error| error.to_string())?
                .join(path),
            None => workspace::target_dir()?.join(self.directory),
        };
        let requirements = workspace::root()
            .join("tests/python")
            .join(self.requirements);
        let wanted = read(&requirements)?;
        let python = home.join("bin/python");
        let stamp = home.join("butler-requirements.txt");

        let _lock = lock(&home)?;
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted)
            && works(&home, &python, self.module)
        {
            return Ok((python, format!("{} (as it was)", home.display())));
        }
        if home.exists() {
            fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        }
        create(&home)?;
        process::output(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(["--no-input", "--no-deps", "--retries", "5", "-r"])
                .arg(&requirements),
        )?;
        process::output(Command::new(&python).args(["-m", "pip", "check"]))?;
        fs::write(&stamp, &wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
        Ok((python, format!("{} (made)", home.display())))
    }
}

/// Creates an empty environment, installing Python's `venv` where it is missing.
fn create(home: &Path) -> Result<(), String> {
    let base = match find_python() {
        Some(base) => base,
        None => {
            apt::install(&["python3", "python3-venv"], "Python 3.11 or newer")?;
            find_python().ok_or("the Python that was installed is older than 3.11")?
        }
    };
    let venv = || {
        process::output(
            Command::new(&base)
                .args(["-m", "venv", "--clear"])
                .arg(home),
        )
    };
    if venv().is_ok() {
        return Ok(());
    }
    // Debian keeps venv's parts in a package of their own, one for each version of Python.
    let version = process::output(Command::new(&base).args([
        "-c",
        "import sys; print('python%d.%d-venv' % sys.version_info[:2])",
    ]))?;
    apt::install(&[&version], &format!("the venv module of {base}"))?;
    venv().map(drop)
}

/// The first Python that is new enough for the reference implementation.
fn find_python() -> Option<String> {
    let enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    PYTHONS
        .iter()
        .find(|name| process::output(Command::new(name).args(["-c", enough])).is_ok())
        .map(|name| (*name).to_owned())
}

/// Tells whether a module imports, whatever the caller's home is: astropy insists on reading it.
fn works(home: &Path, python: &Path, module: &str) -> bool {
    process::output(
        Command::new(python)
            .args(["-c", &format!("import {module}")])
            .env("HOME", home),
    )
    .is_ok()
}

/// Keeps two runs from making the same environment at once; released when dropped.
fn lock(home: &Path) -> Result<fs::File, String> {
    let path = home.with_extension("lock");
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    }
    let file = fs::File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.lock()
        .map_err(|error| format!("cannot lock {}: {error}", path.display()))?;
    Ok(file)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

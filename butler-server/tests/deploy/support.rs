//! The tools that deployments are checked with, and what is deployed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use butler_tests::server::Program;
use serde_json::Value;

/// The oldest and the newest Kubernetes that the charts are for.
const KUBERNETES: [&str; 2] = ["1.30", "1.37"];

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the workspace.
pub(crate) fn read(path: &str) -> String {
    let path = workspace().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The server's executable.
pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_butler-server").into()
}

/// The server, to be set up.
pub(crate) fn ours() -> Program {
    Program::Ours(program())
}

/// Runs a sub-command of the server's executable, with nothing of the caller's environment.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(program())
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap()
}

/// The charts' names.
pub(crate) const CHARTS: [&str; 3] = ["butler", "butler-writer", "prompt-publication"];

/// The value files that come with a chart for its tests.
pub(crate) fn value_files(chart: &str) -> Vec<PathBuf> {
    let directory = workspace().join("charts").join(chart).join("ci");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 1);
    files
}

/// Runs Helm on a chart with value files.
pub(crate) fn helm(arguments: &[&str], chart: &str, values: &[PathBuf]) -> Output {
    let program = provided("BUTLER_TEST_HELM");
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(workspace().join("charts").join(chart))
        .args(["--namespace", "science", "--kube-version"])
        .arg(format!("{}.0", KUBERNETES[1]))
        .env("HOME", home.path())
        .env_remove("KUBECONFIG");
    for file in values {
        command.arg("--values").arg(file);
    }
    command.output().unwrap()
}

/// What a chart makes of value files, each manifest valid by the schemas of Kubernetes.
pub(crate) fn render(chart: &str, values: &[PathBuf]) -> Vec<Value> {
    let rendered = helm(&["template", chart], chart, values);
    assert!(rendered.status.success(), "{chart}: {}", errors(&rendered));
    let checked = deploy_python(
        &[
            &[
                "check_manifests.py",
                "--schemas",
                "../schemas",
                "--kubernetes",
            ],
            &KUBERNETES[..],
        ]
        .concat(),
        &rendered.stdout,
    );
    assert!(checked.status.success(), "{chart}: {}", errors(&checked));
    serde_json::from_slice(&checked.stdout).unwrap()
}

/// Runs the Python that has what deployments are checked with, in `tests/python`.
pub(crate) fn deploy_python(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(provided("BUTLER_TEST_DEPLOY_PYTHON"))
        .args(arguments)
        .current_dir(workspace().join("tests/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeder = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    output
}

/// What a process has said went wrong.
pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes values to a file, which lives as long as the result.
pub(crate) fn values(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// The manifest of a kind whose name ends so.
pub(crate) fn find<'m>(manifests: &'m [Value], kind: &str, end: &str) -> &'m Value {
    let wanted = |manifest: &&Value| {
        manifest["kind"] == kind
            && manifest["metadata"]["name"]
                .as_str()
                .unwrap()
                .ends_with(end)
    };
    let found = manifests.iter().find(wanted);
    found.unwrap_or_else(|| panic!("no {kind} …{end}"))
}

/// Reads a variable that `cargo xtask test` sets.
pub(crate) fn provided(variable: &str) -> PathBuf {
    let value = std::env::var_os(variable);
    value
        .unwrap_or_else(|| panic!("{variable} is not set: run the tests with `cargo xtask test`"))
        .into()
}

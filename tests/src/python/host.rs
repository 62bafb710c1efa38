//! A process that has the reference implementation imported, and forks to run scripts.

use super::python;
use serde_json::json;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// `tests/python/host.py`, as long as this process lives.
struct Host {
    /// Its standard input stays open until this process ends; then it ends too.
    _process: Child,
    socket: PathBuf,
}

impl Host {
    /// The one of this process, which the first call starts.
    fn get() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(Self::start)
    }

    fn start() -> Self {
        // The host removes it.
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let socket = directory.keep().join("host");
        let mut process = python("host.py")
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python interpreter can be started");
        let mut said = String::new();
        let stdout = process.stdout.take().expect("standard output is a pipe");
        let read = BufReader::new(stdout).read_line(&mut said);
        read.expect("the host of scripts can be heard");
        assert_eq!(said, "ready\n", "the host of scripts does not start");
        Self {
            _process: process,
            socket,
        }
    }
}

/// Runs a script to its end: a command whose first argument is its file, with input.
///
/// # Panics
/// When it cannot be run.
pub(super) fn output(command: &Command, input: &[u8]) -> Output {
    let directory = TempDir::new().expect("a temporary directory can be made");
    let [stdin, stdout, stderr] =
        ["stdin", "stdout", "stderr"].map(|name| directory.path().join(name));
    fs::write(&stdin, input).expect("the input can be written");
    for file in [&stdout, &stderr] {
        File::create(file).expect("a file for the output can be made");
    }
    let text = |value: &OsStr| -> String {
        let value = value.to_str();
        value
            .expect("arguments and variables are Unicode")
            .to_owned()
    };
    let mut environment: BTreeMap<String, String> = env::vars().collect();
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => environment.insert(text(name), text(value)),
            None => environment.remove(&text(name)),
        };
    }
    let order = json!({
        "arguments": command.get_args().map(text).collect::<Vec<_>>(),
        "environment": environment,
        "directory": env::current_dir().expect("there is a working directory"),
        "stdin": stdin,
        "stdout": stdout,
        "stderr": stderr,
    });
    let host = Host::get();
    let mut connection = UnixStream::connect(&host.socket).expect("the host of scripts listens");
    writeln!(connection, "{order}").expect("the host of scripts reads");
    let mut answer = String::new();
    let read = BufReader::new(connection).read_line(&mut answer);
    read.expect("the host of scripts answers");
    let status: i32 = answer
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("the host of scripts broke off {command:?}: {answer}"));
    // As `waitpid` has it: the signal, or the status in the second byte.
    let raw = if status < 0 { -status } else { status << 8 };
    let contents = |file| fs::read(file).expect("the output can be read");
    Output {
        status: ExitStatus::from_raw(raw),
        stdout: contents(&stdout),
        stderr: contents(&stderr),
    }
}

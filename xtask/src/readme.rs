//! The README's commands, run as they are written, by somebody whose home is empty.

use crate::phase::phase;
use crate::{process, workspace};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long the demo may take, with all that has to be built for it.
const LIMIT: Duration = Duration::from_secs(1800);

/// Runs the commands of the README's first block of shell. What is done already is not done again: the
/// tests run before.
pub(crate) fn check() -> Result<(), String> {
    let readme = workspace::root().join("README.md");
    let text =
        fs::read_to_string(&readme).map_err(|error| format!("{}: {error}", readme.display()))?;
    for command in commands(&text)? {
        match command.as_str() {
            "cargo xtask test" => {}
            demo if demo.ends_with(" demo") => phase("demo", || run_demo(demo))?,
            other => return Err(format!("README.md has a command that nobody runs: {other}")),
        }
    }
    Ok(())
}

/// The commands of the first block of shell, without comments.
fn commands(text: &str) -> Result<Vec<String>, String> {
    let block = text
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .ok_or("README.md has no block of shell")?;
    let lines = block
        .lines()
        .map(|line| line.split('#').next().unwrap_or(line));
    Ok(lines.map(|line| line.trim().to_owned()).collect())
}

/// Runs the demo until it answers a browser.
fn run_demo(command: &str) -> Result<((), String), String> {
    let home = workspace::target_dir()?.join("empty-home");
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("exec {command}")])
        .current_dir(workspace::root())
        .env("CARGO_HOME", of_person("CARGO_HOME", ".cargo"))
        .env("RUSTUP_HOME", of_person("RUSTUP_HOME", ".rustup"))
        .env("HOME", &home)
        .env_remove("XDG_DATA_HOME")
        .stdout(Stdio::piped());
    workspace::forget_own_package(&mut shell);
    let child = shell
        .spawn()
        .map_err(|error| format!("cannot start {command}: {error}"))?;
    let mut demo = Demo(child);
    let stdout = demo.0.stdout.take().ok_or("the demo has no output")?;
    let begin = Instant::now();
    let (sender, receiver) = std::sync::mpsc::channel();
    // Reading has no limit of its own; the thread ends with the demo.
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        let left = LIMIT.saturating_sub(begin.elapsed());
        let line = receiver
            .recv_timeout(left)
            .map_err(|_| format!("{command} has not said where its server is"))?;
        let Some(address) = line.strip_prefix("Server      http://") else {
            continue;
        };
        let address = address.split('/').next().unwrap_or(address);
        let page = page(address).map_err(|error| format!("{address}: {error}"))?;
        if !page.contains("<!doctype html>") {
            return Err(format!("{address} has no page: {page}"));
        }
        let repository = home.join(".local/share/butler/demo/butler.yaml");
        if !repository.exists() {
            return Err(format!("{} is not there", repository.display()));
        }
        return Ok(((), format!("{command}: answers")));
    }
}

/// What a browser gets.
fn page(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {address}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    )?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// A directory of the tools, which stays where it is when the home changes.
fn of_person(variable: &str, below_home: &str) -> PathBuf {
    let home = || env::var_os("HOME").unwrap_or_default();
    env::var_os(variable).map_or_else(|| Path::new(&home()).join(below_home), PathBuf::from)
}

/// The demo's process, which ends when dropped.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // Cargo has become the program itself. Both fail only when it has ended already.
        let _ = process::output(Command::new("kill").arg(self.0.id().to_string()));
        let _ = self.0.wait();
    }
}

//! The demo: made once, used again, and sound.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use butler_tests::python::Script;
use serde_json::json;

use crate::support::Place;

/// The program whose lines the demo prints.
#[path = "../../../butler/examples/demo.rs"]
#[allow(dead_code, reason = "it is a program of its own, too")]
mod example;

/// The demo's repository, made once for all tests, beside what an earlier attempt has left.
pub(crate) fn repository() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
        for left in [directory.clone(), directory.with_extension("partial")] {
            if left.exists() {
                fs::remove_dir_all(left).unwrap();
            }
        }
        let partial = directory.with_extension("partial");
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("butler.yaml"), "interrupted").unwrap();
        let done = demo(&directory);
        assert!(done.contains("made in"), "{done}");
        assert!(!partial.exists());
        directory
    })
}

/// Runs `butler demo --no-serve`, which must succeed.
fn demo(directory: &Path) -> String {
    let place = Place::empty();
    let line = format!("demo --no-serve --directory {}", directory.display());
    place.succeed(&line).text().to_owned()
}

/// A server on the demo's repository; stopped with its value.
pub(crate) struct DemoServer {
    child: Child,
    /// `http://127.0.0.1:<port>/`
    pub(crate) page: String,
    /// What it has said.
    pub(crate) guide: String,
}

impl DemoServer {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_butler"))
            .args(["demo", "--port", "0", "--directory"])
            .arg(repository())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut guide = String::new();
        // The last of the lines to be pasted.
        while !guide.contains("query_datasets(\"raw\"") {
            let line = lines.next().unwrap().unwrap();
            guide.push_str(&line);
            guide.push('\n');
        }
        let (_, rest) = guide.split_once("Server      ").unwrap();
        let page = rest.split_whitespace().next().unwrap().to_owned();
        Self { child, page, guide }
    }

    /// The lines below a heading of the guide.
    fn lines(&self, heading: &str) -> String {
        let lines = self
            .guide
            .lines()
            .skip_while(|line| !line.starts_with(heading));
        let lines = lines.skip(1).take_while(|line| !line.is_empty());
        let lines: Vec<&str> = lines.map(|line| line.strip_prefix("  ").unwrap()).collect();
        lines.join("\n")
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_second_time_it_is_there() {
    let done = demo(repository());
    assert!(done.contains("it was there"), "{done}");
}

#[test]
fn what_is_not_the_demo_is_left_alone() {
    let place = Place::empty();
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.tex"), "42").unwrap();
    let done = place.run("demo --no-serve --directory other");
    assert_eq!(done.status, 1, "{}", done.shown());
    assert!(done.stderr.contains("not empty"), "{}", done.stderr);
    assert!(other.join("thesis.tex").exists());
}

#[test]
fn the_reference_and_astropy_find_it_sound() {
    let found = Script::new("check_demo.py").arg(repository()).run();
    assert_eq!(found["problems"], json!([]));
    assert_eq!(found["visits"], 240);
    assert_eq!(found["expired"], 1080);
}

#[test]
fn the_lines_to_be_pasted_work() {
    let server = DemoServer::start();
    let directory = Path::new(env!("CARGO_BIN_EXE_butler")).parent().unwrap();
    let python = butler_tests::python::interpreter();
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        directory.display(),
        python.parent().unwrap().display()
    );
    let home = Place::empty();
    for (heading, expected) in [
        ("curl", "preliminary_visit_image"),
        ("butler", "2025120"),
        ("Python", "psf_fwhm_arcsec"),
    ] {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &server.lines(heading)])
            .env_clear()
            .env("PATH", &path)
            .env("HOME", home.path())
            .output()
            .unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{heading}: {stdout}{stderr}");
        assert!(stdout.contains(expected), "{heading}: {stdout}{stderr}");
    }
}

#[test]
fn the_lines_of_rust_to_be_pasted_work() {
    let server = DemoServer::start();
    let repository = format!("{}api/butler/repo/demo", server.page);
    let printed = server.lines("Rust");
    let (address, lines) = printed.split_once('\n').unwrap();
    assert_eq!(address, format!("let repository = \"{repository}\";"));
    let lines: Vec<String> = lines.lines().map(|line| format!("    {line}\n")).collect();
    let whole = format!("{{\n{}    Ok(raws)\n}}", lines.concat());
    let source = include_str!("../../../butler/examples/demo.rs");
    assert!(source.contains(&whole), "not in the example:\n{whole}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let raws = runtime.block_on(example::overhead(&repository)).unwrap();
    assert!(!raws.is_empty());
}

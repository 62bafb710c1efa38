//! What the documents show is what comes out: the commands in their blocks are run, and what they
//! print is compared. With `BUTLER_UPDATE_DOCS=1` the documents are written anew instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use regex::Regex;

use crate::demo::DemoServer;
use crate::support::Place;

/// Where the documents say that the demo's server is.
const DOCUMENTED: &str = "http://127.0.0.1:8080/";

/// What differs from one demo to the next: the identifiers of datasets, and signatures.
static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
    let id = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    Regex::new(&format!(r"{id}|token=[\w.-]+")).unwrap()
});

/// A command in a document, with what is shown below it.
struct Example {
    command: String,
    shown: String,
    /// Where the latter is in the document.
    lines: std::ops::Range<usize>,
}

/// The commands in the `console` blocks of a document. They begin with `$ ` and go on after `> `.
fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            found.push(Example {
                command: command.to_owned(),
                shown: String::new(),
                lines: number + 1..number + 1,
            });
            continue;
        }
        let Some(example) = found.last_mut() else {
            continue;
        };
        if let (Some(more), true) = (line.strip_prefix("> "), example.shown.is_empty()) {
            example.command.push('\n');
            example.command.push_str(more);
            example.lines = number + 1..number + 1;
        } else {
            example.shown.push_str(line);
            example.shown.push('\n');
            example.lines.end = number + 1;
        }
    }
    found
}

/// Runs the examples of a document one after the other, and compares.
fn check(
    path: &str,
    place: &Path,
    replace: impl Fn(&str) -> String,
    restore: impl Fn(&str) -> String,
) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut variables = String::new();
    let mut edits = Vec::new();
    let examples = examples(&text);
    assert!(!examples.is_empty(), "{path} has no examples");
    for example in examples {
        let command = replace(&example.command);
        if let Some((name, _)) = command.split_once('=')
            && name.chars().all(|letter| letter.is_ascii_uppercase())
            && !command.contains(' ')
        {
            variables.push_str(&format!("{command}\n"));
            continue;
        }
        let printed = restore(&run(place, &format!("{variables}{command}")));
        let (shown, printed) = (example.shown.trim_end(), printed.trim_end());
        let same = |text: &str| CHANGING.replace_all(text, "<changing>").into_owned();
        if same(shown) == same(printed) {
            continue;
        }
        assert!(
            std::env::var_os("BUTLER_UPDATE_DOCS").is_some(),
            "{path} shows for\n{}\nthis:\n{shown}\nbut this is printed:\n{printed}",
            example.command
        );
        edits.push((example, printed.to_owned()));
    }
    for (example, printed) in edits.into_iter().rev() {
        let empty = example.shown.lines().rev();
        let empty = empty.take_while(|line| line.is_empty()).count();
        let end = example.lines.end - empty;
        lines.splice(example.lines.start..end, printed.lines().map(str::to_owned));
    }
    let updated = lines.join("\n") + "\n";
    if updated != text {
        fs::write(&file, updated).unwrap();
    }
}

/// What a command prints, errors included. Questions are answered with yes.
fn run(place: &Path, command: &str) -> String {
    let python = butler_tests::python::interpreter();
    let programs = [
        Path::new(env!("CARGO_BIN_EXE_butler"))
            .parent()
            .unwrap()
            .to_owned(),
        python.parent().unwrap().to_owned(),
        PathBuf::from("/usr/bin"),
        PathBuf::from("/bin"),
    ];
    let mut child = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(place)
        .env_clear()
        .env("PATH", std::env::join_paths(programs).unwrap())
        .env("HOME", place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that asks nothing does not read.
    let _ = std::io::Write::write_all(&mut stdin, b"y\n");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Checks a document whose examples use the demo.
fn check_with_demo(path: &str) {
    let server = DemoServer::start();
    let place = Place::empty();
    check(
        path,
        place.path(),
        |text| text.replace(DOCUMENTED, &server.page),
        |text| text.replace(&server.page, DOCUMENTED),
    );
}

#[test]
fn the_tour_of_the_readme_shows_what_is_printed() {
    check_with_demo("README.md");
}

#[test]
fn the_user_guide_shows_what_is_printed() {
    check_with_demo("docs/user-guide.md");
}

#[test]
fn the_description_of_the_command_shows_what_is_printed() {
    let place = Place::with_collections();
    // The terminal shows the answer to a question, too.
    let answered = "Continue? [y/N]: ";
    check("docs/cli.md", place.path(), str::to_owned, |text| {
        text.replace(answered, &format!("{answered}y\n"))
    });
}

#[test]
fn every_sub_command_is_described() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = fs::read_to_string(file).unwrap();
    let help = Place::empty().succeed("-h");
    let commands = help.text().split("Commands:").nth(1).unwrap();
    let commands = commands.lines().skip(1).take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        assert!(
            command == "help" || text.contains(&format!("`{command}`")),
            "{command}"
        );
    }
}

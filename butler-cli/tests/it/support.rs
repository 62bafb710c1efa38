//! A repository, and the command run on it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a command line printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }

    /// Everything for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("exit code: {}\n", self.status);
        for (name, text) in [("stdout", self.text()), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                shown.push_str(&format!("----- {name} -----\n{text}"));
            }
        }
        shown
    }
}

/// A directory that commands run in.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// An empty directory.
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A directory with a repository `repo`, which holds what `data/export.yaml` has.
    pub(crate) fn filled() -> Self {
        let place = Self::empty();
        place.succeed("create repo");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data");
        place.succeed(&format!("import repo {} -t copy", data.display()));
        place
    }

    /// As [`filled`](Self::filled), with collections of every type.
    pub(crate) fn with_collections() -> Self {
        let place = Self::filled();
        place.succeed("associate repo tag -d document --collections docs");
        place.succeed("certify-calibrations repo calib/run calib bias --begin-date 2025-01-01");
        place.succeed("collection-chain repo chain tag,calib/run");
        place.succeed("collection-chain repo outer chain docs");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs `butler` with these words, separated by blanks outside of double quotes.
    pub(crate) fn run(&self, line: &str) -> Done {
        self.answer(line, "")
    }

    /// Runs `butler`, and gives it an answer to what it asks.
    pub(crate) fn answer(&self, line: &str, answer: &str) -> Done {
        run_in(self.path(), &words(line), answer)
    }

    /// Runs `butler`, which must succeed.
    pub(crate) fn succeed(&self, line: &str) -> Done {
        let done = self.run(line);
        assert_eq!(done.status, 0, "butler {line}\n{}", done.shown());
        done
    }

    /// The identifiers of datasets that a search finds, in order.
    pub(crate) fn ids(&self, search: &str) -> Vec<String> {
        let found = self.succeed(&format!("query-datasets repo {search} --format json"));
        let mut ids: Vec<String> = found
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort_unstable();
        ids
    }
}

/// Runs `butler` with these words in a directory that is its home, too.
pub(crate) fn run_in(directory: &Path, words: &[String], answer: &str) -> Done {
    let mut child = Command::new(env!("CARGO_BIN_EXE_butler"))
        .args(words)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .env("BUTLER_RUBIN_ACCESS_TOKEN", "anybody")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that asks nothing does not read.
    let _ = stdin.write_all(answer.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Done {
        status: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The words of a line, separated by blanks outside of double quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

/// Compares what a command line says with a snapshot; the working directory goes by a name.
macro_rules! assert_command {
    ($name:literal, $place:expr, $line:expr) => {
        let place: &$crate::support::Place = &$place;
        let shown = place.run($line).shown();
        let directory = place.path().to_str().unwrap();
        insta::assert_snapshot!($name, shown.replace(directory, "DIRECTORY"), $line);
    };
}

pub(crate) use assert_command;

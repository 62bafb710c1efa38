//! Runs the workspace's test programs, two at a time.
//!
//! `cargo test` runs one after the other. Many tests wait: for a process, for an answer, for a limit of time; meanwhile a
//! second program runs. What a program says is printed when it has ended, whole.

use crate::workspace;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Folders of the packages whose tests take longest, in this order: they begin first, so that in the end none is left
/// to run alone.
const LONGEST: [&str; 5] = [
    "tests",
    "butler-pps",
    "butler-direct",
    "butler-server",
    "butler-cli",
];

/// How many programs run at once. Each runs its tests on all processors.
const LANES: usize = 2;

/// A test program.
#[derive(Debug, PartialEq)]
pub(crate) struct Program {
    /// The package's folder, where Cargo would run it.
    folder: PathBuf,
    /// The target's name and kind.
    target: String,
    executable: PathBuf,
}

impl Program {
    /// What one of Cargo's messages says about a test program; none if it is about something else.
    fn from_message(message: &Value) -> Option<Self> {
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
            return None;
        }
        let target = &message["target"];
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
        Some(Self {
            folder: folder.to_owned(),
            target: format!(
                "{} ({})",
                target["name"].as_str()?,
                target["kind"][0].as_str()?
            ),
            executable: message["executable"].as_str()?.into(),
        })
    }

    /// Its place in the order of running.
    fn rank(&self) -> usize {
        let root = workspace::root();
        let place = LONGEST
            .iter()
            .position(|long| self.folder == root.join(long));
        place.unwrap_or(LONGEST.len())
    }

    fn name(&self) -> String {
        let folder = self.folder.file_name().unwrap_or(self.folder.as_os_str());
        format!("{} {}", folder.display(), self.target)
    }

    /// Runs it, prints what it says, and tells whether it passed.
    fn run(&self, offer: &(impl Fn(&mut Command) + Sync)) -> io::Result<bool> {
        let start = Instant::now();
        writeln!(io::stdout().lock(), "xtask: {} begins", self.name())?;
        let mut command = Command::new(&self.executable);
        command.current_dir(&self.folder);
        workspace::forget_own_package(&mut command);
        offer(&mut command);
        let output = command.output()?;
        let verdict = if output.status.success() {
            "passed"
        } else {
            "FAILED"
        };
        // In one piece, so that the other lane's does not come between.
        let mut text = output.stdout;
        text.extend(&output.stderr);
        let seconds = start.elapsed().as_secs_f64();
        writeln!(
            text,
            "xtask: {} {verdict} after {seconds:.1} s",
            self.name()
        )?;
        io::stdout().lock().write_all(&text)?;
        Ok(output.status.success())
    }
}

/// Builds the test programs of the workspace.
pub(crate) fn build() -> Result<Vec<Program>, String> {
    let mut cargo = workspace::cargo();
    cargo
        .args(["test", "--workspace", "--no-run"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let output = cargo
        .output()
        .map_err(|error| format!("cannot start Cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the tests do not build: {}", output.status));
    }
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let mut programs = Vec::new();
    for message in messages {
        let message = message.map_err(|error| format!("Cargo's messages: {error}"))?;
        programs.extend(Program::from_message(&message));
    }
    programs.sort_by_key(Program::rank);
    Ok(programs)
}

/// Runs test programs, each in the environment that `offer` makes. Once one has failed, none is started.
pub(crate) fn run(
    programs: Vec<Program>,
    offer: &(impl Fn(&mut Command) + Sync),
) -> Result<(), String> {
    let (left, failures) = (Mutex::new(VecDeque::from(programs)), Mutex::new(Vec::new()));
    thread::scope(|threads| {
        for _ in 0..LANES {
            threads.spawn(|| {
                // A call of its own, lest the lock be held while the program runs.
                let next = || locked(&left).pop_front();
                while let Some(program) = next() {
                    let failure = match program.run(offer) {
                        Ok(true) => continue,
                        Ok(false) => program.name(),
                        Err(error) => format!("{}: {error}", program.name()),
                    };
                    locked(&left).clear();
                    locked(&failures).push(failure);
                }
            });
        }
    });
    match locked(&failures).as_slice() {
        [] => Ok(()),
        failures => Err(format!("failed: {}", failures.join(", "))),
    }
}

/// What is locked here is whole at any time, so a panic elsewhere is of no concern.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn cargo_tells_which_programs_are_tests() {
        let message = |test: bool, executable: Value| {
            json!({
                "reason": "compiler-artifact",
                "manifest_path": workspace::root().join("butler-pps/Cargo.toml"),
                "target": {"name": "it", "kind": ["test"]},
                "profile": {"test": test},
                "executable": executable,
            })
        };
        let program = Program::from_message(&message(true, "/target/it-1".into())).unwrap();
        assert_eq!(program.name(), "butler-pps it (test)");
        assert_eq!(program.rank(), 1);
        assert_eq!(
            Program::from_message(&message(false, "/target/butler".into())),
            None
        );
        assert_eq!(Program::from_message(&message(true, Value::Null)), None);
        assert_eq!(
            Program::from_message(&json!({"reason": "build-finished"})),
            None
        );
    }

    #[test]
    fn a_failure_is_named_and_ends_the_run() {
        let program = |executable: &str| Program {
            folder: workspace::root(),
            target: executable.to_owned(),
            executable: executable.into(),
        };
        assert_eq!(run(vec![program("true"), program("true")], &|_| ()), Ok(()));
        let one_lane: Vec<_> = ["false", "false", "false", "false"].map(program).into();
        let failure = run(one_lane, &|_| ()).unwrap_err();
        let failed = failure.matches("false").count();
        assert!((1..=LANES).contains(&failed), "{failure}");
    }
}

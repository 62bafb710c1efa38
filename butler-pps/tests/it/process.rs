//! Services in processes of their own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

/// `butler-pps` with a sub-command; killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it. What it says is added to the file `log`.
    pub(crate) fn start(
        arguments: &[&str],
        environment: impl IntoIterator<Item = (String, String)>,
        log: PathBuf,
    ) -> Self {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log);
        let child = Command::new(env!("CARGO_BIN_EXE_butler-pps"))
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file.unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Ends it by `SIGKILL`, if it has not ended.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop by `SIGTERM`.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Whether it runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end; gives whether it was a success.
    pub(crate) async fn ended(&mut self) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(begun.elapsed() < LIMIT, "it runs on:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks it to stop, and waits until it has done so well.
    pub(crate) async fn end(mut self) {
        self.terminate();
        assert!(self.ended().await, "{}", self.log());
    }

    /// What all processes with this log have said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

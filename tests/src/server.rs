//! A Butler server in a process of its own: ours or the reference implementation's.

use crate::ports::ReservedPort;
use crate::python::{interpreter, scripts};
use serde_json::{Map, Value, json};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Which server.
#[derive(Debug, Clone)]
pub enum Program {
    /// The executable of `butler-server`.
    Ours(PathBuf),
    /// The Python package's, as it is installed.
    Reference,
    /// The Python package's, reading instruments and the like anew for each request: as the package's own
    /// tests have it, because they write while it runs.
    ForgetfulReference,
}

impl Program {
    /// The executable of this workspace's server, which the tests of all crates together have built.
    ///
    /// # Panics
    /// When it is not beside the test.
    #[must_use]
    pub fn ours() -> Self {
        let test = std::env::current_exe().expect("a process has an executable");
        let directory = test.parent().expect("a file is in a directory");
        let server = directory.with_file_name("butler-server");
        assert!(
            server.exists(),
            "{} is missing: build it with `cargo build -p butler-server`",
            server.display()
        );
        Self::Ours(server)
    }
}

/// A server that is going to run. It listens on the loopback interface only.
#[derive(Debug)]
pub struct ServerSetup {
    command: Command,
    port: ReservedPort,
    repositories: Map<String, Value>,
    directory: TempDir,
}

/// A server that answers; ends when dropped.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    port: ReservedPort,
    start: Duration,
    /// Home and log.
    directory: TempDir,
}

impl ServerSetup {
    /// A server without repositories that asks nobody who a user is.
    ///
    /// # Panics
    /// When the machine refuses a directory or a port.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let port = ReservedPort::new();
        let mut command = match program {
            Program::Ours(path) => Command::new(path),
            Program::Reference | Program::ForgetfulReference => {
                let mut command = Command::new(interpreter());
                command
                    .arg(scripts().join("reference_server.py"))
                    .args(["--port", &port.address().port().to_string()]);
                if matches!(program, Program::ForgetfulReference) {
                    command.arg("--forgetful");
                }
                command
            }
        };
        command
            .env("DAF_BUTLER_SERVER_LISTEN", port.address().to_string())
            .env("DAF_BUTLER_SERVER_GAFAELFAWR_URL", "DISABLED")
            .env("DAF_BUTLER_SERVER_AUTHENTICATION", "rubin_science_platform")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", directory.path());
        Self {
            command,
            port,
            repositories: Map::new(),
            directory,
        }
    }

    /// Serves a repository under a label to the members of these groups (`*` is everybody).
    #[must_use]
    pub fn repository(mut self, label: &str, root: &Path, groups: &[&str]) -> Self {
        let served = json!({"config_uri": root, "authorized_groups": groups});
        self.repositories.insert(label.to_owned(), served);
        self
    }

    /// Sets a variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets variables, for example those of [`crate::s3::S3Server::environment`].
    #[must_use]
    pub fn envs(
        mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> Self {
        self.command.envs(variables);
        self
    }

    /// Removes a variable that would be set.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When it does not; what it has said is in the message.
    #[must_use]
    pub fn start(mut self) -> ServerProcess {
        let repositories = Value::Object(self.repositories).to_string();
        let log = self.directory.path().join("log");
        let output = File::create(&log).expect("a temporary directory takes a file");
        let errors = output.try_clone().expect("a file can be opened twice");
        let begin = Instant::now();
        let child = self
            .command
            .env("DAF_BUTLER_SERVER_REPOSITORIES", repositories)
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.command));
        let mut process = ServerProcess {
            child,
            port: self.port,
            start: Duration::ZERO,
            directory: self.directory,
        };
        while !answers(process.address()) {
            let ended = process.child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && begin.elapsed() < START_LIMIT,
                "the server does not answer ({ended:?}):\n{}",
                process.log()
            );
            thread::sleep(Duration::from_millis(2));
        }
        process.start = begin.elapsed();
        process
    }
}

impl ServerProcess {
    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of a repository.
    #[must_use]
    pub fn repository(&self, label: &str) -> String {
        format!("{}/api/butler/repo/{label}", self.url())
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long it took from its start to its first answer.
    #[must_use]
    pub fn start_time(&self) -> Duration {
        self.start
    }

    /// What it has said so far.
    ///
    /// # Panics
    /// When its log cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.directory.path().join("log")).expect("the log is there");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether something answers there over HTTP.
fn answers(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START_LIMIT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut begin = [0; 5];
        stream.read_exact(&mut begin)?;
        Ok::<_, std::io::Error>(begin)
    };
    ask().is_ok_and(|begin| &begin == b"HTTP/")
}

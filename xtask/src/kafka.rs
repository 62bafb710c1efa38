//! An Apache Kafka broker for the time of one command, made of its Maven artifacts.

use crate::{apt, process, workspace};
use butler_test_services::Broker;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable with the address of the broker, read by the tests and, when it is set already, by us.
pub(crate) const SERVERS_VARIABLE: &str = "KAFKA_BOOTSTRAP_SERVERS";

/// The variable with the directory of the broker's JAR files, for tests that start brokers of their own; taken
/// over where it is set.
pub(crate) const LIBRARIES_VARIABLE: &str = "BUTLER_TEST_KAFKA_LIBS";

/// Pinned, so that a new release of it does not change what a build resolves.
const COPY_GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// A broker; stopped and removed when dropped, and also when this process is killed.
pub(crate) struct Kafka {
    servers: String,
    libraries: PathBuf,
    /// Held for what its end does; absent when the broker is somebody else's.
    _own: Option<Broker>,
}

impl Kafka {
    /// Takes the broker of `KAFKA_BOOTSTRAP_SERVERS`, else starts one. Also returns a summary for people.
    pub(crate) fn prepare() -> Result<(Self, String), String> {
        if process::output(Command::new("java").arg("-version")).is_err() {
            apt::install(&["default-jre-headless"], "a Java runtime")?;
        }
        let libraries = libraries()?;
        if let Ok(servers) = env::var(SERVERS_VARIABLE) {
            let summary = format!("{servers} (from {SERVERS_VARIABLE})");
            let given = Self {
                servers,
                libraries,
                _own: None,
            };
            return Ok((given, summary));
        }
        let broker = Broker::start(&libraries)?;
        let servers = broker.bootstrap_servers();
        let summary = format!("{servers} ({})", libraries.display());
        let own = Self {
            servers,
            libraries,
            _own: Some(broker),
        };
        Ok((own, summary))
    }

    /// Where the broker listens.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// The directory of its JAR files.
    pub(crate) fn libraries(&self) -> &Path {
        &self.libraries
    }
}

/// The directory with the JAR files that `xtask/kafka/pom.xml` asks for. A copy of that file is its stamp.
fn libraries() -> Result<PathBuf, String> {
    if let Some(given) = env::var_os(LIBRARIES_VARIABLE) {
        return Ok(given.into());
    }
    let pom = workspace::root().join("xtask/kafka/pom.xml");
    let wanted = fs::read_to_string(&pom)
        .map_err(|error| format!("cannot read {}: {error}", pom.display()))?;
    let home = workspace::target_dir()?.join("kafka");
    let stamp = home.join("pom.xml");
    let libraries = home.join("libs");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(libraries);
    }
    if process::output(Command::new("mvn").arg("--version")).is_err() {
        apt::install(&["maven"], "Maven")?;
    }
    if libraries.exists() {
        fs::remove_dir_all(&libraries)
            .map_err(|error| format!("cannot remove {}: {error}", libraries.display()))?;
    }
    process::output(
        Command::new("mvn")
            .args(["--batch-mode", "--quiet", "--file"])
            .arg(&pom)
            .args([COPY_GOAL, "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", libraries.display())),
    )?;
    fs::write(&stamp, wanted)
        .map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
    Ok(libraries)
}

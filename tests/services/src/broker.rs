//! An Apache Kafka broker: one node that is its own controller (KRaft), on the loopback interface.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Guard;

/// The user whom the listener with SASL knows.
pub const SCRAM_USER: &str = "butler";

/// The password of [`SCRAM_USER`].
pub const SCRAM_PASSWORD: &str = "butler-test-password";

/// How long a broker may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a broker may take to stop when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A small heap, and a compiler that is quick to start: brokers of tests see few messages.
const JVM: [&str; 6] = [
    "-Xms64m",
    "-Xmx320m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
];

/// One partition and one copy of everything; topics come by being used.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
auto.create.topics.enable=true
num.partitions=1
default.replication.factor=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
";

/// A broker; killed, and its data removed, when dropped, and also when this process is killed.
#[derive(Debug)]
pub struct Broker {
    libraries: PathBuf,
    dir: PathBuf,
    plain: u16,
    sasl: u16,
    process: Option<Child>,
    guard: Guard,
}

impl Broker {
    /// Starts a new broker. `libraries` is the directory of the JAR files of `org.apache.kafka:kafka_2.13` and of
    /// all that it needs.
    ///
    /// # Errors
    /// There is no `java` (17 or newer), or the broker does not listen in time; what it said is in the message.
    pub fn start(libraries: &Path) -> Result<Self, String> {
        let mut failure = String::new();
        // Another program can take a port before the broker does: then on others.
        for _ in 0..3 {
            let mut broker = Self::format(libraries)?;
            match broker.launch() {
                Ok(()) => return Ok(broker),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A broker that has its directory, ports and users, but does not run.
    fn format(libraries: &Path) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "butler-kafka-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        let guard = Guard::start(&dir, &dir.join("pid"), "KILL")?;
        let [plain, sasl, controller] = free_ports()?;
        let settings = format!(
            "{SETTINGS}controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},\
             CONTROLLER://127.0.0.1:{controller}\n\
             log.dirs={}\n",
            dir.join("data").display()
        );
        let path = dir.join("server.properties");
        fs::write(&path, settings)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let broker = Self {
            libraries: libraries.to_owned(),
            dir,
            plain,
            sasl,
            process: None,
            guard,
        };
        let output = broker
            .java("kafka.tools.StorageTool")
            .args([
                "format",
                "--cluster-id",
                "AAAAAAAAQACAAAAAAAAAAA",
                "--config",
            ])
            .arg(&path)
            .arg("--add-scram")
            .arg(format!(
                "SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD},iterations=4096]"
            ))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot start java: {error}"))?;
        if output.status.success() {
            return Ok(broker);
        }
        Err(format!(
            "Kafka's storage cannot be formatted: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Where clients connect, `127.0.0.1:<port>`; no authentication.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// Where clients connect as [`SCRAM_USER`] by SASL SCRAM-SHA-512, without TLS.
    #[must_use]
    pub fn sasl_bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.sasl)
    }

    /// Ends the broker as an administrator would; without effect if it does not run.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let pid = process.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .map_err(|error| format!("cannot signal the broker: {error}"))?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_LIMIT {
            match process.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) => {
                    self.process = None;
                    return Ok(());
                }
                Err(error) => return Err(format!("cannot wait for the broker: {error}")),
            }
        }
        Err(format!("the broker runs on: {}", self.log()))
    }

    /// Ends the broker by `SIGKILL`; without effect if it does not run.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only when it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the broker again, at the same addresses and with the same data, after [`stop`](Self::stop) or
    /// [`kill`](Self::kill).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn launch(&mut self) -> Result<(), String> {
        let log_path = self.dir.join("log");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(|error| format!("cannot create {}: {error}", log_path.display()))?;
        let mut process = self
            .java("kafka.Kafka")
            .arg(self.dir.join("server.properties"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start java: {error}"))?;
        let noted = fs::write(self.dir.join("pid"), process.id().to_string());
        let begun = Instant::now();
        let outcome = loop {
            if let Err(error) = &noted {
                break Err(format!("cannot note the broker's process: {error}"));
            }
            if [self.plain, self.sasl].into_iter().all(listens) {
                break Ok(());
            }
            if !matches!(process.try_wait(), Ok(None)) {
                break Err(format!("the broker has ended: {}", self.log()));
            }
            if begun.elapsed() > START_LIMIT {
                break Err(format!("the broker does not listen: {}", self.log()));
            }
            thread::sleep(Duration::from_millis(50));
        };
        self.process = Some(process);
        if outcome.is_err() {
            self.kill();
        }
        outcome
    }

    /// What the broker has said: warnings and errors.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        command
            .args(JVM)
            .arg("-cp")
            .arg(self.libraries.join("*"))
            .arg(class)
            .current_dir(&self.dir)
            .env_remove("JAVA_TOOL_OPTIONS");
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        self.guard.release();
    }
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Ports at which nobody listens just now.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let failure = |error| format!("no free port on the loopback interface: {error}");
    // All are held until all are known, so that they differ.
    let mut listeners = Vec::new();
    for _ in 0..N {
        listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failure)?);
    }
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(failure)?.port();
    }
    Ok(ports)
}

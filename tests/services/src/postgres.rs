//! A PostgreSQL server of one's own, on the loopback interface.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Guard, process};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a server may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Longest base directory that leaves room for a Unix socket's path (107 bytes).
const LONGEST_BASE: usize = 50;

/// Nothing in it outlives its owner: no need to wait for a disk. But what is committed is written to the operating
/// system at once, so that it is there after [`Shutdown::Immediate`]. One schema per test, in parallel, asks for many
/// connections and locks.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=256MB",
    "max_connections=300",
    "max_locks_per_transaction=1024",
    "max_wal_size=4GB",
    "timezone=UTC",
];

/// A PostgreSQL server; stopped and removed when dropped, and also when this process is killed.
#[derive(Debug)]
pub struct PostgresServer {
    bin: PathBuf,
    dir: PathBuf,
    account: Account,
    port: u16,
    server: Option<Child>,
    guard: Guard,
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// In order: transactions are rolled back, everything is written.
    Fast,
    /// As in a crash: the next start recovers from the log.
    Immediate,
}

impl PostgresServer {
    /// Whether the server's programs are installed.
    #[must_use]
    pub fn is_installed() -> bool {
        find_binaries().is_some()
    }

    /// Starts a new server, by an unprivileged account if this process is the superuser's. Its databases have the
    /// extension that repositories need.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not answer in time; what it said is in the message.
    pub fn start() -> Result<Self, String> {
        let bin = find_binaries().ok_or("PostgreSQL's initdb and postgres are not installed")?;
        let account = Account::for_server()?;
        let dir = make_directory(&account)?;
        // From here on the guard removes the directory, whatever happens to us.
        let guard = Guard::start(&dir, &dir.join("data/postmaster.pid"), "QUIT")?;
        initialize(&bin, &dir, &account)?;
        let mut server = Self {
            bin,
            dir,
            account,
            port: 0,
            server: None,
            guard,
        };
        let mut failure = String::new();
        // Another program can take the port before the server does: then another one.
        for _ in 0..5 {
            server.port = free_port()?;
            match server.launch() {
                Ok(()) => return server.with_extension(),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// In the template too: databases that somebody creates shall have what repositories need.
    fn with_extension(self) -> Result<Self, String> {
        for database in ["template1", "postgres"] {
            self.execute(database, "CREATE EXTENSION IF NOT EXISTS btree_gist")
                .map_err(|error| format!("PostgreSQL's contrib modules are missing? {error}"))?;
        }
        Ok(self)
    }

    /// The URL to connect with as a superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// What the server calls itself.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn version(&self) -> Result<String, String> {
        process::output(
            self.account
                .command(self.bin.join("postgres"))
                .arg("--version"),
        )
    }

    /// Runs a statement in a database.
    ///
    /// # Errors
    /// What the server says.
    pub fn execute(&self, database: &str, statement: &str) -> Result<String, String> {
        let port = self.port.to_string();
        process::output(
            self.account
                .command(self.bin.join("psql"))
                .args(["--no-psqlrc", "--quiet", "--tuples-only", "-h", "127.0.0.1"])
                .args([
                    "-p", &port, "-U", "postgres", "-d", database, "-c", statement,
                ]),
        )
    }

    /// Ends the server; without effect if it does not run.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self, how: Shutdown) -> Result<(), String> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let signal = match how {
            Shutdown::Fast => "-INT",
            Shutdown::Immediate => "-QUIT",
        };
        process::output(Command::new("kill").args([signal, &server.id().to_string()]))?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_LIMIT {
            match server.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Ok(Some(_)) => {
                    self.server = None;
                    return Ok(());
                }
                Err(error) => return Err(format!("cannot wait for PostgreSQL: {error}")),
            }
        }
        Err(format!("PostgreSQL runs on: {}", self.log()))
    }

    /// Starts the server again, at the same address and with the same data, after [`stop`](Self::stop).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn launch(&mut self) -> Result<(), String> {
        let path = self.dir.join("log");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        let mut server = self
            .account
            .command(self.bin.join("postgres"))
            .arg("-D")
            .arg(self.dir.join("data"))
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-k"])
            .arg(&self.dir)
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start PostgreSQL: {error}"))?;
        let begun = Instant::now();
        while let Err(error) = self.execute("postgres", "SELECT 1") {
            let failure = format!("{error}\n{}", self.log());
            let ended = server.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() {
                return Err(failure);
            }
            if begun.elapsed() > START_LIMIT {
                // The guard ends it.
                let limit = START_LIMIT.as_secs();
                return Err(format!("no answer after {limit} s: {failure}"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.server = Some(server);
        Ok(())
    }

    /// What the server has said.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The guard stops the server; until it is reaped here, the guard sees it as alive.
        self.guard.release();
        if let Some(mut server) = self.server.take() {
            // Fails only when it has been waited for.
            let _ = server.wait();
        }
    }
}

/// Who runs the server: PostgreSQL refuses the superuser.
#[derive(Debug)]
struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    fn for_server() -> Result<Self, String> {
        if !process::is_root() {
            return Ok(Self { ids: None });
        }
        let passwd = fs::read_to_string("/etc/passwd")
            .map_err(|error| format!("cannot look for an unprivileged user: {error}"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| ids_of(&passwd, name))
            .map(|ids| Self { ids: Some(ids) })
            .ok_or_else(|| "root cannot run PostgreSQL; add a user named postgres".to_owned())
    }

    /// A command of this account, in a directory and with a home that it may enter.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir("/").env("HOME", "/").env("LC_ALL", "C");
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// User and group of a name in the text of `/etc/passwd`, unless it is the superuser's.
fn ids_of(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [found, _, uid, gid, ..] = fields.as_slice() else {
            return None;
        };
        let ids = (uid.parse().ok()?, gid.parse().ok()?);
        (*found == name && ids.0 != 0).then_some(ids)
    })
}

/// The directory with the newest server's programs.
fn find_binaries() -> Option<PathBuf> {
    let mut candidates = Vec::new();
    if let Ok(bin) = process::output(Command::new("pg_config").arg("--bindir")) {
        candidates.push(PathBuf::from(bin));
    }
    let mut packaged: Vec<(u32, PathBuf)> = ["/usr/lib/postgresql", "/usr/local/lib/postgresql"]
        .iter()
        .filter_map(|root| fs::read_dir(root).ok())
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort();
    candidates.extend(packaged.into_iter().rev().map(|(_, bin)| bin));
    candidates.extend(["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    candidates.into_iter().find(|bin| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| bin.join(name).is_file())
    })
}

/// A new directory that belongs to the account.
fn make_directory(account: &Account) -> Result<PathBuf, String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "butler-pg-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let usual = env::temp_dir();
    let usable = usual.as_os_str().len() <= LONGEST_BASE
        && process::output(account.command("test").arg("-w").arg(&usual)).is_ok();
    let dir = if usable { usual } else { PathBuf::from("/tmp") }.join(name);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
    if let Some((uid, gid)) = account.ids {
        chown(&dir, Some(uid), Some(gid))
            .map_err(|error| format!("cannot hand over {}: {error}", dir.display()))?;
    }
    Ok(dir)
}

fn initialize(bin: &Path, dir: &Path, account: &Account) -> Result<(), String> {
    process::output(
        account
            .command(bin.join("initdb"))
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--no-sync", "-D"])
            .arg(dir.join("data")),
    )
    .map(drop)
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on the loopback interface: {error}"))
}

#[cfg(test)]
mod tests {
    use super::ids_of;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/:/bin/false\n";

    #[test]
    fn account_is_found_with_its_group() {
        assert_eq!(ids_of(PASSWD, "nobody"), Some((65534, 65533)));
    }

    #[test]
    fn superuser_never_runs_the_server() {
        assert_eq!(ids_of(PASSWD, "root"), None);
    }

    #[test]
    fn unknown_name_has_no_account() {
        assert_eq!(ids_of(PASSWD, "postgres"), None);
    }
}

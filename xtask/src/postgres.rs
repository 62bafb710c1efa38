//! A temporary PostgreSQL server for the time of one command.

use crate::{apt, process};
use butler_test_services::Guard;
use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The variable with the URL of the server, read by the tests and, when it is set already, by us.
pub(crate) const URL_VARIABLE: &str = "BUTLER_TEST_POSTGRES";

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Longest base directory that leaves room for a Unix socket's path (107 bytes).
const LONGEST_BASE: usize = 50;

/// Nothing in it outlives the command: no need to wait for a disk. One schema per test, in parallel, asks
/// for many connections and locks.
const SETTINGS: [&str; 8] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=256MB",
    "max_connections=300",
    "max_locks_per_transaction=1024",
    "max_wal_size=4GB",
    "timezone=UTC",
];

/// A PostgreSQL server; stopped and removed when dropped, and also when this process is killed.
pub(crate) struct Postgres {
    url: String,
    /// Held for what its end does; absent when the server is somebody else's.
    _own: Option<OwnServer>,
}

struct OwnServer {
    server: Child,
    guard: Guard,
}

impl Postgres {
    /// Takes the server of `BUTLER_TEST_POSTGRES`, else starts one. Also returns a summary for people.
    pub(crate) fn prepare() -> Result<(Self, String), String> {
        if let Ok(url) = env::var(URL_VARIABLE) {
            let summary = format!("{url} (from {URL_VARIABLE})");
            return Ok((Self { url, _own: None }, summary));
        }
        let bin = match find_binaries() {
            Some(bin) => bin,
            None => {
                apt::install(&["postgresql", "postgresql-contrib"], "PostgreSQL's server")?;
                find_binaries().ok_or("no initdb and postgres after installing PostgreSQL")?
            }
        };
        let account = Account::for_server()?;
        let dir = make_directory(&account)?;
        // From here on the guard removes the directory, whatever happens to us.
        let guard = Guard::start(&dir, &dir.join("data/postmaster.pid"), "QUIT")?;
        initialize(&bin, &dir, &account)?;
        let (server, port) = start(&bin, &dir, &account)?;
        let own = OwnServer { server, guard };
        let url = format!("postgresql://postgres@127.0.0.1:{port}/postgres");
        let summary = format!("{url} ({})", version(&bin, &account)?);
        // In the template too: databases that a test creates shall have it.
        for database in ["template1", "postgres"] {
            psql(
                &bin,
                &account,
                port,
                database,
                "CREATE EXTENSION IF NOT EXISTS btree_gist",
            )
            .map_err(|error| format!("PostgreSQL's contrib modules are missing? {error}"))?;
        }
        Ok((
            Self {
                url,
                _own: Some(own),
            },
            summary,
        ))
    }

    /// The URL that tests and benchmarks connect with, as a superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The guard stops the server; until it is reaped here, the guard sees it as alive.
        self.guard.release();
        if let Err(error) = self.server.wait() {
            eprintln!("xtask: cannot wait for PostgreSQL to end: {error}");
        }
    }
}

/// Who runs the server: PostgreSQL refuses the superuser.
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
    let nanos = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| elapsed.subsec_nanos());
    let name = format!("butler-pg-{}-{nanos}", std::process::id());
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

/// Starts the server on a free port. Another program can take the port in between: then on another.
fn start(bin: &Path, dir: &Path, account: &Account) -> Result<(Child, u16), String> {
    let mut failure = String::new();
    for _ in 0..5 {
        let port = free_port()?;
        let log_path = dir.join("log");
        let log = fs::File::create(&log_path)
            .map_err(|error| format!("cannot create {}: {error}", log_path.display()))?;
        let mut server = account
            .command(bin.join("postgres"))
            .arg("-D")
            .arg(dir.join("data"))
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-k",
            ])
            .arg(dir)
            .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start PostgreSQL: {error}"))?;
        let begun = Instant::now();
        loop {
            let Err(error) = psql(bin, account, port, "postgres", "SELECT 1") else {
                return Ok((server, port));
            };
            failure = format!(
                "{error}\n{}",
                fs::read_to_string(&log_path).unwrap_or_default()
            );
            let ended = server.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() {
                break;
            }
            if begun.elapsed() > START_LIMIT {
                // The guard ends it.
                return Err(format!(
                    "no answer after {} s: {failure}",
                    START_LIMIT.as_secs()
                ));
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    Err(failure)
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on the loopback interface: {error}"))
}

fn psql(
    bin: &Path,
    account: &Account,
    port: u16,
    database: &str,
    statement: &str,
) -> Result<String, String> {
    let port = port.to_string();
    process::output(
        account
            .command(bin.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "-h", "127.0.0.1"])
            .args([
                "-p", &port, "-U", "postgres", "-d", database, "-c", statement,
            ]),
    )
}

fn version(bin: &Path, account: &Account) -> Result<String, String> {
    process::output(account.command(bin.join("postgres")).arg("--version"))
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

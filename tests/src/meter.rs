//! Processor time and memory of processes on this machine, from `/proc`.

use sqlx::{Connection as _, PgConnection};

/// Clock ticks a second in `/proc`; Linux has had no other value for decades.
const TICKS: f64 = 100.0;

/// Processor time of a PostgreSQL server on this machine.
#[derive(Debug)]
pub struct ServerClock {
    postmaster: u32,
}

impl ServerClock {
    /// The clock of the server behind a URL.
    ///
    /// # Panics
    /// When it cannot be reached, or is not on this machine.
    pub async fn new(url: &str) -> Self {
        let mut connection = PgConnection::connect(url)
            .await
            .unwrap_or_else(|error| panic!("cannot connect to PostgreSQL: {error}"));
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("PostgreSQL does not tell its process: {error}"));
        let fields = fields(&backend.to_string()).expect("PostgreSQL runs on this machine");
        Self {
            postmaster: fields[1].parse().expect("a parent is a number"),
        }
    }

    /// Seconds until now, of the postmaster, its children, and those it has reaped.
    ///
    /// # Panics
    /// When there is no `/proc`.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let postmaster = self.postmaster.to_string();
        let entries = std::fs::read_dir("/proc").expect("there is a /proc");
        let ticks: f64 = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let fields = fields(&name)?;
                let counts = name == postmaster || fields[1] == postmaster;
                counts.then(|| ticks(&fields, 11..15))
            })
            .sum();
        ticks / TICKS
    }
}

/// Seconds of processor time that a process has used, user and system, of all its threads.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn process_seconds(process: u32) -> f64 {
    let fields = fields(&process.to_string()).expect("the process runs");
    ticks(&fields, 11..13) / TICKS
}

/// Bytes of memory that a process has now, and the most that it has had.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn process_memory(process: u32) -> (u64, u64) {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let text = line.map(|line| line.trim().trim_end_matches(" kB"));
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    (kilobytes("VmRSS:") * 1024, kilobytes("VmHWM:") * 1024)
}

fn ticks(fields: &[String], range: std::ops::Range<usize>) -> f64 {
    let times = fields[range].iter();
    times.filter_map(|text| text.parse::<f64>().ok()).sum()
}

/// The fields of a process's `stat` after its command: state, parent, …
fn fields(process: &str) -> Option<Vec<String>> {
    process.parse::<u32>().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

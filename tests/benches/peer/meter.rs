//! What a workload costs: time, and the processor time of the PostgreSQL server.

use std::time::Instant;

use sqlx::{Connection as _, PgConnection};

/// Clock ticks a second in `/proc`; Linux has had no other value for decades.
const TICKS: f64 = 100.0;

/// One workload's cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Items a second.
    pub per_second: f64,
    /// Microseconds of this process's processors for each item.
    pub client_us: Option<f64>,
    /// Microseconds of PostgreSQL's processors for each item.
    pub postgres_us: Option<f64>,
}

/// Seconds of processors that this process has spent.
fn own_seconds() -> f64 {
    let fields = fields(&std::process::id().to_string()).unwrap();
    let ticks = fields[11..13].iter().map(|f| f.parse::<f64>().unwrap());
    ticks.sum::<f64>() / TICKS
}

/// Processor time of a PostgreSQL server on this machine.
pub struct ServerClock {
    postmaster: u32,
}

impl ServerClock {
    /// The clock of the server behind a URL.
    pub async fn new(url: &str) -> Self {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let fields = fields(&backend.to_string()).unwrap();
        Self {
            postmaster: fields[1].parse().unwrap(),
        }
    }

    /// Seconds until now, of the postmaster, its children, and those it has reaped.
    pub fn seconds(&self) -> f64 {
        let postmaster = self.postmaster.to_string();
        let mut ticks = 0.0;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(fields) = fields(&name) else {
                continue;
            };
            if name == postmaster || fields[1] == postmaster {
                ticks += fields[11..15]
                    .iter()
                    .map(|f| f.parse::<f64>().unwrap())
                    .sum::<f64>();
            }
        }
        ticks / TICKS
    }
}

/// The fields of a process's `stat` after its command: state, parent, …
fn fields(pid: &str) -> Option<Vec<String>> {
    pid.parse::<u32>().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Runs the work, which handles `count` items, and tells what it cost.
pub async fn measure(
    clock: Option<&ServerClock>,
    count: i64,
    work: impl Future<Output = ()>,
) -> Cost {
    let server = clock.map(ServerClock::seconds);
    let own = own_seconds();
    let start = Instant::now();
    work.await;
    let seconds = start.elapsed().as_secs_f64();
    let count = count as f64;
    let client_us = (own_seconds() - own) / count * 1e6;
    let postgres_us = clock
        .zip(server)
        .map(|(clock, before)| (clock.seconds() - before) / count * 1e6);
    Cost {
        per_second: count / seconds,
        client_us: Some(client_us),
        postgres_us,
    }
}

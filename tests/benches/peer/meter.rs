//! What a workload costs: time, and the processor time of the PostgreSQL server.

use std::time::Instant;

use butler_tests::meter::{ServerClock, process_seconds};

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

/// Runs the work, which handles `count` items, and tells what it cost.
pub async fn measure(
    clock: Option<&ServerClock>,
    count: i64,
    work: impl Future<Output = ()>,
) -> Cost {
    let (process, server) = (std::process::id(), clock.map(ServerClock::seconds));
    let own = process_seconds(process);
    let start = Instant::now();
    work.await;
    let seconds = start.elapsed().as_secs_f64();
    let count = count as f64;
    let client_us = (process_seconds(process) - own) / count * 1e6;
    let postgres_us = clock
        .zip(server)
        .map(|(clock, before)| (clock.seconds() - before) / count * 1e6);
    Cost {
        per_second: count / seconds,
        client_us: Some(client_us),
        postgres_us,
    }
}

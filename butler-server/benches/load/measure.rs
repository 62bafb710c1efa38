//! What operations cost a server, and a table of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use butler_tests::meter::{ServerClock, process_memory, process_seconds};
use butler_tests::server::ServerProcess;
use serde_json::Value;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::client::{Prepared, Seen, hold, load};

/// Servers allow 25 streaming queries at once.
const STREAMS: usize = 25;

/// Before the clock starts: connections, prepared statements, caches.
const WARM_UP: Duration = Duration::from_millis(700);

/// Operations of the mix, and how often each is in it.
const MIX: [(&str, usize); 5] = [
    ("get_file", 4),
    ("find_dataset", 3),
    ("dataset/{id}", 1),
    ("query of 100 refs", 1),
    ("query around a point", 1),
];

/// The streaming of many rows; its memory is of interest.
const STREAM: &str = "stream of 100,000 refs";

/// What one operation costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    server_ms: f64,
    postgres_ms: f64,
    megabytes_per_second: f64,
    busy: usize,
}

/// What a server was measured at.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    start: Duration,
    idle: u64,
    streaming: u64,
    costs: BTreeMap<String, Cost>,
}

/// Measures every operation that is asked for, one after the other, then a mix of them.
pub(crate) async fn run(
    server: &ServerProcess,
    label: &str,
    requests: &Value,
    clock: &ServerClock,
    arguments: &Arguments,
) -> Figures {
    let repository = format!("/api/butler/repo/{label}");
    let prepared: BTreeMap<&str, Vec<Prepared>> = requests
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, entries)| {
            let entries = entries.as_array().unwrap().iter();
            let prepared = entries.map(|entry| Prepared::new(&repository, entry));
            (name.as_str(), prepared.collect())
        })
        .collect();
    // The first answers to each kind of request open connections and the repository.
    let first = Arc::new(prepared["dataset/{id}"][..1].to_vec());
    load(server.address(), &first, 1, Duration::from_millis(1)).await;
    sleep(Duration::from_millis(200)).await;
    let mut figures = Figures {
        start: server.start_time(),
        idle: process_memory(server.id()).0,
        ..Figures::default()
    };
    let mut mix = Vec::new();
    for (name, times) in MIX {
        let variants = &prepared[name];
        mix.extend((0..times * 100).map(|i| variants[i * 7 % variants.len()].clone()));
    }
    spread(&mut mix);
    let mut operations: Vec<(&str, Vec<Prepared>)> = prepared
        .iter()
        .filter(|(name, _)| **name != STREAM)
        .map(|(name, variants)| (*name, variants.clone()))
        .collect();
    operations.push(("mix", mix));
    operations.push((STREAM, prepared[STREAM].clone()));
    for (name, variants) in operations {
        if !arguments.wants(name) {
            continue;
        }
        let clients = match name {
            STREAM => 1,
            _ if name.starts_with("query") => arguments.clients.min(STREAMS),
            _ => arguments.clients,
        };
        let variants = Arc::new(variants);
        if name != STREAM {
            load(server.address(), &variants, clients, WARM_UP).await;
        }
        let cost = measure(server, &variants, clients, clock, arguments.time).await;
        println!("  {name:<24} {:>9.0}/s", cost.per_second);
        figures.costs.insert(name.to_owned(), cost);
        if name == STREAM {
            let streams = hold(server.address(), &variants, STREAMS, arguments.time);
            streams.await;
            figures.streaming = process_memory(server.id()).1;
        }
    }
    figures
}

/// Lets members of a list take turns.
fn spread(list: &mut [Prepared]) {
    let count = list.len();
    let original = list.to_vec();
    // A step that has no divisor in common with the length visits all.
    let step = (count * 5 / 13..)
        .find(|step| gcd(*step, count) == 1)
        .unwrap_or(1);
    for (index, place) in list.iter_mut().enumerate() {
        *place = original[index * step % count].clone();
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

async fn measure(
    server: &ServerProcess,
    requests: &Arc<Vec<Prepared>>,
    clients: usize,
    clock: &ServerClock,
    time: Duration,
) -> Cost {
    let (own, postgres) = (process_seconds(server.id()), clock.seconds());
    let seen = load(server.address(), requests, clients, time).await;
    let own = process_seconds(server.id()) - own;
    let postgres = clock.seconds() - postgres;
    let count = seen.latencies.len().max(1) as f64;
    let Seen {
        time, bytes, busy, ..
    } = seen;
    Cost {
        per_second: count / time.as_secs_f64(),
        p50: seen.quantile(0.5),
        p99: seen.quantile(0.99),
        server_ms: own / count * 1e3,
        postgres_ms: postgres / count * 1e3,
        megabytes_per_second: bytes as f64 / 1e6 / time.as_secs_f64(),
        busy,
    }
}

/// Prints the figures, with ratios if there are those of two servers.
pub(crate) fn print(figures: &BTreeMap<&str, Figures>) {
    for (server, found) in figures {
        println!("\n{server}");
        println!(
            "  first answer after {:.0} ms, {} MB idle, {} MB under {STREAMS} streams",
            found.start.as_secs_f64() * 1e3,
            found.idle / 1_000_000,
            found.streaming / 1_000_000
        );
        println!(
            "  {:<24} {:>9} {:>9} {:>9} {:>10} {:>10} {:>8} {:>6}",
            "", "per s", "p50 ms", "p99 ms", "server ms", "PG ms", "MB/s", "busy"
        );
        for (name, cost) in &found.costs {
            println!(
                "  {name:<24} {:>9.1} {:>9.2} {:>9.2} {:>10.3} {:>10.3} {:>8.1} {:>6}",
                cost.per_second,
                cost.p50.as_secs_f64() * 1e3,
                cost.p99.as_secs_f64() * 1e3,
                cost.server_ms,
                cost.postgres_ms,
                cost.megabytes_per_second,
                cost.busy
            );
        }
    }
    let (Some(ours), Some(theirs)) = (figures.get("ours"), figures.get("Python")) else {
        return;
    };
    println!("\nours beside Python's: rate, and its costs over ours");
    println!(
        "  {:<24} {:>9} {:>12} {:>12}",
        "", "rate", "server CPU", "PG CPU"
    );
    for (name, cost) in &ours.costs {
        if let Some(peer) = theirs.costs.get(name) {
            println!(
                "  {name:<24} {:>8.1}x {:>11.1}x {:>11.1}x",
                cost.per_second / peer.per_second,
                peer.server_ms / cost.server_ms,
                peer.postgres_ms / cost.postgres_ms
            );
        }
    }
}

//! How fast the Butler writer is: from Kafka into a repository, announcements included.
//!
//! `cargo xtask bench writer [MESSAGES [DATASETS]]`: messages, and datasets in each. Prints a line for each database,
//! with the day's need beside it.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/it/writer/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "../tests/it/kafka.rs"]
#[allow(dead_code)]
mod kafka;
#[path = "../tests/it/process.rs"]
#[allow(dead_code)]
mod process;

use std::time::Instant;

use butler_pps::writer::Writer;
use fixture::Embargo;
use tokio_util::sync::CancellationToken;

/// What Prompt Processing makes, in datasets per second: 3,000,000 a day.
const NEED: f64 = 3_000_000.0 / 86_400.0;

async fn run(database: &str, embargo: Embargo, messages: u32, datasets: u32) {
    let made: Vec<String> = (0..messages)
        .map(|number| embargo.message(number, datasets).0.to_string())
        .collect();
    let bytes: usize = made.iter().map(String::len).sum();
    kafka::send(&embargo.servers, &embargo.input(), made);
    let writer = Writer::open(embargo.settings()).await.unwrap();
    let metrics = writer.metrics().clone();
    let stop = CancellationToken::new();
    let begun = Instant::now();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { writer.run(stop).await }
    });
    let all = format!("butler_writer_messages_ingested_total {messages}\n");
    while !metrics.text().unwrap().contains(&all) {
        assert!(
            begun.elapsed() < fixture::LIMIT,
            "{}",
            metrics.text().unwrap()
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    stop.cancel();
    running.await.unwrap().unwrap();
    let count = messages * datasets;
    let rate = f64::from(count) / seconds;
    let mib = bytes as f64 / f64::from(1 << 20);
    println!(
        "{database:<10} {messages} messages ({mib:.1} MiB), {count} datasets: {seconds:.2} s, \
         {:.0} messages/s, {rate:.0} datasets/s; the day needs {NEED:.0}/s, so {:.0} times that",
        f64::from(messages) / seconds,
        rate / NEED
    );
}

fn main() {
    let numbers: Vec<u32> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let messages = numbers.first().copied().unwrap_or(2_000);
    let datasets = numbers.get(1).copied().unwrap_or(20);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        run("SQLite", Embargo::sqlite().await, messages, datasets).await;
        run("PostgreSQL", Embargo::postgres().await, messages, datasets).await;
    });
}

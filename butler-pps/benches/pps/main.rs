//! How fast datasets go through each step, and how long the state database takes to find them.
//!
//! `cargo xtask bench pps [--datasets N] [--kilobytes N] [--rows N]`, on PostgreSQL and local files.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod fill;
#[path = "../../tests/it/observatory.rs"]
#[allow(dead_code)]
mod observatory;
mod queries;
mod steps;

/// What a day brings, in datasets per second: 3,000,000 a day.
pub(crate) const NEED: f64 = 3_000_000.0 / 86_400.0;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: usize| {
        let place = arguments.iter().position(|argument| argument == name);
        place.map_or(default, |place| arguments[place + 1].parse().unwrap())
    };
    let datasets = number("--datasets", 10_000);
    let kilobytes = number("--kilobytes", 100);
    let rows = number("--rows", 10_000_000);
    if datasets > 0 {
        steps::measure(datasets, kilobytes * 1_000).await;
    }
    if rows > 0 {
        queries::measure(rows).await;
    }
}

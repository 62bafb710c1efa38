//! The same work through this library and through the Python package, on the same databases, in one
//! run; prints both rates and their ratios.
//!
//! `cargo xtask bench [-- --scale 0.1] [--load 3000000] [--ours-only]` writes in bulk;
//! `cargo xtask bench queries [--scale 0.1] [--ours-only] [--only NAME] [--at DIRECTORY]` asks
//! queries, of a repository that stays in the directory, if one is given. Machines are noisy: the
//! ratios count, not the rates.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    unreachable_pub
)]

mod fixture;
mod load;
mod meter;
mod queries;
mod sky;
mod workloads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use butler_tests::python::Script;
use meter::Cost;
use workloads::Counts;

/// What the command line says.
struct Arguments {
    queries: bool,
    only: Option<String>,
    at: Option<PathBuf>,
    scale: f64,
    load: i64,
    ours_only: bool,
}

impl Arguments {
    fn parse() -> Self {
        let mut parsed = Self {
            queries: false,
            only: None,
            at: None,
            scale: 1.0,
            load: 0,
            ours_only: false,
        };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            let mut number = || {
                given
                    .next()
                    .and_then(|text| text.parse::<f64>().ok())
                    .unwrap()
            };
            match argument.as_str() {
                "queries" => parsed.queries = true,
                "--only" => parsed.only = given.next(),
                "--at" => parsed.at = given.next().map(PathBuf::from),
                "--scale" => parsed.scale = number(),
                "--load" => parsed.load = number() as i64,
                "--ours-only" => parsed.ours_only = true,
                // Cargo says so to every benchmark.
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        parsed
    }

    fn counts(&self) -> Counts {
        let scaled = |count: f64| (count * self.scale).max(60.0) as i64;
        Counts {
            import: scaled(100_000.0),
            ingest_direct: scaled(20_000.0),
            ingest_copy: scaled(5_000.0),
            find: scaled(5_000.0),
        }
    }
}

/// The Python package's costs of the same workloads.
fn peer(directory: &Path, url: Option<&str>, counts: Counts) -> BTreeMap<String, Cost> {
    let mut script = Script::new("bench_peer.py").arg(directory);
    if let Some(url) = url {
        script = script.args(["--db", url]);
    }
    let document = script
        .args(["--import".to_owned(), counts.import.to_string()])
        .args([
            "--ingest-direct".to_owned(),
            counts.ingest_direct.to_string(),
        ])
        .args(["--ingest-copy".to_owned(), counts.ingest_copy.to_string()])
        .args(["--find".to_owned(), counts.find.to_string()])
        .run();
    costs(&document)
}

/// The costs in a script's answer.
fn costs(document: &serde_json::Value) -> BTreeMap<String, Cost> {
    let workloads = document["workloads"].as_object().unwrap();
    let cost = |value: &serde_json::Value| Cost {
        per_second: value["per_second"].as_f64().unwrap(),
        client_us: value["client_cpu_us_each"].as_f64(),
        postgres_us: value["postgres_cpu_us_each"].as_f64(),
    };
    workloads
        .iter()
        .map(|(name, value)| (name.clone(), cost(value)))
        .collect()
}

fn print(database: &str, ours: &BTreeMap<String, Cost>, theirs: &BTreeMap<String, Cost>) {
    println!("{database}");
    println!(
        "  {:<18} {:>10} {:>10} {:>7}   {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
        "",
        "ours/s",
        "Python/s",
        "ratio",
        "CPU µs",
        "CPU µs Py",
        "ratio",
        "PG µs",
        "PG µs Py",
        "ratio"
    );
    for (name, cost) in ours {
        let peer = theirs.get(name);
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let rate = peer.map(|p| p.per_second);
        let client = peer.and_then(|p| p.client_us);
        let server = peer.and_then(|p| p.postgres_us);
        let share = |ours: Option<f64>, theirs| number(ours.zip(theirs).map(|(a, b)| a / b), 3);
        println!(
            "  {name:<18} {:>10.0} {:>10} {:>7}   {:>9} {:>9} {:>7}   {:>9} {:>9} {:>7}",
            cost.per_second,
            number(rate, 0),
            number(rate.map(|rate| cost.per_second / rate), 1),
            number(cost.client_us, 2),
            number(client, 2),
            share(cost.client_us, client),
            number(cost.postgres_us, 2),
            number(server, 2),
            share(cost.postgres_us, server),
        );
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let url = butler_tests::postgres::url();
    let directory = tempfile::tempdir().unwrap();
    if arguments.queries {
        return queries::run(directory.path(), &url, &arguments).await;
    }
    for (name, url) in [("PostgreSQL", Some(url.as_str())), ("SQLite", None)] {
        let place = directory.path().join(name);
        let ours = workloads::run(&place.join("ours"), url, arguments.counts()).await;
        let theirs = if arguments.ours_only {
            BTreeMap::new()
        } else {
            peer(&place.join("python"), url, arguments.counts())
        };
        print(name, &ours, &theirs);
    }
    if arguments.load > 0 {
        println!("Load into PostgreSQL");
        load::run(directory.path(), &url, arguments.load).await;
    }
}

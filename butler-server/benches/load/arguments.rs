//! What the benchmark is asked to do.

use std::path::PathBuf;
use std::time::Duration;

/// The arguments.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) datasets: i64,
    pub(crate) clients: usize,
    pub(crate) time: Duration,
    pub(crate) only: Option<String>,
    pub(crate) keep: Option<PathBuf>,
    pub(crate) server: PathBuf,
    pub(crate) ours: bool,
    pub(crate) reference: bool,
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse() -> Self {
        let mut parsed = Self {
            datasets: 1_000_000,
            clients: 50,
            time: Duration::from_secs(5),
            only: None,
            keep: None,
            server: env!("CARGO_BIN_EXE_butler-server").into(),
            ours: true,
            reference: true,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{word} wants a value"))
            };
            match word.as_str() {
                "--datasets" => parsed.datasets = value().parse().unwrap(),
                "--clients" => parsed.clients = value().parse().unwrap(),
                "--seconds" => parsed.time = Duration::from_secs_f64(value().parse().unwrap()),
                "--only" => parsed.only = Some(value()),
                "--keep" => parsed.keep = Some(value().into()),
                "--server" => parsed.server = value().into(),
                "--ours" => parsed.reference = false,
                "--reference" => parsed.ours = false,
                // Cargo says so to every benchmark.
                "--bench" => {}
                other => panic!("unknown argument {other}"),
            }
        }
        parsed
    }

    /// Whether an operation is asked for.
    pub(crate) fn wants(&self, operation: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|part| operation.contains(part.as_str()))
    }
}

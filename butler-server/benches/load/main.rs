//! Load on the server beside the reference's, on the same repository: `cargo xtask bench server`.
//!
//! Arguments: `--datasets N` (1,000,000), `--clients N` (50), `--seconds N` for each operation (5), `--only NAME` for
//! operations whose name contains it, `--ours` or `--reference` for one server only, `--server PROGRAM` for ours as it is
//! installed instead of the one that was built with the benchmark, `--keep DIR` for a repository that is kept there, and
//! used if it is there.
//!
//! Processor times are those of the server's and PostgreSQL's processes, read from `/proc`; clients, servers and
//! PostgreSQL share this machine, so rates are of all of them together.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod arguments;
mod client;
mod measure;
mod repository;

use std::collections::BTreeMap;
use std::path::Path;

use butler_tests::meter::ServerClock;
use butler_tests::postgres;
use butler_tests::python::run_script;
use butler_tests::server::{Program, ServerProcess, ServerSetup};
use serde_json::Value;
use uuid::Uuid;

use crate::arguments::Arguments;
use crate::measure::{Figures, print};

const LABEL: &str = "bench";

fn serve(program: &Program, root: &Path) -> ServerProcess {
    ServerSetup::new(program)
        .repository(LABEL, root, &["*"])
        .envs(repository::CREDENTIALS)
        // Production logs no request that went well; nor does the reference here.
        .env("DAF_BUTLER_SERVER_LOG_LEVEL", "warn")
        .start()
}

/// The repository, made if it is not there, with the description of which requests are made.
async fn repository(root: &Path, datasets: i64) -> Value {
    let description = root.join("bench.json");
    if let Ok(text) = std::fs::read_to_string(&description) {
        return serde_json::from_str(&text).unwrap();
    }
    println!("Storing {datasets} datasets …");
    let schema = format!("bench_{}", Uuid::new_v4().simple());
    let document = repository::create(root, &postgres::url(), &schema, datasets).await;
    std::fs::write(&description, document.to_string()).unwrap();
    document
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let temporary = tempfile::tempdir().unwrap();
    let root = match &arguments.keep {
        Some(directory) => directory.clone(),
        None => temporary.path().join("repo"),
    };
    let document = repository(&root, arguments.datasets).await;
    let clock = ServerClock::new(&postgres::url()).await;
    let ours = Program::Ours(arguments.server.clone());
    let mut servers = Vec::new();
    if arguments.reference {
        servers.push(("Python", Program::Reference));
    }
    if arguments.ours {
        servers.push(("ours", ours));
    }
    let mut requests = None;
    let mut figures: BTreeMap<&str, Figures> = BTreeMap::new();
    for (name, program) in servers {
        let server = serve(&program, &root);
        let url = server.repository(LABEL);
        let requests =
            requests.get_or_insert_with(|| run_script("bench_requests.py", [&url], &document));
        drop(server);
        // Another process, so that what it takes while idle is not what it took for the recording.
        let server = serve(&program, &root);
        println!("{name}:");
        figures.insert(
            name,
            measure::run(&server, LABEL, requests, &clock, &arguments).await,
        );
    }
    print(&figures);
}

//! The workloads, as `bench_peer.py` runs them with the Python package.

use std::collections::BTreeMap;
use std::path::Path;

use butler_core::collections::CollectionType;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::TransferMode;

use crate::fixture::{self, DATASET_TYPE};
use butler_tests::meter::ServerClock;

use crate::meter::{Cost, measure};

const CHAIN_LENGTH: i64 = 6;

/// How many items each workload has.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub import: i64,
    pub ingest_direct: i64,
    pub ingest_copy: i64,
    pub find: i64,
}

/// Runs all workloads in a directory, on SQLite or on the PostgreSQL server of the URL.
pub async fn run(directory: &Path, url: Option<&str>, counts: Counts) -> BTreeMap<String, Cost> {
    let clock = match url {
        Some(url) => Some(ServerClock::new(url).await),
        None => None,
    };
    let clock = clock.as_ref();
    let mut costs = BTreeMap::new();
    let butler = fixture::repository(&directory.join("source"), url).await;
    let most = counts
        .import
        .max(counts.ingest_direct)
        .max(counts.ingest_copy)
        .max(counts.find);
    fixture::prepare(&butler, most).await;

    let datasets = fixture::datasets(&butler, "import", 0, counts.import).await;
    let cost = measure(clock, counts.import, async {
        butler.registry().import_datasets(&datasets).await.unwrap();
    });
    costs.insert("registry_import".to_owned(), cost.await);

    let mut copied = Vec::new();
    for (mode, count) in [
        (TransferMode::Direct, counts.ingest_direct),
        (TransferMode::Copy, counts.ingest_copy),
    ] {
        let name = format!("ingest_{}", mode.as_str());
        copied = fixture::datasets(&butler, &name, 0, count).await;
        let files = fixture::files(&directory.join(mode.as_str()), copied.clone());
        let cost = measure(clock, count, async {
            let options = IngestOptions::new(Some(mode));
            butler
                .ingest(files, options, false, &NoProgress)
                .await
                .unwrap();
        });
        costs.insert(name, cost.await);
    }

    let target = fixture::repository(&directory.join("target"), url).await;
    let options = TransferOptions {
        mode: TransferMode::Copy,
        register_dataset_types: true,
        transfer_dimensions: true,
        ..TransferOptions::default()
    };
    let cost = measure(clock, counts.ingest_copy, async {
        let done = target
            .transfer_from(&butler, &copied, options, &NoProgress)
            .await
            .unwrap();
        assert_eq!(done.len(), copied.len());
    });
    costs.insert("transfer_copy".to_owned(), cost.await);

    let runs: Vec<String> = (0..CHAIN_LENGTH).map(|i| format!("chain_{i}")).collect();
    let mut wanted = Vec::new();
    for (i, run) in (0..).zip(&runs) {
        let mut there = fixture::datasets(&butler, run, 0, counts.find).await;
        let mut number = 0;
        there.retain(|_| {
            number += 1;
            (number - 1) % CHAIN_LENGTH == i
        });
        butler.registry().import_datasets(&there).await.unwrap();
        wanted.extend(there);
    }
    let registry = butler.registry();
    registry
        .register_collection("chain", CollectionType::Chained, None)
        .await
        .unwrap();
    registry.set_collection_chain("chain", &runs).await.unwrap();
    let chain = ["chain".to_owned()];
    let cost = measure(clock, counts.find, async {
        for dataset in &wanted {
            let found = registry
                .find_dataset(DATASET_TYPE, dataset.data_id(), &chain, None)
                .await;
            assert_eq!(found.unwrap().unwrap().id(), dataset.id());
        }
    });
    costs.insert("find_dataset".to_owned(), cost.await);
    costs
}

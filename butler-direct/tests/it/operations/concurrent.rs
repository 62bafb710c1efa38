//! Clients that bring datasets of new types in at the same time do not block each other for good.

use std::sync::Arc;
use std::time::Duration;

use butler_core::progress::NoProgress;
use butler_core::registry::Registry;
use butler_direct::datastores::IngestOptions;
use butler_direct::resource::TransferMode;
use tokio::sync::Barrier;

use super::fixture::{Place, dataset, dataset_type};

#[tokio::test(flavor = "multi_thread")]
async fn many_ingest_datasets_of_new_types() {
    /// Different dimensions for each, so that each needs new tables.
    const DIMENSIONS: [&[&str]; 6] = [
        &["exposure", "detector"],
        &["detector"],
        &["exposure"],
        &["exposure", "detector"],
        &["detector"],
        &["exposure"],
    ];
    for place in Place::both() {
        place.with_records().await.close().await;
        let barrier = Arc::new(Barrier::new(DIMENSIONS.len()));
        let mut tasks = Vec::new();
        for (number, dimensions) in DIMENSIONS.into_iter().enumerate() {
            let butler = place.open().await;
            // Some share a run, and one type is everybody's.
            let run = format!("run{}", number % 4);
            let own = Arc::new(dataset_type(&butler, &format!("type{number}"), dimensions));
            let common = Arc::new(dataset_type(&butler, "common", &["exposure", "detector"]));
            let mut refs = Vec::new();
            for value in 1..=3 {
                let values: Vec<_> = dimensions.iter().map(|name| (*name, value)).collect();
                refs.push(dataset(&butler, &own, &values, &run));
            }
            let detector = i64::try_from(number).unwrap() % 4 + 1;
            let exposure = i64::try_from(number).unwrap() / 4 + 1;
            let values = [("exposure", exposure), ("detector", detector)];
            refs.push(dataset(&butler, &common, &values, &run));
            let directory = place.outside().join(format!("given{number}"));
            std::fs::create_dir(&directory).unwrap();
            let mut files = place.files(&refs);
            for file in &mut files {
                let name = std::path::Path::new(&file.path).file_name().unwrap();
                let own = directory.join(name);
                std::fs::rename(&file.path, &own).unwrap();
                file.path = own.to_str().unwrap().to_owned();
            }
            let barrier = Arc::clone(&barrier);
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                let copy = IngestOptions::new(Some(TransferMode::Copy));
                let work = butler.ingest(files, copy, false, &NoProgress);
                let done = tokio::time::timeout(Duration::from_secs(120), work).await;
                butler.close().await;
                done.expect("the clients do not wait for each other forever")
            }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), 4);
        }
        let butler = place.open().await;
        let mut found = 0;
        for run in 0..4 {
            let run = format!("run{run}");
            found += butler.registry().run_dataset_ids(&run).await.unwrap().len();
        }
        assert_eq!(found, 24);
        butler.registry().dataset_type("common").await.unwrap();
    }
}

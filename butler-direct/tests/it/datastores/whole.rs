//! What a [`DirectButler`](butler_direct::DirectButler) does with many datasets at once, wherever they
//! are kept.

use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::datastores::RetrieveOptions;
use butler_direct::resource::ResourcePath;
use serde_json::{Value, json};

use super::fixture::{RUN, Store};
use super::{assert_error, behaviours};

/// New datasets of detectors, each with its content.
async fn contents(store: &Store, detectors: std::ops::Range<i64>) -> Vec<(DatasetRef, Value)> {
    let mut datasets = Vec::new();
    for detector in detectors {
        let dataset = store.dataset("json", detector).await;
        datasets.push((dataset, json!({"detector": detector})));
    }
    datasets
}

/// Stores datasets through the butler.
async fn put_many(store: &Store, datasets: &[(DatasetRef, Value)]) -> butler_core::Result<()> {
    let datasets = datasets.iter().cloned();
    let datasets = datasets.map(|(dataset, content)| (dataset, content.into()));
    let datasets = datasets.collect();
    store.butler.put_many(datasets, &NoProgress).await
}

/// Asserts that datasets are recorded, stored and readable; or none of these.
async fn assert_there(store: &Store, datasets: &[(DatasetRef, Value)], expected: bool) {
    let refs: Vec<DatasetRef> = datasets
        .iter()
        .map(|(dataset, _)| dataset.clone())
        .collect();
    let found = store.butler.exists(&refs, true).await.unwrap();
    for (dataset, content) in datasets {
        let existence = found[&dataset.id()];
        assert_eq!(
            existence.is_complete(),
            expected,
            "{dataset}: {existence:?}"
        );
        assert_eq!(existence.recorded, expected, "{dataset}: {existence:?}");
        match store.butler.get_json(dataset).await {
            Ok(read) => assert!(expected && read == *content, "{dataset} has {read}"),
            Err(error) => assert!(!expected, "{dataset}: {error}"),
        }
    }
}

async fn many_datasets_are_put_together(store: &Store) {
    let datasets = contents(store, 1..6).await;
    put_many(store, &datasets).await.unwrap();
    assert_there(store, &datasets, true).await;
}

async fn none_is_put_if_one_cannot_be(store: &Store) {
    let first = contents(store, 1..2).await;
    put_many(store, &first).await.unwrap();
    let files = store.all_files().await;
    let mut more = contents(store, 2..4).await;
    // One has the data ID of a dataset that is there, another is that dataset.
    for bad in [contents(store, 1..2).await, first.clone()] {
        more.extend(bad);
        let done = put_many(store, &more).await;
        assert_error!(done, ConflictingDefinition);
        more.truncate(2);
        assert_there(store, &more, false).await;
        assert_there(store, &first, true).await;
        assert_eq!(store.all_files().await, files);
    }
    put_many(store, &more).await.unwrap();
    assert_there(store, &more, true).await;
}

async fn removed_runs_go_with_what_is_in_them(store: &Store) {
    let registry = store.butler.registry();
    let run = butler_core::collections::CollectionType::Run;
    registry
        .register_collection("other", run, None)
        .await
        .unwrap();
    let gone = contents(store, 1..4).await;
    let kept: Vec<(DatasetRef, Value)> = contents(store, 1..3)
        .await
        .into_iter()
        .map(|(dataset, content)| (dataset.with_run("other", None), content))
        .collect();
    put_many(store, &kept).await.unwrap();
    let files = store.all_files().await;
    put_many(store, &gone).await.unwrap();
    let runs = [RUN.to_owned()];
    store
        .butler
        .remove_runs(&runs, false, &NoProgress)
        .await
        .unwrap();
    assert_there(store, &gone, false).await;
    assert_there(store, &kept, true).await;
    assert_eq!(store.all_files().await, files);
    assert_error!(registry.collection_summary(RUN).await, MissingCollection);
}

async fn artifacts_are_retrieved_together(store: &Store) {
    let datasets = contents(store, 1..4).await;
    put_many(store, &datasets).await.unwrap();
    let refs: Vec<DatasetRef> = datasets
        .iter()
        .map(|(dataset, _)| dataset.clone())
        .collect();
    let directory = store.directory.path().join("out");
    let destination = ResourcePath::from_local_directory(&directory).unwrap();
    let found = store
        .butler
        .retrieve_artifacts(&refs, &destination, RetrieveOptions::default(), &NoProgress)
        .await
        .unwrap();
    assert_eq!(found.len(), 3);
    for (path, artifact) in found {
        let id = artifact.ids.first().unwrap();
        let (_, content) = datasets.iter().find(|(d, _)| d.id() == *id).unwrap();
        let read = std::fs::read(path.local_path().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&read).unwrap(), *content);
    }
}

#[tokio::test]
async fn what_is_in_memory_has_no_artifacts() {
    let store = super::fixture::Database::Sqlite.memory().await;
    let datasets = contents(&store, 1..2).await;
    put_many(&store, &datasets).await.unwrap();
    let directory = store.directory.path().join("out");
    let destination = ResourcePath::from_local_directory(&directory).unwrap();
    let options = RetrieveOptions::default();
    let done = store
        .butler
        .retrieve_artifacts(&[datasets[0].0.clone()], &destination, options, &NoProgress)
        .await;
    let message = assert_error!(done, InvalidArgument);
    assert!(message.contains("memory"), "{message}");
    assert!(!directory.exists());
}

behaviours!(
    all: [
    many_datasets_are_put_together,
    none_is_put_if_one_cannot_be,
    removed_runs_go_with_what_is_in_them,
    ],
    files: [
    artifacts_are_retrieved_together,
    ],
);

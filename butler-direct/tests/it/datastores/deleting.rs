//! The trash.

use butler_core::datasets::FileDataset;
use butler_core::progress::NoProgress;
use butler_direct::datastores::IngestOptions;
use butler_direct::resource::TransferMode;
use bytes::Bytes;

use super::fixture::Store;
use super::{assert_error, behaviours};

async fn trashed_datasets_go_and_others_stay(store: &Store) {
    let gone = store.put_json(1).await;
    let kept = store.put_json(2).await;
    store.trash(&[gone.id()]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert_error!(store.datastore.get_bytes(&gone).await, FileNotFound);
    assert!(store.datastore.get_bytes(&kept).await.is_ok());
    let known = store
        .datastore
        .knows(&[gone.id(), kept.id()])
        .await
        .unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [kept.id()]);
    // The place is free again.
    store.put(&gone, serde_json::json!({"again": 1})).await;
    assert!(store.datastore.get_bytes(&gone).await.is_ok());
}

async fn emptying_an_empty_trash_does_nothing(store: &Store) {
    let kept = store.put_json(1).await;
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    assert!(store.datastore.get_bytes(&kept).await.is_ok());
}

async fn a_dry_run_deletes_nothing(store: &Store) {
    let dataset = store.dataset("opaque", 1).await;
    store.put(&dataset, Bytes::from_static(b"x")).await;
    let files: Vec<String> = store
        .files(&dataset)
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    store.trash(&[dataset.id()]).await;
    let mut would = store.datastore.empty_trash(None, true).await.unwrap();
    would.sort();
    let mut expected = files.clone();
    expected.sort();
    assert_eq!(would, expected);
    assert_eq!(store.all_files().await.len(), files.len());
    let mut removed = store.datastore.empty_trash(None, false).await.unwrap();
    removed.sort();
    assert_eq!(removed, expected);
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn only_selected_datasets_are_deleted(store: &Store) {
    let (first, second) = (store.put_json(1).await, store.put_json(2).await);
    let before = store.all_files().await.len();
    store.trash(&[first.id(), second.id()]).await;
    store
        .datastore
        .empty_trash(Some(&[first.id()]), false)
        .await
        .unwrap();
    assert_eq!(store.all_files().await.len(), before / 2);
    store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn missing_files_do_not_keep_datasets_in_the_trash(store: &Store) {
    let dataset = store.put_json(1).await;
    for file in store.files(&dataset).await {
        store.butler.resources().delete(&file).await.unwrap();
    }
    store.trash(&[dataset.id()]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    let records = store.datastore.records(&[dataset.id()]).await.unwrap();
    assert!(records.values().all(|data| data.records.is_empty()));
    assert_eq!(
        store.datastore.empty_trash(None, true).await.unwrap(),
        Vec::<String>::new()
    );
}

async fn shared_files_stay_until_the_last_dataset_goes(store: &Store) {
    let path = store.local_file("two.json", "{}");
    let refs = vec![
        store.dataset("opaque", 1).await,
        store.dataset("opaque", 2).await,
    ];
    let file = FileDataset {
        path: path.to_str().unwrap().to_owned(),
        refs: refs.clone(),
        formatter: None,
    };
    let options = IngestOptions::new(Some(TransferMode::Copy));
    let staged = store
        .datastore
        .stage_ingest(vec![file], options, &NoProgress)
        .await
        .unwrap();
    store.record(staged, &refs).await.unwrap();
    let files = store.all_files().await;
    store.trash(&[refs[0].id()]).await;
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    assert_eq!(store.all_files().await, files);
    assert!(store.datastore.get_bytes(&refs[1]).await.is_ok());
    store.trash(&[refs[1].id()]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn forgotten_datasets_leave_their_files(store: &Store) {
    let dataset = store.dataset("opaque", 1).await;
    store.put(&dataset, Bytes::from_static(b"x")).await;
    let files = store.all_files().await;
    let mut transaction = store.butler.registry().begin().await.unwrap();
    store
        .datastore
        .forget(&mut transaction, &[dataset.id()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(
        store
            .datastore
            .knows(&[dataset.id()])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.all_files().await, files);
}

behaviours!(
    all: [
    trashed_datasets_go_and_others_stay,
    emptying_an_empty_trash_does_nothing,
    ],
    files: [
    a_dry_run_deletes_nothing,
    only_selected_datasets_are_deleted,
    missing_files_do_not_keep_datasets_in_the_trash,
    shared_files_stay_until_the_last_dataset_goes,
    forgotten_datasets_leave_their_files,
    ],
);

//! What goes wrong leaves nothing half done.

use butler_core::datasets::DatasetIdMode;
use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use bytes::Bytes;
use serde_json::json;

use super::fixture::{Database, RUN, Store};
use super::{assert_error, behaviours};

/// Another dataset for which the template gives the same file.
fn twin(dataset: &DatasetRef) -> DatasetRef {
    DatasetRef::generate(
        dataset.dataset_type().clone(),
        dataset.data_id().clone(),
        RUN,
        DatasetIdMode::Unique,
    )
    .unwrap()
}

async fn a_file_of_another_dataset_is_not_touched(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    store.put(&dataset, Bytes::from_static(b"first")).await;
    let done = store
        .datastore
        .stage_put(&twin(&dataset), Bytes::from_static(b"second").into())
        .await;
    let message = assert_error!(done, ConflictingDefinition);
    assert!(message.contains(&dataset.id().to_string()), "{message}");
    let read = store.datastore.get_bytes(&dataset).await.unwrap();
    assert_eq!(&read[..], b"first");
}

async fn orphans_of_a_crash_are_overwritten(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    let data = Bytes::from_static(b"crashed before it was recorded");
    let staged = store
        .datastore
        .stage_put(&dataset, data.into())
        .await
        .unwrap();
    drop(staged);
    store.put(&dataset, Bytes::from_static(b"again")).await;
    let read = store.datastore.get_bytes(&dataset).await.unwrap();
    assert_eq!(&read[..], b"again");
}

async fn one_failure_takes_a_batch_back(store: &Store) {
    let good = store.dataset("table", 1).await;
    let twin = twin(&good);
    let datasets = vec![
        (
            store.dataset("table", 2).await,
            Bytes::from_static(b"other").into(),
        ),
        (good, Bytes::from_static(b"one").into()),
        (twin, Bytes::from_static(b"two").into()),
    ];
    let done = store.datastore.stage_puts(datasets, &NoProgress).await;
    assert_error!(done, ConflictingDefinition);
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn a_failed_transaction_takes_the_files_back(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    store.put(&dataset, Bytes::from_static(b"first")).await;
    let before = store.all_files().await;
    // The same dataset ID in another place: the registry refuses it.
    let other = store.dataset("table", 2).await;
    let clash = DatasetRef::new(
        other.dataset_type().clone(),
        other.data_id().clone(),
        RUN,
        dataset.id(),
    )
    .unwrap();
    let staged = store
        .datastore
        .stage_put(&clash, Bytes::from_static(b"clash").into())
        .await
        .unwrap();
    assert_error!(store.record(staged, &[clash]).await, ConflictingDefinition);
    assert_eq!(store.all_files().await, before);
    let read = store.datastore.get_bytes(&dataset).await.unwrap();
    assert_eq!(&read[..], b"first");
}

async fn undoing_spares_files_that_were_recorded(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    let staged = store
        .datastore
        .stage_put(&dataset, Bytes::from_static(b"kept").into())
        .await
        .unwrap();
    let mut transaction = store.butler.registry().begin().await.unwrap();
    transaction
        .import_datasets(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    staged.record(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    // As if the answer to the commit had been lost.
    staged.undo().await.unwrap();
    let read = store.datastore.get_bytes(&dataset).await.unwrap();
    assert_eq!(&read[..], b"kept");
}

async fn truncated_files_are_noticed(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    store
        .put(&dataset, Bytes::from_static(b"whole content"))
        .await;
    for file in store.files(&dataset).await {
        let resources = store.butler.resources();
        resources
            .write(&file, Bytes::from_static(b"whole"), true)
            .await
            .unwrap();
    }
    let datastore = store.reopened().await;
    let message = assert_error!(datastore.get_bytes(&dataset).await, FileIntegrity);
    assert!(
        message.contains("5 bytes") && message.contains("13"),
        "{message}"
    );
    assert_error!(datastore.get_file(&dataset).await, FileIntegrity);
}

async fn missing_files_are_named(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    store.put(&dataset, Bytes::from_static(b"x")).await;
    for file in store.files(&dataset).await {
        store.butler.resources().delete(&file).await.unwrap();
    }
    let datastore = store.reopened().await;
    let message = assert_error!(datastore.get_bytes(&dataset).await, FileNotFound);
    assert!(message.contains("table"), "{message}");
    assert!(
        datastore
            .exists(std::slice::from_ref(&dataset))
            .await
            .unwrap()
            .is_empty()
    );
    let known = datastore.knows(&[dataset.id()]).await.unwrap();
    assert!(known.contains(&dataset.id()));
}

async fn unreadable_files_are_named(store: &Store) {
    let dataset = store.dataset("yaml", 1).await;
    store.put(&dataset, Bytes::from_static(b"a: [1, 2")).await;
    let datastore = store.reopened().await;
    let message = assert_error!(datastore.get_yaml(&dataset).await, CorruptRecord);
    assert!(message.contains(".yaml"), "{message}");
    let dataset = store.dataset("arrow", 1).await;
    store
        .put(&dataset, Bytes::from_static(b"PAR1 is not enough"))
        .await;
    assert_error!(datastore.get_table(&dataset, None).await, CorruptRecord);
}

behaviours!(
    all: [

    ],
    files: [
    a_file_of_another_dataset_is_not_touched,
    orphans_of_a_crash_are_overwritten,
    one_failure_takes_a_batch_back,
    a_failed_transaction_takes_the_files_back,
    undoing_spares_files_that_were_recorded,
    truncated_files_are_noticed,
    missing_files_are_named,
    unreadable_files_are_named,
    ],
);

#[tokio::test]
async fn trusted_requests_find_files_without_records() {
    let store = Database::Sqlite.posix_with("trust_get_request: true").await;
    let dataset = store.put_json(1).await;
    let mut transaction = store.butler.registry().begin().await.unwrap();
    store
        .datastore
        .forget(&mut transaction, &[dataset.id()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let given = [dataset.clone()];
    assert!(
        store
            .datastore
            .knows(&[dataset.id()])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.datastore.exists(&given).await.unwrap().len(), 1);
    assert_eq!(store.datastore.uris(&given, false).await.unwrap().len(), 1);
    let read = store.datastore.get_json(&dataset).await.unwrap();
    assert_eq!(read, json!({"detector": 1}));
    let other = store.dataset("json", 2).await;
    assert!(store.datastore.exists(&[other]).await.unwrap().is_empty());
}

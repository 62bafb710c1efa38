//! The trash.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use butler_direct::datastores::SharedDatastore;
use butler_direct::resource::TransferMode;
use bytes::Bytes;

use super::fixture::{Database, Store};
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
    store.ingest(&path, &refs, TransferMode::Copy).await;
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

async fn two_can_empty_the_trash_at_once(store: &Store) {
    let kept = store.put_json(0).await;
    let before = store.all_files().await;
    let mut gone = Vec::new();
    for detector in 1..10 {
        gone.push(store.put_json(detector).await.id());
    }
    store.trash(&gone).await;
    let expected = store.datastore.empty_trash(None, true).await.unwrap();
    let other = store.reopened().await;
    let (ours, theirs) = tokio::join!(
        store.datastore.empty_trash(None, false),
        other.empty_trash(None, false)
    );
    let removed: BTreeSet<String> = ours.unwrap().into_iter().chain(theirs.unwrap()).collect();
    assert_eq!(removed, expected.into_iter().collect());
    assert_eq!(store.all_files().await, before);
    assert_eq!(other.knows(&gone).await.unwrap(), HashSet::new());
    let again = other.empty_trash(None, false).await.unwrap();
    assert_eq!(again, Vec::<String>::new());
    assert!(store.datastore.get_bytes(&kept).await.is_ok());
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
    two_can_empty_the_trash_at_once,
    ],
);

/// Makes tests of what is the same for all datastores of files: one per database.
macro_rules! for_each_database {
    ($($name:ident),* $(,)?) => {
        $(
            mod $name {
                #[tokio::test]
                async fn sqlite() {
                    super::$name(super::Database::Sqlite).await;
                }

                #[tokio::test]
                async fn postgres() {
                    super::$name(super::Database::Postgres).await;
                }
            }
        )*
    };
}

for_each_database! {
    nothing_is_locked_while_files_are_deleted,
    a_file_is_not_put_where_another_is_being_deleted,
    what_is_put_in_the_place_of_trash_stays,
    what_cannot_be_deleted_stays_in_the_trash,
    a_missing_storage_loses_no_records,
}

async fn nothing_is_locked_while_files_are_deleted(database: Database) {
    let (store, gate) = database.s3_behind_gate().await;
    let gone = store.put_json(1).await;
    store.trash(&[gone.id()]).await;
    let start_emptying = |datastore: SharedDatastore| {
        tokio::spawn(async move { datastore.empty_trash(None, false).await })
    };
    let first = start_emptying(store.datastore.clone());
    gate.arrival().await;
    // Others can write, and empty the trash too; what somebody is deleting is left to them.
    let other = store.put_json(2).await;
    let second = start_emptying(store.reopened().await);
    assert_eq!(second.await.unwrap().unwrap(), Vec::<String>::new());
    assert!(
        store
            .datastore
            .knows(&[gone.id()])
            .await
            .unwrap()
            .contains(&gone.id()),
        "records stay until the files are gone"
    );
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().len(), 1);
    let known = store
        .datastore
        .knows(&[gone.id(), other.id()])
        .await
        .unwrap();
    assert_eq!(known, [other.id()].into());
    assert!(store.datastore.get_bytes(&other).await.is_ok());
}

async fn a_file_is_not_put_where_another_is_being_deleted(database: Database) {
    let (store, gate) = database.s3_behind_gate().await;
    let gone = store.put_json(1).await;
    store.trash_and_remove(&gone).await;
    let datastore = store.datastore.clone();
    let emptying = tokio::spawn(async move { datastore.empty_trash(None, false).await });
    gate.arrival().await;
    // Whoever empties the trash knows which file to delete, and is about to.
    let new = store.dataset("json", 1).await;
    let deleted = Cell::new(false);
    let put = async {
        store.put(&new, serde_json::json!({"new": true})).await;
        assert!(deleted.get(), "the file was written first");
    };
    tokio::join!(put, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        deleted.set(true);
        gate.open();
    });
    assert_eq!(emptying.await.unwrap().unwrap().len(), 1);
    assert_eq!(store.bytes(&new).await, r#"{"new":true}"#);
}

async fn what_is_put_in_the_place_of_trash_stays(database: Database) {
    let store = database.posix().await;
    let gone = store.put_json(1).await;
    store.trash_and_remove(&gone).await;
    let new = store.put_json(1).await;
    assert_eq!(store.files(&new).await.len(), 1);
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    assert!(store.datastore.get_bytes(&new).await.is_ok());
}

async fn what_cannot_be_deleted_stays_in_the_trash(database: Database) {
    let store = database.posix().await;
    let (gone, stuck) = (store.put_json(1).await, store.put_json(2).await);
    let place = store.files(&stuck).await[0].local_path().unwrap();
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    let ids = [gone.id(), stuck.id()];
    store.trash(&ids).await;
    for expected in [1, 0] {
        let removed = store.datastore.empty_trash(None, false).await.unwrap();
        assert_eq!(removed.len(), expected, "{removed:?}");
        let known = store.datastore.knows(&ids).await.unwrap();
        assert_eq!(known, [stuck.id()].into());
    }
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "can be deleted").unwrap();
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed.len(), 1);
    assert!(store.datastore.knows(&ids).await.unwrap().is_empty());
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn a_missing_storage_loses_no_records(database: Database) {
    let store = database.posix().await;
    let dataset = store.put_json(1).await;
    store.trash(&[dataset.id()]).await;
    let root = store.datastore.roots()[0].local_path().unwrap();
    let away = store.directory.path().join("not mounted");
    std::fs::rename(&root, &away).unwrap();
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed, Vec::<String>::new());
    std::fs::rename(&away, &root).unwrap();
    let removed = store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

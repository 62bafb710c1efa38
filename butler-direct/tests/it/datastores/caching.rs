//! The local cache of remote files.

use std::time::Duration;

use bytes::Bytes;

use super::fixture::Database;

#[tokio::test]
async fn remote_files_are_cached_until_newer_ones_displace_them() {
    let store = Database::Sqlite.s3().await;
    let mut datasets = Vec::new();
    for detector in 0..7 {
        let dataset = store.dataset("opaque", detector).await;
        store
            .put(&dataset, Bytes::from(format!("content {detector}")))
            .await;
        store.datastore.get_bytes(&dataset).await.unwrap();
        let again = store.datastore.get_file(&dataset).await.unwrap();
        let read = std::fs::read_to_string(again.path()).unwrap();
        assert_eq!(read, format!("content {detector}"));
        datasets.push(dataset);
        // Change times are as coarse as the clock of the file system.
        tokio::time::sleep(Duration::from_millis(12)).await;
    }
    for dataset in &datasets {
        for file in store.files(dataset).await {
            store.butler.resources().delete(&file).await.unwrap();
        }
    }
    // Four datasets may stay when another one comes.
    for (at, dataset) in datasets.iter().enumerate() {
        let read = store.datastore.get_bytes(dataset).await;
        assert_eq!(read.is_ok(), at >= 2, "dataset {at}: {read:?}");
    }
    // What goes to the trash leaves the cache too.
    store.trash(&[datasets[6].id()]).await;
    assert!(store.datastore.get_bytes(&datasets[6]).await.is_err());
    assert!(store.datastore.get_bytes(&datasets[5]).await.is_ok());
}

#[tokio::test]
async fn handed_out_copies_outlive_the_cache() {
    let store = Database::Sqlite.s3().await;
    let dataset = store.dataset("opaque", 1).await;
    store.put(&dataset, Bytes::from_static(b"still here")).await;
    store.datastore.get_bytes(&dataset).await.unwrap();
    let copy = store.datastore.get_file(&dataset).await.unwrap();
    store.trash(&[dataset.id()]).await;
    assert_eq!(std::fs::read(copy.path()).unwrap(), b"still here");
    let path = copy.path().to_owned();
    drop(copy);
    assert!(
        !path.exists(),
        "a copy goes with the value that stands for it"
    );
}

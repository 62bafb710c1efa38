//! Copies of files, archives of them, and their way to other repositories.

use std::collections::BTreeSet;
use std::io::Write as _;

use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use butler_direct::datastores::{RetrieveOptions, ZIP_INDEX_NAME, ZipIndex};
use butler_direct::resource::{ResourcePath, TransferMode};
use bytes::Bytes;
use serde_json::json;

use super::fixture::{Database, Store};
use super::{assert_error, behaviours};

async fn retrieve(
    store: &Store,
    datasets: &[DatasetRef],
    options: RetrieveOptions,
) -> butler_core::Result<BTreeSet<String>> {
    let destination = destination(store);
    let done = store
        .datastore
        .retrieve_artifacts(datasets, &destination, options, &NoProgress)
        .await?;
    Ok(done
        .keys()
        .map(|path| path.relative_to(&destination).unwrap())
        .collect())
}

fn destination(store: &Store) -> ResourcePath {
    ResourcePath::from_local_directory(&store.directory.path().join("out")).unwrap()
}

async fn files_keep_their_paths_or_names(store: &Store) {
    let datasets = [store.put_json(1).await, store.put_json(2).await];
    let preserved = retrieve(store, &datasets, RetrieveOptions::default())
        .await
        .unwrap();
    let expected = [
        "a/run/json/json_Cam1_D01_a_run.json",
        "a/run/json/json_Cam1_D02_a_run.json",
    ];
    assert_eq!(preserved, expected.map(str::to_owned).into());

    let flat = RetrieveOptions {
        mode: TransferMode::Copy,
        preserve_path: false,
        ..RetrieveOptions::default()
    };
    let names = retrieve(store, &datasets, flat).await.unwrap();
    let expected = ["json_Cam1_D01_a_run.json", "json_Cam1_D02_a_run.json"];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert_error!(retrieve(store, &datasets, flat).await, FileExists);
    let again = RetrieveOptions {
        overwrite: true,
        ..flat
    };
    assert!(retrieve(store, &datasets, again).await.is_ok());
    let content = store.directory.path().join("out/json_Cam1_D02_a_run.json");
    assert_eq!(
        std::fs::read_to_string(content).unwrap(),
        r#"{"detector":2}"#
    );
}

async fn files_cannot_be_moved_out(store: &Store) {
    let dataset = store.put_json(1).await;
    let options = RetrieveOptions {
        mode: TransferMode::Move,
        ..RetrieveOptions::default()
    };
    assert_error!(retrieve(store, &[dataset], options).await, InvalidArgument);
    let unknown = store.dataset("json", 5).await;
    let done = retrieve(store, &[unknown], RetrieveOptions::default()).await;
    assert_error!(done, FileNotFound);
}

/// Packs what was retrieved with an index.
fn pack(store: &Store) -> (ResourcePath, ZipIndex) {
    let out = store.directory.path().join("out");
    let text = std::fs::read(out.join(ZIP_INDEX_NAME)).unwrap();
    let index = ZipIndex::parse(&text, "test").unwrap();
    let path = store.directory.path().join(index.file_name());
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for name in index
        .artifact_map
        .keys()
        .map(String::as_str)
        .chain([ZIP_INDEX_NAME])
    {
        archive.start_file(name, options).unwrap();
        archive
            .write_all(&std::fs::read(out.join(name)).unwrap())
            .unwrap();
    }
    archive.finish().unwrap();
    (ResourcePath::from_local(&path).unwrap(), index)
}

async fn archives_can_be_ingested_read_and_deleted(store: &Store) {
    let datasets = [store.put_json(1).await, store.put_json(2).await];
    let options = RetrieveOptions {
        preserve_path: false,
        write_index: true,
        add_prefix: true,
        ..RetrieveOptions::default()
    };
    let names = retrieve(store, &datasets, options).await.unwrap();
    let prefix = &datasets[0].id().to_string()[..8];
    assert!(
        names.contains(&format!("{prefix}-json_Cam1_D01_a_run.json")),
        "{names:?}"
    );
    let (archive, index) = pack(store);
    let ids: Vec<_> = datasets.iter().map(DatasetRef::id).collect();
    store.trash(&ids).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(store.all_files().await, Vec::<String>::new());

    let staged = store
        .datastore
        .stage_ingest_zip(&archive, Some(TransferMode::Copy))
        .await
        .unwrap();
    let described: BTreeSet<_> = staged.zip_datasets().iter().map(DatasetRef::id).collect();
    assert_eq!(described, ids.iter().copied().collect());
    store.record(staged, &datasets).await.unwrap();
    let files: BTreeSet<String> = store.all_files().await.into_iter().collect();
    assert_eq!(files, [index.path_in_store()].into());
    assert_eq!(
        store.datastore.get_json(&datasets[1]).await.unwrap(),
        json!({"detector": 2})
    );
    let copy = store.datastore.get_file(&datasets[0]).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(copy.path()).unwrap(),
        r#"{"detector":1}"#
    );
    assert_eq!(store.datastore.exists(&datasets).await.unwrap().len(), 2);

    std::fs::remove_dir_all(store.directory.path().join("out")).unwrap();
    let unpacked = retrieve(store, &datasets[..1], options).await.unwrap();
    assert_eq!(
        unpacked,
        [format!("{prefix}-json_Cam1_D01_a_run.json")].into()
    );

    store.trash(&ids[..1]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert!(
        store.datastore.get_json(&datasets[1]).await.is_ok(),
        "the archive is still needed"
    );
    store.trash(&ids[1..]).await;
    store.datastore.empty_trash(None, false).await.unwrap();
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn archives_without_an_index_are_refused(store: &Store) {
    let path = store.local_file("no.zip", "this is not a zip file");
    let archive = ResourcePath::from_local(&path).unwrap();
    let done = store
        .datastore
        .stage_ingest_zip(&archive, Some(TransferMode::Copy))
        .await;
    assert_error!(done, FileIntegrity);
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn files_are_transferred_with_their_records(store: &Store) {
    let other = Database::Sqlite.posix().await;
    let dataset = other.dataset("table", 1).await;
    other
        .put(&dataset, Bytes::from_static(b"transferred"))
        .await;
    let mut files = other
        .datastore
        .transfer_files(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    let files = files.remove(&dataset.id()).unwrap();
    for _ in 0..2 {
        let staged = store
            .datastore
            .stage_transfer(
                vec![(dataset.clone(), files.clone())],
                TransferMode::Copy,
                &NoProgress,
            )
            .await
            .unwrap();
        store
            .record(staged, std::slice::from_ref(&dataset))
            .await
            .unwrap();
    }
    assert_eq!(
        &store.datastore.get_bytes(&dataset).await.unwrap()[..],
        b"transferred"
    );
    let paths: BTreeSet<String> = store.all_files().await.into_iter().collect();
    assert_eq!(paths, other.all_files().await.into_iter().collect());
}

async fn records_can_be_exported_and_imported(store: &Store) {
    let dataset = store.put_json(1).await;
    let records = store.datastore.records(&[dataset.id()]).await.unwrap();
    let mut transaction = store.butler.registry().begin().await.unwrap();
    store
        .datastore
        .forget(&mut transaction, &[dataset.id()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = store.butler.registry().begin().await.unwrap();
    store
        .datastore
        .import_records(&mut transaction, &records)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let now = store.datastore.records(&[dataset.id()]).await.unwrap();
    assert_eq!(now, records);
}

behaviours!(
    all: [

    ],
    files: [
    files_keep_their_paths_or_names,
    files_cannot_be_moved_out,
    archives_can_be_ingested_read_and_deleted,
    archives_without_an_index_are_refused,
    files_are_transferred_with_their_records,
    records_can_be_exported_and_imported,
    ],
);

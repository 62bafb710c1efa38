//! Storing and reading datasets.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use butler_core::registry::Registry;
use butler_core::yaml::Value;
use butler_direct::datastores::{PutData, Table};
use butler_direct::resource::TransferMode;
use bytes::Bytes;
use serde_json::json;

use super::fixture::{Database, Store};
use super::{assert_error, behaviours};

pub(crate) fn table() -> Table {
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("flux", Arc::new(Float64Array::from(vec![0.5, -1.0, 2.25]))),
        (
            "name",
            Arc::new(StringArray::from(vec!["a", "böse", "ccc"])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap().into()
}

async fn structured_data_come_back(store: &Store) {
    let content = json!({"b": [1, 2.5, null, true], "a": {"text": "ä: yes"}, "n": -7});
    for name in ["json", "yaml"] {
        let dataset = store.dataset(name, 1).await;
        store.put(&dataset, content.clone()).await;
        assert_eq!(store.datastore.get_json(&dataset).await.unwrap(), content);
        let yaml: Value = content.clone().into();
        assert_eq!(store.datastore.get_yaml(&dataset).await.unwrap(), yaml);
        // The order of keys is kept.
        let Value::Map(map) = store.datastore.get_yaml(&dataset).await.unwrap() else {
            panic!("{name} is no mapping");
        };
        assert_eq!(map.keys().collect::<Vec<_>>(), ["b", "a", "n"]);
    }
    let list = store.dataset("list", 1).await;
    store
        .put(
            &list,
            Value::Seq(vec![Value::Int(1), Value::Str("1".into())]),
        )
        .await;
    assert_eq!(
        store.datastore.get_json(&list).await.unwrap(),
        json!([1, "1"])
    );
}

async fn tables_come_back(store: &Store) {
    let dataset = store.dataset("table", 1).await;
    store.put(&dataset, table()).await;
    let datastore = &store.datastore;
    let read = datastore.get_table(&dataset, None).await.unwrap();
    assert_eq!(read.row_count(), 3);
    assert_eq!(read.schema().fields(), table().schema().fields());
    assert_eq!(read.batches()[0].columns(), table().batches()[0].columns());

    let part = datastore
        .get_table(&dataset, Some(&["name", "id"]))
        .await
        .unwrap();
    let names: Vec<&str> = part
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["id", "name"]);
    let message = assert_error!(
        datastore.get_table(&dataset, Some(&["none"])).await,
        InvalidArgument
    );
    assert!(
        message.contains("'none'") && message.contains("flux"),
        "{message}"
    );
}

async fn components_of_tables_are_taken_from_the_file(store: &Store) {
    let dataset = store.dataset("table", 2).await;
    store.put(&dataset, table()).await;
    let classes = store.butler.storage_classes();
    let datastore = &store.datastore;
    let component = |name: &str| dataset.make_component(name, classes).unwrap();
    let rows = datastore.get_json(&component("rowcount")).await.unwrap();
    assert_eq!(rows, json!(3));
    let columns = datastore.get_json(&component("columns")).await.unwrap();
    assert_eq!(columns, json!(["id", "flux", "name"]));
    let schema = datastore.get_schema(&component("schema")).await.unwrap();
    assert_eq!(schema.fields(), table().schema().fields());
    assert_error!(
        datastore.get_bytes(&component("rowcount")).await,
        UnknownComponent
    );
}

async fn bytes_and_files_come_back(store: &Store) {
    let bytes = store.dataset("opaque", 1).await;
    store
        .put(&bytes, Bytes::from_static(b"\x00\x01 anything"))
        .await;
    let read = store.datastore.get_bytes(&bytes).await.unwrap();
    assert_eq!(&read[..], b"\x00\x01 anything");
    let copy = store.datastore.get_file(&bytes).await.unwrap();
    assert_eq!(std::fs::read(copy.path()).unwrap(), b"\x00\x01 anything");

    let file = store.local_file("given.fits", "contents");
    let path = butler_direct::resource::ResourcePath::from_local(&file).unwrap();
    let dataset = store.dataset("opaque", 2).await;
    store.put(&dataset, path).await;
    assert_eq!(
        &store.datastore.get_bytes(&dataset).await.unwrap()[..],
        b"contents"
    );
    assert!(file.exists(), "a file that is put is copied");
    assert!(store.datastore.get_table(&dataset, None).await.is_err());
}

async fn composites_can_be_stored_in_components(store: &Store) {
    let dataset = store.dataset("pair", 1).await;
    let parts = BTreeMap::from([
        ("dict".to_owned(), PutData::Json(json!({"a": 1}))),
        ("list".to_owned(), PutData::Json(json!([1, 2]))),
    ]);
    let data = PutData::Components(parts);
    let staged = store.datastore.stage_put(&dataset, data).await.unwrap();
    store
        .record(staged, std::slice::from_ref(&dataset))
        .await
        .unwrap();
    let classes = store.butler.storage_classes();
    let part = |name: &str| dataset.make_component(name, classes).unwrap();
    let datastore = &store.datastore;
    assert_eq!(
        datastore.get_json(&part("dict")).await.unwrap(),
        json!({"a": 1})
    );
    assert_eq!(
        datastore.get_json(&part("list")).await.unwrap(),
        json!([1, 2])
    );
    assert!(datastore.get_bytes(&dataset).await.is_err());
    let present = datastore
        .exists(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    assert!(present.contains(&dataset.id()));
}

async fn unknown_components_are_refused(store: &Store) {
    let dataset = store.dataset("pair", 2).await;
    let parts = BTreeMap::from([("other".to_owned(), PutData::Json(json!(1)))]);
    let done = store
        .datastore
        .stage_put(&dataset, PutData::Components(parts))
        .await;
    assert_error!(done, UnknownComponent);
}

async fn what_is_not_stored_is_not_found(store: &Store) {
    let dataset = store.dataset("json", 3).await;
    let message = assert_error!(store.datastore.get_bytes(&dataset).await, FileNotFound);
    assert!(message.contains("json"), "{message}");
    assert!(
        store
            .datastore
            .knows(&[dataset.id()])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .datastore
            .exists(std::slice::from_ref(&dataset))
            .await
            .unwrap()
            .is_empty()
    );
    let given = [dataset.clone()];
    assert!(
        store
            .datastore
            .uris(&given, false)
            .await
            .unwrap()
            .is_empty()
    );
    let predicted = store.datastore.uris(&given, true).await.unwrap();
    let uri = predicted[&dataset.id()].single().unwrap();
    assert!(uri.ends_with("#predicted"), "{uri}");
}

async fn stored_datasets_are_known_and_there(store: &Store) {
    let stored = store.put_json(4).await;
    let other = store.dataset("json", 5).await;
    let ids = [stored.id(), other.id()];
    let known = store.datastore.knows(&ids).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [stored.id()]);
    let given = [stored.clone(), other];
    let present = store.datastore.exists(&given).await.unwrap();
    assert_eq!(present.into_iter().collect::<Vec<_>>(), [stored.id()]);
    let uris = store.datastore.uris(&given, false).await.unwrap();
    assert_eq!(uris.len(), 1);
    assert!(uris[&stored.id()].single().is_ok());
}

async fn undone_datasets_leave_nothing(store: &Store) {
    let dataset = store.dataset("json", 6).await;
    let staged = store
        .datastore
        .stage_put(&dataset, json!({}).into())
        .await
        .unwrap();
    assert!(staged.ids().contains(&dataset.id()));
    staged.undo().await.unwrap();
    assert_eq!(store.all_files().await, Vec::<String>::new());
    assert!(store.datastore.get_bytes(&dataset).await.is_err());
    // A second attempt works.
    store.put(&dataset, json!({"second": true})).await;
    let read = store.datastore.get_json(&dataset).await.unwrap();
    assert_eq!(read, json!({"second": true}));
}

async fn data_that_the_formatter_cannot_write_are_refused(store: &Store) {
    for (name, data) in [
        ("opaque", PutData::Json(json!({}))),
        ("yaml", PutData::Table(table())),
        ("frame", PutData::Json(json!({}))),
    ] {
        let dataset = store.dataset(name, 7).await;
        let done = store.datastore.stage_put(&dataset, data).await;
        // A datastore in memory takes them: then there is something to take back.
        if let Ok(staged) = done {
            assert!(store.datastore.names().len() > 1);
            staged.undo().await.unwrap();
            continue;
        }
        let message = assert_error!(done, DatasetTypeNotSupported);
        assert!(message.contains("bytes instead"), "{message}");
    }
    assert_eq!(store.all_files().await, Vec::<String>::new());
}

async fn stored_datasets_are_there_after_opening_anew(store: &Store) {
    let dataset = store.put_json(8).await;
    let datastore = store.reopened().await;
    let read = datastore.get_json(&dataset).await.unwrap();
    assert_eq!(read, json!({"detector": 8}));
    let found = store.butler.registry().dataset(dataset.id()).await.unwrap();
    assert!(found.is_some());
}

behaviours!(
    all: [
    structured_data_come_back,
    tables_come_back,
    components_of_tables_are_taken_from_the_file,
    bytes_and_files_come_back,
    composites_can_be_stored_in_components,
    unknown_components_are_refused,
    what_is_not_stored_is_not_found,
    stored_datasets_are_known_and_there,
    undone_datasets_leave_nothing,
    ],
    files: [
    data_that_the_formatter_cannot_write_are_refused,
    stored_datasets_are_there_after_opening_anew,
    ],
);

/// File datastores with more lines in their configuration: local ones and such on S3.
async fn configured(more: &str) -> [Store; 2] {
    [
        Database::Sqlite.posix_with(more).await,
        Database::Postgres.s3_with(more).await,
    ]
}

#[tokio::test]
async fn rejected_datasets_are_not_stored() {
    for store in configured("constraints: {reject: [json]}").await {
        let dataset = store.dataset("json", 1).await;
        assert!(!store.datastore.accepts(&dataset));
        let done = store.datastore.stage_put(&dataset, json!({}).into()).await;
        assert_error!(done, DatasetTypeNotSupported);
        assert_eq!(store.all_files().await, Vec::<String>::new());
        let yaml = store.dataset("yaml", 1).await;
        store.put(&yaml, json!({"a": 1})).await;
        assert_eq!(store.all_files().await.len(), 1);
    }
}

#[tokio::test]
async fn checksums_are_recorded_if_configured() {
    let expected = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab\
                    792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    for store in configured("checksum: true").await {
        let put = store.dataset("opaque", 1).await;
        store.put(&put, Bytes::from_static(b"abc")).await;
        let path = store.local_file("source.fits", "abc");
        let ingested = store.dataset("opaque", 2).await;
        let given = std::slice::from_ref(&ingested);
        store.ingest(&path, given, TransferMode::Copy).await;
        for dataset in [put, ingested] {
            let [info] = &store.recorded(&dataset).await[..] else {
                panic!("one record of {dataset}");
            };
            assert_eq!(info.file_size, 3);
            assert_eq!(info.checksum.as_deref(), Some(expected));
        }
    }
}

#[tokio::test]
async fn templates_say_where_files_go() {
    let more = "templates: {json: 'by/{run:/}/{datasetType}/{instrument}-{detector:03d}'}";
    for store in configured(more).await {
        let dataset = store.put_json(7).await;
        let place = "by/a/run/json/Cam1-007.json";
        assert_eq!(store.all_files().await, [place]);
        assert_eq!(store.recorded(&dataset).await[0].path, place);
        let uris = store
            .datastore
            .uris(std::slice::from_ref(&dataset), false)
            .await
            .unwrap();
        assert!(uris[&dataset.id()].single().unwrap().ends_with(place));
    }
}

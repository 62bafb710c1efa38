//! What only chains of datastores do.

use std::collections::HashSet;

use butler_core::registry::Registry as _;
use butler_direct::datastores::PutData;
use bytes::Bytes;
use serde_json::json;

use super::assert_error;
use super::fixture::Database;

#[tokio::test]
async fn a_chain_stores_in_every_datastore_that_accepts() {
    let store = Database::Sqlite.chained().await;
    let names = store.datastore.names();
    assert_eq!(names.len(), 3);
    assert_eq!(&names[1..], ["first", "second"]);
    assert_eq!(
        store.datastore.name(),
        format!("ChainedDatastore[{}]", names.join(","))
    );
    let json = store.put_json(1).await;
    let yaml = store.dataset("yaml", 1).await;
    store.put(&yaml, json!({})).await;
    let locations = store
        .butler
        .registry()
        .locations(&[json.id(), yaml.id()])
        .await
        .unwrap();
    assert_eq!(locations[&json.id()], ["second"]);
    assert_eq!(locations[&yaml.id()], ["first", "second"]);
}

#[tokio::test]
async fn a_chain_reads_from_the_first_that_has_the_dataset() {
    let store = Database::Sqlite.chained().await;
    let dataset = store.dataset("table", 1).await;
    store.put(&dataset, Bytes::from_static(b"content")).await;
    let files = store.files(&dataset).await;
    assert_eq!(files.len(), 2);
    store.butler.resources().delete(&files[0]).await.unwrap();
    let read = store.datastore.get_bytes(&dataset).await.unwrap();
    assert_eq!(&read[..], b"content");
    assert_eq!(store.datastore.exists(&[dataset]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dataset_comes_with_its_files_in_one_statement() {
    for (database, statements) in [(Database::Sqlite, 2), (Database::Postgres, 1)] {
        let store = database.chained().await;
        let dataset = store.dataset("yaml", 1).await;
        store.put(&dataset, json!({})).await;
        let registry = store.butler.registry();
        let tables = store.datastore.record_tables();
        assert_eq!(tables, ["first_records", "second_records"]);
        let id = dataset.id();
        // At first it learns about dataset type and tables.
        let learned = registry.dataset_with_records(id, &tables).await;
        learned.unwrap();
        let before = registry.database().statement_count();
        let found = registry.dataset_with_records(id, &tables).await;
        let sent = registry.database().statement_count() - before;
        // SQLite may give the ID of a dataset type anew, so that it is looked up.
        assert_eq!(sent, statements);
        let found = found.unwrap().unwrap();
        assert_eq!(found, dataset);
        let records = found.datastore_records().unwrap();
        assert_eq!(records.len(), 2);
        let files = store.datastore.recorded_files(records).unwrap();
        let first = store.files(&dataset).await.remove(0);
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].uri, first.to_string());
        let many = store.datastore.files(&[id]).await.unwrap();
        assert_eq!(many[&id], files);
    }
}

#[tokio::test]
async fn a_datastore_that_cannot_write_the_data_is_passed_over() {
    let store = Database::Sqlite.chained().await;
    let dataset = store.dataset("opaque", 1).await;
    // Memory keeps it, the file datastores cannot write it.
    let data = PutData::Json(json!({"a": 1}));
    let staged = store.datastore.stage_put(&dataset, data).await.unwrap();
    assert_eq!(staged.ids(), HashSet::from([dataset.id()]));
    staged.undo().await.unwrap();
}

#[tokio::test]
async fn constraints_of_the_chain_come_on_top() {
    let more = "datastore_constraints:
  - constraints: {reject: [all]}
  - constraints: {accept: [list]}
  - constraints: {reject: [all]}
";
    let store = Database::Sqlite.chained_with(more).await;
    let list = store.dataset("list", 1).await;
    store.put(&list, json!([1])).await;
    let locations = store
        .butler
        .registry()
        .locations(&[list.id()])
        .await
        .unwrap();
    assert_eq!(locations[&list.id()], ["first"]);
    let yaml = store.dataset("yaml", 1).await;
    assert!(!store.datastore.accepts(&yaml));
    let done = store.datastore.stage_put(&yaml, json!({}).into()).await;
    assert_error!(done, DatasetTypeNotSupported);
}

#[tokio::test]
async fn unknown_datastore_classes_are_refused() {
    use butler_core::config::Config;
    use butler_direct::config::ConfigReader;
    use butler_direct::datastores::open_datastore;
    let store = Database::Sqlite.posix().await;
    let config = Config::from_yaml("datastore: {cls: some.package.OtherDatastore}").unwrap();
    let reader = ConfigReader::new(store.butler.resources().clone());
    let config = reader.complete(&config, None).await.unwrap();
    let done = open_datastore(&config, store.butler.registry(), store.butler.resources()).await;
    let message = assert_error!(done, Configuration);
    assert!(message.contains("OtherDatastore"), "{message}");
}

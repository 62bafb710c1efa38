//! Where datasets are stored, and opaque tables.

use std::collections::HashSet;

use butler_direct::db::schema::TableSpec;
use butler_direct::registry::locations::file_records_table;
use uuid::Uuid;

use super::fixture::{Repository, integers, stored, three_datasets};
use super::{assert_error, behaviours};

async fn a_dataset_can_be_in_many_datastores(repository: &Repository) {
    let registry = &repository.registry;
    let (mut transaction, ids) = stored(registry).await;
    transaction
        .insert_locations("two", &ids[..1], false)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let unknown = Uuid::now_v7();
    let asked = [&ids[..], &[unknown]].concat();
    let locations = registry.locations(&asked).await.unwrap();
    assert_eq!(locations[&ids[0]], ["one", "two"]);
    assert_eq!(locations[&ids[1]], ["one"]);
    assert!(!locations.contains_key(&unknown));
    assert_eq!(
        registry.stored_in("two", &asked).await.unwrap(),
        HashSet::from([ids[0]])
    );
    assert!(
        registry
            .stored_in("three", &asked)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_location_is_noted_once(repository: &Repository) {
    let registry = &repository.registry;
    let ids = three_datasets(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations("one", &ids[..2], false)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = registry.begin().await.unwrap();
    let message = assert_error!(
        transaction.insert_locations("one", &ids, false).await,
        ConflictingDefinition
    );
    assert!(message.contains("one"), "{message}");
    transaction.rollback().await.unwrap();
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations("one", &ids, true)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(registry.stored_in("one", &ids).await.unwrap().len(), 3);
}

async fn an_unknown_dataset_has_no_location(repository: &Repository) {
    let registry = &repository.registry;
    let mut transaction = registry.begin().await.unwrap();
    assert_error!(
        transaction
            .insert_locations("one", &[Uuid::now_v7()], false)
            .await,
        DatasetNotFound
    );
}

async fn locations_can_be_forgotten(repository: &Repository) {
    let registry = &repository.registry;
    let (mut transaction, ids) = stored(registry).await;
    transaction
        .forget_locations("one", &ids[1..])
        .await
        .unwrap();
    assert_eq!(
        transaction.stored_in("one", &ids).await.unwrap(),
        HashSet::from([ids[0]])
    );
    assert!(
        transaction
            .trashed("one", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn an_opaque_table_is_made_and_listed_once(repository: &Repository) {
    let registry = &repository.registry;
    let spec: TableSpec = file_records_table("file_datastore_records");
    for registry in [registry, registry, &repository.another().await] {
        let mut transaction = registry.begin().await.unwrap();
        transaction.register_opaque_table(&spec).await.unwrap();
        transaction.commit().await.unwrap();
    }
    for table in ["opaque_meta", "file_datastore_records"] {
        let sql = format!("SELECT count(*) FROM {}", registry.database().table(table));
        let expected = i64::from(table == "opaque_meta");
        assert_eq!(integers(registry, &sql).await, [expected]);
    }
}

async fn an_opaque_table_goes_with_its_transaction(repository: &Repository) {
    let registry = &repository.registry;
    let spec = file_records_table("file_datastore_records");
    let mut transaction = registry.begin().await.unwrap();
    transaction.register_opaque_table(&spec).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut session = registry.database().read().await.unwrap();
    let database = registry.database();
    assert!(
        !database
            .table_exists(&mut session, &spec.name)
            .await
            .unwrap()
    );
}

behaviours!(
    a_dataset_can_be_in_many_datastores,
    a_location_is_noted_once,
    an_unknown_dataset_has_no_location,
    locations_can_be_forgotten,
    an_opaque_table_is_made_and_listed_once,
    an_opaque_table_goes_with_its_transaction,
);

//! Several writes as one, and parts of them undone.

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::datasets::DatasetIdMode;
use butler_core::registry::{CollectionQuery, InsertMode, Registry, RegistryWriter};

use super::fixture::{
    Repository, add_calibrations, add_instruments, bias, data_id, dataset_type, detector, element,
    integers, record,
};
use super::{assert_error, behaviours};

async fn collections(registry: &dyn Registry) -> Vec<String> {
    let query = CollectionQuery::new(CollectionWildcard::everything());
    let found = registry.collections(&query).await.unwrap();
    found.into_iter().map(|info| info.name).collect()
}

async fn what_is_committed_stays(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    transaction.register_dataset_type(&bias()).await.unwrap();
    transaction
        .register_collection("run", CollectionType::Run, None)
        .await
        .unwrap();
    let made = transaction
        .insert_datasets("bias", &[detector(1)], "run", DatasetIdMode::Unique)
        .await
        .unwrap();
    assert_eq!(transaction.datasets(&[made[0].id()]).await.unwrap(), made);
    transaction.commit().await.unwrap();
    assert_eq!(
        registry.dataset(made[0].id()).await.unwrap().as_ref(),
        made.first()
    );
}

async fn what_is_rolled_back_never_was(repository: &Repository) {
    let registry = &repository.registry;
    for explicitly in [true, false] {
        let mut transaction = registry.begin().await.unwrap();
        let cam = record("instrument", [("name", "Cam1".into())]);
        transaction
            .insert_dimension_records(element("instrument"), &[cam], InsertMode::Insert)
            .await
            .unwrap();
        transaction.register_dataset_type(&bias()).await.unwrap();
        transaction
            .register_collection("run", CollectionType::Run, None)
            .await
            .unwrap();
        if explicitly {
            transaction.rollback().await.unwrap();
        } else {
            drop(transaction);
        }
        assert!(collections(registry).await.is_empty());
        assert_error!(registry.dataset_type("bias").await, MissingDatasetType);
        let id = data_id([("instrument", "Cam1".into())]);
        assert_error!(registry.expand_data_ids(&[id]).await, DataIdValue);
    }
}

async fn a_type_rolled_back_is_not_remembered(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    transaction.register_dataset_type(&bias()).await.unwrap();
    transaction
        .register_collection("run", CollectionType::Run, None)
        .await
        .unwrap();
    // Uses the type, so that it is looked up within the transaction.
    let made = transaction
        .insert_datasets("bias", &[detector(1)], "run", DatasetIdMode::Unique)
        .await
        .unwrap();
    transaction.datasets(&[made[0].id()]).await.unwrap();
    transaction.rollback().await.unwrap();

    // The same name now means something else, and its table and group get the same numbers.
    let other = dataset_type("bias", &["physical_filter"], "ExposureF", false);
    registry.register_dataset_type(&other).await.unwrap();
    assert_eq!(*registry.dataset_type("bias").await.unwrap(), other);
    super::fixture::register(registry, "run", CollectionType::Run).await;
    let id = data_id([
        ("instrument", "Cam1".into()),
        ("physical_filter", "Cam1-G".into()),
    ]);
    let made = registry
        .insert_datasets("bias", &[id], "run", DatasetIdMode::Unique)
        .await
        .unwrap();
    assert_eq!(
        registry.dataset(made[0].id()).await.unwrap().as_ref(),
        made.first()
    );
}

async fn a_removal_rolled_back_is_not_remembered(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    transaction.remove_dataset_type("flat").await.unwrap();
    transaction.remove_collection("imported_g").await.unwrap();
    transaction.rollback().await.unwrap();
    registry.dataset_type("flat").await.unwrap();
    assert_eq!(
        registry.dataset(all.g(1).id()).await.unwrap().as_ref(),
        Some(all.g(1))
    );
}

async fn a_savepoint_undoes_a_part(repository: &Repository) {
    let registry = &repository.registry;
    let record = |name: &str| record("instrument", [("name", name.into())]);
    let instrument = element("instrument");
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_dimension_records(instrument, &[record("kept")], InsertMode::Insert)
        .await
        .unwrap();
    let savepoint = transaction.savepoint().await.unwrap();
    transaction
        .insert_dimension_records(instrument, &[record("undone")], InsertMode::Insert)
        .await
        .unwrap();
    assert_error!(
        transaction
            .insert_dimension_records(instrument, &[record("kept")], InsertMode::Insert)
            .await,
        ConflictingDefinition
    );
    transaction.rollback_to(savepoint).await.unwrap();
    // The transaction goes on.
    transaction
        .insert_dimension_records(instrument, &[record("later")], InsertMode::Insert)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let names: Vec<_> = registry
        .dimension_records(instrument)
        .await
        .unwrap()
        .iter()
        .map(|record| record.key_value().unwrap().to_string())
        .collect();
    assert_eq!(names, ["kept", "later"]);
}

async fn savepoints_nest(repository: &Repository) {
    let registry = &repository.registry;
    let mut transaction = registry.begin().await.unwrap();
    let outer = transaction.savepoint().await.unwrap();
    transaction
        .register_collection("outer", CollectionType::Run, None)
        .await
        .unwrap();
    let inner = transaction.savepoint().await.unwrap();
    transaction
        .register_collection("inner", CollectionType::Run, None)
        .await
        .unwrap();
    transaction.release(inner).await.unwrap();
    let second = transaction.savepoint().await.unwrap();
    transaction
        .register_collection("second", CollectionType::Run, None)
        .await
        .unwrap();
    transaction.rollback_to(second).await.unwrap();
    transaction.release(outer).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(collections(registry).await, ["inner", "outer"]);
}

async fn a_refused_import_can_be_followed_by_another(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    let savepoint = transaction.savepoint().await.unwrap();
    let taken = super::fixture::new_ref(&bias(), detector(1), "imported_g");
    assert_error!(
        transaction.import_datasets(&[taken]).await,
        ConflictingDefinition
    );
    transaction.rollback_to(savepoint).await.unwrap();
    let free = super::fixture::new_ref(&bias(), detector(4), "imported_g");
    let given = [all.g(1).clone(), free.clone()];
    transaction.import_datasets(&given).await.unwrap();
    // Again, in the same transaction.
    transaction.import_datasets(&given).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(registry.dataset(free.id()).await.unwrap(), Some(free));
}

async fn a_failed_write_leaves_nothing_behind(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {}", registry.database().table(table));
        async move { integers(registry, &sql).await[0] }
    };
    let before = (count("dataset").await, count("collection").await);
    let flats = [super::fixture::detector_and_filter(1, "absent")];
    assert!(
        registry
            .insert_datasets("flat", &flats, "imported_g", DatasetIdMode::Unique)
            .await
            .is_err()
    );
    assert_eq!((count("dataset").await, count("collection").await), before);
    let summary = registry.collection_summary("imported_g").await.unwrap();
    assert!(!summary.dataset_types.contains_key("flat"));
}

behaviours!(
    what_is_committed_stays,
    what_is_rolled_back_never_was,
    a_type_rolled_back_is_not_remembered,
    a_removal_rolled_back_is_not_remembered,
    a_savepoint_undoes_a_part,
    savepoints_nest,
    a_refused_import_can_be_followed_by_another,
    a_failed_write_leaves_nothing_behind,
);

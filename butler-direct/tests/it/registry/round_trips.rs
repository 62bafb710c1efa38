//! How often an operation goes to the database: what users far from it feel.

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef};
use butler_core::dimensions::DataCoordinate;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::db::Dialect;
use butler_direct::registry::SqlRegistry;
use uuid::Uuid;

use super::behaviours;
use super::fixture::{
    Repository, add_calibrations, add_observations, data_id, dataset_type, detector,
    detector_and_filter, names, register,
};

/// Runs an operation and gives the number of its statements.
async fn count<T>(repository: &Repository, operation: impl Future<Output = T>) -> (u64, T) {
    let database = repository.registry.database();
    let before = database.statement_count();
    let result = operation.await;
    (database.statement_count() - before, result)
}

async fn a_search_takes_one_statement(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    for chain in ["inner", "outer"] {
        register(registry, chain, CollectionType::Chained).await;
    }
    register(registry, "calib", CollectionType::Calibration).await;
    registry
        .set_collection_chain("inner", &names(["calib", "imported_g", "imported_r"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["inner"]))
        .await
        .unwrap();
    registry.dataset_type("bias").await.unwrap();
    let collections = names(["outer"]);
    for (number, expected) in [(1, Some(all.g(1))), (17, None)] {
        let id = detector(number);
        let search = registry.find_dataset("bias", &id, &collections, Some(Timespan::UNBOUNDED));
        let (statements, found) = count(repository, search).await;
        assert_eq!(found.unwrap().as_ref(), expected);
        assert_eq!(statements, 1);
    }
    // What the records imply comes with it.
    let id = detector_and_filter(1, "Cam1-G");
    let flat = insert_one(registry, "flat", id.clone()).await;
    registry.dataset_type("flat").await.unwrap();
    let search = registry.find_dataset("flat", &id, &collections, None);
    let (statements, found) = count(repository, search).await;
    let found = found.unwrap().unwrap();
    assert_eq!(found, flat);
    assert_eq!(found.data_id().get("band"), Some(&"g".into()));
    assert_eq!(statements, 1);
    // A client that has never heard of the type needs to look it up.
    let another = repository.another().await;
    let before = another.database().statement_count();
    let id = detector(1);
    another
        .find_dataset("bias", &id, &collections, None)
        .await
        .unwrap();
    let statements = another.database().statement_count() - before;
    assert!(statements <= 3, "{statements}");
}

async fn a_known_dataset_type_takes_none(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    registry.dataset_type("bias").await.unwrap();
    let (statements, _) = count(repository, registry.dataset_type("bias")).await;
    assert_eq!(statements, 0);
}

async fn datasets_by_id_take_one_statement_per_group(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let ids: Vec<Uuid> = all.g.iter().chain(&all.r).map(|d| d.id()).collect();
    registry.datasets(&ids).await.unwrap();
    let (statements, found) = count(repository, registry.datasets(&ids)).await;
    assert_eq!(found.unwrap().len(), 6);
    // On SQLite the dataset types are looked up again.
    assert!(statements <= 3, "{statements}");
}

async fn a_dataset_of_a_kind_that_was_asked_for_before_takes_one_statement(
    repository: &Repository,
) {
    let registry = &repository.registry;
    let biases = add_calibrations(registry).await.g;
    let instrument = data_id([("instrument", "Cam1".into())]);
    let visit_less = dataset_type("table", &["instrument"], "ArrowTable", false);
    registry.register_dataset_type(&visit_less).await.unwrap();
    let flat = insert_one(registry, "flat", detector_and_filter(1, "Cam1-G")).await;
    let table = insert_one(registry, "table", instrument).await;
    // Dataset types are looked up each time on SQLite.
    let types = u64::from(registry.database().dialect() == Dialect::Sqlite);
    for (dataset, again) in [(&biases[0], 1), (&flat, 1), (&table, 2), (&biases[1], 1)] {
        let found = registry.dataset(dataset.id()).await.unwrap();
        assert_eq!(found.as_ref(), Some(dataset));
        let (statements, found) = count(repository, registry.dataset(dataset.id())).await;
        assert_eq!(found.unwrap().as_ref(), Some(dataset));
        assert_eq!(statements, again + types, "{dataset}");
    }
    let unknown = registry.dataset(Uuid::from_u128(7)).await.unwrap();
    assert_eq!(unknown, None);
}

async fn insert_one(
    registry: &SqlRegistry,
    dataset_type: &str,
    data_id: DataCoordinate,
) -> DatasetRef {
    let inserted = registry
        .insert_datasets(
            dataset_type,
            &[data_id],
            "imported_g",
            DatasetIdMode::Unique,
        )
        .await;
    inserted.unwrap().remove(0)
}

async fn an_import_does_not_grow_with_its_size(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let mut counts = Vec::new();
    for (run, numbers) in [("few", 1..=1), ("many", 1..=4)] {
        register(registry, run, CollectionType::Run).await;
        let ids: Vec<DataCoordinate> = numbers.map(detector).collect();
        let insertion = registry.insert_datasets("bias", &ids, run, DatasetIdMode::Unique);
        let (statements, made) = count(repository, insertion).await;
        made.unwrap();
        counts.push(statements);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 12, "{counts:?}");
}

async fn an_import_of_many_types_looks_them_up_at_once(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "run", CollectionType::Run).await;
    let mut datasets = Vec::new();
    for number in 0..20 {
        let name = format!("type{number}");
        let new = dataset_type(&name, &["detector"], "ExposureF", false);
        registry.register_dataset_type(&new).await.unwrap();
        datasets.push(super::fixture::new_ref(&new, detector(1), "run"));
    }
    let (statements, done) = count(repository, registry.import_datasets(&datasets)).await;
    done.unwrap();
    assert!(statements <= 12, "{statements}");
}

async fn expansion_grows_with_elements_alone(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    add_observations(registry).await;
    let mut counts = Vec::new();
    for detectors in [1..=1, 1..=4] {
        let ids: Vec<DataCoordinate> = detectors
            .map(|number: i64| {
                data_id([
                    ("instrument", "Cam1".into()),
                    ("visit", (number % 3 + 1).into()),
                    ("detector", number.into()),
                ])
            })
            .collect();
        let (statements, expanded) = count(repository, registry.expand_data_ids(&ids)).await;
        assert_eq!(expanded.unwrap().len(), ids.len());
        counts.push(statements);
    }
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= 10, "{counts:?}");
}

behaviours!(
    a_search_takes_one_statement,
    a_known_dataset_type_takes_none,
    datasets_by_id_take_one_statement_per_group,
    a_dataset_of_a_kind_that_was_asked_for_before_takes_one_statement,
    an_import_does_not_grow_with_its_size,
    an_import_of_many_types_looks_them_up_at_once,
    expansion_grows_with_elements_alone,
);

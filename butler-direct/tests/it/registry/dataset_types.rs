//! Registering, finding and removing dataset types.

use butler_core::collections::DatasetTypeWildcard;
use butler_core::datasets::DatasetIdMode;
use butler_core::dimensions::DataCoordinate;
use butler_core::registry::{Registry, RegistryWriter};

use super::fixture::{
    Repository, add_calibrations, add_instruments, bias, dataset_type, flat, integers, register,
    universe,
};
use super::{assert_error, behaviours};

async fn names(registry: &dyn Registry, expression: &[&str]) -> Vec<String> {
    let wildcard = DatasetTypeWildcard::from_expression(expression).unwrap();
    let found = registry.dataset_types(&wildcard).await.unwrap();
    found.iter().map(|t| t.name().to_string()).collect()
}

async fn a_registered_type_is_found(repository: &Repository) {
    let registry = &repository.registry;
    assert!(registry.register_dataset_type(&bias()).await.unwrap());
    assert_eq!(*registry.dataset_type("bias").await.unwrap(), bias());
    let another = repository.another().await;
    let found = another.dataset_type("bias").await.unwrap();
    assert_eq!(*found, bias());
    assert!(found.is_calibration());
}

async fn registering_it_again_changes_nothing(repository: &Repository) {
    let registry = &repository.registry;
    assert!(registry.register_dataset_type(&bias()).await.unwrap());
    assert!(!registry.register_dataset_type(&bias()).await.unwrap());
    let another = repository.another().await;
    assert!(!another.register_dataset_type(&bias()).await.unwrap());
    assert_eq!(names(registry, &["*"]).await, ["bias"]);
}

async fn a_different_definition_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    registry.register_dataset_type(&bias()).await.unwrap();
    let others = [
        dataset_type("bias", &["detector", "band"], "StructuredDataDict", true),
        dataset_type("bias", &["detector"], "ExposureF", true),
        dataset_type("bias", &["detector"], "StructuredDataDict", false),
    ];
    for other in others {
        let message = assert_error!(
            registry.register_dataset_type(&other).await,
            ConflictingDefinition
        );
        assert!(message.contains("bias"), "{message}");
    }
    assert_eq!(*registry.dataset_type("bias").await.unwrap(), bias());
}

async fn types_of_the_same_dimensions_share_a_table(repository: &Repository) {
    let registry = &repository.registry;
    for name in ["one", "two"] {
        let new = dataset_type(name, &["visit", "detector"], "ExposureF", false);
        registry.register_dataset_type(&new).await.unwrap();
    }
    let other = dataset_type("three", &["visit"], "ExposureF", false);
    registry.register_dataset_type(&other).await.unwrap();
    let sql = format!(
        "SELECT count(*) FROM {}",
        registry.database().table("dimension_graph_key")
    );
    assert_eq!(integers(registry, &sql).await, [2]);
}

async fn components_are_derived_from_their_composite(repository: &Repository) {
    let registry = &repository.registry;
    let calexp = dataset_type("calexp", &["visit", "detector"], "ExposureF", false);
    registry.register_dataset_type(&calexp).await.unwrap();
    let wcs = registry.dataset_type("calexp.wcs").await.unwrap();
    assert_eq!(&**wcs.name(), "calexp.wcs");
    assert_eq!(&**wcs.storage_class_name(), "Wcs");
    assert_eq!(&**wcs.parent_storage_class_name().unwrap(), "ExposureF");
    assert_eq!(wcs.dimensions(), calexp.dimensions());
    assert_error!(registry.dataset_type("calexp.shoe").await, UnknownComponent);
    assert_error!(
        registry.dataset_type("nothing.wcs").await,
        MissingDatasetType
    );
}

async fn components_are_not_registered(repository: &Repository) {
    let registry = &repository.registry;
    let calexp = dataset_type("calexp", &["visit", "detector"], "ExposureF", false);
    let wcs = calexp
        .make_component("wcs", registry.storage_classes())
        .unwrap();
    assert_error!(registry.register_dataset_type(&wcs).await, InvalidArgument);
    assert_error!(
        registry.remove_dataset_type("calexp.wcs").await,
        InvalidArgument
    );
    assert!(names(registry, &["*"]).await.is_empty());
}

async fn an_unknown_type_is_an_error(repository: &Repository) {
    let message = assert_error!(
        repository.registry.dataset_type("nothing").await,
        MissingDatasetType
    );
    assert!(message.contains("nothing"), "{message}");
}

async fn an_invalid_name_is_refused(repository: &Repository) {
    for name in ["", "a b", "5a", "a;b", "a.b.", "-"] {
        assert!(
            repository.registry.dataset_type(name).await.is_err(),
            "'{name}' was accepted"
        );
    }
}

async fn wildcards_select_by_name(repository: &Repository) {
    let registry = &repository.registry;
    for name in ["bias", "bias_log", "flat", "raw"] {
        let new = dataset_type(name, &["detector"], "StructuredDataDict", false);
        registry.register_dataset_type(&new).await.unwrap();
    }
    assert_eq!(
        names(registry, &["*"]).await,
        ["bias", "bias_log", "flat", "raw"]
    );
    assert_eq!(names(registry, &["bias*"]).await, ["bias", "bias_log"]);
    assert_eq!(names(registry, &["raw", "b??s"]).await, ["bias", "raw"]);
    assert!(names(registry, &["absent"]).await.is_empty());
    assert_eq!(names(registry, &["absent", "flat"]).await, ["flat"]);
}

async fn a_type_without_datasets_can_be_removed(repository: &Repository) {
    let registry = &repository.registry;
    registry.register_dataset_type(&flat()).await.unwrap();
    registry.remove_dataset_type("flat").await.unwrap();
    assert_error!(registry.dataset_type("flat").await, MissingDatasetType);
    // Not an error: what was asked for is the case.
    registry.remove_dataset_type("flat").await.unwrap();
}

async fn a_type_with_datasets_cannot_be_removed(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let message = assert_error!(registry.remove_dataset_type("bias").await, OrphanedRecord);
    assert!(message.contains("bias"), "{message}");
    assert_eq!(*registry.dataset_type("bias").await.unwrap(), bias());
}

async fn a_name_can_be_used_anew(repository: &Repository) {
    let registry = &repository.registry;
    registry.register_dataset_type(&flat()).await.unwrap();
    registry.remove_dataset_type("flat").await.unwrap();
    let other = dataset_type("flat", &["detector", "band"], "ExposureF", false);
    assert!(registry.register_dataset_type(&other).await.unwrap());
    assert_eq!(*registry.dataset_type("flat").await.unwrap(), other);
}

async fn a_removal_by_another_client_is_noticed_by_writes(repository: &Repository) {
    let registry = &repository.registry;
    let another = repository.another().await;
    add_instruments(registry).await;
    register(
        registry,
        "run",
        butler_core::collections::CollectionType::Run,
    )
    .await;
    registry.register_dataset_type(&flat()).await.unwrap();
    // This client now remembers the type.
    registry.dataset_type("flat").await.unwrap();
    let other = dataset_type("flat", &["detector"], "ExposureF", false);
    another.remove_dataset_type("flat").await.unwrap();
    another.register_dataset_type(&other).await.unwrap();

    let ids = [super::fixture::detector(1)];
    let made = registry
        .insert_datasets("flat", &ids, "run", DatasetIdMode::Unique)
        .await;
    if let Err(error) = made {
        assert!(
            matches!(
                error,
                butler_core::error::Error::ConflictingDefinition(_)
                    | butler_core::error::Error::DimensionName(_)
            ),
            "{error:?}"
        );
        // The failure corrected the memory.
        registry
            .insert_datasets("flat", &ids, "run", DatasetIdMode::Unique)
            .await
            .unwrap();
    }
    assert_eq!(*registry.dataset_type("flat").await.unwrap(), other);
}

async fn a_removal_by_another_client_is_noticed_by_searches(repository: &Repository) {
    let registry = &repository.registry;
    let another = repository.another().await;
    add_instruments(registry).await;
    register(
        registry,
        "run",
        butler_core::collections::CollectionType::Run,
    )
    .await;
    let old = dataset_type("flat", &["detector"], "StructuredDataDict", false);
    registry.register_dataset_type(&old).await.unwrap();
    registry.dataset_type("flat").await.unwrap();
    let new = dataset_type("flat", &["detector"], "ExposureF", false);
    another.remove_dataset_type("flat").await.unwrap();
    another.register_dataset_type(&new).await.unwrap();
    let ids = [super::fixture::detector(1)];
    let made = another
        .insert_datasets("flat", &ids, "run", DatasetIdMode::Unique)
        .await
        .unwrap();

    let collections = super::fixture::names(["run"]);
    let found = registry
        .find_dataset("flat", &ids[0], &collections, None)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), made.first());
    assert_eq!(
        registry
            .associations("flat", &collections)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn a_type_without_dimensions_has_one_dataset_per_run(repository: &Repository) {
    let registry = &repository.registry;
    let config = dataset_type("config", &[], "StructuredDataDict", false);
    registry.register_dataset_type(&config).await.unwrap();
    for run in ["a", "b"] {
        register(registry, run, butler_core::collections::CollectionType::Run).await;
        let ids = [DataCoordinate::empty(universe())];
        let made = registry
            .insert_datasets("config", &ids, run, DatasetIdMode::Unique)
            .await
            .unwrap();
        let found = registry
            .find_dataset("config", &ids[0], &[run.to_owned()], None)
            .await
            .unwrap();
        assert_eq!(found.as_ref(), made.first());
        assert_error!(
            registry
                .insert_datasets("config", &ids, run, DatasetIdMode::Unique)
                .await,
            ConflictingDefinition
        );
    }
}

behaviours!(
    a_registered_type_is_found,
    registering_it_again_changes_nothing,
    a_different_definition_is_refused,
    types_of_the_same_dimensions_share_a_table,
    components_are_derived_from_their_composite,
    components_are_not_registered,
    an_unknown_type_is_an_error,
    an_invalid_name_is_refused,
    wildcards_select_by_name,
    a_type_without_datasets_can_be_removed,
    a_type_with_datasets_cannot_be_removed,
    a_name_can_be_used_anew,
    a_removal_by_another_client_is_noticed_by_writes,
    a_removal_by_another_client_is_noticed_by_searches,
    a_type_without_dimensions_has_one_dataset_per_run,
);

//! Making, getting and removing datasets.

use std::collections::HashSet;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetIdMode;
use butler_core::registry::{Registry, RegistryWriter};
use uuid::Uuid;

use super::fixture::{
    Repository, add_calibrations, add_observations, data_id, dataset_type, detector,
    detector_and_filter, find, names, register,
};
use super::{assert_error, collection_behaviours};

async fn new_datasets_are_found_by_id_and_by_data_id(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    for dataset in calibrations.g.iter().chain(&calibrations.r) {
        let found = registry.dataset(dataset.id()).await.unwrap();
        assert_eq!(found.as_ref(), Some(dataset));
        let id = find(registry, "bias", dataset.data_id(), &[dataset.run()]).await;
        assert_eq!(id, Some(dataset.id()));
    }
    let ids: HashSet<Uuid> = calibrations.g.iter().map(|d| d.id()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(&**calibrations.g[0].run(), "imported_g");
}

async fn one_dataset_per_data_id_and_run(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    // Detector 4 is new in this run, detector 3 is not.
    assert_error!(
        registry
            .insert_datasets(
                "bias",
                &[detector(4), detector(3)],
                "imported_g",
                DatasetIdMode::Unique
            )
            .await,
        ConflictingDefinition
    );
    assert_eq!(
        find(registry, "bias", &detector(4), &["imported_g"]).await,
        None
    );
    assert_error!(
        registry
            .insert_datasets(
                "bias",
                &[detector(4), detector(4)],
                "imported_g",
                DatasetIdMode::Unique
            )
            .await,
        ConflictingDefinition
    );
}

async fn datasets_go_into_runs_only(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    for (name, kind) in [
        ("tag", CollectionType::Tagged),
        ("chain", CollectionType::Chained),
        ("calib", CollectionType::Calibration),
    ] {
        register(registry, name, kind).await;
        let message = assert_error!(
            registry
                .insert_datasets("bias", &[detector(4)], name, DatasetIdMode::Unique)
                .await,
            CollectionType
        );
        assert!(message.contains(name), "{message}");
    }
    assert_error!(
        registry
            .insert_datasets("bias", &[detector(4)], "absent", DatasetIdMode::Unique)
            .await,
        MissingCollection
    );
    assert_error!(
        registry
            .insert_datasets(
                "absent",
                &[detector(4)],
                "imported_g",
                DatasetIdMode::Unique
            )
            .await,
        MissingDatasetType
    );
}

async fn a_data_id_needs_its_dimension_records(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    assert_error!(
        registry
            .insert_datasets("bias", &[detector(17)], "imported_g", DatasetIdMode::Unique)
            .await,
        ConflictingDefinition
    );
    // And all of its dimensions.
    let only_instrument = data_id([("instrument", "Cam1".into())]);
    assert!(
        registry
            .insert_datasets(
                "bias",
                &[only_instrument],
                "imported_g",
                DatasetIdMode::Unique
            )
            .await
            .is_err()
    );
    // More than needed is fine.
    let more = detector_and_filter(4, "Cam1-G");
    let made = registry
        .insert_datasets("bias", &[more], "imported_g", DatasetIdMode::Unique)
        .await
        .unwrap();
    assert_eq!(*made[0].data_id(), detector(4));
}

async fn inserting_nothing_is_fine(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let made = registry
        .insert_datasets("bias", &[], "imported_g", DatasetIdMode::Unique)
        .await
        .unwrap();
    assert!(made.is_empty());
    registry.import_datasets(&[]).await.unwrap();
    registry.remove_datasets(&[]).await.unwrap();
    assert!(registry.datasets(&[]).await.unwrap().is_empty());
}

async fn computed_ids_depend_on_what_they_are_computed_from(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    for run in ["run1", "run2", "run3", "run4"] {
        register(registry, run, CollectionType::Run).await;
    }
    let ids = [detector(1), detector(2)];
    let per_run = DatasetIdMode::DataIdTypeRun;
    let first = registry
        .insert_datasets("bias", &ids, "run1", per_run)
        .await
        .unwrap();
    let second = registry
        .insert_datasets("bias", &ids, "run2", per_run)
        .await
        .unwrap();
    assert!(first.iter().all(|d| d.id().get_version_num() == 5));
    assert_ne!(first[0].id(), first[1].id());
    assert_ne!(first[0].id(), second[0].id());
    // Making them again finds them there.
    let again = registry
        .insert_datasets("bias", &ids, "run1", per_run)
        .await
        .unwrap();
    assert_eq!(again, first);
    // Without the run, the ID is taken as soon as one run has it.
    let anywhere = DatasetIdMode::DataIdType;
    let third = registry
        .insert_datasets("bias", &ids, "run3", anywhere)
        .await
        .unwrap();
    assert_eq!(
        registry.dataset(third[1].id()).await.unwrap().as_ref(),
        Some(&third[1])
    );
    assert_error!(
        registry
            .insert_datasets("bias", &ids, "run4", anywhere)
            .await,
        ConflictingDefinition
    );
}

async fn datasets_of_many_types_are_got_at_once(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    add_observations(registry).await;
    let raw = dataset_type("raw", &["exposure", "detector"], "ExposureF", false);
    let dark = dataset_type("dark", &["detector"], "ExposureF", true);
    registry.register_dataset_type(&raw).await.unwrap();
    registry.register_dataset_type(&dark).await.unwrap();
    let exposures: Vec<_> = (1..=3)
        .map(|exposure| {
            data_id([
                ("instrument", "Cam1".into()),
                ("exposure", exposure.into()),
                ("detector", 2.into()),
            ])
        })
        .collect();
    let mut all = [calibrations.g.clone(), calibrations.r.clone()].concat();
    for (name, ids) in [
        ("raw", exposures),
        ("dark", vec![detector(1)]),
        ("flat", vec![detector_and_filter(1, "Cam1-G")]),
    ] {
        let made = registry
            .insert_datasets(name, &ids, "imported_g", DatasetIdMode::Unique)
            .await
            .unwrap();
        all.extend(made);
    }
    let unknown = Uuid::now_v7();
    let mut ids: Vec<Uuid> = all.iter().map(|d| d.id()).collect();
    ids.extend([unknown, all[0].id()]);
    // A client that knows no dataset type yet finds the same.
    for registry in [registry, &repository.another().await] {
        let found = registry.datasets(&ids).await.unwrap();
        assert_eq!(found.len(), all.len());
        assert!(!found.contains_key(&unknown));
        for dataset in &all {
            let got = &found[&dataset.id()];
            assert_eq!(got, dataset);
            assert_eq!(got.dataset_type(), dataset.dataset_type());
        }
    }
}

async fn memberships_do_not_multiply_what_is_got(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    registry.associate("tag", &calibrations.g).await.unwrap();
    let found = registry.dataset(calibrations.g(1).id()).await.unwrap();
    assert_eq!(&**found.unwrap().run(), "imported_g");
}

async fn removed_datasets_are_gone_from_everywhere(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    register(registry, "calib", CollectionType::Calibration).await;
    registry.associate("tag", &calibrations.g).await.unwrap();
    let always = butler_core::timespan::Timespan::UNBOUNDED;
    registry
        .certify("calib", &calibrations.g, always)
        .await
        .unwrap();
    let gone = calibrations.g(2);
    registry
        .remove_datasets(&[gone.id(), Uuid::now_v7()])
        .await
        .unwrap();
    assert!(registry.dataset(gone.id()).await.unwrap().is_none());
    let left = registry
        .associations("bias", &names(["tag", "calib", "imported_g"]))
        .await
        .unwrap();
    assert_eq!(left.len(), 6);
    assert!(left.iter().all(|a| a.dataset.id() != gone.id()));
    // Its place is free again.
    registry
        .insert_datasets("bias", &[detector(2)], "imported_g", DatasetIdMode::Unique)
        .await
        .unwrap();
}

async fn stored_datasets_are_not_removed(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    let stored = calibrations.g(1).id();
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations("store", &[stored], false)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let both = [stored, calibrations.g(2).id()];
    assert_error!(registry.remove_datasets(&both).await, OrphanedRecord);
    assert_eq!(registry.datasets(&both).await.unwrap().len(), 2);
    let mut transaction = registry.begin().await.unwrap();
    transaction.move_to_trash("store", &[stored]).await.unwrap();
    assert_eq!(transaction.remove_datasets(&both).await.unwrap(), 2);
    transaction.commit().await.unwrap();
    assert!(registry.datasets(&both).await.unwrap().is_empty());
}

async fn the_datasets_of_a_run_are_listed(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    let ids: HashSet<Uuid> = registry
        .run_dataset_ids("imported_g")
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(ids, calibrations.g.iter().map(|d| d.id()).collect());
    register(registry, "tag", CollectionType::Tagged).await;
    assert_error!(registry.run_dataset_ids("tag").await, CollectionType);
    assert_error!(registry.run_dataset_ids("absent").await, MissingCollection);
}

collection_behaviours!(
    new_datasets_are_found_by_id_and_by_data_id,
    one_dataset_per_data_id_and_run,
    datasets_go_into_runs_only,
    a_data_id_needs_its_dimension_records,
    inserting_nothing_is_fine,
    computed_ids_depend_on_what_they_are_computed_from,
    datasets_of_many_types_are_got_at_once,
    memberships_do_not_multiply_what_is_got,
    removed_datasets_are_gone_from_everywhere,
    stored_datasets_are_not_removed,
    the_datasets_of_a_run_are_listed,
);

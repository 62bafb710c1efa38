//! Importing datasets with the IDs they carry.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::registry::{Registry, RegistryWriter};
use uuid::Uuid;

use super::fixture::{
    Repository, add_calibrations, add_observations, bias, data_id, dataset_type, detector,
    detector_and_filter, find, flat, new_ref, ref_with_id, register,
};
use super::{assert_error, collection_behaviours};

async fn prepare(registry: &dyn RegistryWriter) {
    add_calibrations(registry).await;
    for run in ["run0", "run1"] {
        register(registry, run, CollectionType::Run).await;
    }
}

async fn an_id_is_kept(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    for id in [Uuid::new_v4(), Uuid::now_v7(), Uuid::from_u128(1)] {
        let dataset = ref_with_id(&bias(), detector(1), "run0", id);
        registry
            .import_datasets(std::slice::from_ref(&dataset))
            .await
            .unwrap();
        assert_eq!(registry.dataset(id).await.unwrap(), Some(dataset));
        registry.remove_datasets(&[id]).await.unwrap();
    }
}

async fn importing_again_changes_nothing(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let first = new_ref(&bias(), detector(1), "run0");
    let second = new_ref(&bias(), detector(2), "run0");
    registry
        .import_datasets(std::slice::from_ref(&first))
        .await
        .unwrap();
    // One that is there and one that is not, given more than once.
    let both = [first.clone(), second.clone(), first.clone()];
    registry.import_datasets(&both).await.unwrap();
    registry.import_datasets(&both).await.unwrap();
    for dataset in [first, second] {
        let found = find(registry, "bias", dataset.data_id(), &["run0"]).await;
        assert_eq!(found, Some(dataset.id()));
    }
    assert_eq!(registry.run_dataset_ids("run0").await.unwrap().len(), 2);
}

async fn a_new_dataset_given_twice_is_imported_once(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let dataset = new_ref(&bias(), detector(1), "run0");
    registry
        .import_datasets(&[dataset.clone(), dataset.clone()])
        .await
        .unwrap();
    assert_eq!(
        registry.run_dataset_ids("run0").await.unwrap(),
        [dataset.id()]
    );
}

async fn every_contradiction_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let dataset = new_ref(&bias(), detector(1), "run0");
    let id = dataset.id();
    registry
        .import_datasets(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    let dark = dataset_type("dark", &["detector"], "StructuredDataDict", true);
    registry.register_dataset_type(&dark).await.unwrap();
    let contradictions = [
        ("another ID", new_ref(&bias(), detector(1), "run0")),
        (
            "another data ID",
            ref_with_id(&bias(), detector(2), "run0", id),
        ),
        ("another type", ref_with_id(&dark, detector(1), "run0", id)),
        (
            "other dimensions",
            ref_with_id(&flat(), detector_and_filter(1, "Cam1-G"), "run0", id),
        ),
        ("another run", ref_with_id(&bias(), detector(1), "run1", id)),
    ];
    for (what, contradiction) in contradictions {
        // Alone, and behind enough new ones that a sample of the first shows nothing.
        let mut many: Vec<DatasetRef> = Vec::new();
        for detector_number in 2..=4 {
            for filter in ["Cam1-G", "Cam1-R1", "Cam1-R2"] {
                let data_id = detector_and_filter(detector_number, filter);
                for run in ["run0", "run1"] {
                    many.push(new_ref(&flat(), data_id.clone(), run));
                }
            }
        }
        many.push(contradiction.clone());
        for given in [vec![contradiction], many] {
            let result = registry.import_datasets(&given).await;
            assert!(
                matches!(
                    result,
                    Err(butler_core::error::Error::ConflictingDefinition(_))
                ),
                "{what}: {result:?}"
            );
        }
    }
    assert_eq!(registry.run_dataset_ids("run0").await.unwrap(), [id]);
    assert!(registry.run_dataset_ids("run1").await.unwrap().is_empty());
    assert_eq!(registry.dataset(id).await.unwrap(), Some(dataset));
}

async fn contradictions_within_a_batch_are_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let id = Uuid::now_v7();
    let batches = [
        vec![
            new_ref(&bias(), detector(1), "run0"),
            new_ref(&bias(), detector(1), "run0"),
        ],
        vec![
            ref_with_id(&bias(), detector(1), "run0", id),
            ref_with_id(&bias(), detector(2), "run0", id),
        ],
        vec![
            ref_with_id(&bias(), detector(1), "run0", id),
            ref_with_id(&bias(), detector(1), "run1", id),
        ],
        vec![
            ref_with_id(&bias(), detector(1), "run0", id),
            ref_with_id(&flat(), detector_and_filter(1, "Cam1-G"), "run0", id),
        ],
    ];
    for batch in batches {
        assert_error!(
            registry.import_datasets(&batch).await,
            ConflictingDefinition
        );
        for run in ["run0", "run1"] {
            assert!(registry.run_dataset_ids(run).await.unwrap().is_empty());
        }
    }
}

async fn many_types_and_runs_are_imported_at_once(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    add_observations(registry).await;
    let raw = dataset_type("raw", &["exposure", "detector"], "ExposureF", false);
    let dark = dataset_type("dark", &["detector"], "ExposureF", true);
    for new in [&raw, &dark] {
        registry.register_dataset_type(new).await.unwrap();
    }
    let mut all = Vec::new();
    for run in ["run0", "run1"] {
        for number in 1..=4 {
            all.push(new_ref(&bias(), detector(number), run));
            all.push(new_ref(&dark, detector(number), run));
            let exposure = data_id([
                ("instrument", "Cam1".into()),
                ("exposure", 1.into()),
                ("detector", number.into()),
            ]);
            all.push(new_ref(&raw, exposure, run));
        }
    }
    registry.import_datasets(&all).await.unwrap();
    registry.import_datasets(&all).await.unwrap();
    let ids: Vec<Uuid> = all.iter().map(DatasetRef::id).collect();
    let found = registry.datasets(&ids).await.unwrap();
    for dataset in &all {
        assert_eq!(&found[&dataset.id()], dataset);
    }
}

async fn a_large_import_can_be_repeated(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let groups: Vec<_> = (0..3_000)
        .map(|i| {
            super::fixture::record(
                "group",
                [
                    ("instrument", "Cam1".into()),
                    ("name", format!("{i:05}").as_str().into()),
                ],
            )
        })
        .collect();
    let element = groups[0].element();
    registry
        .insert_dimension_records(element, &groups, butler_core::registry::InsertMode::Insert)
        .await
        .unwrap();
    let grouped = dataset_type("grouped", &["group"], "StructuredDataDict", false);
    registry.register_dataset_type(&grouped).await.unwrap();
    let all: Vec<DatasetRef> = groups
        .iter()
        .map(|group| new_ref(&grouped, group.data_id().unwrap(), "run0"))
        .collect();
    registry.import_datasets(&all[..2_500]).await.unwrap();
    registry.import_datasets(&all).await.unwrap();
    assert_eq!(registry.run_dataset_ids("run0").await.unwrap().len(), 3_000);
}

async fn a_type_that_is_not_registered_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let dark = dataset_type("dark", &["detector"], "ExposureF", true);
    let dataset = new_ref(&dark, detector(1), "run0");
    assert_error!(
        registry.import_datasets(&[dataset]).await,
        MissingDatasetType
    );
    // The name is registered, with other dimensions.
    let other = dataset_type("bias", &["detector", "band"], "StructuredDataDict", true);
    let id = data_id([
        ("instrument", "Cam1".into()),
        ("detector", 1.into()),
        ("band", "g".into()),
    ]);
    assert_error!(
        registry
            .import_datasets(&[new_ref(&other, id, "run0")])
            .await,
        ConflictingDefinition
    );
}

async fn an_overridden_storage_class_is_of_no_concern(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let other = dataset_type("bias", &["detector"], "TaskMetadata", true);
    let dataset = new_ref(&other, detector(1), "run0");
    registry
        .import_datasets(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    let found = registry.dataset(dataset.id()).await.unwrap().unwrap();
    assert_eq!(**found.dataset_type(), bias());
}

collection_behaviours!(
    an_id_is_kept,
    importing_again_changes_nothing,
    a_new_dataset_given_twice_is_imported_once,
    every_contradiction_is_refused,
    contradictions_within_a_batch_are_refused,
    many_types_and_runs_are_imported_at_once,
    a_large_import_can_be_repeated,
    a_type_that_is_not_registered_is_refused,
    an_overridden_storage_class_is_of_no_concern,
);

//! Inserting and synchronising dimension records.

use std::collections::BTreeSet;

use butler_core::dimensions::{ColumnValue, DimensionRecord};
use butler_core::registry::{InsertMode, Registry, RegistryWriter, SyncOutcome};

use super::fixture::{
    Repository, add_instruments, add_observations, add_skymap, data_id, element, integers, record,
    square, tract_record, universe, visit,
};
use super::{assert_error, behaviours};

async fn all(registry: &dyn Registry, name: &str) -> Vec<DimensionRecord> {
    let records = registry.dimension_records(element(name)).await.unwrap();
    records.iter().map(|record| (**record).clone()).collect()
}

async fn insert(
    registry: &dyn RegistryWriter,
    records: &[DimensionRecord],
    mode: InsertMode,
) -> butler_core::error::Result<()> {
    registry
        .insert_dimension_records(records[0].element(), records, mode)
        .await
}

fn instrument(name: &str, detectors: i64) -> DimensionRecord {
    record(
        "instrument",
        [("name", name.into()), ("detector_max", detectors.into())],
    )
}

/// The pixels of the common skypix dimension that are noted for a tract.
async fn overlaps(repository: &Repository, tract: i64) -> BTreeSet<i64> {
    let registry = &repository.registry;
    let sql = format!(
        "SELECT skypix_index FROM {} WHERE tract = {tract}",
        registry.database().table("tract_skypix_overlap")
    );
    integers(registry, &sql).await.into_iter().collect()
}

fn envelope(record: &DimensionRecord) -> BTreeSet<i64> {
    let region = record.region().unwrap().decode().unwrap();
    let pixels = universe().common_skypix().pixelization().unwrap();
    let envelope = pixels.envelope(&region, 0);
    envelope
        .ranges()
        .flat_map(|(begin, end)| begin..end)
        .map(|index| i64::try_from(index).unwrap())
        .collect()
}

async fn records_are_read_back_as_they_were(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_observations(registry).await;
    add_skymap(registry).await;
    assert_eq!(all(registry, "visit").await, [visit(1), visit(2), visit(3)]);
    assert_eq!(
        all(registry, "tract").await,
        [tract_record(0, 1.0), tract_record(1, 1.0)]
    );
    let skymap = &all(registry, "skymap").await[0];
    assert_eq!(
        skymap.get("hash"),
        Some(&ColumnValue::Bytes(std::sync::Arc::from(
            *b"0123456789abcdef"
        )))
    );
    let cam2 = &all(registry, "instrument").await[1];
    assert_eq!(cam2.get("detector_max"), Some(&ColumnValue::Null));
    assert_eq!(all(registry, "visit_definition").await.len(), 3);
}

async fn an_existing_record_is_a_conflict(repository: &Repository) {
    let registry = &repository.registry;
    let cam = instrument("Cam1", 5);
    insert(registry, std::slice::from_ref(&cam), InsertMode::Insert)
        .await
        .unwrap();
    let message = assert_error!(
        insert(
            registry,
            &[instrument("Cam0", 1), cam.clone()],
            InsertMode::Insert
        )
        .await,
        ConflictingDefinition
    );
    assert!(message.contains("instrument"), "{message}");
    // Nothing of the failed batch stays.
    assert_eq!(all(registry, "instrument").await, [cam]);
}

async fn existing_records_can_be_skipped(repository: &Repository) {
    let registry = &repository.registry;
    let old = instrument("Cam1", 5);
    insert(registry, std::slice::from_ref(&old), InsertMode::Insert)
        .await
        .unwrap();
    let new = instrument("Cam2", 7);
    insert(
        registry,
        &[instrument("Cam1", 6), new.clone(), new.clone()],
        InsertMode::SkipExisting,
    )
    .await
    .unwrap();
    assert_eq!(all(registry, "instrument").await, [old, new]);
}

async fn existing_records_can_be_replaced(repository: &Repository) {
    let registry = &repository.registry;
    insert(registry, &[instrument("Cam1", 5)], InsertMode::Insert)
        .await
        .unwrap();
    let records = [instrument("Cam1", 6), instrument("Cam2", 7)];
    insert(registry, &records, InsertMode::Replace)
        .await
        .unwrap();
    assert_eq!(all(registry, "instrument").await, records);
}

async fn a_record_given_twice_is_replaced_by_the_last(repository: &Repository) {
    let registry = &repository.registry;
    let records = [instrument("Cam1", 5), instrument("Cam1", 6)];
    insert(registry, &records, InsertMode::Replace)
        .await
        .unwrap();
    assert_eq!(all(registry, "instrument").await, [instrument("Cam1", 6)]);
}

async fn an_element_of_keys_alone_can_be_replaced(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_observations(registry).await;
    let definition = all(registry, "visit_definition").await;
    insert(registry, &definition, InsertMode::Replace)
        .await
        .unwrap();
    assert_eq!(all(registry, "visit_definition").await, definition);
}

async fn many_records_are_written_at_once(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let groups: Vec<DimensionRecord> = (0..5_000)
        .map(|i| {
            record(
                "group",
                [
                    ("instrument", "Cam1".into()),
                    ("name", format!("{i:05}").as_str().into()),
                ],
            )
        })
        .collect();
    insert(registry, &groups, InsertMode::Insert).await.unwrap();
    insert(registry, &groups, InsertMode::SkipExisting)
        .await
        .unwrap();
    insert(registry, &groups, InsertMode::Replace)
        .await
        .unwrap();
    assert_eq!(all(registry, "group").await, groups);
}

async fn a_record_needs_what_it_refers_to(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let orphan = record(
        "detector",
        [
            ("instrument", "Cam9".into()),
            ("id", 1.into()),
            ("full_name", "a".into()),
        ],
    );
    let message = assert_error!(
        insert(registry, &[orphan], InsertMode::Insert).await,
        ConflictingDefinition
    );
    assert!(message.contains("detector"), "{message}");
    // An implied dimension, too.
    let orphan = record(
        "exposure",
        [
            ("instrument", "Cam1".into()),
            ("id", 1.into()),
            ("day_obs", 20_200_101.into()),
            ("group", "absent".into()),
            ("physical_filter", "Cam1-G".into()),
            ("obs_id", "x".into()),
        ],
    );
    assert_error!(
        insert(registry, &[orphan], InsertMode::Insert).await,
        ConflictingDefinition
    );
    assert!(all(registry, "exposure").await.is_empty());
}

async fn an_alternate_key_is_unique(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let same_name = record(
        "detector",
        [
            ("instrument", "Cam1".into()),
            ("id", 17.into()),
            ("full_name", "Aa".into()),
        ],
    );
    assert_error!(
        insert(
            registry,
            std::slice::from_ref(&same_name),
            InsertMode::Insert
        )
        .await,
        ConflictingDefinition
    );
    assert_error!(
        registry.sync_dimension_record(&same_name, false).await,
        ConflictingDefinition
    );
}

async fn a_text_that_is_too_long_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    let name = "x".repeat(33);
    let result =
        DimensionRecord::from_fields(element("instrument"), [("name", ColumnValue::from(&*name))]);
    match result {
        // The value is refused when the record is made, or when it is written; never cut.
        Err(error) => assert!(error.to_string().contains("name"), "{error}"),
        Ok(record) => {
            assert_error!(
                insert(registry, &[record], InsertMode::Insert).await,
                DimensionValue
            );
        }
    }
    assert!(all(registry, "instrument").await.is_empty());
}

async fn bands_follow_from_filters(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    let bands: Vec<_> = all(registry, "band")
        .await
        .iter()
        .map(|record| record.key_value().unwrap().to_string())
        .collect();
    assert_eq!(bands, ["g", "r"]);
    let band = record("band", [("name", "i".into())]);
    let message = assert_error!(
        insert(registry, std::slice::from_ref(&band), InsertMode::Insert).await,
        InvalidArgument
    );
    assert!(message.contains("physical_filter"), "{message}");
    assert_error!(
        registry.sync_dimension_record(&band, false).await,
        InvalidArgument
    );
    let expanded = registry
        .expand_data_ids(&[data_id([("band", "r".into())])])
        .await
        .unwrap();
    assert!(expanded[0].has_records());
}

async fn skypix_records_are_neither_written_nor_listed(repository: &Repository) {
    let registry = &repository.registry;
    let htm7 = element("htm7");
    let record = DimensionRecord::of_pixel(htm7, 200_000).unwrap();
    assert_error!(
        insert(registry, &[record], InsertMode::Insert).await,
        InvalidArgument
    );
    assert_error!(registry.dimension_records(htm7).await, InvalidArgument);
}

async fn records_of_another_element_are_refused(repository: &Repository) {
    let registry = &repository.registry;
    let records = [
        instrument("Cam1", 1),
        record(
            "skymap",
            [
                ("name", "s".into()),
                (
                    "hash",
                    ColumnValue::Bytes(std::sync::Arc::from(*b"0123456789abcdef")),
                ),
            ],
        ),
    ];
    assert_error!(
        insert(registry, &records, InsertMode::Insert).await,
        InvalidArgument
    );
    assert!(all(registry, "instrument").await.is_empty());
}

async fn inserting_nothing_is_fine(repository: &Repository) {
    let registry = &repository.registry;
    for mode in [
        InsertMode::Insert,
        InsertMode::SkipExisting,
        InsertMode::Replace,
    ] {
        registry
            .insert_dimension_records(element("visit"), &[], mode)
            .await
            .unwrap();
    }
}

async fn synchronising_inserts_what_is_missing(repository: &Repository) {
    let registry = &repository.registry;
    let cam = instrument("Cam1", 5);
    assert_eq!(
        registry.sync_dimension_record(&cam, false).await.unwrap(),
        SyncOutcome::Inserted
    );
    assert_eq!(
        registry.sync_dimension_record(&cam, false).await.unwrap(),
        SyncOutcome::Unchanged
    );
    assert_eq!(
        registry.sync_dimension_record(&cam, true).await.unwrap(),
        SyncOutcome::Unchanged
    );
}

async fn synchronising_names_every_difference(repository: &Repository) {
    let registry = &repository.registry;
    let old = record(
        "instrument",
        [
            ("name", "Cam1".into()),
            ("detector_max", 5.into()),
            ("class_name", "A".into()),
        ],
    );
    let new = record(
        "instrument",
        [
            ("name", "Cam1".into()),
            ("detector_max", 6.into()),
            ("class_name", "A".into()),
            ("visit_max", 7.into()),
        ],
    );
    registry.sync_dimension_record(&old, false).await.unwrap();
    let message = assert_error!(
        registry.sync_dimension_record(&new, false).await,
        ConflictingDefinition
    );
    for part in ["detector_max", "visit_max", "5", "6", "7", "Cam1"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("class_name"), "{message}");
    assert_eq!(
        all(registry, "instrument").await,
        std::slice::from_ref(&old)
    );
    let outcome = registry.sync_dimension_record(&new, true).await.unwrap();
    let SyncOutcome::Updated(values) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(values.len(), 2);
    assert_eq!(values["detector_max"], 5.into());
    assert_eq!(values["visit_max"], ColumnValue::Null);
    assert_eq!(all(registry, "instrument").await, [new]);
}

async fn overlaps_are_those_of_the_region(repository: &Repository) {
    add_skymap(&repository.registry).await;
    for tract in 0..2 {
        let expected = envelope(&tract_record(tract, 1.0));
        assert!(!expected.is_empty());
        assert_eq!(overlaps(repository, tract).await, expected);
    }
}

async fn an_updated_region_has_new_overlaps(repository: &Repository) {
    let registry = &repository.registry;
    add_skymap(registry).await;
    let other = overlaps(repository, 1).await;
    for size in [2.0, 0.5] {
        let new = tract_record(0, size);
        let outcome = registry.sync_dimension_record(&new, true).await.unwrap();
        assert!(matches!(outcome, SyncOutcome::Updated(old) if old.contains_key("region")));
        assert_eq!(overlaps(repository, 0).await, envelope(&new));
        assert_eq!(overlaps(repository, 1).await, other);
    }
}

async fn a_replaced_region_has_new_overlaps(repository: &Repository) {
    let registry = &repository.registry;
    add_skymap(registry).await;
    for size in [2.0, 0.5] {
        let new = [tract_record(0, size), tract_record(1, size)];
        insert(registry, &new, InsertMode::Replace).await.unwrap();
        for tract in [0, 1] {
            assert_eq!(
                overlaps(repository, tract).await,
                envelope(&tract_record(tract, size))
            );
        }
    }
}

async fn a_skipped_region_keeps_its_overlaps(repository: &Repository) {
    let registry = &repository.registry;
    add_skymap(registry).await;
    let new = [tract_record(0, 2.0), tract_record(7, 0.5)];
    insert(registry, &new, InsertMode::SkipExisting)
        .await
        .unwrap();
    assert_eq!(
        overlaps(repository, 0).await,
        envelope(&tract_record(0, 1.0))
    );
    assert_eq!(
        overlaps(repository, 7).await,
        envelope(&tract_record(7, 0.5))
    );
}

async fn a_region_can_come_and_go(repository: &Repository) {
    let registry = &repository.registry;
    add_skymap(registry).await;
    let without = record("tract", [("skymap", "SkyMap1".into()), ("id", 0.into())]);
    registry
        .sync_dimension_record(&without, true)
        .await
        .unwrap();
    assert!(overlaps(repository, 0).await.is_empty());
    insert(registry, &[tract_record(0, 1.0)], InsertMode::Replace)
        .await
        .unwrap();
    assert_eq!(
        overlaps(repository, 0).await,
        envelope(&tract_record(0, 1.0))
    );
}

async fn overlaps_of_compound_keys_are_kept_apart(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_observations(registry).await;
    let regions: Vec<_> = [(1, 1), (1, 2), (2, 1)]
        .map(|(visit, detector)| {
            record(
                "visit_detector_region",
                [
                    ("instrument", "Cam1".into()),
                    ("visit", visit.into()),
                    ("detector", detector.into()),
                    (
                        "region",
                        square(10.0 * visit as f64, detector as f64, 0.2).into(),
                    ),
                ],
            )
        })
        .to_vec();
    insert(registry, &regions, InsertMode::Insert)
        .await
        .unwrap();
    insert(registry, &regions[..1], InsertMode::Replace)
        .await
        .unwrap();
    for region in &regions {
        let key: Vec<_> = region.required_values().collect();
        let sql = format!(
            "SELECT skypix_index FROM {} WHERE detector = {} AND visit = {}",
            registry
                .database()
                .table("visit_detector_region_skypix_overlap"),
            key[1],
            key[2]
        );
        let found: BTreeSet<i64> = integers(registry, &sql).await.into_iter().collect();
        assert_eq!(found, envelope(region));
    }
}

async fn records_can_change_while_datasets_refer_to_them(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = super::fixture::add_calibrations(registry).await;
    let new = record(
        "detector",
        [
            ("instrument", "Cam1".into()),
            ("id", 1.into()),
            ("full_name", "Zz".into()),
            ("purpose", "WAVEFRONT".into()),
        ],
    );
    registry.sync_dimension_record(&new, true).await.unwrap();
    insert(registry, &[new], InsertMode::Replace).await.unwrap();
    let bias = calibrations.g(1);
    assert_eq!(
        registry.dataset(bias.id()).await.unwrap().as_ref(),
        Some(bias)
    );
}

behaviours!(
    records_are_read_back_as_they_were,
    an_existing_record_is_a_conflict,
    existing_records_can_be_skipped,
    existing_records_can_be_replaced,
    a_record_given_twice_is_replaced_by_the_last,
    an_element_of_keys_alone_can_be_replaced,
    many_records_are_written_at_once,
    a_record_needs_what_it_refers_to,
    an_alternate_key_is_unique,
    a_text_that_is_too_long_is_refused,
    bands_follow_from_filters,
    skypix_records_are_neither_written_nor_listed,
    records_of_another_element_are_refused,
    inserting_nothing_is_fine,
    synchronising_inserts_what_is_missing,
    synchronising_names_every_difference,
    overlaps_are_those_of_the_region,
    an_updated_region_has_new_overlaps,
    a_replaced_region_has_new_overlaps,
    a_skipped_region_keeps_its_overlaps,
    a_region_can_come_and_go,
    overlaps_of_compound_keys_are_kept_apart,
    records_can_change_while_datasets_refer_to_them,
);

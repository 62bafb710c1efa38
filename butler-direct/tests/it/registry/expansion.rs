//! Expanding data IDs with dimension records.

use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::registry::{InsertMode, Registry, RegistryWriter};

use super::fixture::{
    Repository, add_instruments, add_observations, add_skymap, data_id, exposure, record, universe,
    visit,
};
use super::{assert_error, behaviours};

async fn expand(
    registry: &dyn Registry,
    data_id: DataCoordinate,
) -> butler_core::error::Result<DataCoordinate> {
    let mut expanded = registry.expand_data_ids(&[data_id]).await?;
    Ok(expanded.remove(0))
}

fn visit_detector(visit: i64, detector: i64) -> DataCoordinate {
    data_id([
        ("instrument", "Cam1".into()),
        ("visit", visit.into()),
        ("detector", detector.into()),
    ])
}

async fn prepare(registry: &dyn RegistryWriter) {
    add_instruments(registry).await;
    add_observations(registry).await;
    add_skymap(registry).await;
}

async fn implied_values_and_records_are_attached(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let expanded = expand(registry, visit_detector(2, 3)).await.unwrap();
    assert!(expanded.has_full() && expanded.has_records());
    assert_eq!(
        expanded.get("physical_filter"),
        Some(&DataIdValue::from("Cam1-R1"))
    );
    assert_eq!(expanded.get("band"), Some(&DataIdValue::from("r")));
    assert_eq!(
        expanded.get("day_obs"),
        Some(&DataIdValue::from(20_200_101))
    );
    assert_eq!(**expanded.record("visit").unwrap(), visit(2));
    assert_eq!(
        expanded
            .record("detector")
            .unwrap()
            .get("full_name")
            .unwrap()
            .as_str(),
        Some("Ba")
    );
}

async fn the_order_of_mixed_data_ids_is_kept(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let tract = |tract: i64| data_id([("skymap", "SkyMap1".into()), ("tract", tract.into())]);
    let given = [
        visit_detector(1, 1),
        tract(1),
        DataCoordinate::empty(universe()),
        visit_detector(3, 2),
        tract(0),
        visit_detector(1, 1),
        data_id([("htm7", 196_620.into())]),
    ];
    let expanded = registry.expand_data_ids(&given).await.unwrap();
    assert_eq!(expanded, given);
    assert!(expanded.iter().all(DataCoordinate::has_records));
    assert!(registry.expand_data_ids(&[]).await.unwrap().is_empty());
}

async fn expanding_twice_changes_nothing(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let once = expand(registry, visit_detector(1, 1)).await.unwrap();
    let before = registry.database().statement_count();
    let twice = expand(registry, once.clone()).await.unwrap();
    assert_eq!(once, twice);
    assert_eq!(registry.database().statement_count(), before);
}

async fn a_missing_record_is_named(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    for (data_id, element) in [
        (visit_detector(9, 1), "visit"),
        (visit_detector(1, 9), "detector"),
        (data_id([("instrument", "Cam9".into())]), "instrument"),
        (
            data_id([("instrument", "Cam2".into()), ("detector", 1.into())]),
            "detector",
        ),
        (data_id([("band", "z".into())]), "band"),
    ] {
        let message = assert_error!(expand(registry, data_id.clone()).await, DataIdValue);
        assert!(message.contains(element), "{message}");
    }
}

async fn one_bad_data_id_fails_all(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let given = [visit_detector(1, 1), visit_detector(9, 1)];
    assert_error!(registry.expand_data_ids(&given).await, DataIdValue);
}

async fn a_contradiction_of_an_implied_value_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let group = universe().conform(["visit"]).unwrap();
    let given = DataCoordinate::standardize(
        universe(),
        [
            ("instrument", DataIdValue::from("Cam1")),
            ("visit", 1.into()),
            ("physical_filter", "Cam1-R1".into()),
            ("band", "r".into()),
            ("day_obs", 20_200_101.into()),
        ],
        Some(&group),
        None,
    )
    .unwrap();
    let message = assert_error!(expand(registry, given).await, InconsistentDataId);
    assert!(
        message.contains("Cam1-R1") && message.contains("Cam1-G"),
        "{message}"
    );
}

async fn unrelated_visit_and_exposure_are_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let both = |exposure: i64, visit: i64| {
        data_id([
            ("instrument", "Cam1".into()),
            ("exposure", exposure.into()),
            ("visit", visit.into()),
        ])
    };
    let expanded = expand(registry, both(2, 2)).await.unwrap();
    assert_eq!(**expanded.record("exposure").unwrap(), exposure(2));
    // Exposure 1 and visit 2 have different filters.
    assert_error!(expand(registry, both(1, 2)).await, InconsistentDataId);
}

async fn an_element_that_relates_others_need_not_be_there(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    // No visit_detector_region was inserted: it only adds a region.
    let expanded = expand(registry, visit_detector(1, 1)).await.unwrap();
    assert!(expanded.record("visit_detector_region").is_none());
    let region = super::fixture::square(11.0, 0.0, 0.1);
    let detector_region = record(
        "visit_detector_region",
        [
            ("instrument", "Cam1".into()),
            ("visit", 1.into()),
            ("detector", 1.into()),
            ("region", region.clone().into()),
        ],
    );
    registry
        .insert_dimension_records(
            detector_region.element(),
            &[detector_region],
            InsertMode::Insert,
        )
        .await
        .unwrap();
    let expanded = expand(registry, visit_detector(1, 1)).await.unwrap();
    assert_eq!(
        expanded.record("visit_detector_region").unwrap().region(),
        Some(&region)
    );
}

async fn a_change_by_another_client_is_seen(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    expand(registry, visit_detector(1, 1)).await.unwrap();
    let new = record(
        "detector",
        [
            ("instrument", "Cam1".into()),
            ("id", 1.into()),
            ("full_name", "Zz".into()),
        ],
    );
    let another = repository.another().await;
    another.sync_dimension_record(&new, true).await.unwrap();
    let expanded = expand(registry, visit_detector(1, 1)).await.unwrap();
    assert_eq!(**expanded.record("detector").unwrap(), new);
}

behaviours!(
    implied_values_and_records_are_attached,
    the_order_of_mixed_data_ids_is_kept,
    expanding_twice_changes_nothing,
    a_missing_record_is_named,
    one_bad_data_id_fails_all,
    a_contradiction_of_an_implied_value_is_refused,
    unrelated_visit_and_exposure_are_refused,
    an_element_that_relates_others_need_not_be_there,
    a_change_by_another_client_is_seen,
);

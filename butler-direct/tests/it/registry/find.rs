//! Searching collections for a dataset.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetIdMode;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;

use super::fixture::{
    CALIBS, Repository, add_calibration_collection, add_calibrations, data_id, dataset_type,
    detector, detector_and_filter, find, hours, names, register, universe,
};
use super::{assert_error, collection_behaviours};

async fn the_first_collection_that_has_it_wins(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let id = detector(2);
    let g_then_r = find(registry, "bias", &id, &["imported_g", "imported_r"]).await;
    assert_eq!(g_then_r, Some(all.g(2).id()));
    let r_then_g = find(registry, "bias", &id, &["imported_r", "imported_g"]).await;
    assert_eq!(r_then_g, Some(all.r(2).id()));
    // Only the second has detector 4.
    let other = find(
        registry,
        "bias",
        &detector(4),
        &["imported_g", "imported_r"],
    )
    .await;
    assert_eq!(other, Some(all.r(4).id()));
}

async fn nothing_is_found_where_there_is_nothing(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "empty", CollectionType::Tagged).await;
    register(registry, "chain", CollectionType::Chained).await;
    for collections in [&["empty"][..], &["chain"], &[], &["imported_r"]] {
        assert_eq!(
            find(registry, "bias", &detector(1), collections).await,
            None
        );
    }
    assert_eq!(
        find(registry, "bias", &detector(17), &["imported_g"]).await,
        None
    );
    let other = data_id([("instrument", "Cam2".into()), ("detector", 1.into())]);
    assert_eq!(find(registry, "bias", &other, &["imported_g"]).await, None);
}

async fn nested_chains_are_searched_depth_first(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    for chain in ["inner", "outer"] {
        register(registry, chain, CollectionType::Chained).await;
    }
    registry
        .associate("tag", &[all.g(1).clone(), all.g(2).clone()])
        .await
        .unwrap();
    registry
        .set_collection_chain("inner", &names(["tag", "imported_r"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["imported_r", "inner"]))
        .await
        .unwrap();
    let id = |number| detector(number);
    assert_eq!(
        find(registry, "bias", &id(2), &["inner"]).await,
        Some(all.g(2).id())
    );
    assert_eq!(
        find(registry, "bias", &id(2), &["outer"]).await,
        Some(all.r(2).id())
    );
    assert_eq!(
        find(registry, "bias", &id(1), &["outer"]).await,
        Some(all.g(1).id())
    );
    // Taken out of the first, it is found in the next.
    registry
        .disassociate("tag", &[all.g(2).clone()])
        .await
        .unwrap();
    assert_eq!(
        find(registry, "bias", &id(2), &["inner"]).await,
        Some(all.r(2).id())
    );
}

async fn a_search_sees_what_others_committed(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "chain", CollectionType::Chained).await;
    let another = repository.another().await;
    for child in ["imported_r", "imported_g"] {
        another
            .set_collection_chain("chain", &names([child]))
            .await
            .unwrap();
        let found = find(registry, "bias", &detector(2), &["chain"]).await;
        let expected = if child == "imported_g" {
            all.g(2)
        } else {
            all.r(2)
        };
        assert_eq!(found, Some(expected.id()));
    }
}

async fn what_is_not_there_is_an_error(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    assert_error!(
        registry
            .find_dataset("absent", &detector(1), &names(["imported_g"]), None)
            .await,
        MissingDatasetType
    );
    let message = assert_error!(
        registry
            .find_dataset("bias", &detector(1), &names(["imported_g", "absent"]), None)
            .await,
        MissingCollection
    );
    assert!(message.contains("absent"), "{message}");
}

async fn a_data_id_may_say_more_but_not_less(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let more = detector_and_filter(1, "Cam1-R1");
    assert_eq!(
        find(registry, "bias", &more, &["imported_g"]).await,
        Some(all.g(1).id())
    );
    let less = data_id([("instrument", "Cam1".into())]);
    assert!(
        registry
            .find_dataset("bias", &less, &names(["imported_g"]), None)
            .await
            .is_err()
    );
}

async fn a_found_dataset_has_the_values_that_its_data_id_implies(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let data_id = detector_and_filter(1, "Cam1-R1");
    registry
        .insert_datasets(
            "flat",
            std::slice::from_ref(&data_id),
            "imported_g",
            DatasetIdMode::Unique,
        )
        .await
        .unwrap();
    let found = registry
        .find_dataset("flat", &data_id, &names(["imported_g"]), None)
        .await
        .unwrap()
        .unwrap();
    let band = found.data_id().get("band").and_then(|band| band.as_str());
    assert_eq!(band, Some("r"));
}

async fn components_are_found_through_their_composite(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let dark = dataset_type("dark", &["detector"], "ExposureF", false);
    registry.register_dataset_type(&dark).await.unwrap();
    let made = registry
        .insert_datasets("dark", &[detector(1)], "imported_g", DatasetIdMode::Unique)
        .await
        .unwrap();
    let found = registry
        .find_dataset("dark.wcs", &detector(1), &names(["imported_g"]), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.id(), made[0].id());
    assert_eq!(&**found.dataset_type().name(), "dark.wcs");
    assert_error!(
        registry
            .find_dataset("dark.shoe", &detector(1), &names(["imported_g"]), None)
            .await,
        UnknownComponent
    );
}

async fn calibrations_take_part_with_a_timespan(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    registry
        .certify(CALIBS, &[all.g(2).clone()], hours(Some(2), Some(4)))
        .await
        .unwrap();
    let search = names([CALIBS, "imported_r"]);
    let find = async |timespan| {
        let found = registry
            .find_dataset("bias", &detector(2), &search, timespan)
            .await
            .unwrap();
        found.map(|dataset| dataset.id())
    };
    // Inside its validity the calibration comes first, outside the run's dataset is found.
    assert_eq!(
        find(Some(hours(Some(3), Some(4)))).await,
        Some(all.g(2).id())
    );
    assert_eq!(
        find(Some(hours(Some(4), Some(5)))).await,
        Some(all.r(2).id())
    );
    assert_eq!(find(None).await, Some(all.r(2).id()));
    // An empty timespan overlaps nothing, not even what is valid always.
    assert_eq!(find(Some(Timespan::EMPTY)).await, None);
    // In the other order the run always comes first.
    let found = registry
        .find_dataset(
            "bias",
            &detector(2),
            &names(["imported_r", CALIBS]),
            Some(hours(Some(3), Some(4))),
        )
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(all.r(2)));
}

async fn an_ambiguity_behind_the_winner_is_of_no_concern(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    for (dataset, timespan) in [
        (all.g(2), hours(None, Some(3))),
        (all.r(2), hours(Some(3), None)),
    ] {
        registry
            .certify(CALIBS, std::slice::from_ref(dataset), timespan)
            .await
            .unwrap();
    }
    let always = Some(hours(None, None));
    let found = registry
        .find_dataset("bias", &detector(2), &names(["imported_g", CALIBS]), always)
        .await
        .unwrap();
    assert_eq!(found.as_ref(), Some(all.g(2)));
    let message = assert_error!(
        registry
            .find_dataset("bias", &detector(2), &names([CALIBS, "imported_g"]), always)
            .await,
        CalibrationLookup
    );
    assert!(
        message.contains("bias") && message.contains(CALIBS),
        "{message}"
    );
}

async fn a_type_that_is_no_calibration_is_found_beside_calibrations(repository: &Repository) {
    let registry = &repository.registry;
    add_calibration_collection(registry).await;
    let config = dataset_type("config", &[], "StructuredDataDict", false);
    registry.register_dataset_type(&config).await.unwrap();
    let id = butler_core::dimensions::DataCoordinate::empty(universe());
    let made = registry
        .insert_datasets(
            "config",
            std::slice::from_ref(&id),
            "imported_g",
            DatasetIdMode::Unique,
        )
        .await
        .unwrap();
    let found = registry
        .find_dataset(
            "config",
            &id,
            &names([CALIBS, "imported_g"]),
            Some(hours(None, None)),
        )
        .await
        .unwrap();
    assert_eq!(found.as_ref(), made.first());
    let found = registry
        .find_dataset("config", &id, &names([CALIBS]), Some(hours(None, None)))
        .await
        .unwrap();
    assert_eq!(found, None);
}

collection_behaviours!(
    the_first_collection_that_has_it_wins,
    nothing_is_found_where_there_is_nothing,
    nested_chains_are_searched_depth_first,
    a_search_sees_what_others_committed,
    what_is_not_there_is_an_error,
    a_data_id_may_say_more_but_not_less,
    a_found_dataset_has_the_values_that_its_data_id_implies,
    components_are_found_through_their_composite,
    calibrations_take_part_with_a_timespan,
    an_ambiguity_behind_the_winner_is_of_no_concern,
    a_type_that_is_no_calibration_is_found_beside_calibrations,
);

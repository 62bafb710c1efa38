//! Validity ranges in CALIBRATION collections.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::error::Error;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;

use super::fixture::{
    CALIBS, Repository, add_calibration_collection, bias, certify_each, dataset_type, detector,
    hours, names, new_ref, register,
};
use super::{assert_error, collection_behaviours};

/// Every timespan between hours 1 to 5 and infinity.
fn timespans() -> Vec<Timespan> {
    let bounds = [None, Some(1), Some(2), Some(3), Some(4), Some(5), None];
    let mut all = Vec::new();
    for (i, begin) in bounds.iter().enumerate() {
        for end in &bounds[i + 1..] {
            all.push(hours(*begin, *end));
        }
    }
    all
}

/// Checks each look-up against what the list of certified ranges says.
async fn check(registry: &dyn Registry, valid: &[(&DatasetRef, Timespan)]) {
    for number in 1..=4 {
        for timespan in timespans() {
            let id = detector(number);
            let expected: Vec<&DatasetRef> = valid
                .iter()
                .filter(|(dataset, range)| *dataset.data_id() == id && range.overlaps(timespan))
                .map(|(dataset, _)| *dataset)
                .collect();
            let found = registry
                .find_dataset("bias", &id, &names([CALIBS]), Some(timespan))
                .await;
            match (expected.as_slice(), found) {
                ([], Ok(None)) => {}
                ([one], Ok(Some(found))) => assert_eq!(*one, &found),
                ([_, _, ..], Err(Error::CalibrationLookup(_))) => {}
                (expected, found) => panic!("{id} in {timespan}: {expected:?} ≠ {found:?}"),
            }
        }
    }
    let associations = registry
        .associations("bias", &names([CALIBS]))
        .await
        .unwrap();
    let mut found: Vec<_> = associations
        .iter()
        .map(|a| (a.dataset.id(), a.timespan.unwrap()))
        .collect();
    let mut expected: Vec<_> = valid.iter().map(|(d, t)| (d.id(), *t)).collect();
    let order = |(id, t): &(uuid::Uuid, Timespan)| (*id, t.begin_ns());
    found.sort_by_key(order);
    expected.sort_by_key(order);
    assert_eq!(found, expected);
}

async fn lookups_follow_validity(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let certified = [
        (all.g(2), hours(Some(2), Some(4))),
        (all.g(3), hours(Some(1), Some(3))),
        (all.r(2), hours(Some(4), None)),
        (all.r(3), hours(Some(4), None)),
    ];
    certify_each(registry, &certified).await;
    check(registry, &certified).await;
}

async fn overlapping_ranges_are_refused(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let range = hours(Some(2), Some(4));
    certify_each(registry, &[(all.g(2), range)]).await;
    for timespan in timespans() {
        // The dataset itself cannot be valid twice at the same time, either.
        for dataset in [all.r(2), all.g(2)] {
            if timespan.overlaps(range) {
                let message = assert_error!(
                    registry
                        .certify(CALIBS, std::slice::from_ref(dataset), timespan)
                        .await,
                    ConflictingDefinition
                );
                assert!(message.contains(CALIBS), "{message}");
            }
        }
    }
    // Nothing of a batch stays if one of it is in the way.
    assert_error!(
        registry
            .certify(
                CALIBS,
                &[all.r(4).clone(), all.r(2).clone()],
                hours(None, None)
            )
            .await,
        ConflictingDefinition
    );
    check(registry, &[(all.g(2), range)]).await;
}

async fn ranges_that_meet_do_not_overlap(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let certified = [
        (all.g(2), hours(Some(2), Some(3))),
        (all.r(2), hours(Some(3), Some(4))),
        (all.g(2), hours(None, Some(2))),
        (all.r(2), hours(Some(4), None)),
    ];
    certify_each(registry, &certified).await;
    check(registry, &certified).await;
}

async fn the_same_data_id_twice_in_a_batch_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    assert_error!(
        registry
            .certify(
                CALIBS,
                &[all.g(2).clone(), all.r(2).clone()],
                hours(None, None)
            )
            .await,
        ConflictingDefinition
    );
    check(registry, &[]).await;
}

async fn decertifying_cuts_and_splits_ranges(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let certified = [
        (all.g(2), hours(Some(2), Some(4))),
        (all.g(3), hours(Some(1), Some(3))),
        (all.r(2), hours(Some(4), None)),
        (all.r(3), hours(Some(4), None)),
        (all.r(4), hours(None, None)),
        (all.g(1), hours(Some(3), Some(4))),
    ];
    certify_each(registry, &certified).await;
    registry
        .decertify(CALIBS, "bias", hours(Some(3), Some(5)), None)
        .await
        .unwrap();
    check(
        registry,
        &[
            (all.g(2), hours(Some(2), Some(3))),
            (all.g(3), hours(Some(1), Some(3))),
            (all.r(2), hours(Some(5), None)),
            (all.r(3), hours(Some(5), None)),
            (all.r(4), hours(None, Some(3))),
            (all.r(4), hours(Some(5), None)),
        ],
    )
    .await;
    registry
        .decertify(CALIBS, "bias", Timespan::UNBOUNDED, None)
        .await
        .unwrap();
    check(registry, &[]).await;
}

async fn decertifying_can_be_confined_to_data_ids(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    registry
        .certify(CALIBS, &all.g, hours(None, None))
        .await
        .unwrap();
    registry
        .decertify(
            CALIBS,
            "bias",
            hours(Some(2), Some(4)),
            Some(&[detector(2), detector(4)]),
        )
        .await
        .unwrap();
    let expected = [
        (all.g(1), hours(None, None)),
        (all.g(2), hours(None, Some(2))),
        (all.g(2), hours(Some(4), None)),
        (all.g(3), hours(None, None)),
    ];
    check(registry, &expected).await;
    registry
        .decertify(CALIBS, "bias", Timespan::UNBOUNDED, Some(&[]))
        .await
        .unwrap();
    check(registry, &expected).await;
}

async fn the_freed_range_can_be_certified_again(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    certify_each(registry, &[(all.g(2), hours(None, None))]).await;
    let gap = hours(Some(2), Some(4));
    registry.decertify(CALIBS, "bias", gap, None).await.unwrap();
    certify_each(registry, &[(all.r(2), gap)]).await;
    check(
        registry,
        &[
            (all.g(2), hours(None, Some(2))),
            (all.r(2), gap),
            (all.g(2), hours(Some(4), None)),
        ],
    )
    .await;
}

async fn an_empty_range_is_valid_never(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    certify_each(registry, &[(all.g(2), hours(None, None))]).await;
    // It is in nobody's way, and nobody in its.
    certify_each(registry, &[(all.r(2), Timespan::EMPTY)]).await;
    let expected = [(all.g(2), hours(None, None)), (all.r(2), Timespan::EMPTY)];
    check(registry, &expected).await;
    let nothing = registry
        .find_dataset(
            "bias",
            &detector(2),
            &names([CALIBS]),
            Some(Timespan::EMPTY),
        )
        .await
        .unwrap();
    assert_eq!(nothing, None);
    registry
        .decertify(CALIBS, "bias", Timespan::EMPTY, None)
        .await
        .unwrap();
    check(registry, &expected).await;
}

async fn only_calibrations_are_certified(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    for name in ["tag", "imported_g"] {
        let message = assert_error!(
            registry.certify(name, &all.g, Timespan::UNBOUNDED).await,
            CollectionType
        );
        assert!(message.contains(name), "{message}");
        assert_error!(
            registry
                .decertify(name, "bias", Timespan::UNBOUNDED, None)
                .await,
            CollectionType
        );
    }
    let dark = dataset_type("dark", &["detector"], "ExposureF", false);
    registry.register_dataset_type(&dark).await.unwrap();
    let dataset = new_ref(&dark, detector(1), "imported_g");
    registry
        .import_datasets(std::slice::from_ref(&dataset))
        .await
        .unwrap();
    assert_error!(
        registry
            .certify(CALIBS, &[dataset], Timespan::UNBOUNDED)
            .await,
        DatasetTypeNotSupported
    );
    assert_error!(
        registry
            .decertify(CALIBS, "dark", Timespan::UNBOUNDED, None)
            .await,
        DatasetTypeNotSupported
    );
    let unknown = new_ref(&bias(), detector(1), "imported_g");
    assert_error!(
        registry
            .certify(CALIBS, &[unknown], Timespan::UNBOUNDED)
            .await,
        ConflictingDefinition
    );
}

async fn associations_of_a_chain_are_those_below_it(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let range = hours(Some(1), None);
    registry.certify(CALIBS, &all.r, range).await.unwrap();
    register(registry, "chain", CollectionType::Chained).await;
    registry
        .set_collection_chain("chain", &names([CALIBS, "imported_g"]))
        .await
        .unwrap();
    let found = registry
        .associations("bias", &names(["chain"]))
        .await
        .unwrap();
    assert_eq!(found.len(), 6);
    for association in found {
        if &*association.collection == CALIBS {
            assert_eq!(association.timespan, Some(range));
            assert_eq!(&**association.dataset.run(), "imported_r");
        } else {
            assert_eq!(&*association.collection, "imported_g");
            assert_eq!(association.timespan, None);
            assert!(all.g.contains(&association.dataset));
        }
    }
}

collection_behaviours!(
    lookups_follow_validity,
    overlapping_ranges_are_refused,
    ranges_that_meet_do_not_overlap,
    the_same_data_id_twice_in_a_batch_is_refused,
    decertifying_cuts_and_splits_ranges,
    decertifying_can_be_confined_to_data_ids,
    the_freed_range_can_be_certified_again,
    an_empty_range_is_valid_never,
    only_calibrations_are_certified,
    associations_of_a_chain_are_those_below_it,
);

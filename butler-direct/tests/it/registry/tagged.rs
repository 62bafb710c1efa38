//! Membership in TAGGED collections.

use butler_core::collections::CollectionType;
use butler_core::registry::RegistryWriter;

use super::fixture::{Repository, add_calibrations, bias, detector, find, new_ref, register};
use super::{assert_error, collection_behaviours};

async fn members_come_and_go(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    let (one, two) = (all.g(1).clone(), all.g(2).clone());
    registry
        .associate("tag", &[one.clone(), two.clone()])
        .await
        .unwrap();
    let member = async |number| find(registry, "bias", &detector(number), &["tag"]).await;
    assert_eq!(member(1).await, Some(one.id()));
    assert_eq!(member(2).await, Some(two.id()));
    registry
        .disassociate("tag", std::slice::from_ref(&one))
        .await
        .unwrap();
    assert_eq!(member(1).await, None);
    assert_eq!(member(2).await, Some(two.id()));
    let in_run = find(registry, "bias", &detector(1), &["imported_g"]).await;
    assert_eq!(in_run, Some(one.id()));
    // One of them is a member still: no matter.
    registry
        .associate("tag", &[one.clone(), two.clone(), two.clone()])
        .await
        .unwrap();
    assert_eq!(member(1).await, Some(one.id()));
    // Taking out what is no member, either.
    registry
        .disassociate("tag", &[all.r(4).clone()])
        .await
        .unwrap();
}

async fn another_dataset_of_the_same_data_id_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    registry
        .associate("tag", &[all.g(2).clone()])
        .await
        .unwrap();
    assert_error!(
        registry
            .associate("tag", &[all.g(3).clone(), all.r(2).clone()])
            .await,
        ConflictingDefinition
    );
    let member = async |number| find(registry, "bias", &detector(number), &["tag"]).await;
    assert_eq!(member(2).await, Some(all.g(2).id()));
    assert_eq!(member(3).await, None);
    // Within one call, too.
    assert_error!(
        registry
            .associate("tag", &[all.g(3).clone(), all.r(3).clone()])
            .await,
        ConflictingDefinition
    );
    assert_eq!(member(3).await, None);
}

async fn a_dataset_that_does_not_exist_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    let dataset = new_ref(&bias(), detector(1), "imported_g");
    assert_error!(
        registry.associate("tag", &[dataset]).await,
        ConflictingDefinition
    );
}

async fn only_tagged_collections_are_tagged(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "chain", CollectionType::Chained).await;
    register(registry, "calib", CollectionType::Calibration).await;
    for name in ["chain", "calib", "imported_g"] {
        let message = assert_error!(registry.associate(name, &all.g).await, CollectionType);
        assert!(message.contains(name), "{message}");
        assert_error!(registry.disassociate(name, &all.g).await, CollectionType);
    }
    assert_error!(
        registry.associate("absent", &all.g).await,
        MissingCollection
    );
}

collection_behaviours!(
    members_come_and_go,
    another_dataset_of_the_same_data_id_is_refused,
    a_dataset_that_does_not_exist_is_refused,
    only_tagged_collections_are_tagged,
);

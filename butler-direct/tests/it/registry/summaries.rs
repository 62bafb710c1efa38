//! What collections are known to hold.

use butler_core::collections::CollectionType;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;

use super::collection_behaviours;
use super::fixture::{
    Repository, add_calibrations, add_skymap, data_id, dataset_type, detector_and_filter, flat,
    names, new_ref, register,
};

/// Names of the dataset types and values of a governor dimension.
async fn summary(
    registry: &dyn Registry,
    collection: &str,
    governor: &str,
) -> (Vec<String>, Vec<String>) {
    let summary = registry.collection_summary(collection).await.unwrap();
    let mut types: Vec<String> = summary
        .dataset_types
        .keys()
        .map(ToString::to_string)
        .collect();
    types.sort();
    let values = summary.governors.get(governor);
    (
        types,
        values.map_or_else(Vec::new, |all| all.iter().cloned().collect()),
    )
}

fn expected(types: &[&str], values: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    (owned(types), owned(values))
}

async fn an_empty_collection_has_an_empty_summary(repository: &Repository) {
    let registry = &repository.registry;
    for (name, kind) in [
        ("run", CollectionType::Run),
        ("chain", CollectionType::Chained),
    ] {
        register(registry, name, kind).await;
        assert_eq!(
            summary(registry, name, "instrument").await,
            expected(&[], &[])
        );
    }
}

async fn summaries_grow_with_the_content(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    assert_eq!(
        summary(registry, "imported_g", "instrument").await,
        expected(&["bias"], &["Cam1"])
    );
    let dataset = new_ref(&flat(), detector_and_filter(1, "Cam1-G"), "imported_g");
    registry.import_datasets(&[dataset]).await.unwrap();
    add_skymap(registry).await;
    let coadd = dataset_type("coadd", &["tract"], "ExposureF", false);
    registry.register_dataset_type(&coadd).await.unwrap();
    let id = data_id([("skymap", "SkyMap1".into()), ("tract", 1.into())]);
    registry
        .import_datasets(&[new_ref(&coadd, id, "imported_g")])
        .await
        .unwrap();
    assert_eq!(
        summary(registry, "imported_g", "instrument").await,
        expected(&["bias", "coadd", "flat"], &["Cam1"])
    );
    assert_eq!(
        summary(registry, "imported_g", "skymap").await.1,
        ["SkyMap1"]
    );
    assert_eq!(
        summary(registry, "imported_r", "instrument").await,
        expected(&["bias"], &["Cam1"])
    );
}

async fn memberships_are_summarised(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    register(registry, "calib", CollectionType::Calibration).await;
    registry.associate("tag", &all.g).await.unwrap();
    registry
        .certify("calib", &all.g, Timespan::UNBOUNDED)
        .await
        .unwrap();
    for name in ["tag", "calib"] {
        assert_eq!(
            summary(registry, name, "instrument").await,
            expected(&["bias"], &["Cam1"])
        );
    }
}

async fn a_summary_outlives_the_content(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    registry.associate("tag", &all.g).await.unwrap();
    registry.disassociate("tag", &all.g).await.unwrap();
    let ids: Vec<_> = all.g.iter().map(|d| d.id()).collect();
    registry.remove_datasets(&ids).await.unwrap();
    for name in ["tag", "imported_g"] {
        assert_eq!(
            summary(registry, name, "instrument").await,
            expected(&["bias"], &["Cam1"])
        );
    }
    // It goes with the dataset type.
    registry.remove_collection("imported_r").await.unwrap();
    registry.remove_dataset_type("bias").await.unwrap();
    assert!(summary(registry, "tag", "instrument").await.0.is_empty());
}

async fn a_chain_sums_up_what_is_below_it(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    let dataset = new_ref(&flat(), detector_and_filter(1, "Cam1-G"), "imported_r");
    registry.import_datasets(&[dataset]).await.unwrap();
    for chain in ["inner", "outer"] {
        register(registry, chain, CollectionType::Chained).await;
    }
    registry
        .set_collection_chain("inner", &names(["imported_r"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["imported_g", "inner"]))
        .await
        .unwrap();
    assert_eq!(
        summary(registry, "outer", "instrument").await,
        expected(&["bias", "flat"], &["Cam1"])
    );
}

collection_behaviours!(
    an_empty_collection_has_an_empty_summary,
    summaries_grow_with_the_content,
    memberships_are_summarised,
    a_summary_outlives_the_content,
    a_chain_sums_up_what_is_below_it,
);

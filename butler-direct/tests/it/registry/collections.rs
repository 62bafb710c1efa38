//! Registering, describing, finding and removing collections.

use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::registry::{CollectionQuery, Registry, RegistryWriter};

use super::fixture::{Repository, add_calibrations, find, names, register};
use super::{assert_error, collection_behaviours};
use CollectionType::{Calibration, Chained, Run, Tagged};

fn query(expression: &[&str]) -> CollectionQuery {
    CollectionQuery::new(CollectionWildcard::from_expression(expression).unwrap())
}

async fn info(registry: &dyn Registry, name: &str) -> CollectionInfo {
    let mut query = query(&[name]);
    query.with_doc = true;
    query.with_parents = true;
    query.with_dataset_types = true;
    registry.collections(&query).await.unwrap().remove(0)
}

async fn found(registry: &dyn Registry, query: &CollectionQuery) -> Vec<String> {
    let all = registry.collections(query).await.unwrap();
    all.into_iter().map(|info| info.name).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

async fn every_type_can_be_registered(repository: &Repository) {
    let registry = &repository.registry;
    for (name, kind) in [
        ("run", Run),
        ("tagged", Tagged),
        ("chain", Chained),
        ("calib", Calibration),
    ] {
        assert!(
            registry
                .register_collection(name, kind, None)
                .await
                .unwrap()
        );
        assert_eq!(info(registry, name).await.collection_type, kind);
        assert!(
            !registry
                .register_collection(name, kind, None)
                .await
                .unwrap()
        );
    }
}

async fn another_type_under_the_same_name_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    register(registry, "it", Run).await;
    for kind in [Tagged, Chained, Calibration] {
        let message = assert_error!(
            registry.register_collection("it", kind, None).await,
            ConflictingDefinition
        );
        assert!(
            message.contains("RUN") && message.contains(kind.name()),
            "{message}"
        );
    }
    assert_eq!(info(registry, "it").await.collection_type, Run);
}

async fn an_empty_name_is_refused(repository: &Repository) {
    assert_error!(
        repository.registry.register_collection("", Run, None).await,
        InvalidArgument
    );
}

async fn documentation_is_kept_and_can_be_changed(repository: &Repository) {
    let registry = &repository.registry;
    registry
        .register_collection("tag", Tagged, Some("as “made”"))
        .await
        .unwrap();
    assert_eq!(info(registry, "tag").await.doc, "as “made”");
    // Registering what is there leaves its documentation alone.
    registry
        .register_collection("tag", Tagged, Some("other"))
        .await
        .unwrap();
    assert_eq!(info(registry, "tag").await.doc, "as “made”");
    registry
        .set_collection_doc("tag", Some("new"))
        .await
        .unwrap();
    assert_eq!(info(registry, "tag").await.doc, "new");
    registry.set_collection_doc("tag", None).await.unwrap();
    assert_eq!(info(registry, "tag").await.doc, "");
    assert_error!(
        registry.set_collection_doc("absent", Some("x")).await,
        MissingCollection
    );
}

async fn a_missing_collection_is_named(repository: &Repository) {
    let registry = &repository.registry;
    register(registry, "there", Run).await;
    let message = assert_error!(
        registry.collections(&query(&["there", "absent"])).await,
        MissingCollection
    );
    assert!(
        message.contains("absent") && !message.contains("there'"),
        "{message}"
    );
    assert_error!(
        registry.collection_summary("absent").await,
        MissingCollection
    );
    assert_error!(
        registry.remove_collection("absent").await,
        MissingCollection
    );
}

async fn queries_select_by_name_pattern_and_type(repository: &Repository) {
    let registry = &repository.registry;
    for (name, kind) in [
        ("imported_g", Run),
        ("imported_r", Run),
        ("tag1", Tagged),
        ("chain1", Chained),
        ("calib", Calibration),
    ] {
        register(registry, name, kind).await;
    }
    assert_eq!(
        found(registry, &query(&["*"])).await,
        ["calib", "chain1", "imported_g", "imported_r", "tag1"]
    );
    assert_eq!(
        found(registry, &query(&["imported_*"])).await,
        ["imported_g", "imported_r"]
    );
    assert_eq!(
        found(registry, &query(&["tag1", "imported_*", "tag1"])).await,
        ["tag1", "imported_g", "imported_r"]
    );
    assert!(found(registry, &query(&["nothing*"])).await.is_empty());
    let mut by_type = query(&["*"]);
    by_type.types = vec![Run, Tagged];
    assert_eq!(
        found(registry, &by_type).await,
        ["imported_g", "imported_r", "tag1"]
    );
    let mut none = query(&["tag1"]);
    none.types = vec![Run];
    assert!(found(registry, &none).await.is_empty());
}

async fn names_with_special_characters_are_only_names(repository: &Repository) {
    let registry = &repository.registry;
    for name in ["u/someone/DM-1'; --", "ünï/çødé", "a\"b", "100%_x"] {
        register(registry, name, Run).await;
        assert_eq!(info(registry, name).await.name, name);
        registry.remove_collection(name).await.unwrap();
    }
    assert!(found(registry, &query(&["*"])).await.is_empty());
}

async fn chains_are_flattened_in_order(repository: &Repository) {
    let registry = &repository.registry;
    for name in ["tag1", "run1", "run2"] {
        register(registry, name, if name == "tag1" { Tagged } else { Run }).await;
    }
    for name in ["chain1", "chain2"] {
        register(registry, name, Chained).await;
    }
    registry
        .set_collection_chain("chain1", &names(["tag1", "run2"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("chain2", &names(["run2", "chain1"]))
        .await
        .unwrap();
    let flat = |expression: &[&str]| query(expression).flattened();
    let with_chains = |expression: &[&str]| {
        let mut query = flat(expression);
        query.include_chains = Some(true);
        query
    };
    assert_eq!(found(registry, &flat(&["chain1"])).await, ["tag1", "run2"]);
    assert_eq!(found(registry, &flat(&["cha*2"])).await, ["run2", "tag1"]);
    assert_eq!(
        found(registry, &with_chains(&["chain1"])).await,
        ["chain1", "tag1", "run2"]
    );
    assert_eq!(
        found(registry, &with_chains(&["chain2"])).await,
        ["chain2", "run2", "chain1", "tag1"]
    );
    assert_eq!(
        sorted(found(registry, &flat(&["*"])).await),
        ["run1", "run2", "tag1"]
    );
    assert_eq!(
        sorted(found(registry, &with_chains(&["*"])).await),
        ["chain1", "chain2", "run1", "run2", "tag1"]
    );
    let mut without = query(&["*"]);
    without.include_chains = Some(false);
    assert_eq!(found(registry, &without).await, ["run1", "run2", "tag1"]);
}

async fn chains_tell_their_children_and_parents(repository: &Repository) {
    let registry = &repository.registry;
    register(registry, "run", Run).await;
    for name in ["inner", "outer"] {
        register(registry, name, Chained).await;
    }
    registry
        .set_collection_chain("inner", &names(["run"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["inner", "run"]))
        .await
        .unwrap();
    assert_eq!(info(registry, "outer").await.children, ["inner", "run"]);
    assert!(info(registry, "run").await.children.is_empty());
    let parents = |info: CollectionInfo| info.parents.unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(parents(info(registry, "run").await), ["inner", "outer"]);
    assert_eq!(parents(info(registry, "inner").await), ["outer"]);
    assert!(parents(info(registry, "outer").await).is_empty());
    // Pattern and name searches tell the same.
    let all = registry.collections(&query(&["*"])).await.unwrap();
    let outer = all.iter().find(|info| info.name == "outer").unwrap();
    assert_eq!(outer.children, ["inner", "run"]);
}

async fn dataset_types_of_a_chain_are_those_below_it(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "chain", Chained).await;
    register(registry, "empty", Run).await;
    registry
        .set_collection_chain("chain", &names(["empty", "imported_g"]))
        .await
        .unwrap();
    let types = |info: CollectionInfo| info.dataset_types.unwrap();
    assert!(types(info(registry, "chain").await).contains("bias"));
    assert!(types(info(registry, "imported_g").await).contains("bias"));
    assert!(types(info(registry, "empty").await).is_empty());
    let mut by_pattern = query(&["ch*"]);
    by_pattern.with_dataset_types = true;
    let found = registry.collections(&by_pattern).await.unwrap();
    assert!(found[0].dataset_types.as_ref().unwrap().contains("bias"));
}

async fn what_is_not_asked_for_is_not_told(repository: &Repository) {
    let registry = &repository.registry;
    registry
        .register_collection("run", Run, Some("doc"))
        .await
        .unwrap();
    let info = registry
        .collections(&query(&["run"]))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(info, CollectionInfo::new("run", Run));
}

async fn a_run_is_removed_with_its_datasets(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    registry.remove_collection("imported_g").await.unwrap();
    let id = calibrations.g(2).id();
    assert!(registry.dataset(id).await.unwrap().is_none());
    assert!(
        registry
            .dataset(calibrations.r(2).id())
            .await
            .unwrap()
            .is_some()
    );
    assert_error!(
        registry.collection_summary("imported_g").await,
        MissingCollection
    );
}

async fn a_tagged_collection_is_removed_without_datasets(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    register(registry, "tag", Tagged).await;
    registry.associate("tag", &calibrations.g).await.unwrap();
    registry.remove_collection("tag").await.unwrap();
    for dataset in &calibrations.g {
        let id = find(registry, "bias", dataset.data_id(), &["imported_g"]).await;
        assert_eq!(id, Some(dataset.id()));
    }
}

async fn a_run_whose_datasets_are_tagged_can_be_removed(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    register(registry, "tag", Tagged).await;
    registry.associate("tag", &calibrations.g).await.unwrap();
    registry.remove_collection("imported_g").await.unwrap();
    let id = calibrations.g(1).data_id();
    assert_eq!(find(registry, "bias", id, &["tag"]).await, None);
}

async fn a_run_whose_datasets_are_certified_can_be_removed(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    register(registry, "calib", Calibration).await;
    let all = butler_core::timespan::Timespan::UNBOUNDED;
    registry
        .certify("calib", &calibrations.g, all)
        .await
        .unwrap();
    registry.remove_collection("imported_g").await.unwrap();
    let left = registry
        .associations("bias", &names(["calib"]))
        .await
        .unwrap();
    assert!(left.is_empty());
}

async fn a_run_with_stored_datasets_is_not_removed(repository: &Repository) {
    let registry = &repository.registry;
    let calibrations = add_calibrations(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    let ids = [calibrations.g(1).id()];
    transaction
        .insert_locations("store", &ids, false)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_error!(
        registry.remove_collection("imported_g").await,
        OrphanedRecord
    );
    let found = registry.dataset(ids[0]).await.unwrap();
    assert_eq!(found.as_ref(), Some(calibrations.g(1)));
}

async fn a_child_of_a_chain_is_not_removed(repository: &Repository) {
    let registry = &repository.registry;
    register(registry, "run", Run).await;
    register(registry, "inner", Chained).await;
    register(registry, "outer", Chained).await;
    registry
        .set_collection_chain("inner", &names(["run"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["inner"]))
        .await
        .unwrap();
    let message = assert_error!(registry.remove_collection("run").await, OrphanedRecord);
    assert!(message.contains("inner"), "{message}");
    assert_error!(registry.remove_collection("inner").await, OrphanedRecord);
    // From the outside in, it goes.
    for name in ["outer", "inner", "run"] {
        registry.remove_collection(name).await.unwrap();
    }
    assert!(found(registry, &query(&["*"])).await.is_empty());
}

collection_behaviours!(
    every_type_can_be_registered,
    another_type_under_the_same_name_is_refused,
    an_empty_name_is_refused,
    documentation_is_kept_and_can_be_changed,
    a_missing_collection_is_named,
    queries_select_by_name_pattern_and_type,
    names_with_special_characters_are_only_names,
    chains_are_flattened_in_order,
    chains_tell_their_children_and_parents,
    dataset_types_of_a_chain_are_those_below_it,
    what_is_not_asked_for_is_not_told,
    a_run_is_removed_with_its_datasets,
    a_tagged_collection_is_removed_without_datasets,
    a_run_whose_datasets_are_tagged_can_be_removed,
    a_run_whose_datasets_are_certified_can_be_removed,
    a_run_with_stored_datasets_is_not_removed,
    a_child_of_a_chain_is_not_removed,
);

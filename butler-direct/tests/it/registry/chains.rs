//! Changing CHAINED collections.

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::registry::{CollectionQuery, Registry, RegistryWriter};

use super::fixture::{Repository, names, register};
use super::{assert_error, collection_behaviours};

pub(super) async fn children(registry: &dyn Registry, chain: &str) -> Vec<String> {
    let query = CollectionQuery::new(CollectionWildcard::from_names([chain]));
    let found = registry.collections(&query).await.unwrap();
    found.into_iter().next().unwrap().children
}

/// Runs `a` to `e` and an empty chain.
async fn prepare(registry: &dyn RegistryWriter) {
    for name in ["a", "b", "c", "d", "e"] {
        register(registry, name, CollectionType::Run).await;
    }
    register(registry, "chain", CollectionType::Chained).await;
}

async fn a_new_chain_is_empty(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    assert!(children(registry, "chain").await.is_empty());
}

async fn children_are_replaced(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    for children_given in [names(["a", "b"]), names(["c", "a"]), vec![], names(["e"])] {
        registry
            .set_collection_chain("chain", &children_given)
            .await
            .unwrap();
        assert_eq!(children(registry, "chain").await, children_given);
    }
}

async fn a_child_given_twice_is_there_once(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    registry
        .set_collection_chain("chain", &names(["a", "b", "a", "a"]))
        .await
        .unwrap();
    assert_eq!(children(registry, "chain").await, ["a", "b"]);
    registry
        .prepend_collection_chain("chain", &names(["c", "c"]))
        .await
        .unwrap();
    assert_eq!(children(registry, "chain").await, ["c", "a", "b"]);
}

async fn children_are_prepended(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let steps: [(&[&str], &[&str]); 4] = [
        (&["a"], &["a"]),
        (&["b", "c"], &["b", "c", "a"]),
        // What is there already moves.
        (&["d", "a"], &["d", "a", "b", "c"]),
        (&[], &["d", "a", "b", "c"]),
    ];
    for (given, expected) in steps {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        registry
            .prepend_collection_chain("chain", &given)
            .await
            .unwrap();
        assert_eq!(children(registry, "chain").await, expected);
    }
}

async fn children_are_appended(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    let steps: [(&[&str], &[&str]); 4] = [
        (&["a"], &["a"]),
        (&["b", "c"], &["a", "b", "c"]),
        (&["a", "d"], &["b", "c", "a", "d"]),
        (&[], &["b", "c", "a", "d"]),
    ];
    for (given, expected) in steps {
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        registry
            .extend_collection_chain("chain", &given)
            .await
            .unwrap();
        assert_eq!(children(registry, "chain").await, expected);
    }
}

async fn children_are_taken_out(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    registry
        .set_collection_chain("chain", &names(["a", "b", "c", "d"]))
        .await
        .unwrap();
    registry
        .remove_from_collection_chain("chain", &names(["b", "d"]))
        .await
        .unwrap();
    assert_eq!(children(registry, "chain").await, ["a", "c"]);
    // `e` exists, but is no child.
    registry
        .remove_from_collection_chain("chain", &names(["e", "a"]))
        .await
        .unwrap();
    assert_eq!(children(registry, "chain").await, ["c"]);
}

async fn a_chain_cannot_contain_itself(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    for name in ["middle", "outer"] {
        register(registry, name, CollectionType::Chained).await;
    }
    registry
        .set_collection_chain("middle", &names(["a", "chain"]))
        .await
        .unwrap();
    registry
        .set_collection_chain("outer", &names(["middle"]))
        .await
        .unwrap();
    for child in ["chain", "middle", "outer"] {
        let given = names(["b", child]);
        let message = assert_error!(
            registry.set_collection_chain("chain", &given).await,
            CollectionCycle
        );
        assert!(message.contains("chain"), "{message}");
        assert_error!(
            registry.prepend_collection_chain("chain", &given).await,
            CollectionCycle
        );
        assert_error!(
            registry.extend_collection_chain("chain", &given).await,
            CollectionCycle
        );
    }
    assert!(children(registry, "chain").await.is_empty());
}

async fn a_missing_child_is_refused(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    registry
        .set_collection_chain("chain", &names(["a"]))
        .await
        .unwrap();
    let message = assert_error!(
        registry
            .set_collection_chain("chain", &names(["b", "absent"]))
            .await,
        MissingCollection
    );
    assert!(message.contains("absent"), "{message}");
    assert_eq!(children(registry, "chain").await, ["a"]);
    assert_error!(
        registry
            .prepend_collection_chain("absent", &names(["a"]))
            .await,
        MissingCollection
    );
}

async fn only_a_chain_has_children(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    assert_error!(
        registry.set_collection_chain("a", &names(["b"])).await,
        CollectionType
    );
    assert_error!(
        registry.prepend_collection_chain("a", &names(["b"])).await,
        CollectionType
    );
}

async fn a_long_life_of_prepending_does_not_use_positions_up(repository: &Repository) {
    let registry = &repository.registry;
    prepare(registry).await;
    registry
        .set_collection_chain("chain", &names(["a", "b", "c"]))
        .await
        .unwrap();
    // Positions are 16-bit integers. Bring them close to their end, as daily use would.
    let table = registry.database().table("collection_chain");
    let mut session = registry.database().begin().await.unwrap();
    session
        .execute_script(format!("UPDATE {table} SET position = position - 32767"))
        .await
        .unwrap();
    session.commit().await.unwrap();
    for child in ["d", "e", "a", "b"] {
        registry
            .prepend_collection_chain("chain", &names([child]))
            .await
            .unwrap();
    }
    assert_eq!(children(registry, "chain").await, ["b", "a", "e", "d", "c"]);
    let mut session = registry.database().begin().await.unwrap();
    session
        .execute_script(format!(
            "UPDATE {table} SET position = position + 32767 -
                 (SELECT max(c.position) FROM {table} AS c)"
        ))
        .await
        .unwrap();
    session.commit().await.unwrap();
    for child in ["b", "a"] {
        registry
            .extend_collection_chain("chain", &names([child]))
            .await
            .unwrap();
    }
    assert_eq!(children(registry, "chain").await, ["e", "d", "c", "b", "a"]);
}

collection_behaviours!(
    a_new_chain_is_empty,
    children_are_replaced,
    a_child_given_twice_is_there_once,
    children_are_prepended,
    children_are_appended,
    children_are_taken_out,
    a_chain_cannot_contain_itself,
    a_missing_child_is_refused,
    only_a_chain_has_children,
    a_long_life_of_prepending_does_not_use_positions_up,
);

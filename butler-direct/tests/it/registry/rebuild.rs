//! Large inserts into SQLite, after which indexes are made anew, and whose references are checked set
//! by set.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::registry::RegistryWriter;
use butler_direct::registry::SqlRegistry;
use futures::poll;

use super::assert_error;
use super::fixture::{
    Repository, add_detectors, add_instruments, bias, detector, find, integers, new_ref, register,
};

/// Datasets in a large insert.
const MANY: i64 = 10_500;

/// Number of the first detector added for them.
const FIRST: i64 = 100;

async fn prepare() -> Repository {
    let repository = Repository::sqlite_file().await;
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_detectors(registry, FIRST..FIRST + MANY).await;
    registry.register_dataset_type(&bias()).await.unwrap();
    for run in ["run0", "run1"] {
        register(registry, run, CollectionType::Run).await;
    }
    registry.database().record_statements();
    registry.database().recorded();
    repository
}

/// A new dataset of each of so many detectors.
fn datasets(run: &str, count: i64) -> Vec<DatasetRef> {
    (FIRST..FIRST + count)
        .map(|id| new_ref(&bias(), detector(id), run))
        .collect()
}

/// Names and definitions of all indexes.
async fn indexes(registry: &SqlRegistry) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
                ORDER BY name";
    let mut session = registry.database().read().await.unwrap();
    let rows = session.fetch_all(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.text(0).unwrap().into(), row.text(1).unwrap().into()))
        .collect()
}

/// Whether a client dropped indexes since it was last asked.
fn dropped(registry: &SqlRegistry) -> bool {
    let statements = registry.database().recorded();
    statements.iter().any(|sql| sql.starts_with("DROP INDEX"))
}

/// Asserts that all is in order: indexes, references, and what indexes say.
async fn assert_sound(repository: &Repository, before: &[(String, String)], count: i64) {
    let registry = repository.another().await;
    assert_eq!(indexes(&registry).await, before);
    let mut session = registry.database().read().await.unwrap();
    let rows = session.fetch_all("PRAGMA integrity_check", &[]).await;
    assert_eq!(rows.unwrap()[0].text(0).unwrap(), "ok");
    let rows = session.fetch_all("PRAGMA foreign_key_check", &[]).await;
    assert!(rows.unwrap().is_empty());
    drop(session);
    let found = integers(&registry, "SELECT count(*) FROM dataset").await;
    assert_eq!(found, [count]);
}

#[tokio::test]
async fn indexes_are_there_again_after_a_large_insert() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    // Another client has prepared its statements before, and uses them afterwards.
    let another = repository.another().await;
    assert_eq!(
        find(&another, "bias", &detector(FIRST), &["run0"]).await,
        None
    );
    let many = datasets("run0", MANY);
    registry.import_datasets(&many).await.unwrap();
    assert!(dropped(registry));
    assert_sound(&repository, &before, MANY).await;
    let found = find(&another, "bias", &detector(FIRST), &["run0"]).await;
    assert_eq!(found, Some(many[0].id()));
}

#[tokio::test]
async fn small_inserts_leave_indexes_alone() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    registry
        .import_datasets(&datasets("run0", 500))
        .await
        .unwrap();
    assert!(!dropped(registry));
    assert_sound(&repository, &before, 500).await;
}

#[tokio::test]
async fn a_large_insert_that_fails_leaves_indexes_there() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    let mut absent = datasets("run0", MANY);
    absent.push(new_ref(&bias(), detector(99), "run0"));
    let mut twice = datasets("run0", MANY);
    twice.push(new_ref(&bias(), detector(FIRST), "run0"));
    for bad in [absent, twice] {
        // Other work of the same transaction becomes lasting.
        let mut transaction = registry.begin().await.unwrap();
        let savepoint = transaction.savepoint().await.unwrap();
        let result = transaction.import_datasets(&bad).await;
        assert_error!(result, ConflictingDefinition);
        assert!(dropped(registry));
        transaction.rollback_to(savepoint).await.unwrap();
        transaction.commit().await.unwrap();
        assert_sound(&repository, &before, 0).await;
    }
    let few = datasets("run1", 10);
    registry.import_datasets(&few).await.unwrap();
    assert_sound(&repository, &before, 10).await;
}

#[tokio::test]
async fn references_of_a_large_insert_are_checked() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    let mut bad = datasets("run0", MANY);
    bad.push(new_ref(&bias(), detector(99), "run0"));
    assert_error!(registry.import_datasets(&bad).await, ConflictingDefinition);
    let statements = registry.database().recorded();
    let by_set = |sql: &&String| sql.contains("pragma_foreign_key_list");
    assert!(statements.iter().any(|sql| by_set(&sql)));
    assert_sound(&repository, &before, 0).await;
    // The database's own checks are as they were.
    let few = [new_ref(&bias(), detector(99), "run0")];
    assert_error!(registry.import_datasets(&few).await, ConflictingDefinition);
}

#[tokio::test]
async fn a_large_insert_may_be_repeated_or_contain_what_is_there() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    let many = datasets("run0", MANY);
    let last = &many[many.len() - 1..];
    registry.import_datasets(last).await.unwrap();
    for _ in 0..2 {
        registry.import_datasets(&many).await.unwrap();
        assert_sound(&repository, &before, MANY).await;
    }
}

#[tokio::test]
async fn a_large_insert_that_is_broken_off_cannot_be_committed() {
    let repository = prepare().await;
    let registry = &repository.registry;
    let before = indexes(registry).await;
    let many = datasets("run0", MANY);
    let mut transaction = registry.begin().await.unwrap();
    {
        let mut import = std::pin::pin!(transaction.import_datasets(&many));
        while !dropped(registry) {
            assert!(poll!(import.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    assert_error!(transaction.commit().await, Interrupted);
    assert_sound(&repository, &before, 0).await;
    registry.import_datasets(&many).await.unwrap();
    assert_sound(&repository, &before, MANY).await;
}

//! The trash, and claims on what is in it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use butler_core::datastore::StoredFileInfo;
use butler_direct::registry::locations::file_records_table;
use butler_direct::registry::trash::{TakeOver, TrashClaim};
use butler_direct::registry::{RecordMode, SqlRegistry};
use uuid::Uuid;

use super::behaviours;
use super::fixture::{Repository, stored, three_datasets};

const RECORDS: &str = "file_datastore_records";

/// Three datasets that a datastore `one` stored, in the trash; dataset *i* had the file `file<i>`, the
/// first also `more`.
async fn trashed_files(registry: &SqlRegistry) -> Vec<Uuid> {
    let (mut transaction, ids) = stored(registry).await;
    transaction
        .register_opaque_table(&file_records_table(RECORDS))
        .await
        .unwrap();
    let record = |path: String, component: Option<&str>| StoredFileInfo {
        formatter: "a.Formatter".into(),
        path,
        storage_class: "StructuredDataDict".into(),
        component: component.map(Into::into),
        checksum: None,
        file_size: 1,
    };
    let mut records: Vec<_> = (0..)
        .zip(&ids)
        .map(|(number, id)| (*id, record(format!("file{number}"), None)))
        .collect();
    records.push((ids[0], record("more".to_owned(), Some("more"))));
    transaction
        .insert_file_records(RECORDS, &records, RecordMode::Insert)
        .await
        .unwrap();
    transaction.move_to_trash("one", &ids).await.unwrap();
    transaction.commit().await.unwrap();
    ids
}

fn paths<const N: usize>(paths: [&str; N]) -> [Arc<str>; N] {
    paths.map(Into::into)
}

async fn in_trash(registry: &SqlRegistry) -> HashSet<Uuid> {
    let found = registry.trashed("one", None).await.unwrap();
    found.into_iter().collect()
}

async fn trash_is_per_datastore(repository: &Repository) {
    let registry = &repository.registry;
    let ids = three_datasets(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    for name in ["one", "two"] {
        transaction
            .insert_locations(name, &ids, false)
            .await
            .unwrap();
    }
    transaction
        .move_to_trash("one", &[ids[0], ids[1], Uuid::now_v7()])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        registry.stored_in("one", &ids).await.unwrap(),
        HashSet::from([ids[2]])
    );
    assert_eq!(registry.stored_in("two", &ids).await.unwrap().len(), 3);

    let mut transaction = registry.begin().await.unwrap();
    let set = |ids: Vec<Uuid>| ids.into_iter().collect::<HashSet<_>>();
    let trashed = transaction.trashed("one", None, 10).await.unwrap();
    assert_eq!(set(trashed), HashSet::from([ids[0], ids[1]]));
    assert!(
        transaction
            .trashed("two", None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(transaction.trashed("one", None, 1).await.unwrap().len(), 1);
    let only = [ids[1], ids[2]];
    let trashed = transaction.trashed("one", Some(&only), 10).await.unwrap();
    assert_eq!(trashed, [ids[1]]);
    transaction.delete_trash("one", &[ids[1]]).await.unwrap();
    let trashed = transaction.trashed("one", None, 10).await.unwrap();
    assert_eq!(trashed, [ids[0]]);
    transaction.commit().await.unwrap();
}

async fn what_is_trashed_can_be_stored_and_trashed_again(repository: &Repository) {
    let registry = &repository.registry;
    let ids = three_datasets(registry).await;
    let mut transaction = registry.begin().await.unwrap();
    for _ in 0..2 {
        transaction
            .insert_locations("one", &ids, false)
            .await
            .unwrap();
        transaction.move_to_trash("one", &ids).await.unwrap();
    }
    assert_eq!(transaction.trashed("one", None, 10).await.unwrap().len(), 3);
    transaction.commit().await.unwrap();
}

async fn the_trash_outlives_its_datasets(repository: &Repository) {
    let registry = &repository.registry;
    let (mut transaction, ids) = stored(registry).await;
    transaction.move_to_trash("one", &ids).await.unwrap();
    transaction.remove_datasets(&ids).await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = registry.begin().await.unwrap();
    assert_eq!(transaction.trashed("one", None, 10).await.unwrap().len(), 3);
}

async fn what_is_claimed_is_nobody_elses(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let claim = TrashClaim::new("one");
    let claimed = registry.claim_trash(&claim, &ids[..2]).await.unwrap();
    assert_eq!(HashSet::from_iter(claimed), HashSet::from([ids[0], ids[1]]));
    assert_eq!(in_trash(registry).await, HashSet::from([ids[2]]));
    let other = TrashClaim::new("one");
    assert_eq!(registry.claim_trash(&other, &ids).await.unwrap(), [ids[2]]);
}

async fn claimed_datasets_are_still_trash(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let claim = TrashClaim::new("one");
    registry.claim_trash(&claim, &ids).await.unwrap();
    assert_eq!(registry.in_trash("one", &ids).await.unwrap().len(), 3);
    let live = registry
        .live_file_paths(RECORDS, "one", &paths(["file0", "file1"]))
        .await;
    assert!(live.unwrap().is_empty());
    // They are the trash of no other datastore.
    assert!(registry.in_trash("on", &ids).await.unwrap().is_empty());
    let live = registry
        .live_file_paths(RECORDS, "two", &paths(["file0", "file1"]))
        .await;
    assert_eq!(live.unwrap().len(), 2);
}

async fn what_is_released_is_trash_again(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let claim = TrashClaim::new("one");
    registry.claim_trash(&claim, &ids).await.unwrap();
    registry.release_trash(&claim, &ids[1..]).await.unwrap();
    assert_eq!(in_trash(registry).await, HashSet::from([ids[1], ids[2]]));
}

async fn only_old_claims_end_by_themselves(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let old = TrashClaim::lasting("one", Duration::ZERO);
    registry.claim_trash(&old, &ids[..1]).await.unwrap();
    let new = TrashClaim::new("one");
    registry.claim_trash(&new, &ids[1..2]).await.unwrap();
    registry.end_old_claims("one").await.unwrap();
    assert_eq!(in_trash(registry).await, HashSet::from([ids[0], ids[2]]));
}

async fn who_has_lost_a_claim_removes_nothing(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let claim = TrashClaim::lasting("one", Duration::ZERO);
    registry.claim_trash(&claim, &ids).await.unwrap();
    registry.end_old_claims("one").await.unwrap();
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .remove_claimed(&claim, RECORDS, &ids)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let records = registry.file_records(RECORDS, &ids).await.unwrap();
    assert_eq!(records.len(), 3);
}

async fn a_place_is_taken_over_from_the_trash(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let wanted = paths(["file0", "file1", "unused"]);
    let outcome = registry.take_over_paths(RECORDS, "one", &wanted).await;
    assert_eq!(outcome.unwrap(), TakeOver::Free);
    // The first has another file, which is still to be deleted.
    assert_eq!(in_trash(registry).await, HashSet::from([ids[0], ids[2]]));
    let records = registry.file_records(RECORDS, &ids).await.unwrap();
    let mut left: Vec<&str> = records.values().flatten().map(|info| &*info.path).collect();
    left.sort_unstable();
    assert_eq!(left, ["file2", "more"]);
}

async fn a_claimed_place_cannot_be_taken_over(repository: &Repository) {
    let registry = &repository.registry;
    let ids = trashed_files(registry).await;
    let claim = TrashClaim::new("one");
    registry.claim_trash(&claim, &ids[..1]).await.unwrap();
    for (wanted, expected) in [
        (paths(["file0", "file1"]), TakeOver::Busy),
        (paths(["file1", "file2"]), TakeOver::Free),
    ] {
        let outcome = registry.take_over_paths(RECORDS, "one", &wanted).await;
        assert_eq!(outcome.unwrap(), expected);
    }
    let records = registry.file_records(RECORDS, &ids).await.unwrap();
    assert_eq!(records[&ids[0]].len(), 2);
}

async fn long_names_of_datastores_can_be_claimed_from(repository: &Repository) {
    let registry = &repository.registry;
    let ids = three_datasets(registry).await;
    let name = "x".repeat(256);
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations(&name, &ids, false)
        .await
        .unwrap();
    transaction.move_to_trash(&name, &ids).await.unwrap();
    transaction.commit().await.unwrap();
    let claim = TrashClaim::new(&name);
    assert_eq!(registry.claim_trash(&claim, &ids).await.unwrap().len(), 3);
    assert_eq!(registry.in_trash(&name, &ids).await.unwrap().len(), 3);
}

behaviours!(
    trash_is_per_datastore,
    what_is_trashed_can_be_stored_and_trashed_again,
    the_trash_outlives_its_datasets,
    what_is_claimed_is_nobody_elses,
    claimed_datasets_are_still_trash,
    what_is_released_is_trash_again,
    only_old_claims_end_by_themselves,
    who_has_lost_a_claim_removes_nothing,
    a_place_is_taken_over_from_the_trash,
    a_claimed_place_cannot_be_taken_over,
    long_names_of_datastores_can_be_claimed_from,
);

//! No operation on many datasets reads a whole table of a large repository.
//!
//! A repository is filled with datasets (a million on PostgreSQL), by statements of the database
//! itself, and each operation is then run on 50,000 of them. PostgreSQL counts the sequential scans
//! of each table, those of its own constraints' look-ups included; SQLite is asked for the plans of
//! the statements that were run. Only who asks for all trash may read the table of trash, whose
//! index leads with the dataset, from end to end.

mod fill;
mod scans;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::TransferMode;
use butler_direct::{DirectButler, OpenOptions};
use uuid::Uuid;

use self::fill::{fill, id};
use self::scans::{Report, scans_in_plans, sequential_scans};
use super::fixture::{Place, images};
use crate::registry::fixture::register;

/// Datasets in a repository on PostgreSQL, whose plans depend on sizes.
const ON_POSTGRES: i64 = 1_000_000;

/// Datasets in a repository on SQLite, whose plans depend on whether there is an index.
const ON_SQLITE: i64 = 200_000;

/// Datasets that an operation is about.
const ASKED: i64 = 50_000;

/// The IDs of 50,000 datasets that lie scattered in the repository: others for each `place`.
async fn scattered(butler: &DirectButler, total: i64, place: i64) -> Vec<Uuid> {
    let step = total / ASKED;
    let registry = butler.registry();
    let ids: Vec<Uuid> = if registry.database().namespace().is_some() {
        (1..=ASKED).map(|n| id(n * step - place)).collect()
    } else {
        let sql = format!(
            "SELECT id FROM {} WHERE rowid % {step} = {place}",
            registry.database().table("dataset"),
        );
        let mut session = registry.database().read().await.unwrap();
        let rows = session.fetch_all(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.uuid(0).unwrap()).collect()
    };
    assert_eq!(ids.len(), usize::try_from(ASKED).unwrap());
    ids
}

/// Runs every operation on many datasets and reports those that read whole tables.
async fn check_all(place: &Place) {
    place.create().await.close().await;
    let options = OpenOptions {
        // With one connection, what it counted is known to the next statement.
        max_connections: 1,
        ..OpenOptions::writeable()
    };
    let butler = &DirectButler::open(place.root().to_str().unwrap(), options)
        .await
        .unwrap();
    let registry = butler.registry();
    let store = butler.datastore().name();
    let sqlite = place.schema().is_none();
    let total = if sqlite { ON_SQLITE } else { ON_POSTGRES };
    fill(registry, store, total, total / ASKED).await;
    let ids = scattered(butler, total, 0).await;
    let others = scattered(butler, total, 1).await;
    let left = scattered(butler, total, 2).await;
    registry.dataset_type("grouped").await.unwrap();
    let mut report = Report::default();
    if sqlite {
        registry.database().record_statements();
    }
    // Each step runs in one transaction, as the operations on datasets do.
    macro_rules! step {
        ($name:literal, $operation:expr) => {{
            let before = if sqlite {
                registry.database().recorded();
                BTreeMap::new()
            } else {
                sequential_scans(registry).await
            };
            let start = Instant::now();
            let result = $operation;
            let time = start.elapsed();
            let scans = if sqlite {
                let statements = registry.database().recorded();
                scans_in_plans(registry, statements).await
            } else {
                // A connection reports its counts now and then, or when it is told to.
                let mut session = registry.database().read().await.unwrap();
                session
                    .fetch_all("SELECT pg_stat_force_next_flush()::text", &[])
                    .await
                    .unwrap();
                drop(session);
                let after = sequential_scans(registry).await;
                after
                    .into_iter()
                    .filter(|(name, count)| before.get(name) != Some(count))
                    .map(|(name, _)| name)
                    .collect()
            };
            report.0.insert($name, (time, scans));
            result
        }};
    }
    let found = step!("datasets by ID", registry.datasets(&ids).await.unwrap());
    assert_eq!(found.len(), ids.len());
    let stored = step!("stored in", registry.stored_in(store, &ids).await.unwrap());
    assert_eq!(stored.len(), ids.len());
    let known = step!("locations", registry.locations(&ids).await.unwrap());
    assert_eq!(known.len(), ids.len());
    let half = &ids[..ids.len() / 2];
    const RECORDS: &str = "file_datastore_records";
    let records = step!(
        "file records",
        registry.file_records(RECORDS, &ids).await.unwrap()
    );
    assert_eq!(records.len(), ids.len());
    let paths: Vec<Arc<str>> = half
        .iter()
        .map(|id| records[id][0].path.as_str().into())
        .collect();
    step!("files still in use", {
        let mut transaction = registry.begin().await.unwrap();
        let live = transaction
            .live_file_paths(RECORDS, store, &paths)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(live.len(), half.len());
    });
    step!("moving to the trash", {
        let mut transaction = registry.begin().await.unwrap();
        transaction.move_to_trash(store, half).await.unwrap();
        transaction.commit().await.unwrap();
    });
    step!("trashed ones of some", {
        let mut transaction = registry.begin().await.unwrap();
        let found = transaction
            .trashed(store, Some(&ids), ids.len())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(found.len(), half.len());
    });
    step!("which are trashed", {
        let mut transaction = registry.begin().await.unwrap();
        let found = transaction.in_trash(store, &ids).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(found.len(), half.len());
    });
    step!("deleting file records", {
        let mut transaction = registry.begin().await.unwrap();
        let deleted = transaction.delete_file_records(RECORDS, half).await;
        transaction.commit().await.unwrap();
        assert_eq!(deleted.unwrap(), 25_000);
    });
    step!("removing datasets", {
        let mut transaction = registry.begin().await.unwrap();
        assert_eq!(transaction.remove_datasets(half).await.unwrap(), 25_000);
        transaction.commit().await.unwrap();
    });
    step!("emptying the trash", {
        let mut transaction = registry.begin().await.unwrap();
        transaction.delete_trash(store, half).await.unwrap();
        transaction.commit().await.unwrap();
    });
    step!("forgetting locations", {
        let mut transaction = registry.begin().await.unwrap();
        transaction
            .forget_locations(store, &ids[ids.len() / 2..])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    });
    let removed: HashSet<Uuid> = half.iter().copied().collect();
    let again: Vec<_> = found
        .into_values()
        .filter(|dataset| removed.contains(&dataset.id()))
        .take(2_000)
        .collect();
    step!(
        "importing datasets",
        registry.import_datasets(&again).await.unwrap()
    );
    // The operations on repositories.
    register(registry, "tag", CollectionType::Tagged).await;
    let refs: Vec<DatasetRef> = {
        let found = registry.datasets(&others).await.unwrap();
        found.into_values().collect()
    };
    let files = step!(
        "files for a transfer",
        butler.datastore().transfer_files(&refs).await.unwrap()
    );
    assert_eq!(files.len(), refs.len());
    step!("tagging", registry.associate("tag", &refs).await.unwrap());
    macro_rules! prune {
        ($datasets:expr, $how:expr) => {
            butler
                .prune_datasets($datasets, &$how, &NoProgress)
                .await
                .unwrap()
        };
    }
    let untag = Prune::Disassociate {
        tags: vec!["tag".to_owned()],
        unstore: false,
    };
    step!("disassociating", prune!(&refs, untag));
    step!("unstoring", prune!(&refs[..refs.len() / 2], Prune::Unstore));
    step!("purging", prune!(&refs, Prune::Purge));
    let purged: Vec<Uuid> = refs.iter().map(DatasetRef::id).collect();
    assert_eq!(registry.datasets(&purged).await.unwrap().len(), 0);

    let mut transaction = registry.begin().await.unwrap();
    transaction.move_to_trash(store, &left).await.unwrap();
    transaction.commit().await.unwrap();
    let listed = step!("listing trash", butler.empty_trash(true).await.unwrap());
    assert_eq!(listed.len(), left.len());
    let removed = step!(
        "emptying all trash",
        butler.empty_trash(false).await.unwrap()
    );
    assert_eq!(removed.len(), left.len());
    let listed = step!("listing no trash", butler.empty_trash(true).await.unwrap());
    assert_eq!(listed.len(), 0);

    let from = Place::sqlite();
    let (source, there) = from.with_datasets().await;
    let options = TransferOptions {
        mode: TransferMode::Copy,
        register_dataset_types: true,
        transfer_dimensions: true,
        ..TransferOptions::default()
    };
    let moved = step!(
        "transferring",
        butler
            .transfer_from(&source, &there, options, &NoProgress)
            .await
            .unwrap()
    );
    assert_eq!(moved.len(), there.len());
    let new = images(butler, "ingested");
    let given = place.files(&new);
    step!("ingesting", {
        let copy = IngestOptions::new(Some(TransferMode::Copy));
        butler
            .ingest(given, copy, false, &NoProgress)
            .await
            .unwrap()
    });
    report.may_read(
        "dataset_location_trash",
        &["listing trash", "emptying all trash", "listing no trash"],
    );
    report.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_reads_no_table_as_a_whole() {
    check_all(&Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_reads_no_table_as_a_whole() {
    check_all(&Place::sqlite()).await;
}

//! Several clients write at once, each with connections of its own.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::datasets::{DatasetIdMode, DatasetRef};
use butler_core::dimensions::DimensionRecord;
use butler_core::error::{Error, Result};
use butler_core::registry::{CollectionQuery, InsertMode, Registry, RegistryWriter, SyncOutcome};
use butler_direct::db::{Access, ConnectOptions};
use butler_direct::registry::SqlRegistry;
use butler_direct::registry::locations::file_records_table;
use tokio::sync::Barrier;

use super::chains::children;
use super::fixture::{
    CALIBS, Repository, add_calibration_collection, add_calibrations, add_instruments, add_skymap,
    bias, dataset_type, detector, detector_and_filter, element, flat, hours, integers, names,
    new_ref, record, register, square, storage_classes,
};

const CLIENTS: usize = 6;

/// Makes tests of behaviours: one per kind of database that several clients can share.
macro_rules! shared_behaviours {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&super::Repository::sqlite_file().await).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&super::Repository::postgres().await).await;
                }
            )+
        }
    };
}

/// Lets clients, numbered from 0, do something at the same time. None may take a minute: that
/// would be a deadlock.
async fn race<T, F, R>(repository: &Repository, action: F) -> Vec<Result<T>>
where
    T: Send + 'static,
    F: Fn(usize, SqlRegistry) -> R,
    R: Future<Output = Result<T>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let work = action(number, repository.another().await);
        let barrier = Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            tokio::time::timeout(Duration::from_secs(60), work)
                .await
                .expect("the clients do not wait for each other forever")
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// The number of successes; all others must be conflicts.
fn winners<T: std::fmt::Debug>(results: Vec<Result<T>>) -> usize {
    let mut won = 0;
    for result in results {
        match result {
            Ok(_) => won += 1,
            Err(Error::ConflictingDefinition(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    won
}

fn all_true(results: Vec<Result<bool>>) -> usize {
    let registered = results.into_iter().map(Result::unwrap);
    registered.filter(|new| *new).count()
}

async fn one_of_many_registers_a_collection(repository: &Repository) {
    for kind in [CollectionType::Run, CollectionType::Chained] {
        let results = race(repository, |_, client| async move {
            client.register_collection(kind.name(), kind, None).await
        })
        .await;
        assert_eq!(all_true(results), 1);
    }
    // The RUN is complete.
    let sql = format!(
        "SELECT count(*) FROM {}",
        repository.registry.database().table("run")
    );
    assert_eq!(integers(&repository.registry, &sql).await, [1]);
}

async fn one_of_many_registers_a_dataset_type(repository: &Repository) {
    let results = race(repository, |_, client| async move {
        client.register_dataset_type(&bias()).await
    })
    .await;
    assert_eq!(all_true(results), 1);
}

async fn new_types_of_the_same_dimensions_share_their_group(repository: &Repository) {
    let results = race(repository, |number, client| async move {
        let new = dataset_type(&format!("type{number}"), &["visit"], "ExposureF", false);
        client.register_dataset_type(&new).await
    })
    .await;
    assert_eq!(all_true(results), CLIENTS);
    let sql = format!(
        "SELECT count(*) FROM {}",
        repository.registry.database().table("dimension_graph_key")
    );
    assert_eq!(integers(&repository.registry, &sql).await, [1]);
}

async fn the_first_calibrations_of_a_known_group_share_a_table(repository: &Repository) {
    // The group is known, its table of validity ranges is not there yet.
    let registry = &repository.registry;
    let plain = dataset_type("plain", &["detector"], "ExposureF", false);
    registry.register_dataset_type(&plain).await.unwrap();
    let results = race(repository, |number, client| async move {
        let name = format!("calibration{number}");
        let new = dataset_type(&name, &["detector"], "ExposureF", true);
        client.register_dataset_type(&new).await
    })
    .await;
    assert_eq!(all_true(results), CLIENTS);
}

async fn many_create_an_opaque_table(repository: &Repository) {
    let results = race(repository, |_, client| async move {
        let mut transaction = client.begin().await?;
        transaction
            .register_opaque_table(&file_records_table("records"))
            .await?;
        transaction.commit().await
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
}

fn shuffled<T: Clone>(items: &[T], number: usize) -> Vec<T> {
    let mut items = items.to_vec();
    let middle = number * items.len() / CLIENTS;
    items.rotate_left(middle);
    if number % 2 == 1 {
        items.reverse();
    }
    items
}

fn flats(run: &str) -> Vec<DatasetRef> {
    let mut all = Vec::new();
    for number in 1..=4 {
        for filter in ["Cam1-G", "Cam1-R1", "Cam1-R2"] {
            all.push(new_ref(&flat(), detector_and_filter(number, filter), run));
        }
        all.push(new_ref(&bias(), detector(number), run));
    }
    all
}

async fn many_import_the_same_datasets(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "run", CollectionType::Run).await;
    let all = flats("run");
    let results = race(repository, |number, client| {
        let given = shuffled(&all, number);
        async move { client.import_datasets(&given).await }
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
    let ids = registry.run_dataset_ids("run").await.unwrap();
    assert_eq!(ids.len(), all.len());
}

async fn one_of_many_makes_a_dataset(repository: &Repository) {
    let registry = &repository.registry;
    add_calibrations(registry).await;
    register(registry, "run", CollectionType::Run).await;
    let ids: Vec<_> = (1..=4).map(detector).collect();
    let results = race(repository, |number, client| {
        let given = shuffled(&ids, number);
        async move {
            client
                .insert_datasets("bias", &given, "run", DatasetIdMode::Unique)
                .await
        }
    })
    .await;
    assert_eq!(winners(results), 1);
    assert_eq!(registry.run_dataset_ids("run").await.unwrap().len(), 4);
}

async fn many_tag_the_same_datasets(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    register(registry, "tag", CollectionType::Tagged).await;
    let results = race(repository, |number, client| {
        let given = shuffled(&all.g, number);
        async move { client.associate("tag", &given).await }
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
}

async fn many_store_the_same_datasets(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let ids: Vec<_> = all.g.iter().chain(&all.r).map(|d| d.id()).collect();
    let results = race(repository, |number, client| {
        let given = shuffled(&ids, number);
        async move {
            let mut transaction = client.begin().await?;
            transaction.insert_locations("store", &given, true).await?;
            transaction.commit().await
        }
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
}

fn tracts() -> Vec<DimensionRecord> {
    (10..40_i64)
        .map(|tract| {
            #[expect(clippy::cast_precision_loss, reason = "a few degrees")]
            let region = square(tract as f64, 0.0, 0.5);
            record(
                "tract",
                [
                    ("skymap", "SkyMap1".into()),
                    ("id", tract.into()),
                    ("region", region.into()),
                ],
            )
        })
        .collect()
}

async fn many_insert_the_same_records(repository: &Repository) {
    let registry = &repository.registry;
    add_skymap(registry).await;
    for mode in [InsertMode::SkipExisting, InsertMode::Replace] {
        let all = tracts();
        let results = race(repository, |number, client| {
            let given = shuffled(&all, number);
            async move {
                client
                    .insert_dimension_records(element("tract"), &given, mode)
                    .await
            }
        })
        .await;
        assert_eq!(winners(results), CLIENTS);
        let sql = format!(
            "SELECT DISTINCT tract FROM {} WHERE tract >= 10",
            registry.database().table("tract_skypix_overlap")
        );
        assert_eq!(integers(registry, &sql).await.len(), all.len());
    }
}

async fn one_of_many_synchronises_a_record(repository: &Repository) {
    add_skymap(&repository.registry).await;
    let results = race(repository, |_, client| async move {
        client.sync_dimension_record(&tracts()[0], false).await
    })
    .await;
    let outcomes: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    let count = |outcome| outcomes.iter().filter(|o| **o == outcome).count();
    assert_eq!(count(SyncOutcome::Inserted), 1);
    assert_eq!(count(SyncOutcome::Unchanged), CLIENTS - 1);
}

async fn no_change_to_a_chain_is_lost(repository: &Repository) {
    let registry = &repository.registry;
    register(registry, "chain", CollectionType::Chained).await;
    register(registry, "first", CollectionType::Run).await;
    registry
        .set_collection_chain("chain", &names(["first"]))
        .await
        .unwrap();
    let results = race(repository, |number, client| async move {
        for step in 0..4 {
            let child = format!("run{number}/{step}");
            client
                .register_collection(&child, CollectionType::Run, None)
                .await?;
            if step % 2 == 0 {
                client.prepend_collection_chain("chain", &[child]).await?;
            } else {
                client.extend_collection_chain("chain", &[child]).await?;
            }
        }
        Ok(())
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
    let found = children(registry, "chain").await;
    assert_eq!(found.len(), 1 + 4 * CLIENTS);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    let middle = found.iter().position(|name| name == "first");
    assert_eq!(middle, Some(2 * CLIENTS));
    // The steps of each client are in order.
    for number in 0..CLIENTS {
        let place = |step| {
            let name = format!("run{number}/{step}");
            found.iter().position(|child| *child == name).unwrap()
        };
        assert!(place(2) < place(0) && place(1) < place(3));
    }
}

async fn no_cycle_comes_about(repository: &Repository) {
    let registry = &repository.registry;
    for round in 0..5 {
        let name = move |number: usize| format!("chain{round}/{}", number % CLIENTS);
        for number in 0..CLIENTS {
            register(registry, &name(number), CollectionType::Chained).await;
        }
        // Each wants the next to be its child.
        let results = race(repository, |number, client| async move {
            client
                .set_collection_chain(&name(number), &[name(number + 1)])
                .await
        })
        .await;
        let refused = results
            .iter()
            .filter(|result| matches!(result, Err(Error::CollectionCycle(_))))
            .count();
        assert_eq!(refused, 1, "{results:?}");
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), CLIENTS - 1);
    }
    let query = CollectionQuery::new(CollectionWildcard::everything()).flattened();
    assert!(registry.collections(&query).await.unwrap().is_empty());
}

async fn one_of_many_certifies_a_range(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    let results = race(repository, |number, client| {
        let given = shuffled(&all.g, number);
        let begin = i64::try_from(number).unwrap();
        async move {
            client
                .certify(CALIBS, &given, hours(Some(begin), Some(10 + begin)))
                .await
        }
    })
    .await;
    assert_eq!(winners(results), 1);
    let found = registry
        .associations("bias", &names([CALIBS]))
        .await
        .unwrap();
    assert_eq!(found.len(), all.g.len());
    let ranges: BTreeSet<_> = found
        .iter()
        .map(|a| a.timespan.unwrap().begin_ns())
        .collect();
    assert_eq!(ranges.len(), 1);
}

async fn ranges_are_cut_one_after_the_other(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibration_collection(registry).await;
    registry
        .certify(CALIBS, &all.g, hours(None, None))
        .await
        .unwrap();
    // Each cuts an hour out of the same range.
    let results = race(repository, |number, client| async move {
        let begin = 2 * i64::try_from(number).unwrap();
        let hour = hours(Some(begin), Some(begin + 1));
        client.decertify(CALIBS, "bias", hour, None).await
    })
    .await;
    assert_eq!(winners(results), CLIENTS);
    let found = registry
        .associations("bias", &names([CALIBS]))
        .await
        .unwrap();
    assert_eq!(found.len(), all.g.len() * (CLIENTS + 1));
}

async fn a_writer_does_not_disturb_readers(repository: &Repository) {
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let reader = repository.another().await;
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .register_collection("new", CollectionType::Run, None)
        .await
        .unwrap();
    // What is not committed is not seen, and nobody waits for it.
    let look = async {
        let found = reader.dataset(all.g(1).id()).await.unwrap();
        assert_eq!(found.as_ref(), Some(all.g(1)));
        let query = CollectionQuery::new(CollectionWildcard::everything());
        assert_eq!(reader.collections(&query).await.unwrap().len(), 2);
    };
    tokio::time::timeout(Duration::from_secs(60), look)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

shared_behaviours!(
    one_of_many_registers_a_collection,
    one_of_many_registers_a_dataset_type,
    new_types_of_the_same_dimensions_share_their_group,
    the_first_calibrations_of_a_known_group_share_a_table,
    many_create_an_opaque_table,
    many_import_the_same_datasets,
    one_of_many_makes_a_dataset,
    many_tag_the_same_datasets,
    many_store_the_same_datasets,
    many_insert_the_same_records,
    one_of_many_synchronises_a_record,
    no_change_to_a_chain_is_lost,
    no_cycle_comes_about,
    one_of_many_certifies_a_range,
    ranges_are_cut_one_after_the_other,
    a_writer_does_not_disturb_readers,
);

#[tokio::test]
async fn a_locked_sqlite_file_is_waited_for_and_given_up() {
    let repository = Repository::sqlite_file().await;
    add_instruments(&repository.registry).await;
    let held = repository.registry.begin().await.unwrap();
    let patience = Duration::from_millis(300);
    let options = ConnectOptions {
        sqlite_busy_timeout: patience,
        ..repository.options(Access::ReadWrite)
    };
    let database = repository.connect(&options).await;
    let impatient = SqlRegistry::open(database, storage_classes())
        .await
        .unwrap();
    let start = Instant::now();
    let result = impatient
        .register_collection("run", CollectionType::Run, None)
        .await;
    let waited = start.elapsed();
    let message = super::assert_error!(result, Unavailable);
    assert!(message.contains("try again"), "{message}");
    assert!(
        waited >= patience && waited < Duration::from_secs(20),
        "{waited:?}"
    );
    held.rollback().await.unwrap();
    impatient
        .register_collection("run", CollectionType::Run, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_is_unlocked_in_time_is_written() {
    let repository = Repository::sqlite_file().await;
    let held = repository.registry.begin().await.unwrap();
    let patient = repository.another().await;
    let task = tokio::spawn(async move {
        patient
            .register_collection("run", CollectionType::Run, None)
            .await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!task.is_finished());
    held.commit().await.unwrap();
    assert!(task.await.unwrap().unwrap());
}

#[tokio::test]
async fn two_emptyings_take_different_trash() {
    let repository = Repository::postgres().await;
    let registry = &repository.registry;
    let all = add_calibrations(registry).await;
    let ids: Vec<_> = all.g.iter().map(|d| d.id()).collect();
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .insert_locations("store", &ids, false)
        .await
        .unwrap();
    transaction.move_to_trash("store", &ids).await.unwrap();
    transaction.commit().await.unwrap();
    let (mut one, mut two) = (
        registry.begin().await.unwrap(),
        registry.begin().await.unwrap(),
    );
    let first = one.trashed("store", None, 2).await.unwrap();
    let second = two.trashed("store", None, 10).await.unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(!first.contains(&second[0]));
}

//! References of large inserts, checked set by set on PostgreSQL: as strict as the database's own
//! checks, and switched off for nothing else.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::db::{Access, ConnectOptions, Database, Location, ReferenceChecks};
use butler_direct::registry::SqlRegistry;
use uuid::Uuid;

use super::assert_error;
use super::fixture::{
    Repository, add_detectors, add_instruments, bias, detector, integers, new_ref, register,
    storage_classes,
};

/// Datasets in a large insert.
const MANY: i64 = 2_500;

/// Number of the first detector added for them.
const FIRST: i64 = 100;

/// A detector that is not there.
const ABSENT: i64 = 99;

const SETTING: &str = "session_replication_role";

/// A repository on PostgreSQL with an instrument of many detectors, and the runs `run0`, `run1`.
async fn prepare() -> Repository {
    let repository = Repository::postgres().await;
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_detectors(registry, FIRST..FIRST + MANY).await;
    registry.register_dataset_type(&bias()).await.unwrap();
    for run in ["run0", "run1"] {
        register(registry, run, CollectionType::Run).await;
    }
    repository
}

/// A new dataset of every detector.
fn many(run: &str) -> Vec<DatasetRef> {
    (FIRST..FIRST + MANY)
        .map(|id| new_ref(&bias(), detector(id), run))
        .collect()
}

/// Datasets of which one refers to a detector that is not there.
fn with_absent(run: &str) -> Vec<DatasetRef> {
    let mut datasets = many(run);
    datasets[1234] = new_ref(&bias(), detector(ABSENT), run);
    datasets
}

/// A client with a single connection.
async fn client(repository: &Repository, checks: ReferenceChecks) -> SqlRegistry {
    let options = ConnectOptions {
        reference_checks: checks,
        max_connections: 1,
        ..repository.options(Access::ReadWrite)
    };
    let database = repository.connect(&options).await;
    SqlRegistry::open(database, storage_classes())
        .await
        .unwrap()
}

async fn run(database: &Database, statements: &str) -> butler_core::error::Result<()> {
    let mut session = database.read().await?;
    session.execute_script(statements.to_owned()).await
}

/// Runs a statement on a connection of its own that does not wait for locks.
async fn impatient(repository: &Repository, statement: &str) -> butler_core::error::Result<()> {
    let database = repository
        .connect(&repository.options(Access::ReadWrite))
        .await;
    let mut session = database.begin().await?;
    session
        .execute_script("SET LOCAL lock_timeout = '100ms'".to_owned())
        .await?;
    session.execute_script(statement.to_owned()).await?;
    session.commit().await
}

/// Whether a client switched row-wise checks off since it was last asked.
fn switched(registry: &SqlRegistry) -> bool {
    let statements = registry.database().recorded();
    assert!(!statements.is_empty());
    statements.iter().any(|sql| sql.contains(SETTING))
}

async fn dataset_count(registry: &SqlRegistry) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM {}",
        registry.database().table("dataset")
    );
    integers(registry, &sql).await[0]
}

#[tokio::test]
async fn a_missing_reference_is_the_same_error_in_both_ways() {
    let repository = prepare().await;
    let mut messages = Vec::new();
    for checks in [ReferenceChecks::Sets, ReferenceChecks::Rows] {
        let registry = client(&repository, checks).await;
        let result = registry.import_datasets(&with_absent("run0")).await;
        messages.push(assert_error!(result, ConflictingDefinition));
        assert_eq!(dataset_count(&registry).await, 0);
    }
    assert_eq!(messages[0], messages[1]);
    assert!(messages[0].contains("detector"), "{}", messages[0]);
}

#[tokio::test]
async fn every_large_write_is_checked_set_by_set() {
    let repository = prepare().await;
    for (checks, name) in [
        (ReferenceChecks::Sets, "run0"),
        (ReferenceChecks::Rows, "run1"),
    ] {
        let registry = client(&repository, checks).await;
        let expected = checks == ReferenceChecks::Sets;
        let datasets = many(name);
        let ids: Vec<Uuid> = datasets.iter().map(|dataset| dataset.id()).collect();
        registry.database().record_statements();
        registry.import_datasets(&datasets).await.unwrap();
        assert_eq!(switched(&registry), expected, "importing");
        for (known_is_fine, store) in [(false, "a"), (true, "a"), (true, "b")] {
            let mut transaction = registry.begin().await.unwrap();
            transaction
                .insert_locations(store, &ids, known_is_fine)
                .await
                .unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(switched(&registry), expected, "locations");
        }
        let (tag, calib) = (format!("tag_{name}"), format!("calib_{name}"));
        register(&registry, &tag, CollectionType::Tagged).await;
        register(&registry, &calib, CollectionType::Calibration).await;
        registry.database().recorded();
        for _ in 0..2 {
            registry.associate(&tag, &datasets).await.unwrap();
            assert_eq!(switched(&registry), expected, "associating");
        }
        registry
            .certify(&calib, &datasets, Timespan::UNBOUNDED)
            .await
            .unwrap();
        assert_eq!(switched(&registry), expected, "certifying");
        for collection in [&tag, &calib] {
            let found = registry
                .associations("bias", std::slice::from_ref(collection))
                .await
                .unwrap();
            assert_eq!(found.len(), datasets.len());
        }
    }
}

#[tokio::test]
async fn what_refers_to_nothing_is_refused_everywhere() {
    let repository = prepare().await;
    for checks in [ReferenceChecks::Sets, ReferenceChecks::Rows] {
        let registry = client(&repository, checks).await;
        // None of these datasets is in the registry.
        let datasets = many("run0");
        let ids: Vec<Uuid> = datasets.iter().map(|dataset| dataset.id()).collect();
        for known_is_fine in [false, true] {
            let mut transaction = registry.begin().await.unwrap();
            let done = transaction.insert_locations("a", &ids, known_is_fine).await;
            assert_error!(done, DatasetNotFound);
        }
        let (tag, calib) = (format!("tag_{checks:?}"), format!("calib_{checks:?}"));
        register(&registry, &tag, CollectionType::Tagged).await;
        register(&registry, &calib, CollectionType::Calibration).await;
        assert_error!(
            registry.associate(&tag, &datasets).await,
            ConflictingDefinition
        );
        let forever = Timespan::UNBOUNDED;
        assert_error!(
            registry.certify(&calib, &datasets, forever).await,
            ConflictingDefinition
        );
    }
}

#[tokio::test]
async fn triggers_of_others_are_not_passed_over() {
    let repository = prepare().await;
    let registry = client(&repository, ReferenceChecks::Sets).await;
    let database = registry.database();
    let schema = repository.namespace().unwrap();
    let (dataset, noted) = (database.table("dataset"), database.table("noted"));
    let tags = integers(
        &registry,
        &format!("SELECT dimensions_key FROM {schema}.dataset_type"),
    )
    .await;
    let tags = database.table(&butler_direct::registry::tables::tags_name(tags[0]));
    run(
        database,
        &format!(
            "CREATE TABLE {noted} (name text);
             CREATE FUNCTION {schema}.note() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN INSERT INTO {noted} VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
             CREATE TRIGGER note AFTER INSERT ON {dataset}
                 FOR EACH ROW EXECUTE FUNCTION {schema}.note();
             CREATE TRIGGER note AFTER INSERT ON {tags}
                 FOR EACH ROW EXECUTE FUNCTION {schema}.note();"
        ),
    )
    .await
    .unwrap();
    database.record_statements();
    registry.import_datasets(&many("run0")).await.unwrap();
    assert!(!switched(&registry));
    let count = integers(&registry, &format!("SELECT count(*) FROM {noted}")).await;
    assert_eq!(count, [2 * MANY]);
}

/// A role that goes away with the value.
struct Role {
    name: String,
    schema: String,
    url: String,
}

impl Drop for Role {
    fn drop(&mut self) {
        let location = Location::Postgres(self.url.clone());
        let statements = format!("DROP OWNED BY {0}; DROP ROLE {0};", self.name);
        let schema = self.schema.clone();
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(async {
                let options = ConnectOptions {
                    namespace: Some(schema),
                    ..ConnectOptions::new(Access::ReadWrite, 1)
                };
                if let Ok(database) = Database::connect_with(&location, &options).await {
                    // A role that stays is no harm; its name is never used again.
                    let _ = run(&database, &statements).await;
                }
            });
            std::io::Result::Ok(())
        });
        let _ = work.join();
    }
}

#[tokio::test]
async fn who_may_not_switch_them_off_is_served_as_well() {
    let repository = prepare().await;
    let schema = repository.namespace().unwrap().to_owned();
    let Location::Postgres(url) = &repository.location else {
        panic!("{:?} is not on PostgreSQL", repository.location)
    };
    let role = Role {
        name: format!("plain_{}", Uuid::new_v4().simple()),
        schema: schema.clone(),
        url: url.clone(),
    };
    let name = &role.name;
    run(
        repository.registry.database(),
        &format!(
            "CREATE ROLE {name} NOSUPERUSER;
             GRANT USAGE ON SCHEMA {schema} TO {name};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name};
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {name};"
        ),
    )
    .await
    .unwrap();
    let joined = if url.contains('?') { '&' } else { '?' };
    let location = Location::Postgres(format!("{url}{joined}options[role]={name}"));
    let options = repository.options(Access::ReadWrite);
    let database = Database::connect_with(&location, &options).await.unwrap();
    let registry = SqlRegistry::open(database, storage_classes())
        .await
        .unwrap();
    registry.database().record_statements();
    assert_error!(
        registry.import_datasets(&with_absent("run0")).await,
        ConflictingDefinition
    );
    let datasets = many("run0");
    registry.import_datasets(&datasets).await.unwrap();
    let statements = registry.database().recorded();
    // What was asked names the setting, but it is never set.
    let set = format!("SET LOCAL {SETTING}");
    assert!(!statements.iter().any(|sql| sql.contains(&set)));
    let ids = registry.run_dataset_ids("run0").await.unwrap();
    assert_eq!(ids.len(), datasets.len());
    registry.database().close().await;
}

#[tokio::test]
async fn what_is_referred_to_cannot_go_away_meanwhile() {
    let repository = prepare().await;
    let registry = client(&repository, ReferenceChecks::Sets).await;
    let database = registry.database();
    let deletions = [
        format!(
            "DELETE FROM {} WHERE id = {FIRST}",
            database.table("detector")
        ),
        format!(
            "DELETE FROM {} WHERE name = 'bias'",
            database.table("dataset_type")
        ),
        format!(
            "DELETE FROM {} WHERE name = 'run0'",
            database.table("collection")
        ),
        format!(
            "DELETE FROM {} WHERE name = 'Cam1'",
            database.table("instrument")
        ),
    ];
    let mut transaction = registry.begin().await.unwrap();
    let datasets = many("run0");
    transaction.import_datasets(&datasets).await.unwrap();
    for deletion in &deletions {
        let refused = impatient(&repository, deletion).await;
        assert!(refused.is_err(), "{deletion}");
    }
    transaction.commit().await.unwrap();
    // Of these, only a run takes its datasets along.
    for deletion in deletions.iter().filter(|sql| !sql.contains("run0")) {
        let refused = impatient(&repository, deletion).await.unwrap_err();
        assert!(refused.to_string().contains("foreign key"), "{refused}");
    }
    assert_eq!(dataset_count(&registry).await, MANY);
}

#[tokio::test]
async fn what_another_client_is_deleting_is_not_referred_to() {
    let repository = prepare().await;
    let registry = client(&repository, ReferenceChecks::Sets).await;
    let other = repository
        .connect(&repository.options(Access::ReadWrite))
        .await;
    let mut deleting = other.begin().await.unwrap();
    let sql = format!("DELETE FROM {} WHERE id = {FIRST}", other.table("detector"));
    deleting.execute_script(sql).await.unwrap();
    let datasets = many("run0");
    // Whether the import waits for the deletion or comes after it, the detector is gone.
    let (imported, committed) = tokio::join!(registry.import_datasets(&datasets), async {
        tokio::task::yield_now().await;
        deleting.commit().await
    });
    committed.unwrap();
    assert_error!(imported, ConflictingDefinition);
    assert_eq!(dataset_count(&registry).await, 0);
}

#[tokio::test]
async fn row_wise_checks_are_on_again_at_once() {
    let repository = prepare().await;
    let registry = client(&repository, ReferenceChecks::Sets).await;
    let few = [new_ref(&bias(), detector(ABSENT), "run1")];
    registry.database().record_statements();
    // After a large insert, within its transaction.
    let mut transaction = registry.begin().await.unwrap();
    transaction.import_datasets(&many("run0")).await.unwrap();
    assert!(switched(&registry));
    let savepoint = transaction.savepoint().await.unwrap();
    assert_error!(
        transaction.import_datasets(&few).await,
        ConflictingDefinition
    );
    transaction.rollback_to(savepoint).await.unwrap();
    // After a large insert that failed while they were off, and a rollback to a savepoint.
    let savepoint = transaction.savepoint().await.unwrap();
    assert_error!(
        transaction.import_datasets(&many("run0")).await,
        ConflictingDefinition
    );
    assert!(switched(&registry));
    transaction.rollback_to(savepoint).await.unwrap();
    let savepoint = transaction.savepoint().await.unwrap();
    assert_error!(
        transaction.import_datasets(&few).await,
        ConflictingDefinition
    );
    transaction.rollback_to(savepoint).await.unwrap();
    transaction.commit().await.unwrap();
    // In the next transactions of the same connection.
    assert_error!(registry.import_datasets(&few).await, ConflictingDefinition);
    let mut session = registry.database().read().await.unwrap();
    let rows = session.fetch_all(&format!("SHOW {SETTING}"), &[]).await;
    assert_eq!(rows.unwrap()[0].text(0).unwrap(), "origin");
    drop(session);
    assert_eq!(dataset_count(&registry).await, MANY);
}

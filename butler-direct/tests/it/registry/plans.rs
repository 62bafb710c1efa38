//! No operation on many datasets reads a whole table of a large repository.
//!
//! A repository is filled with datasets (a million on PostgreSQL), by statements of the database itself, and each
//! operation is then run on 50,000 of them. (But for listing the trash of a datastore, which may be
//! all of that table.) PostgreSQL counts the sequential scans of each table,
//! those of its own constraints' look-ups included; SQLite is asked for the plans of the
//! statements that were run.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use butler_core::collections::CollectionType;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::db::{Access, ConnectOptions, Dialect, Param};
use butler_direct::registry::SqlRegistry;
use butler_direct::registry::locations::file_records_table;
use uuid::Uuid;

use super::fixture::{
    Repository, add_instruments, dataset_type, integers, register, storage_classes,
};

/// Datasets in a repository on PostgreSQL, whose plans depend on sizes.
const ON_POSTGRES: i64 = 1_000_000;

/// Datasets in a repository on SQLite, whose plans depend on whether there is an index.
const ON_SQLITE: i64 = 100_000;

/// Datasets that an operation is about.
const ASKED: i64 = 50_000;

/// Tables with a row or more per dataset.
const LARGE: [&str; 5] = [
    "dataset",
    "dataset_location",
    "dataset_location_trash",
    "file_datastore_records",
    "dataset_tags_",
];

fn is_large(table: &str) -> bool {
    LARGE
        .iter()
        .any(|name| table == *name || (name.ends_with('_') && table.starts_with(name)))
}

/// The ID of a dataset: scattered, as if made by many clients at different times.
fn id(number: i64) -> Uuid {
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    Uuid::from_u64_pair(scattered.cast_unsigned(), number.cast_unsigned())
}

async fn run(registry: &SqlRegistry, statements: &[String]) {
    let mut session = registry.database().begin().await.unwrap();
    for statement in statements {
        session.execute_script(statement.clone()).await.unwrap();
    }
    session.commit().await.unwrap();
}

/// Sets an option of the only connection to a SQLite database.
async fn pragma(registry: &SqlRegistry, statement: &str) {
    let mut session = registry.database().read().await.unwrap();
    session.execute_script(statement.to_owned()).await.unwrap();
}

/// Datasets in one run: one per group. On PostgreSQL only those that are asked for get a record of
/// their group. Some are in the trash as well, of another datastore.
async fn fill(registry: &SqlRegistry, total: i64) {
    add_instruments(registry).await;
    register(registry, "run", CollectionType::Run).await;
    let grouped = dataset_type("grouped", &["group"], "StructuredDataDict", true);
    registry.register_dataset_type(&grouped).await.unwrap();
    let mut transaction = registry.begin().await.unwrap();
    transaction
        .register_opaque_table(&file_records_table("file_datastore_records"))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let database = registry.database();
    let one = |table: &str, column: &str| {
        let sql = format!("SELECT min({column}) FROM {}", database.table(table));
        async move { integers(registry, &sql).await[0] }
    };
    let run_id = one("run", "collection_id").await;
    let type_id = one("dataset_type", "id").await;
    let group_key = one("dataset_type", "dimensions_key").await;
    let tags = butler_direct::registry::tables::tags_name(group_key);
    let table = |name: &str| database.table(name);
    // Numbers become IDs by the same rule as in `id`, in the database's own words.
    let (source, hex, text) = match database.dialect() {
        Dialect::Postgres => (
            "CREATE TEMPORARY TABLE numbers ON COMMIT DROP AS
             SELECT n, (lpad(to_hex(s), 16, '0') || lpad(to_hex(n), 16, '0'))::uuid AS id FROM (
                 SELECT n, (CASE WHEN w >= 9223372036854775808 THEN w - 18446744073709551616
                            ELSE w END)::bigint AS s FROM (
                     SELECT n, mod(n::numeric * 11400714819323198485, 18446744073709551616) AS w
                       FROM generate_series(1::bigint, {TOTAL}) AS n) AS a) AS b",
            "id",
            "to_char(n, 'FM0000000000')",
        ),
        Dialect::Sqlite => (
            // SQLite has no integer product that wraps; IDs are made here in two halves of it.
            "CREATE TEMPORARY TABLE numbers AS
             WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {TOTAL})
             SELECT n, printf('%08x%08x%016x',
                 (2654435769 * n + ((2135587861 * n) >> 32)) & 4294967295,
                 (2135587861 * n) & 4294967295, n) AS id FROM r",
            "id",
            "printf('%010d', n)",
        ),
    };
    let mut statements = vec![source.replace("{TOTAL}", &total.to_string())];
    if database.dialect() == Dialect::Postgres {
        // The rows are consistent by construction; checking each costs most of the time.
        statements.push("SET LOCAL session_replication_role = replica".to_owned());
        statements.push("SET LOCAL synchronous_commit = off".to_owned());
    }
    statements.extend([
        format!(
            "INSERT INTO {} (instrument, name) SELECT 'Cam1', {text} FROM numbers WHERE n % {} = 0",
            table("group"),
            match database.dialect() {
                Dialect::Postgres => total / ASKED,
                // Which ones are asked for depends on the order of IDs there.
                Dialect::Sqlite => 1,
            }
        ),
        format!(
            "INSERT INTO {} (id, dataset_type_id, ingest_date, run_id)
             SELECT {hex}, {type_id}, 0, {run_id} FROM numbers ORDER BY 1",
            table("dataset")
        ),
        format!(
            "INSERT INTO {} (collection_id, dataset_type_id) VALUES ({run_id}, {type_id})",
            table("collection_summary_dataset_type")
        ),
        format!(
            "INSERT INTO {} (collection_id, instrument) VALUES ({run_id}, 'Cam1')",
            table("collection_summary_instrument")
        ),
        format!(
            "INSERT INTO {} (dataset_type_id, dataset_id, collection_id, instrument, \"group\")
             SELECT {type_id}, {hex}, {run_id}, 'Cam1', {text} FROM numbers ORDER BY 2",
            table(&tags)
        ),
        format!(
            "INSERT INTO {} (datastore_name, dataset_id)
             SELECT 'store', {hex} FROM numbers ORDER BY 2",
            table("dataset_location")
        ),
        format!(
            "INSERT INTO {} (dataset_id, path, formatter, storage_class, component, file_size)
             SELECT {hex}, 'a/path/' || n, 'a.Formatter', 'StructuredDataDict', '__NULL_STRING__', n
               FROM numbers ORDER BY 1",
            table("file_datastore_records")
        ),
        format!(
            "INSERT INTO {} (datastore_name, dataset_id)
             SELECT 'other', {hex} FROM numbers WHERE n % 7 = 0 ORDER BY 2",
            table("dataset_location_trash")
        ),
        "DROP TABLE numbers".to_owned(),
    ]);
    if database.dialect() == Dialect::Sqlite {
        pragma(registry, "PRAGMA foreign_keys = OFF").await;
    }
    run(registry, &statements).await;
    if database.dialect() == Dialect::Sqlite {
        pragma(registry, "PRAGMA foreign_keys = ON").await;
    }
    let mut session = registry.database().read().await.unwrap();
    session.execute_script("ANALYZE".to_owned()).await.unwrap();
}

/// What reads whole tables, by operation.
#[derive(Default)]
struct Report(BTreeMap<&'static str, (Duration, Vec<String>)>);

impl Report {
    fn check(self) {
        let found: Vec<_> = self.0.iter().filter(|(_, (_, s))| !s.is_empty()).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Sequential scans of large tables of the namespace so far.
async fn sequential_scans(
    repository: &Repository,
    registry: &SqlRegistry,
) -> BTreeMap<String, i64> {
    let mut session = registry.database().read().await.unwrap();
    let sql = "SELECT relname::text, seq_scan FROM pg_stat_user_tables
                WHERE schemaname = $1 AND pg_stat_clear_snapshot() IS NOT NULL";
    let namespace = repository.namespace().unwrap();
    let rows = session
        .fetch_all(sql, &[Param::from(namespace)])
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.text(0).unwrap().to_owned(), row.int(1).unwrap()))
        .filter(|(name, _)| is_large(name))
        .collect()
}

/// The large tables that SQLite would read as a whole to run these statements.
async fn scans_in_plans(registry: &SqlRegistry, statements: Vec<String>) -> Vec<String> {
    let mut session = registry.database().read().await.unwrap();
    let mut found = Vec::new();
    for statement in statements {
        let verb = statement.split_whitespace().next().unwrap_or_default();
        if !["SELECT", "DELETE", "INSERT", "UPDATE", "WITH"].contains(&verb)
            || statement.contains("butler_")
        {
            continue;
        }
        let sql = format!("EXPLAIN QUERY PLAN {statement}");
        for row in session.fetch_all(&sql, &[]).await.unwrap() {
            let detail = row.text(3).unwrap();
            let scanned = detail.strip_prefix("SCAN ").unwrap_or_default();
            let table = scanned.split_whitespace().next().unwrap_or_default();
            let aliased = ["d", "m"].contains(&table);
            if is_large(table) || aliased {
                found.push(format!("{detail}: {statement}"));
            }
        }
    }
    found
}

/// Runs every operation on many datasets and reports those that read whole tables.
async fn check_all(repository: &Repository) {
    // With one connection, what it counted is known to the next statement.
    let options = ConnectOptions {
        max_connections: 1,
        ..repository.options(Access::ReadWrite)
    };
    let registry = &match repository.namespace() {
        Some(_) => SqlRegistry::open(repository.connect(&options).await, storage_classes())
            .await
            .unwrap(),
        None => repository.registry.clone(),
    };
    let sqlite = registry.database().dialect() == Dialect::Sqlite;
    let total = if sqlite { ON_SQLITE } else { ON_POSTGRES };
    fill(registry, total).await;
    let ids: Vec<Uuid> = if sqlite {
        let sql = format!(
            "SELECT id FROM {} WHERE rowid % {} = 0",
            registry.database().table("dataset"),
            total / ASKED
        );
        let mut session = registry.database().read().await.unwrap();
        let rows = session.fetch_all(&sql, &[]).await.unwrap();
        rows.iter().map(|row| row.uuid(0).unwrap()).collect()
    } else {
        (1..=ASKED).map(|n| id(n * (total / ASKED))).collect()
    };
    assert_eq!(ids.len(), usize::try_from(ASKED).unwrap());
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
                sequential_scans(repository, registry).await
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
                let after = sequential_scans(repository, registry).await;
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
    let stored = step!(
        "stored in",
        registry.stored_in("store", &ids).await.unwrap()
    );
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
            .live_file_paths(RECORDS, "store", &paths)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(live.len(), half.len());
    });
    step!("moving to the trash", {
        let mut transaction = registry.begin().await.unwrap();
        transaction.move_to_trash("store", half).await.unwrap();
        transaction.commit().await.unwrap();
    });
    step!("trashed ones of some", {
        let mut transaction = registry.begin().await.unwrap();
        let found = transaction
            .trashed("store", Some(&ids), ids.len())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(found.len(), half.len());
    });
    step!("which are trashed", {
        let mut transaction = registry.begin().await.unwrap();
        let found = transaction.in_trash("store", &ids).await.unwrap();
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
        transaction.delete_trash("store", half).await.unwrap();
        transaction.commit().await.unwrap();
    });
    step!("forgetting locations", {
        let mut transaction = registry.begin().await.unwrap();
        transaction
            .forget_locations("store", &ids[ids.len() / 2..])
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
    register(registry, "tag", CollectionType::Tagged).await;
    step!("tagging", registry.associate("tag", &again).await.unwrap());
    step!(
        "untagging",
        registry.disassociate("tag", &again).await.unwrap()
    );
    report.check();
}

#[tokio::test]
async fn postgres_reads_no_table_as_a_whole() {
    check_all(&Repository::postgres().await).await;
}

#[tokio::test]
async fn sqlite_reads_no_table_as_a_whole() {
    check_all(&Repository::sqlite().await).await;
}

//! Filling a repository with many datasets.

use butler_core::collections::CollectionType;
use butler_core::registry::RegistryWriter;
use butler_direct::db::Dialect;
use butler_direct::registry::SqlRegistry;
use uuid::Uuid;

use crate::registry::fixture::{add_instruments, dataset_type, integers, register};

/// The ID of a dataset: scattered, as if made by many clients at different times.
pub(super) fn id(number: i64) -> Uuid {
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

/// Datasets in one run: one per group. On PostgreSQL only the last three of each `step` get a
/// record of their group. All are stored in the datastore, and some are in the trash as well, of
/// another one.
pub(super) async fn fill(registry: &SqlRegistry, datastore: &str, total: i64, step: i64) {
    add_instruments(registry).await;
    register(registry, "run", CollectionType::Run).await;
    let grouped = dataset_type("grouped", &["group"], "StructuredDataDict", true);
    registry.register_dataset_type(&grouped).await.unwrap();
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
            "INSERT INTO {} (instrument, name) SELECT 'Cam1', {text} FROM numbers WHERE (n + 2) % {} < 3",
            table("group"),
            match database.dialect() {
                Dialect::Postgres => step,
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
             SELECT '{datastore}', {hex} FROM numbers ORDER BY 2",
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

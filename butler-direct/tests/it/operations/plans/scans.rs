//! Finding out which tables were read from end to end.

use std::collections::BTreeMap;
use std::time::Duration;

use butler_direct::db::Param;
use butler_direct::registry::SqlRegistry;

/// Tables with a row or more per dataset.
const LARGE: [&str; 5] = [
    "dataset",
    "dataset_location",
    "dataset_location_trash",
    "file_datastore_records",
    "dataset_tags_00000001",
];

fn is_large(table: &str) -> bool {
    LARGE.contains(&table)
}

/// What reads whole tables, by operation.
#[derive(Default)]
pub(super) struct Report(pub(super) BTreeMap<&'static str, (Duration, Vec<String>)>);

impl Report {
    /// Some operations may read a table as a whole.
    pub(super) fn may_read(&mut self, table: &str, operations: &[&str]) {
        for (_, (_, scans)) in self
            .0
            .iter_mut()
            .filter(|(name, _)| operations.contains(*name))
        {
            scans.retain(|scan| {
                let scan = scan.strip_prefix("SCAN ").unwrap_or(scan);
                scan.split([' ', ':']).next() != Some(table)
            });
        }
    }

    /// Asserts that no operation has read a whole table.
    pub(super) fn check(self) {
        let found: Vec<_> = self.0.iter().filter(|(_, (_, s))| !s.is_empty()).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Sequential scans of large tables of the namespace so far.
pub(super) async fn sequential_scans(registry: &SqlRegistry) -> BTreeMap<String, i64> {
    let mut session = registry.database().read().await.unwrap();
    let sql = "SELECT relname::text, seq_scan FROM pg_stat_user_tables
                WHERE schemaname = $1 AND pg_stat_clear_snapshot() IS NOT NULL";
    let namespace = registry.database().namespace().unwrap();
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
pub(super) async fn scans_in_plans(registry: &SqlRegistry, statements: Vec<String>) -> Vec<String> {
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

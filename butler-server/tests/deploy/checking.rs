//! `butler-server check` on repositories of all ages.

use std::path::{Path, PathBuf};
use std::process::Output;

use butler_tests::postgres::TestSchema;
use butler_tests::python::Script;
use serde_json::Value;
use sqlx::Connection as _;

use crate::support::{errors, run};

/// A repository that the reference has made.
fn made(directory: &Path, arguments: &[&str]) -> PathBuf {
    let root = directory.join("repo");
    let script = Script::new("make_repo.py").arg(&root);
    script
        .args(["--data", "none", "--no-collections"])
        .args(arguments)
        .run();
    root
}

fn check(root: &Path) -> (Output, Value) {
    let root = root.to_str().unwrap();
    let output = run(&["check", root, "--json"]);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", errors(&output)));
    (output, report)
}

fn part<'r>(report: &'r Value, name: &str) -> &'r Value {
    let parts = report["parts"].as_array().unwrap();
    parts.iter().find(|part| part["part"] == name).unwrap()
}

/// Changes what a repository on SQLite records of itself.
async fn alter(root: &Path, statement: &'static str) {
    let url = format!("sqlite://{}", root.join("gen3.sqlite3").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[test]
fn a_new_repository_is_up_to_date_on_either_database() {
    let schema = TestSchema::new();
    for arguments in [
        vec![],
        vec!["--db", schema.url(), "--namespace", schema.name()],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (output, report) = check(&made(directory.path(), &arguments));
        assert_eq!(output.status.code(), Some(0));
        // The reference makes tables of datasets of the version before the last.
        for part in report["parts"].as_array().unwrap() {
            let newest = part["support"] == "current";
            assert_eq!(
                newest,
                part["migration"].as_array().unwrap().is_empty(),
                "{part}"
            );
        }
        assert_eq!(part(&report, "dimensions-config")["version"], "8");
        assert_eq!(
            part(&report, "dimensions-config")["revision"],
            "aa7a2f893cba"
        );
    }
}

#[test]
fn versions_that_are_behind_are_supported_and_their_migrations_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = made(
        directory.path(),
        &["--datasets", "1.0.0", "--collections", "names"],
    );
    let (output, report) = check(&root);
    assert_eq!(
        (output.status.code(), &report["support"]),
        (Some(0), &"older".into())
    );
    let steps = &part(&report, "datasets")["migration"];
    assert_eq!(
        steps[0],
        "butler migrate upgrade REPO 4e2d7a28475b (datasets 2.0.0)"
    );
    let steps = part(&report, "collections")["migration"][0]
        .as_str()
        .unwrap();
    let begin = "butler migrate upgrade --one-shot-tree collections/name_2.0.0_to_int_2.0.0 REPO ";
    assert!(
        steps.starts_with(&format!("{begin}8c57494cabcc")),
        "{steps}"
    );
}

#[test]
fn an_old_real_repository_can_be_served() {
    let shared = std::env::var_os("BUTLER_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("repo");
    std::fs::create_dir(&root).unwrap();
    for file in ["butler.yaml", "gen3.sqlite3"] {
        std::fs::copy(shared.join("latiss-repo").join(file), root.join(file)).unwrap();
    }
    let output = run(&["check", root.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        "dimensions-config: daf_butler 7 -> 352c30854bb0 (supported)",
        "MonolithicDatastoreRegistryBridgeManager 0.2.0 -> a07b3b60e369 (supported)",
        "  butler migrate upgrade REPO aa7a2f893cba (dimensions-config 8)",
        "  butler migrate upgrade REPO a81dddabd837 (datastores 0.2.1)",
    ] {
        assert!(said.contains(line), "no '{line}' in:\n{said}");
    }
}

#[test]
fn an_obscore_table_makes_a_repository_read_only() {
    let directory = tempfile::tempdir().unwrap();
    let (output, report) = check(&made(directory.path(), &["--obscore"]));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(part(&report, "obscore")["support"], "read_only");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_newer_or_unknown_is_not_supported_and_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let root = made(directory.path(), &[]);
    alter(
        &root,
        "UPDATE butler_attributes SET value = '3.0.0' WHERE name LIKE 'version:%datasets%'",
    )
    .await;
    let (output, report) = check(&root);
    assert_eq!(output.status.code(), Some(4));
    let advice = part(&report, "datasets")["migration"][0].as_str().unwrap();
    assert!(advice.contains("newer than this program"), "{advice}");

    alter(
        &root,
        "UPDATE butler_attributes SET value = 'a.b.Manager' \
         WHERE name = 'config:registry.managers.opaque'",
    )
    .await;
    let (output, report) = check(&root);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(part(&report, "opaque")["class"], "a.b.Manager");
}

#[test]
fn what_cannot_be_looked_at_is_a_failure_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(&["check", directory.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors(&output).lines().count(), 1);
}

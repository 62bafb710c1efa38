//! The scripts that drive the reference implementation do so with every database and datastore: what the
//! interoperability tests compare with is sound.

use butler_tests::canonical::{assert_same, differences};
use butler_tests::postgres::TestSchema;
use butler_tests::python::Script;
use butler_tests::s3::S3Server;
use serde_json::{Value, json};
use std::path::Path;

fn make(root: &Path) -> Script {
    Script::new("make_repo.py")
        .arg(root)
        .args(["--with-files", "--python-formats"])
}

fn dump(root: &Path) -> Value {
    Script::new("dump_repo.py").arg(root).run()
}

/// What does not depend on when and where the repository was made.
fn lasting(mut document: Value) -> Value {
    for name in ["datasets", "files", "locations", "opaque", "uris", "tables"] {
        document.as_object_mut().unwrap().remove(name);
    }
    document
}

fn assert_sound(made: &Value, checked: &Value) {
    assert_eq!(checked["failures"], json!([]));
    let put = made["put"].as_array().unwrap();
    assert_eq!(put.len(), 23, "every format was put");
    for dataset in put {
        let id = dataset["id"].as_str().unwrap();
        let found = differences(&dataset["content"], &checked["contents"][id]);
        assert!(found.is_empty(), "{dataset} reads as {found:?}");
    }
}

#[test]
fn both_databases_hold_the_same_repository() {
    let dir = tempfile::tempdir().unwrap();
    let schema = TestSchema::new();
    let sqlite = dir.path().join("sqlite/repo");
    let postgres = dir.path().join("postgres/repo");
    let made = make(&sqlite).run();
    assert_sound(&made, &Script::new("check_repo.py").arg(&sqlite).run());
    let made = make(&postgres)
        .args(["--db", schema.url(), "--namespace", schema.name()])
        .run();
    assert_sound(&made, &Script::new("check_repo.py").arg(&postgres).run());
    let (sqlite, postgres) = (dump(&sqlite), dump(&postgres));
    assert_eq!(sqlite["datasets"].as_array().unwrap().len(), 70);
    assert_same("SQLite", &lasting(sqlite), "PostgreSQL", &lasting(postgres));
    let tables = Script::new("dump_schema.py")
        .args([schema.url(), "--namespace", schema.name()])
        .run();
    let calibrations = &tables["tables"]["dataset_calibs_00000002"];
    assert_eq!(calibrations["columns"]["timespan"]["type"], "INT8RANGE");
    // The reference refuses overlaps with a lock and a query, not with a constraint.
    assert!(
        !calibrations["constraints"].to_string().contains("EXCLUDE"),
        "{calibrations}"
    );
}

#[test]
fn s3_and_chained_datastores_hold_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let server = S3Server::start(&["bucket"]);
    for (kind, files) in [
        ("s3", "s3://bucket/plain/"),
        ("chained", "s3://bucket/chained/"),
    ] {
        let root = dir.path().join(kind).join("repo");
        let made = make(&root)
            .args([
                "--datastore",
                kind,
                "--s3",
                files,
                "--data",
                "base.yaml,datasets.yaml",
            ])
            .envs(server.environment())
            .run();
        let checked = Script::new("check_repo.py")
            .arg(&root)
            .envs(server.environment())
            .run();
        assert_sound(&made, &checked);
    }
    let object = "plain/files/put/an_int/an_int_Cam1_files_put.json";
    assert_eq!(
        std::fs::read_to_string(server.object_file("bucket", object)).unwrap(),
        "42"
    );
}

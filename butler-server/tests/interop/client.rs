//! The reference's `RemoteButler` says of a repository what its `DirectButler` says, and the reference's own tests of
//! registries and queries pass with a `HybridButler`: Python writes, the server reads.

use butler_tests::postgres;
use butler_tests::python::Script;

use crate::places::{Database, Place, assert_passed, with_server};

/// What `remote_interop.py` wants in a repository.
const CONTENTS: [&str; 4] = [
    "--data",
    "base.yaml,datasets.yaml,spatial.yaml",
    "--with-files",
    "--python-formats",
];

/// How many tests `remote_interop.py` has at least; fewer means that they were not found.
const INTEROP_TESTS: usize = 55;

/// How many of these are about files.
const FILE_TESTS: usize = 22;

/// How many tests `cadc_interop.py` has at least.
const CADC_TESTS: usize = 3;

/// How many tests of the reference apply.
const REFERENCE_TESTS: usize = 82;

#[test]
fn client_agrees_with_a_direct_butler_over_files_on_disk_and_sqlite() {
    let place = Place::on_disk(Database::Sqlite, &CONTENTS);
    let outcomes = place.script("remote_interop.py").arg(place.root()).run();
    assert_passed(&outcomes, INTEROP_TESTS);
}

#[test]
fn client_agrees_with_a_direct_butler_over_objects_in_s3_and_postgres() {
    let place = Place::in_buckets(Database::Postgres, "s3", &CONTENTS);
    let outcomes = place.script("remote_interop.py").arg(place.root()).run();
    assert_passed(&outcomes, INTEROP_TESTS);
}

#[test]
fn client_agrees_with_a_direct_butler_over_four_buckets_with_credentials_of_their_own() {
    let contents = [&CONTENTS[..], &["--zip"]].concat();
    let place = Place::in_four_buckets(Database::Postgres, &contents);
    let outcomes = place.script("remote_interop.py").arg(place.root()).run();
    assert_passed(&outcomes, INTEROP_TESTS);
}

#[test]
fn client_finds_objects_behind_signatures_of_version_2() {
    let contents = [&CONTENTS[..], &["--zip"]].concat();
    let place = Place::in_buckets(Database::Sqlite, "s3", &contents)
        .with_variable("DAF_BUTLER_SERVER_S3_SIGNATURE_VERSION", "v2");
    let outcomes = place
        .script("remote_interop.py")
        .arg(place.root())
        .arg("Files")
        .run();
    assert_passed(&outcomes, FILE_TESTS);
}

#[test]
fn client_reads_from_a_storage_that_asks_for_its_token() {
    let place = Place::on_disk(Database::Sqlite, &CONTENTS);
    let outcomes = place.script("cadc_interop.py").arg(place.root()).run();
    assert_passed(&outcomes, CADC_TESTS);
}

#[test]
fn tests_of_the_reference_pass_on_sqlite() {
    let outcomes = with_server(Script::new("reference_suites.py")).run();
    assert_passed(&outcomes, REFERENCE_TESTS);
}

#[test]
fn tests_of_the_reference_pass_on_postgres() {
    let script = Script::new("reference_suites.py").args(["--db", &postgres::url()]);
    assert_passed(&with_server(script).run(), REFERENCE_TESTS);
}

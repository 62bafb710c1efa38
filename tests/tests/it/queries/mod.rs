//! Random questions of `query_cases.py` have the same answers as those of the reference.
//!
//! `BUTLER_QUERY_SEED` and `BUTLER_QUERY_COUNT` ask others, and so many in each test.

use std::path::Path;

use butler_core::butler::Butler;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::python::Script;
use serde_json::Value;

use crate::latiss;
use crate::repos::Place;

mod answers;
mod big;
mod compare;
mod rows;

pub(crate) use compare::{error_name, sorted};
pub(crate) use rows::rows;

pub(crate) async fn check(butler: &Butler, cases: &[Value]) {
    let mut wrong = Vec::new();
    for case in cases {
        let found = answers::answer(butler, case).await;
        if let Some(difference) = compare::compare(case, &found) {
            wrong.push(format!("case {}: {difference}", case["id"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// The setting of a name, or what is set for the tests that always run.
fn setting(name: &str, usual: u32) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_string())
}

/// Asks both implementations so many questions of a repository.
async fn compare_answers(root: &Path, world: &[&str], seed: u32, count: u32) {
    let cases = Script::new("query_cases.py")
        .arg(root)
        .args(world)
        .args(["--seed", &setting("BUTLER_QUERY_SEED", seed)])
        .args(["--count", &setting("BUTLER_QUERY_COUNT", count)])
        .run();
    let options = OpenOptions::default();
    let butler = DirectButler::open(root.to_str().unwrap(), options);
    let butler = butler.await.unwrap();
    check(&butler.reader(), cases["cases"].as_array().unwrap()).await;
    butler.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_have_the_same_answers_on_sqlite() {
    let place = Place::sqlite();
    place.create_by_reference(&[]);
    compare_answers(&place.root(), &["--prepare"], 1, 600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_have_the_same_answers_on_postgres() {
    let place = Place::postgres();
    place.create_by_reference(&[]);
    compare_answers(&place.root(), &["--prepare"], 2, 600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_have_the_same_answers_with_dataset_tables_of_version_1() {
    for (place, seed) in Place::both().iter().zip(3..) {
        place.create_by_reference(&["--datasets", "1.0.0"]);
        compare_answers(&place.root(), &["--prepare"], seed, 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_of_many_datasets_have_the_same_answers_on_sqlite() {
    let place = Place::sqlite();
    big::create(&place).await;
    compare_answers(&place.root(), &["--world", "big"], 5, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_of_many_datasets_have_the_same_answers_on_postgres() {
    let place = Place::postgres();
    big::create(&place).await;
    compare_answers(&place.root(), &["--world", "big"], 6, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_of_an_older_universe_have_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let root = latiss::copy(dir.path());
    compare_answers(&root, &["--world", "latiss"], 7, 100).await;
}

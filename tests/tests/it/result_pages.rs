//! Pages of results travel in the form that the reference gives them: those of `result_pages.py`.

use std::sync::Arc;

use butler_core::butler::{ButlerDefaults, DefaultsOptions};
use butler_core::query::wire::QueryInputs;
use butler_core::query::{QueryDriver, ResultSpec};
use butler_core::wire::pages::{PageReader, write_page};
use butler_direct::DirectButler;
use butler_direct::registry::query::SqlQueryDriver;
use butler_tests::python::Script;
use futures::TryStreamExt;
use serde_json::{Value, json};

use crate::repos::Place;

/// The pages of an answer as one, with the rows and records in a defined order.
fn merged<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Value {
    let mut rows = Vec::new();
    let mut rest = Value::Null;
    for line in lines {
        let mut page: Value = serde_json::from_slice(line).unwrap();
        let Value::Array(more) = page["rows"].take() else {
            panic!("{page} has no rows");
        };
        rows.extend(more.into_iter().map(|row| text(&row)));
        for records in page["dimension_records"]
            .as_object_mut()
            .into_iter()
            .flatten()
        {
            records.1.as_array_mut().unwrap().sort_by_key(text);
        }
        rest = page;
    }
    rows.sort();
    json!([rest, rows])
}

/// Text in which the order of keys is as it was sent.
fn text(value: &Value) -> String {
    value.to_string()
}

async fn answer(butler: &DirectButler, case: &Value) -> (ResultSpec, Vec<Vec<u8>>) {
    let universe = butler.universe();
    let inputs = QueryInputs::from_value(&case["query"], universe).unwrap();
    let spec = ResultSpec::from_value(&case["result_spec"], universe).unwrap();
    let defaults = ButlerDefaults::resolve(butler.registry(), DefaultsOptions::default());
    let defaults = Arc::new(defaults.await.unwrap());
    let driver = SqlQueryDriver::new(butler.registry().clone(), defaults);
    let pages: Vec<_> = driver
        .execute(&spec, &inputs.tree)
        .try_collect()
        .await
        .unwrap();
    let written = pages.iter().map(|page| {
        let mut line = Vec::new();
        write_page(page, &mut line);
        line
    });
    (spec, written.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_all_kinds_have_the_form_of_the_reference_and_are_read_again() {
    for place in Place::both() {
        place.create_by_reference(&["--with-files"]);
        let expected = Script::new("result_pages.py").arg(place.root()).run();
        let butler = place.open().await;
        for case in expected["cases"].as_array().unwrap() {
            let (spec, ours) = answer(&butler, case).await;
            let theirs = case["pages"].as_array().unwrap().iter();
            let theirs: Vec<&[u8]> = theirs
                .map(|line| line.as_str().unwrap().as_bytes())
                .collect();
            let what = &case["result_spec"];
            let expected = merged(theirs.iter().copied());
            assert_eq!(merged(ours.iter().map(Vec::as_slice)), expected, "{what}");

            let mut reader = PageReader::new(&spec).unwrap();
            let again = theirs.iter().map(|line| {
                let mut again = Vec::new();
                write_page(&reader.read(line).unwrap().unwrap(), &mut again);
                again
            });
            let again: Vec<Vec<u8>> = again.collect();
            assert_eq!(
                merged(again.iter().map(Vec::as_slice)),
                expected,
                "{what}, read"
            );
        }
        butler.close().await;
    }
}

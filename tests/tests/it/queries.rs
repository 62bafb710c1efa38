//! Queries have the same answers as those of the reference: random ones of `query_cases.py`.

use std::collections::BTreeMap;

use butler_core::butler::{Butler, DefaultsOptions};
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{DataCoordinate, DimensionRecord};
use butler_core::error::{Error, Result};
use butler_core::query::wire::QueryInputs;
use butler_core::query::{ResultPage, ResultSpec};
use butler_tests::canonical::differences;
use butler_tests::python::Script;
use futures::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::repos::Place;

fn data_id_json(data_id: &DataCoordinate) -> Map<String, Value> {
    let mapping: Map<String, Value> = data_id
        .mapping()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut found = Map::from_iter([("data_id".to_owned(), Value::Object(mapping))]);
    if data_id.has_records() {
        let records: Map<String, Value> = data_id
            .dimensions()
            .elements()
            .iter()
            .map(|name| {
                let record = data_id.record(name).map(|record| record_json(record));
                ((*name).to_owned(), json!(record))
            })
            .collect();
        found.insert("records".to_owned(), Value::Object(records));
    }
    found
}

fn record_json(record: &DimensionRecord) -> Value {
    record
        .fields()
        .map(|(column, value)| (column.name.to_string(), value.to_json()))
        .collect()
}

fn dataset_json(dataset: &DatasetRef) -> Value {
    let mut found = data_id_json(dataset.data_id());
    let dataset_type = dataset.dataset_type();
    found.insert("id".to_owned(), json!(dataset.id()));
    found.insert("run".to_owned(), json!(dataset.run()));
    found.insert("dataset_type".to_owned(), json!(&**dataset_type.name()));
    let class = &**dataset_type.storage_class_name();
    found.insert("storage_class".to_owned(), json!(class));
    Value::Object(found)
}

pub(crate) fn rows(page: &ResultPage) -> Vec<Value> {
    match page {
        ResultPage::DataCoordinates(rows) => {
            let rows = rows.iter();
            rows.map(|row| Value::Object(data_id_json(row))).collect()
        }
        ResultPage::DimensionRecords(rows) => rows.iter().map(|row| record_json(row)).collect(),
        ResultPage::DatasetRefs(rows) => rows.iter().map(dataset_json).collect(),
        ResultPage::General { rows, .. } => {
            let row = |row: &Vec<butler_core::dimensions::ColumnValue>| {
                row.iter().map(|value| value.to_json()).collect()
            };
            rows.iter().map(row).collect()
        }
    }
}

/// The records that come with pages of general results, by element, each once.
fn page_records(pages: &[ResultPage]) -> Value {
    let mut found: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for page in pages {
        let ResultPage::General {
            dimension_records: Some(sets),
            ..
        } = page
        else {
            continue;
        };
        for set in sets {
            let known = found.entry(set.element().name()).or_default();
            for record in set.iter() {
                let record = record_json(record);
                known.insert(record.to_string(), record);
            }
        }
    }
    let records = found.into_iter();
    let records = records.map(|(name, records)| {
        let records = records.into_values().collect::<Vec<_>>();
        (name.to_owned(), Value::from(records))
    });
    Value::Object(records.collect())
}

/// What the library says to a case.
pub(crate) async fn answer(butler: &Butler, case: &Value) -> Result<Value> {
    let universe = butler.universe();
    let inputs = QueryInputs::from_value(&case["query"], universe)?;
    let spec = ResultSpec::from_value(&case["result_spec"], universe)?;
    let options = DefaultsOptions {
        data_id: inputs
            .default_data_id
            .mapping()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect(),
        ..DefaultsOptions::default()
    };
    let query = butler.with_defaults(options).await?.query()?;
    let driver = query.driver();
    for input in &inputs.additional_query_inputs {
        driver.add_input(input).await?;
    }
    let option = |name: &str| case["options"][name].as_bool().unwrap();
    Ok(match case["question"].as_str().unwrap() {
        "execute" => {
            let pages: Vec<ResultPage> = driver.execute(&spec, &inputs.tree).try_collect().await?;
            if let Some(expected) = case.get("records") {
                let found = page_records(&pages);
                let wrong = differences(expected, &found);
                if !wrong.is_empty() {
                    return Err(Error::Internal(format!("the records differ: {wrong:?}")));
                }
            }
            Value::Array(pages.iter().flat_map(rows).collect())
        }
        "count" => {
            let (exact, discard) = (option("exact"), option("discard"));
            json!(driver.count(&inputs.tree, &spec, exact, discard).await?)
        }
        "any" => {
            let (execute, exact) = (option("execute"), option("exact"));
            json!(driver.any(&inputs.tree, execute, exact).await?)
        }
        _ => {
            let execute = option("execute");
            let mut messages = driver.explain_no_results(&inputs.tree, execute).await?;
            messages.sort();
            json!(messages)
        }
    })
}

/// The name that an error has in the reference.
pub(crate) fn error_name(error: &Error) -> String {
    match error {
        Error::InvalidQuery(_) => "InvalidQueryError".to_owned(),
        Error::UnimplementedQuery(_) => "UnimplementedQueryError".to_owned(),
        Error::CalibrationLookup(_) => "CalibrationLookupError".to_owned(),
        Error::MissingDatasetType(_) => "MissingDatasetTypeError".to_owned(),
        Error::MissingCollection(_) => "MissingCollectionError".to_owned(),
        Error::EmptyQueryResult(_) => "EmptyQueryResultError".to_owned(),
        Error::DimensionName(_) => "DimensionNameError".to_owned(),
        other => format!("{other:?}"),
    }
}

fn sorted(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    let mut rows: Vec<String> = rows.map(|row| canonical(row).to_string()).collect();
    rows.sort();
    rows
}

/// The same with sorted keys of objects.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .map(|(k, v)| (k.clone(), canonical(v)))
                .collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Whether the reference gave up where nothing is wrong with the query; `docs/queries.md` lists why.
fn is_fault_of_reference(error: &Value) -> bool {
    let detail = error["detail"].as_str().unwrap();
    match error["type"].as_str().unwrap() {
        "OperationalError" => {
            detail.contains("ambiguous column name") || detail.contains("misuse of aggregate")
        }
        "ProgrammingError" => {
            detail.contains("DuplicateAlias") || detail.contains("calls cannot be nested")
        }
        "NotImplementedError" => detail.contains("ANY_VALUE"),
        // One group of no rows, of which the region is NULL.
        "TypeError" => detail.starts_with("decodeOverlapsBase64()"),
        "AttributeError" => detail == "'NoneType' object has no attribute 'overlaps'",
        // A pixelization that cannot do with the union of regions.
        // The validity ranges of datasets that are in no CALIBRATION collection.
        "KeyError" => detail.contains("not in disjoin set"),
        "ValueError" => detail == "Invalid region.",
        _ => false,
    }
}

/// What is wrong with an answer.
fn compare(case: &Value, found: &Result<Value>) -> Option<String> {
    let found = match (found, case.get("error")) {
        // Before version 16, PostgreSQL cannot pick any value of a group. There the reference groups
        // by all of them, and does not see that several calibrations match.
        (Err(Error::CalibrationLookup(_)), None) if case["any_value"] == false => return None,
        (Err(error), None) => return Some(format!("an error: {error:?}")),
        (_, Some(error)) if is_fault_of_reference(error) => return None,
        (Ok(found), Some(error)) => {
            let found = found.to_string().chars().take(300).collect::<String>();
            return Some(format!("no error {error}, but {found}"));
        }
        (Err(found), Some(error)) => {
            let name = error_name(found);
            return (error["type"] != *name).then(|| format!("not {error}, but {name}: {found}"));
        }
        (Ok(found), None) => found,
    };
    let expected = &case["answer"];
    let materialized = case["query"]["tree"]["materializations"]
        .as_object()
        .unwrap();
    if case["options"]["exact"] == false && !materialized.is_empty() {
        // Overlaps of materialized queries are decided here when these are made, and by the
        // reference when they are used; so our bounds are closer.
        let bound = |value: &Value| value.as_u64().or(value.as_bool().map(u64::from));
        let (ours, theirs) = (bound(found).unwrap(), bound(expected).unwrap());
        return (ours > theirs).then(|| format!("not at most {theirs}, but {ours}"));
    }
    if case["question"] != "execute" {
        return (found != expected).then(|| format!("not {expected}, but {found}"));
    }
    let (ours, theirs) = (sorted(found), sorted(expected));
    if let Some(all) = case.get("all") {
        // Which rows come back is not defined, only how many.
        let all = sorted(all);
        let unknown = ours.iter().find(|row| all.binary_search(row).is_err());
        if let Some(unknown) = unknown {
            return Some(format!("unknown row {unknown}"));
        }
        let (ours, theirs) = (ours.len(), theirs.len());
        return (ours != theirs).then(|| format!("not {theirs} rows, but {ours}"));
    }
    if ours != theirs {
        let few = |rows: Vec<&String>| rows.into_iter().take(3).cloned().collect::<Vec<_>>();
        let lacking = few(theirs
            .iter()
            .filter(|r| ours.binary_search(r).is_err())
            .collect());
        let excess = few(ours
            .iter()
            .filter(|r| theirs.binary_search(r).is_err())
            .collect());
        return Some(format!(
            "not {} rows, but {}; lacking {lacking:?}; in excess {excess:?}",
            theirs.len(),
            ours.len()
        ));
    }
    let ordered = case["order"].as_bool().unwrap();
    (ordered && found != expected).then(|| "another order".to_owned())
}

pub(crate) async fn check(butler: &Butler, cases: &[Value]) {
    let mut wrong = Vec::new();
    for case in cases {
        let found = answer(butler, case).await;
        if let Some(difference) = compare(case, &found) {
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

/// How many cases of each database are asked by the tests that always run.
const CASES: &str = "500";

async fn check_random(place: Place, seed: &str) {
    place.create_by_reference(&[]);
    let cases = Script::new("query_cases.py")
        .arg(place.root())
        .args(["--prepare", "--seed", seed, "--count", CASES])
        .run();
    let butler = place.open().await;
    check(&butler.reader(), cases["cases"].as_array().unwrap()).await;
    butler.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_have_the_same_answers_on_sqlite() {
    check_random(Place::sqlite(), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_have_the_same_answers_on_postgres() {
    check_random(Place::postgres(), "2").await;
}

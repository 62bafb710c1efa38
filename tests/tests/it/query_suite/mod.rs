//! The cases of `cases/`: both implementations give what is stated there.

use std::collections::BTreeMap;
use std::path::Path;

use butler_core::butler::{Butler, DefaultsOptions};
use butler_core::error::{Error, Result};
use butler_tests::python::Script;
use serde_json::{Value, json};

use crate::queries::{error_name, sorted};
use crate::repos::Place;
use crate::values::{data_id, entries, texts};

mod fluent;
mod rows;
mod simple;
mod values;

use rows::Shown;

/// Texts, if they are not left out.
fn given_texts(value: &Value) -> Option<Vec<String>> {
    value.is_array().then(|| texts(value))
}

/// What the library answers, as `query_suite.py` says it for the reference.
async fn answer(butler: &Butler, case: &Value) -> Result<Value> {
    let shown = Shown::new(case);
    if case.get("simple").is_some() {
        let rows = simple::ask(butler, &case["simple"]).await?;
        return Ok(json!({"rows": shown.project(&rows)}));
    }
    let asked = fluent::ask(butler, &case["query"]).await?;
    let mut found = json!({"rows": shown.project(&asked.rows().await?)});
    if case["rows_only"] != true {
        found["counts"] = asked.counts().await;
        found["any"] = asked.any().await;
        found["reasons"] = asked.reasons().await?;
    }
    Ok(found)
}

fn failure(error: &Error) -> Value {
    json!({"type": error_name(error), "detail": error.to_string()})
}

fn outcome(answer: Result<Value>) -> Value {
    answer.unwrap_or_else(|error| json!({"error": failure(&error)}))
}

/// What is wrong with an outcome. `kind` names the key under which the case has the kind of error.
fn faults(case: &Value, outcome: &Value, kind: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(expected) = case.get(kind).or(case.get("error")) {
        let error = &outcome["error"];
        let fits = error["type"]
            .as_str()
            .is_some_and(|name| name.starts_with(expected.as_str().unwrap()));
        let says = case["says"].as_str().unwrap_or_default();
        let said = error["detail"].as_str().unwrap_or_default().contains(says);
        if !fits || !said {
            wrong.push(format!("not {expected} with '{says}', but {outcome}"));
        }
        return wrong;
    }
    if outcome.get("error").is_some() {
        return vec![outcome.to_string()];
    }
    let expected = match (case.get("n"), &case["rows"]) {
        (Some(n), _) => n.clone(),
        (None, rows) if case["ordered"] == true => rows.clone(),
        (None, rows) => sorted(rows).into(),
    };
    let found = match (&outcome["rows"], case["ordered"] == true) {
        (rows @ Value::Array(_), false) => sorted(rows).into(),
        (rows, _) => rows.clone(),
    };
    if found != expected {
        wrong.push(format!("not {expected}, but {found}"));
    }
    if case.get("simple").is_none() && case["rows_only"] != true {
        let n = expected.as_u64();
        let n = n.unwrap_or_else(|| expected.as_array().unwrap().len() as u64);
        wrong.extend(faults_of_numbers(case, outcome, n));
    }
    wrong
}

/// What is wrong with the numbers of rows, whether there are any, and why not.
fn faults_of_numbers(case: &Value, outcome: &Value, n: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let doomed = case["doomed"] == true;
    let counts = outcome["counts"].as_array().unwrap();
    if case["postprocessing"] == true && !doomed {
        let refused = |value: &Value| {
            let detail = value["detail"].as_str();
            detail.is_some_and(|detail| detail.starts_with("Cannot count query rows"))
        };
        let at_least = |value: &Value| value.as_u64().is_some_and(|count| count >= n);
        if counts[0] != n || !refused(&counts[1]) || !counts[2..].iter().all(at_least) {
            wrong.push(format!("counts {counts:?} of {n} rows"));
        }
    } else if counts.iter().any(|count| *count != n) {
        wrong.push(format!("counts {counts:?}, not {n}"));
    }
    let any = outcome["any"].as_array().unwrap();
    let refused = any[3]["detail"].as_str().unwrap_or_default();
    let fits = match doomed {
        true => any.iter().all(|any| *any == false),
        false => any[2] == true && refused.starts_with("Cannot obtain exact"),
    };
    if any[0] != (n > 0) || !fits {
        wrong.push(format!("any {any:?} for {n} rows"));
    }
    let mut reasons = texts(&case["reasons"]);
    reasons.sort();
    if outcome["reasons"] != json!(reasons) {
        wrong.push(format!("reasons {}, not {reasons:?}", outcome["reasons"]));
    }
    wrong
}

/// The document of one of the files of `cases/`.
fn document(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    let document = butler_core::yaml::parse(&text);
    let document = document.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    document.to_json()
}

/// The repositories of the cases, and all groups.
fn cases() -> (Value, Vec<Value>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| !file.ends_with("repositories.yaml"));
    files.sort();
    let documents = files.iter().map(|file| document(file));
    let groups = documents.flat_map(|groups| groups.as_array().unwrap().clone());
    (
        document(&folder.join("repositories.yaml")),
        groups.collect(),
    )
}

fn make_and_answer_by_reference(
    repositories: &Value,
    groups: &[Value],
    places: &BTreeMap<String, Place>,
) -> Vec<Value> {
    let place = |place: &Place| {
        let schema = place.schema();
        json!({
            "root": place.root(),
            "db": schema.map(|schema| schema.url()),
            "namespace": schema.map(|schema| schema.name()),
        })
    };
    let places: Value = places.iter().map(|(n, p)| (n.clone(), place(p))).collect();
    let input = json!({"repositories": repositories, "groups": groups, "places": places});
    let answers = Script::new("query_suite.py").input(&input).run();
    answers["answers"].as_array().unwrap().clone()
}

async fn check(place: fn() -> Place) {
    let (repositories, groups) = cases();
    let names = entries(&repositories).map(|(name, _)| name.clone());
    let places: BTreeMap<String, Place> = names.map(|name| (name, place())).collect();
    let by_reference = make_and_answer_by_reference(&repositories, &groups, &places);
    let mut by_reference = by_reference.iter();
    let mut butlers = BTreeMap::new();
    for (name, place) in &places {
        butlers.insert(name.as_str(), place.open().await);
    }
    let mut wrong = Vec::new();
    for group in &groups {
        let butler = butlers[group["repository"].as_str().unwrap()].reader();
        let defaults = DefaultsOptions {
            collections: given_texts(&group["defaults"]["collections"]),
            infer: false,
            data_id: data_id(&group["defaults"]["data_id"]).collect(),
            ..DefaultsOptions::default()
        };
        let butler = butler.with_defaults(defaults).await.unwrap();
        for case in group["cases"].as_array().unwrap() {
            let ours = outcome(answer(&butler, case).await);
            let theirs = by_reference.next().unwrap();
            let ours = faults(case, &ours, "error").into_iter();
            let theirs = faults(case, theirs, "error_in_reference").into_iter();
            let ours = ours.map(|fault| format!("library: {fault}"));
            let theirs = theirs.map(|fault| format!("reference: {fault}"));
            for fault in ours.chain(theirs) {
                wrong.push(format!("{} | {} | {fault}", group["of"], case["name"]));
            }
        }
    }
    for butler in butlers.into_values() {
        butler.close().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_of_the_reference_hold_on_sqlite() {
    check(Place::sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_of_the_reference_hold_on_postgres() {
    check(Place::postgres).await;
}

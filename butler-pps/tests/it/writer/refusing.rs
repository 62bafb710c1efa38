//! What becomes of messages that are wrong.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::Message as _;
use rdkafka::message::{Headers as _, OwnedMessage};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fixture::{Embargo, dataset, dataset_type, event};
use crate::kafka::{read_all, send};

fn header(message: &OwnedMessage, name: &str) -> String {
    let headers = message.headers().unwrap();
    let found = headers.iter().find(|header| header.key == name);
    let value = found.and_then(|header| header.value).unwrap();
    String::from_utf8(value.to_vec()).unwrap()
}

/// Messages that cannot be ingested, by a part of the reason that is given, after the stage.
fn wrong(embargo: &Embargo, taken: Uuid) -> BTreeMap<&'static str, String> {
    let new = Uuid::now_v7;
    embargo.write_file("images/wrong.yaml", "wrong: true\n");
    let there = "images/wrong.yaml";
    let one = |dataset: Value| event(1, 1, vec![dataset]);
    let mut other_type = one(dataset(new(), "other", 1, 0, there));
    other_type["dataset_types"] = json!([{"name": "other", "storageClass": "StructuredDataDict",
        "dimensions": ["instrument", "no_such_dimension"]}]);
    let mut changed_type = one(dataset(new(), "image", 1, 0, there));
    changed_type["dataset_types"][0]["storageClass"] = json!("ArrowTable");
    let mut unknown_record = one(dataset(new(), "image", 1, 0, there));
    unknown_record["dimension_records"] = json!([{"definition": "exposure", "record": {"id": 3}}]);
    let mut without_records = event(77, 1, vec![dataset(new(), "image", 77, 0, there)]);
    without_records["dimension_records"] = json!([]);
    let mut impossible = event(78, 1, vec![]);
    impossible["dimension_records"][4]["record"]["target_name"] = json!("nul\u{0}");
    impossible["datasets"] = json!([dataset(new(), "image", 78, 0, there)]);
    let mut empty_file = one(dataset(new(), "image", 1, 0, there));
    empty_file["datasets"][0]["refs"] = json!({});
    let values = [
        ("parse expected ident", Value::String("no JSON".into())),
        (
            "parse pp-output",
            json!({"type": "x", "dimension_records": [], "datasets": []}),
        ),
        (
            "parse missing field",
            json!({"type": "pp-output", "datasets": []}),
        ),
        ("parse no_such_dimension", other_type),
        ("parse exposure", unknown_record),
        (
            "parse no_such_type",
            one(dataset(new(), "no_such_type", 1, 0, there)),
        ),
        ("parse holds no dataset", empty_file),
        // The same type, data ID and run under another ID.
        ("ingest dataset", one(dataset(new(), "image", 1, 0, there))),
        // The same ID with another data ID.
        (
            "ingest another data ID",
            one(dataset(taken, "image", 1, 0, "images/1/0.yaml")),
        ),
        ("ingest not compatible", changed_type),
        ("ingest dimension record", without_records),
        (
            "ingest not found",
            one(dataset(new(), "image", 1, 0, "images/nowhere.yaml")),
        ),
        (
            "ingest leads out",
            one(dataset(new(), "image", 1, 0, "../../outside.yaml")),
        ),
    ];
    let mut messages: BTreeMap<&str, String> = values
        .into_iter()
        .map(|(reason, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (reason, text)
        })
        .collect();
    messages.insert("ingest impossible", impossible.to_string());
    messages
}

async fn set_aside(embargo: Embargo, impossible_is_refused: bool) {
    let (first, first_ids) = embargo.message(1, 2);
    let (second, second_ids) = embargo.message(2, 2);
    let (third, third_ids) = embargo.message(3, 2);
    let mut wrong = wrong(&embargo, second_ids[0]);
    if !impossible_is_refused {
        wrong.remove("ingest impossible");
    }
    let mut messages = vec![first.to_string()];
    for (place, message) in wrong.values().enumerate() {
        messages.push(message.clone());
        if place == wrong.len() / 2 {
            messages.push(second.to_string());
        }
    }
    // What comes second with an ID is wrong, so the right ones come first.
    messages.insert(1, second.to_string());
    messages.push(third.to_string());
    send(&embargo.servers, &embargo.input(), &messages);
    let writer = embargo.spawn();
    let all: BTreeSet<Uuid> = [first_ids, second_ids, third_ids]
        .concat()
        .into_iter()
        .collect();
    let told = embargo.wait_for_datasets(all.len()).await;
    assert_eq!(told.into_iter().collect::<BTreeSet<Uuid>>(), all);
    embargo.assert_holds(&all).await;
    assert_eq!(embargo.announced().await.len(), 1, "{}", writer.log());

    let dead = read_all(&embargo.servers, &embargo.dead()).await;
    let mut given: BTreeMap<String, &OwnedMessage> = BTreeMap::new();
    for message in &dead {
        let payload = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        given.insert(payload, message);
        assert_eq!(header(message, "dead-letter-topic"), embargo.input());
        let offset: usize = header(message, "dead-letter-offset").parse().unwrap();
        assert_eq!(messages[offset].as_bytes(), message.payload().unwrap());
    }
    assert_eq!(given.len(), wrong.len());
    let mut surprises = Vec::new();
    for (expected, message) in &wrong {
        let letter = given[message];
        let stage = header(letter, "dead-letter-stage");
        let reason = header(letter, "dead-letter-reason");
        let (expected_stage, words) = expected.split_once(' ').unwrap();
        // Databases have their own words for it.
        let told = words == "impossible" || reason.contains(words);
        if stage != expected_stage || !told {
            surprises.push(format!("{expected}: {stage} {reason}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_are_set_aside_and_the_others_ingested_on_sqlite() {
    set_aside(Embargo::sqlite().await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_are_set_aside_and_the_others_ingested_on_postgresql() {
    set_aside(Embargo::postgres().await, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_the_repository_knows_need_not_come_along() {
    let embargo = Embargo::sqlite().await;
    let (first, _) = embargo.message(1, 1);
    let (mut second, _) = embargo.message(2, 1);
    second["dataset_types"] = json!([]);
    let mut unused = embargo.message(3, 1).0;
    unused["dataset_types"] = json!([dataset_type("image"), dataset_type("unused")]);
    send(&embargo.servers, &embargo.input(), [first]);
    let _writer = embargo.spawn();
    embargo.wait_for_datasets(1).await;
    send(&embargo.servers, &embargo.input(), [second, unused]);
    embargo.wait_for_datasets(3).await;
    assert!(read_all(&embargo.servers, &embargo.dead()).await.is_empty());
}

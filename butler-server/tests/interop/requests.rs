//! Requests of every route, sound and unsound, for a repository of `make_repo.py`.

use serde_json::{Value, json};
use uuid::Uuid;

/// A request to a repository.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Below the repository's URL.
    pub(crate) path: String,
    pub(crate) body: Body,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// Sent as JSON, whatever it is.
    Text(&'static str),
}

fn get(path: impl Into<String>) -> Request {
    Request {
        method: "GET",
        path: path.into(),
        body: Body::Empty,
    }
}

pub(crate) fn post(path: &str, body: Value) -> Request {
    Request {
        method: "POST",
        path: path.to_owned(),
        body: Body::Json(body),
    }
}

/// The object without one of its members.
fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member);
    object
}

/// The object with a member changed.
fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

/// The object, then each way in which it can be wrong: a member missing, null, or of another type.
fn and_unsound(path: &str, sound: &Value) -> Vec<Request> {
    let mut requests = vec![post(path, sound.clone())];
    for name in sound.as_object().unwrap().keys() {
        requests.push(post(path, without(sound.clone(), name)));
        for wrong in [
            json!(null),
            json!(1.5),
            json!("text"),
            json!([[]]),
            json!({"a": [1]}),
        ] {
            requests.push(post(path, with(sound.clone(), name, wrong)));
        }
    }
    let texts = [
        "",
        " ",
        "{",
        "[1,2",
        "{\"a\":1,}",
        "{} x",
        "[]",
        "null",
        "\"text\"",
    ];
    requests.extend(texts.map(|text| Request {
        method: "POST",
        path: path.to_owned(),
        body: Body::Text(text),
    }));
    requests
}

/// Requests that do not query, given datasets with and without files.
pub(crate) fn lookups(stored: &[Uuid], fileless: &[Uuid]) -> Vec<Request> {
    let unknown = Uuid::from_u128(7);
    let mut requests = vec![get("butler.yaml"), get("butler.json"), get("v1/universe")];
    for name in ["bias", "nothing", "metrics_apart.summary", "a%20b", "a%2Fb"] {
        requests.push(get(format!("v1/dataset_type/{name}")));
    }
    for id in stored.iter().chain(fileless).chain([&unknown]) {
        requests.push(get(format!("v1/dataset/{id}")));
        requests.push(get(format!("v1/dataset/{id}?dimension_records=true")));
        requests.push(get(format!("v1/get_file/{id}")));
        requests.push(get(format!("v1/dataset/{id}/download")));
        requests.push(get(format!("v1/dataset/{id}/download?component=summary")));
    }
    let id = stored[0];
    for path in [
        "v1/dataset/nonsense".to_owned(),
        "v1/get_file/nonsense".to_owned(),
        "v1/dataset/nonsense/download".to_owned(),
        format!("v1/dataset/{id}?dimension_records=nonsense"),
        format!("v1/dataset/{id}?dimension_records=1"),
        format!("v1/dataset/{}", id.simple()),
        format!("v1/dataset/{{{id}}}"),
        format!("v1/dataset/{}", id.to_string().to_uppercase()),
        "v1/nothing".to_owned(),
        "v2/universe".to_owned(),
        "v1/datasets".to_owned(),
        "v1/find_dataset".to_owned(),
    ] {
        requests.push(get(path));
    }
    requests.push(post("v1/universe", json!({})));
    let some: Vec<Uuid> = stored.iter().chain(fileless).copied().collect();
    let too_many: Vec<Uuid> = (0..10_001).map(Uuid::from_u128).collect();
    for path in ["v1/datasets", "v1/file_transfer"] {
        requests.extend(and_unsound(path, &json!({"dataset_ids": some})));
        requests.push(post(path, json!({"dataset_ids": []})));
        requests.push(post(path, json!({"dataset_ids": [unknown, id, id]})));
        requests.push(post(path, json!({"dataset_ids": ["nonsense"]})));
        requests.push(post(path, json!({"dataset_ids": too_many})));
        requests.push(post(path, json!({"dataset_ids": [id], "more": 1})));
    }
    requests
}

/// Requests that find datasets by their data IDs.
pub(crate) fn finding() -> Vec<Request> {
    let found = json!({
        "dataset_type": "bias",
        "data_id": {"instrument": "Cam1", "detector": 3},
        "default_data_id": {},
        "collections": ["chain"],
        "timespan": null,
        "dimension_records": false,
    });
    let file = json!({
        "dataset_type": "dict_yaml",
        "data_id": {"instrument": "Cam1", "detector": 2},
        "default_data_id": {"instrument": "Cam1"},
        "collections": ["files"],
        "timespan": null,
    });
    let mut requests = and_unsound("v1/find_dataset", &found);
    requests.extend(and_unsound("v1/get_file_by_data_id", &file));
    for data_id in [
        json!({}),
        json!({"detector": 3}),
        json!({"instrument": "Cam1"}),
        json!({"instrument": "Cam1", "detector": 99}),
        json!({"instrument": "Cam9", "detector": 3}),
        json!({"instrument": "Cam1", "detector": "3"}),
        json!({"instrument": "Cam1", "detector": 3.0}),
        json!({"instrument": "Cam1", "detector": true}),
        json!({"instrument": "Cam1", "detector": null}),
        json!({"instrument": "Cam1", "detector": "Ba"}),
        json!({"instrument": "Cam1", "full_name": "Ba"}),
        json!({"instrument": "Cam1", "detector.full_name": "Ba"}),
        json!({"instrument": "Cam1", "raft": "A", "name_in_raft": "b"}),
        json!({"instrument": "Cam1", "detector": 3, "full_name": "Aa"}),
        json!({"instrument": "Cam1", "detector": 3, "physical_filter": "Cam1-G"}),
        json!({"instrument": "Cam1", "detector": 3, "physical_filter": "none"}),
        json!({"instrument": "Cam1", "detector": 3, "visit": 1}),
        json!({"instrument": "Cam1", "detector": 3, "nothing": 1}),
        json!({"instrument": "Cam1", "detector": i64::MAX}),
    ] {
        requests.push(post(
            "v1/find_dataset",
            with(found.clone(), "data_id", data_id.clone()),
        ));
        requests.push(post(
            "v1/get_file_by_data_id",
            with(file.clone(), "data_id", data_id),
        ));
    }
    for (member, value) in [
        ("collections", json!([])),
        ("collections", json!(["no_such"])),
        ("collections", json!(["empty_run"])),
        ("collections", json!(["empty_run", "imported_r"])),
        ("collections", json!(["imported_*"])),
        ("collections", json!(["calibs"])),
        ("collections", json!(["outer"])),
        ("collections", json!("chain")),
        ("dataset_type", json!("nothing")),
        ("dataset_type", json!("bias.component")),
        ("dataset_type", json!("b*")),
        ("timespan", json!([0, 4_102_444_800_000_000_000_i64])),
        (
            "timespan",
            json!([1_580_515_200_000_000_000_i64, 1_580_601_600_000_000_000_i64]),
        ),
        ("timespan", json!([5, 1])),
        ("timespan", json!([5])),
        ("timespan", json!({"begin": 1, "end": 2})),
        ("dimension_records", json!(true)),
        (
            "default_data_id",
            json!({"instrument": "Cam1", "detector": 2}),
        ),
        ("default_data_id", json!({"nothing": 1})),
        ("default_data_id", json!({"skymap": "SkyMap1"})),
    ] {
        requests.push(post(
            "v1/find_dataset",
            with(found.clone(), member, value.clone()),
        ));
        let timed = with(found.clone(), "collections", json!(["calibs"]));
        requests.push(post("v1/find_dataset", with(timed, member, value.clone())));
        if member != "dimension_records" {
            requests.push(post(
                "v1/get_file_by_data_id",
                with(file.clone(), member, value),
            ));
        }
    }
    let defaults = json!({"instrument": "Cam1"});
    let short = with(found, "default_data_id", defaults);
    requests.push(post(
        "v1/find_dataset",
        with(short, "data_id", json!({"detector": 2})),
    ));
    requests.extend(and_unsound(
        "v1/expand_data_id",
        &json!({"data_id": {"instrument": "Cam1", "detector": 1}}),
    ));
    for data_id in [
        json!({}),
        json!({"instrument": "Cam1", "visit": 1, "detector": 2}),
        json!({"skymap": "SkyMap1", "tract": 0, "patch": 3}),
        json!({"htm7": 222_222}),
        json!({"htm7": 1}),
        json!({"instrument": "Cam1", "physical_filter": "Cam1-G"}),
        json!({"instrument": "Cam1", "physical_filter": "Cam1-G", "band": "r"}),
        json!({"instrument": "Cam1", "detector": 99}),
        json!({"instrument": "Cam1", "detector": "1"}),
        json!({"detector": 1}),
        json!({"nothing": 1}),
        json!({"band": "g"}),
        json!({"instrument": 5}),
    ] {
        requests.push(post("v1/expand_data_id", json!({"data_id": data_id})));
    }
    requests
}

/// Requests about collections and dataset types.
pub(crate) fn collections() -> Vec<Request> {
    let mut requests = vec![get("v1/collection_info"), get("v1/collection_summary")];
    for name in [
        "imported_g",
        "tag",
        "calibs",
        "chain",
        "outer",
        "empty_run",
        "empty_chain",
        "no_such",
        "imported_*",
        "",
    ] {
        requests.push(get(format!("v1/collection_info?name={name}")));
        requests.push(get(format!(
            "v1/collection_info?name={name}&include_doc=true&include_parents=true"
        )));
        requests.push(get(format!("v1/collection_summary?name={name}")));
    }
    requests.push(get("v1/collection_info?name=tag&include_doc=nonsense"));
    let search = json!({
        "search": ["*"],
        "collection_types": [1, 2, 3, 4],
        "flatten_chains": false,
        "include_chains": true,
    });
    let info = json!({
        "expression": ["*"],
        "collection_types": [1, 2, 3, 4],
        "flatten_chains": false,
        "include_chains": true,
        "include_parents": true,
        "include_summary": true,
        "include_doc": true,
        "summary_datasets": null,
    });
    requests.extend(and_unsound("v1/query_collections", &search));
    requests.extend(and_unsound("v1/query_collection_info", &info));
    for names in [
        json!([]),
        json!(["imported_*"]),
        json!(["outer"]),
        json!(["tag", "imported_g", "tag"]),
        json!(["no_such"]),
        json!(["no_such*"]),
        json!(["*_?"]),
        json!(["[a-i]*"]),
        json!(["*", "no_such"]),
    ] {
        for flatten in [false, true] {
            for chains in [false, true] {
                let flags = |body: &Value, name: &str| {
                    let body = with(body.clone(), name, names.clone());
                    with(
                        with(body, "flatten_chains", json!(flatten)),
                        "include_chains",
                        json!(chains),
                    )
                };
                requests.push(post("v1/query_collections", flags(&search, "search")));
                requests.push(post("v1/query_collection_info", flags(&info, "expression")));
            }
        }
    }
    for types in [json!([]), json!([1]), json!([3, 4]), json!([9])] {
        requests.push(post(
            "v1/query_collections",
            with(search.clone(), "collection_types", types.clone()),
        ));
        requests.push(post(
            "v1/query_collection_info",
            with(info.clone(), "collection_types", types),
        ));
    }
    for datasets in [
        json!([]),
        json!(["bias"]),
        json!(["bias", "nothing"]),
        json!(["*"]),
    ] {
        requests.push(post(
            "v1/query_collection_info",
            with(info.clone(), "summary_datasets", datasets),
        ));
    }
    requests.extend(and_unsound(
        "v1/query_dataset_types",
        &json!({"search": ["*"]}),
    ));
    for names in [
        json!([]),
        json!(["bias", "dict_*"]),
        json!(["nothing", "flat"]),
        json!(["none*"]),
        json!(["bias.part"]),
        json!(["b?as"]),
    ] {
        requests.push(post("v1/query_dataset_types", json!({"search": names})));
    }
    requests
}

/// Queries of datasets of several types.
pub(crate) fn all_datasets() -> Vec<Request> {
    let sound = json!({
        "collections": ["chain"],
        "name": ["bias", "flat"],
        "find_first": true,
        "data_id": {"instrument": "Cam1"},
        "default_data_id": {},
        "where": "",
        "bind": {},
        "limit": null,
        "with_dimension_records": false,
    });
    let mut requests = and_unsound("v1/query/all_datasets", &sound);
    for (member, value) in [
        ("collections", json!([])),
        ("collections", json!(["no_such"])),
        ("collections", json!(["imported_*"])),
        ("collections", json!(["imported_g", "imported_r"])),
        ("collections", json!(["files"])),
        ("name", json!(["*"])),
        ("name", json!(["nothing"])),
        ("name", json!([])),
        ("find_first", json!(false)),
        ("data_id", json!({"instrument": "Cam9"})),
        ("data_id", json!({"nothing": 1})),
        ("where", json!("detector > 2")),
        ("where", json!("detector = ")),
        ("where", json!("nothing = 1")),
        ("where", json!("detector = 'x'")),
        ("where", json!("instrument = :i")),
        ("limit", json!(2)),
        ("limit", json!(0)),
        ("limit", json!(-2)),
        ("with_dimension_records", json!(true)),
    ] {
        requests.push(post(
            "v1/query/all_datasets",
            with(sound.clone(), member, value),
        ));
    }
    let bound = with(sound, "where", json!("detector = :d"));
    let bind = json!({"d": {"expression_type": "int", "value": 3}});
    requests.push(post("v1/query/all_datasets", with(bound, "bind", bind)));
    requests
}

/// Errors of the reference that are its own faults; its server then sends a stream without a line.
const FAULTS: [&str; 5] = [
    "OperationalError",
    "ProgrammingError",
    "KeyError",
    "ValueError",
    "AssertionError",
];

/// Random queries of `query_cases.py` that the reference answers, and unsound ones made of the first.
pub(crate) fn queries(cases: &Value) -> Vec<Request> {
    let mut requests = Vec::new();
    for case in cases["cases"].as_array().unwrap() {
        let error = case["error"]["type"].as_str().unwrap_or_default();
        if FAULTS.contains(&error) {
            continue;
        }
        let question = case["question"].as_str().unwrap();
        let mut body = json!({"query": case["query"]});
        if ["execute", "count"].contains(&question) {
            body["result_spec"] = case["result_spec"].clone();
        }
        if let Some(options) = case["options"].as_object() {
            for (name, value) in options {
                body[name] = value.clone();
            }
        }
        let path = format!("v1/query/{question}");
        if requests.is_empty() {
            requests.extend(and_unsound(&path, &body));
            let unsound = and_unsound("query", &body["query"]).into_iter().skip(1);
            requests.extend(unsound.filter_map(|inner| match inner.body {
                Body::Json(query) => Some(post(&path, with(body.clone(), "query", query))),
                _ => None,
            }));
        }
        requests.push(post(&path, body));
    }
    requests
}

//! Collections.

use serde_json::{Value, json};

use crate::support::{RUN, Site};

fn query(expression: &[&str]) -> Value {
    json!({
        "expression": expression,
        "collection_types": [1, 2, 3, 4],
        "flatten_chains": false,
        "include_chains": true,
        "include_parents": true,
        "include_summary": true,
        "include_doc": true,
        "summary_datasets": null,
    })
}

#[tokio::test]
async fn collections_are_told_with_all_that_is_asked_for() {
    for site in Site::both().await {
        let server = site.server().await;
        let answer = server
            .post("v1/query_collection_info", &query(&["*"]))
            .await;
        let found = &answer.json()["collections"];
        assert_eq!(
            *found,
            json!([
                {
                    "name": RUN, "type": 1, "doc": "the notes", "children": [],
                    "parents": ["all"], "dataset_types": ["note"],
                },
                {
                    "name": "all", "type": 3, "doc": "", "children": [RUN],
                    "parents": [], "dataset_types": ["note"],
                },
            ])
        );
    }
}

#[tokio::test]
async fn no_types_are_no_collections() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let mut body = query(&["*"]);
    body["collection_types"] = json!([]);
    let answer = server.post("v1/query_collection_info", &body).await;
    assert_eq!(answer.json(), json!({ "collections": [] }));
}

#[tokio::test]
async fn older_clients_are_told_names() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let body = json!({
        "search": ["all"],
        "collection_types": [1, 3],
        "flatten_chains": true,
        "include_chains": false,
    });
    let answer = server.post("v1/query_collections", &body).await;
    assert_eq!(answer.json(), json!({ "collections": [RUN] }));
}

#[tokio::test]
async fn older_clients_are_told_what_they_ask_for_and_no_more() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.get("v1/collection_info?name=all").await.json();
    assert_eq!(answer, json!({"name": "all", "type": 3, "children": [RUN]}));
    let path = "v1/collection_info?name=all&include_doc=1&include_parents=true";
    let answer = server.get(path).await.json();
    assert_eq!(answer["doc"], Value::Null);
    assert_eq!(answer["parents"], json!([]));
}

#[tokio::test]
async fn a_summary_names_dataset_types_and_governor_values() {
    for site in Site::both().await {
        let server = site.server().await;
        let answer = server.get("v1/collection_summary?name=all").await.json();
        assert_eq!(answer["summary"]["dataset_types"][0]["name"], "note");
        assert_eq!(
            answer["summary"]["governors"],
            json!({"instrument": ["Cam1"]})
        );
    }
}

#[tokio::test]
async fn unknown_collections_and_missing_names_are_mistakes() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    for route in ["collection_info", "collection_summary"] {
        let answer = server.get(&format!("v1/{route}?name=nope")).await;
        assert_eq!(answer.error_type(), "missing_collection");
        let answer = server.get(&format!("v1/{route}")).await;
        assert_eq!(
            answer.any_json()["detail"][0]["loc"],
            json!(["query", "name"])
        );
    }
}

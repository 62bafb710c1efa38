//! Queries.

use butler_core::dimensions::DataCoordinate;
use butler_core::query::QueryTree;
use butler_core::query::ResultSpec;
use butler_core::query::wire::{AdditionalQueryInput, QueryInputs};
use butler_core::wire::{
    QueryAnyRequest, QueryCountRequest, QueryExecuteRequest, QueryExplainRequest,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::Site;

fn detectors(site: &Site) -> (QueryInputs, ResultSpec) {
    let group = site.butler.universe().conform(["detector"]).unwrap();
    let inputs = QueryInputs {
        tree: QueryTree::identity(site.butler.universe()).join_dimensions(&group),
        default_data_id: DataCoordinate::empty(site.butler.universe()),
        additional_query_inputs: Vec::new(),
    };
    (inputs, ResultSpec::data_coordinates(group))
}

#[tokio::test]
async fn results_are_streamed_in_lines() {
    for site in Site::both().await {
        let server = site.server().await;
        let (query, result_spec) = detectors(&site);
        let body = QueryExecuteRequest { query, result_spec }
            .to_json()
            .unwrap();
        let answer = server.post("v1/query/execute", &body).await;
        assert_eq!(answer.header("content-type"), "application/jsonlines");
        assert_eq!(answer.header("x-accel-buffering"), "no");
        let lines = answer.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["type"], "data_coordinate");
        assert_eq!(lines[0]["rows"].as_array().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn uploads_travel_with_the_query() {
    for site in Site::both().await {
        let server = site.server().await;
        let (mut query, result_spec) = detectors(&site);
        let group = site.butler.universe().conform(["detector"]).unwrap();
        let key = Uuid::new_v4();
        query.tree = query.tree.join_data_coordinate_upload(key, &group).unwrap();
        query
            .additional_query_inputs
            .push(AdditionalQueryInput::Upload {
                key,
                dimensions: group,
                rows: vec![vec!["Cam1".into(), 2.into()]],
            });
        let body = QueryExecuteRequest { query, result_spec }
            .to_json()
            .unwrap();
        let lines = server.post("v1/query/execute", &body).await.lines();
        assert_eq!(lines[0]["rows"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn too_many_uploaded_rows_are_refused_in_the_stream() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let (mut query, result_spec) = detectors(&site);
    let group = site.butler.universe().conform(["detector"]).unwrap();
    let key = Uuid::new_v4();
    query.tree = query.tree.join_data_coordinate_upload(key, &group).unwrap();
    query
        .additional_query_inputs
        .push(AdditionalQueryInput::Upload {
            key,
            dimensions: group,
            rows: vec![vec!["Cam1".into(), 2.into()]; 100_001],
        });
    let body = QueryExecuteRequest { query, result_spec }
        .to_json()
        .unwrap();
    let lines = server.post("v1/query/execute", &body).await.lines();
    let error = &lines[0]["error"];
    assert_eq!(error["error_type"], "invalid_query");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("data coordinate rows")
    );
}

#[tokio::test]
async fn rows_are_counted_looked_for_and_explained() {
    for site in Site::both().await {
        let server = site.server().await;
        let (query, result_spec) = detectors(&site);
        let count = QueryCountRequest {
            query: query.clone(),
            result_spec,
            exact: true,
            discard: false,
        };
        let answer = server
            .post("v1/query/count", &count.to_json().unwrap())
            .await;
        assert_eq!(answer.json(), json!({ "count": 4 }));
        let any = QueryAnyRequest {
            query: query.clone(),
            execute: true,
            exact: true,
        };
        let answer = server.post("v1/query/any", &any.to_json().unwrap()).await;
        assert_eq!(answer.json(), json!({ "found_rows": true }));
        let explain = QueryExplainRequest {
            query,
            execute: true,
        };
        let body = explain.to_json().unwrap();
        let answer = server.post("v1/query/explain", &body).await.json();
        assert_eq!(answer, json!({ "messages": [] }));
    }
}

#[tokio::test]
async fn trees_that_cannot_be_read_are_refused_before_anything_streams() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let (query, result_spec) = detectors(&site);
    let good = QueryExecuteRequest { query, result_spec }
        .to_json()
        .unwrap();
    let mut unknown = good.clone();
    unknown["query"]["tree"]["dimensions"] = json!(["nope"]);
    let mut empty = good.clone();
    empty["query"]["tree"] = json!({});
    for (body, expected) in [(unknown, "dimension_name"), (empty, "invalid_query")] {
        let answer = server.post("v1/query/execute", &body).await;
        assert_eq!(answer.error_type(), expected);
    }
    let mut lacking = good;
    lacking.as_object_mut().unwrap().remove("result_spec");
    for (body, expected) in [
        (lacking, json!(["body", "result_spec"])),
        (json!([]), json!(["body"])),
    ] {
        let answer = server.post("v1/query/execute", &body).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.any_json()["detail"][0]["loc"], expected);
    }
}

fn all_datasets(condition: &str) -> Value {
    json!({
        "collections": ["all"],
        "name": ["*"],
        "find_first": true,
        "data_id": {"instrument": "Cam1"},
        "where": condition,
        "bind": {"least": {"expression_type": "int", "value": 3}},
        "limit": null,
        "with_dimension_records": false,
    })
}

#[tokio::test]
async fn datasets_of_all_types_are_streamed() {
    for site in Site::both().await {
        let server = site.server().await;
        let body = all_datasets("detector >= least");
        let lines = server.post("v1/query/all_datasets", &body).await.lines();
        assert_eq!(lines[0]["type"], "dataset_ref");
        assert_eq!(lines[0]["rows"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn mistakes_in_conditions_are_told_in_the_stream() {
    for site in Site::both().await {
        let server = site.server().await;
        let lines = server
            .post("v1/query/all_datasets", &all_datasets("colour = 'red'"))
            .await
            .lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["type"], "error");
        assert_eq!(lines[0]["error"]["error_type"], "invalid_query");
        let detail = lines[0]["error"]["detail"].as_str().unwrap();
        assert!(detail.contains("Unrecognized identifier"), "{detail}");
    }
}

#[tokio::test]
async fn missing_dataset_types_are_told_in_the_stream() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let mut body = all_datasets("");
    body["name"] = json!(["note", "nope"]);
    let lines = server.post("v1/query/all_datasets", &body).await.lines();
    assert_eq!(lines[0]["error"]["error_type"], "missing_dataset_type");
}

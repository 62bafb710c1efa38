//! Dataset types, datasets, data IDs and the universe.

use butler_core::registry::Registry as _;
use serde_json::{Value, json};

use crate::support::{NOBODY, RUN, Site};

#[tokio::test]
async fn a_dataset_is_found_by_its_id() {
    for site in Site::both().await {
        let server = site.server().await;
        let note = &site.notes[0];
        let answer = server.get(&format!("v1/dataset/{}", note.id())).await;
        let expected = json!({ "dataset_ref": note.to_simple(false) });
        assert_eq!(answer.json()["dataset_ref"]["run"], RUN);
        assert_eq!(
            answer.json()["dataset_ref"]["dataId"]["dataId"],
            expected["dataset_ref"]["dataId"]["dataId"]
        );
        assert_eq!(
            answer.json()["dataset_ref"]["dataId"]["records"],
            Value::Null
        );
    }
}

#[tokio::test]
async fn dimension_records_come_when_they_are_asked_for() {
    for site in Site::both().await {
        let server = site.server().await;
        let path = format!("v1/dataset/{}?dimension_records=true", site.notes[0].id());
        let records = &server.get(&path).await.json()["dataset_ref"]["dataId"]["records"];
        assert_eq!(records["detector"]["record"]["full_name"], "Aa");
    }
}

#[tokio::test]
async fn an_unknown_dataset_is_null() {
    for site in Site::both().await {
        let server = site.server().await;
        let answer = server.get(&format!("v1/dataset/{NOBODY}")).await;
        assert_eq!(answer.json(), json!({ "dataset_ref": null }));
    }
}

#[tokio::test]
async fn what_is_no_uuid_is_refused_in_the_form_of_fastapi() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.get("v1/dataset/nonsense").await;
    assert_eq!(answer.status, 422);
    let complaint = &answer.any_json()["detail"][0];
    assert_eq!(complaint["type"], "uuid_parsing");
    assert_eq!(complaint["loc"], json!(["path", "id"]));
}

#[tokio::test]
async fn many_datasets_come_in_the_order_of_their_ids() {
    for site in Site::both().await {
        let server = site.server().await;
        let mut ids: Vec<_> = site.notes.iter().map(|note| note.id()).collect();
        ids.reverse();
        let body = json!({ "dataset_ids": ids });
        let answer = server.post("v1/datasets", &body).await.json();
        assert_eq!(answer["type"], "dataset_ref");
        let rows = answer["rows"].as_array().unwrap();
        let found: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        assert_eq!(json!(found), json!(ids));
    }
}

#[tokio::test]
async fn too_many_ids_are_refused() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    for route in ["v1/datasets", "v1/file_transfer"] {
        let body = json!({ "dataset_ids": vec![NOBODY; 10_001] });
        let answer = server.post(route, &body).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.any_json()["detail"][0]["type"], "too_long");
    }
}

fn search(data_id: &Value) -> Value {
    json!({
        "dataset_type": "note",
        "data_id": data_id,
        "collections": ["all"],
        "timespan": null,
    })
}

#[tokio::test]
async fn a_dataset_is_found_by_its_data_id_however_that_is_written() {
    for site in Site::both().await {
        let server = site.server().await;
        for data_id in [
            json!({"instrument": "Cam1", "detector": 2}),
            json!({"instrument": "Cam1", "detector": "Ab"}),
            json!({"instrument": "Cam1", "detector.full_name": "Ab"}),
            json!({"instrument": "Cam1", "full_name": "Ab"}),
            json!({"instrument": "Cam1", "detector": 2, "full_name": "Ab"}),
        ] {
            let answer = server.post("v1/find_dataset", &search(&data_id)).await;
            let found = &answer.json()["dataset_ref"]["id"];
            assert_eq!(*found, json!(site.notes[1].id()), "{data_id}");
        }
    }
}

#[tokio::test]
async fn data_ids_that_name_no_record_or_several_are_mistakes() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    for data_id in [
        json!({"instrument": "Cam1", "full_name": "Zz"}),
        json!({"instrument": "Cam1", "raft": "A"}),
        json!({"instrument": "Cam1", "detector": 1, "full_name": "Ab"}),
        json!({"instrument": "Cam1", "detector": 1, "colour": "red"}),
    ] {
        let answer = server.post("v1/find_dataset", &search(&data_id)).await;
        assert_eq!(answer.error_type(), "dimension_value", "{data_id}");
    }
}

#[tokio::test]
async fn governor_values_may_be_left_to_the_defaults_of_the_request() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let mut body = search(&json!({ "detector": 3 }));
    body["default_data_id"] = json!({ "instrument": "Cam1" });
    let answer = server.post("v1/find_dataset", &body).await.json();
    assert_eq!(answer["dataset_ref"]["id"], json!(site.notes[2].id()));
}

#[tokio::test]
async fn patterns_and_empty_lists_of_collections_are_searched_as_the_reference_does() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let mut body = search(&json!({"instrument": "Cam1", "detector": 1}));
    body["collections"] = json!(["a/*"]);
    let found = server.post("v1/find_dataset", &body).await.json();
    assert_eq!(found["dataset_ref"]["id"], json!(site.notes[0].id()));
    body["collections"] = json!([]);
    let found = server.post("v1/find_dataset", &body).await.json();
    assert_eq!(found["dataset_ref"], Value::Null);
}

#[tokio::test]
async fn mistakes_have_their_names() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let good = search(&json!({"instrument": "Cam1", "detector": 1}));
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, expected) in [
        (with("dataset_type", json!("nope")), "missing_dataset_type"),
        (with("collections", json!(["nope"])), "missing_collection"),
        (
            with("data_id", json!({"instrument": "Cam1"})),
            "dimension_name",
        ),
    ] {
        let answer = server.post("v1/find_dataset", &body).await;
        assert_eq!(answer.error_type(), expected);
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_in_the_form_of_fastapi() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let mut body = search(&json!({}));
    body.as_object_mut().unwrap().remove("collections");
    let answer = server.post("v1/find_dataset", &body).await;
    assert_eq!(answer.status, 422);
    let complaint = &answer.any_json()["detail"][0];
    assert_eq!(complaint["loc"], json!(["body", "collections"]));
    assert_eq!(complaint["type"], "missing");
}

#[tokio::test]
async fn a_data_id_is_expanded() {
    for site in Site::both().await {
        let server = site.server().await;
        let body = json!({ "data_id": {"instrument": "Cam1", "detector": 4} });
        let answer = server.post("v1/expand_data_id", &body).await.json();
        let records = &answer["data_coordinate"]["records"];
        assert_eq!(records["detector"]["record"]["raft"], "B");
    }
}

#[tokio::test]
async fn the_universe_is_that_of_the_repository() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let expected = site.butler.universe().config().to_simple();
    let answer = server.get("v1/universe").await.json();
    assert_eq!(answer, json!({ "universe": expected }));
}

#[tokio::test]
async fn dataset_types_are_found_by_name_and_pattern() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.get("v1/dataset_type/note").await.json();
    assert_eq!(answer["dataset_type"]["storageClass"], "StructuredDataDict");
    let answer = server.get("v1/dataset_type/nope").await;
    assert_eq!(answer.error_type(), "missing_dataset_type");
    let body = json!({ "search": ["n*", "nope"] });
    let answer = server.post("v1/query_dataset_types", &body).await.json();
    assert_eq!(answer["dataset_types"][0]["name"], "note");
    assert_eq!(answer["missing"], json!(["nope"]));
}

#[tokio::test]
async fn what_others_commit_is_seen_by_the_next_request() {
    use butler_core::datasets::DatasetType;
    use butler_core::registry::RegistryWriter as _;
    for site in Site::both().await {
        let server = site.server().await;
        let path = "v1/dataset_type/fresh";
        assert_eq!(server.get(path).await.error_type(), "missing_dataset_type");
        let registry = site.butler.registry();
        let group = registry.universe().conform(["detector"]).unwrap();
        let fresh = DatasetType::new("fresh", group.clone(), "StructuredDataDict", false);
        registry
            .register_dataset_type(&fresh.unwrap())
            .await
            .unwrap();
        assert_eq!(server.get(path).await.status, 200);
        let put = site.put("fresh", 1).await;
        let found = server.get(&format!("v1/dataset/{}", put.id())).await.json();
        assert_eq!(found["dataset_ref"]["datasetType"]["name"], "fresh");
    }
}

//! The page for browsers, and the routes that it alone needs.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Server, Site, get, with};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn browsers_get_a_page_at_the_root_and_programs_do_not() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.send(with(get("/"), "accept", BROWSER)).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("vary"), "accept");
    let answer = server.send(with(get("/"), "accept", "*/*")).await;
    assert_eq!(answer.json()["name"], "butler");
    for path in ["/api/butler", "/api/butler/"] {
        let answer = server.send(get(path)).await;
        assert!(answer.body.starts_with(b"<!doctype html>"), "{path}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.send(with(get("/"), "accept", BROWSER)).await;
    let policy = answer.header("content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        !policy.contains("unsafe") && !policy.contains("http"),
        "{policy}"
    );
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    let mut todo: Vec<String> = page
        .split(['"'])
        .filter(|part| part.starts_with("/api/butler/web/"))
        .map(str::to_owned)
        .collect();
    let mut seen = Vec::new();
    while let Some(path) = todo.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = server.send(get(&path)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let imported = text.split("from \"./").skip(1);
        let imported = imported.filter_map(|rest| rest.split('"').next());
        todo.extend(imported.map(|name| format!("/api/butler/web/{name}")));
        seen.push(path);
    }
    assert_eq!(seen.len(), 10, "{seen:?}");
    let answer = server.send(get("/api/butler/web/nothing.js")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn repositories_of_everybody_are_listed() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let listed = server.send(get("/api/butler/repositories")).await.json();
    assert_eq!(listed, json!({"repositories": [{"name": "r"}]}));
}

async fn search(server: &Server, request: Value) -> Vec<Value> {
    server.post("web/search", &request).await.lines()
}

fn notes(condition: &str) -> Value {
    json!({"dataset_type": "note", "collections": ["all"], "where": condition, "limit": 10})
}

#[tokio::test]
async fn a_search_is_sorted_and_limited_and_has_records() {
    for site in Site::both().await {
        let server = site.server().await;
        let mut request = notes("detector > 1");
        request["order_by"] = json!(["-detector.full_name"]);
        request["limit"] = json!(2);
        let lines = search(&server, request).await;
        let rows = lines[0]["rows"].as_array().unwrap();
        let detectors: Vec<&Value> = rows
            .iter()
            .map(|row| &row["dataId"]["dataId"]["detector"])
            .collect();
        assert_eq!(detectors, [4, 3]);
        let record = &rows[0]["dataId"]["records"]["detector"]["record"];
        assert_eq!(record["full_name"], "Bb");
    }
}

#[tokio::test]
async fn a_search_says_where_a_mistake_is_and_why_there_is_nothing() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let lines = search(&server, notes("detector = = 1")).await;
    let detail = lines[0]["error"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("Invalid query expression at line 1, column 12:"),
        "{detail}"
    );
    let lines = search(&server, notes("detector = 99")).await;
    assert_eq!(lines[0]["error"]["error_type"], "empty_query_result");
    let mut request = notes("");
    request["dataset_type"] = json!("nothing");
    let lines = search(&server, request).await;
    assert_eq!(lines[0]["error"]["error_type"], "missing_dataset_type");
}

#[tokio::test]
async fn all_results_of_a_search_are_to_be_had_as_csv() {
    for site in Site::both().await {
        let server = site.server().await;
        let search = |rest: &str| {
            let path = format!("/api/butler/repo/r/web/datasets.csv?type=note{rest}");
            server.send(get(&path))
        };
        let answer = search("&in=all&where=detector+%3E+1&order=-detector").await;
        assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
        let name = answer.header("content-disposition");
        assert_eq!(name, "attachment; filename=\"note.csv\"");
        let text = std::str::from_utf8(&answer.body).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let titles = ["type", "run", "id", "instrument", "detector"];
        assert_eq!(rows[0][..5], titles);
        let detectors: Vec<&str> = rows[1..].iter().map(|row| row[4]).collect();
        assert_eq!(detectors, ["4", "3", "2"]);
        for (wrong, expected) in [
            ("", None),
            ("&in=nowhere", Some("missing_collection")),
            ("&in=all&where=detector+%3D+99", Some("empty_query_result")),
        ] {
            let answer = search(wrong).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body["error_type"].as_str(), expected, "{wrong}");
        }
    }
}

//! Health, metrics, static files, and requests in general.

use butler_server::settings::Options;
use serde_json::json;

use crate::support::{Server, Site, get, in_repository, with};

#[tokio::test]
async fn the_server_says_what_it_is() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    assert_eq!(server.send(get("/")).await.json()["name"], "butler");
}

#[tokio::test]
async fn it_is_live_and_ready() {
    for site in Site::both().await {
        let server = site.server().await;
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(
                server.send(get(path)).await.json(),
                json!({ "status": "ok" })
            );
        }
    }
}

#[tokio::test]
async fn it_is_not_ready_without_its_database() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let session = site.butler.registry().database().begin().await.unwrap();
    let mut session = session;
    let broken = session.execute_script("ALTER TABLE dataset RENAME TO gone".to_owned());
    broken.await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(server.send(get("/health/ready")).await.status, 503);
    assert_eq!(server.send(get("/health/live")).await.status, 200);
    let path = format!("v1/dataset/{}", site.notes[0].id());
    let answer = server.get(&path).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.any_json(),
        json!({ "detail": "Internal Server Error" })
    );
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    server
        .get(&format!("v1/dataset/{}", site.notes[0].id()))
        .await;
    let text = server.send(get("/metrics")).await.body;
    let text = std::str::from_utf8(&text).unwrap();
    let expected = "butler_requests_total{method=\"GET\",\
                    route=\"/api/butler/repo/{repository}/v1/dataset/{id}\",status=\"200\"} 1";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("butler_streaming_queries 0"), "{text}");
    assert!(text.contains("butler_pool_connections{repository=\"r\",pool=\"lookups\""));
    // Nobody has queried yet.
    let queries = "butler_pool_connections{repository=\"r\",pool=\"queries\",state=\"idle\"} 0";
    assert!(text.contains(queries), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_client_gave() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let request = get(&in_repository("v1/universe"));
    let name = "x-butler-client-request-id";
    let answer = server.send(with(request, name, "my-id")).await;
    assert_eq!(answer.header(name), "my-id");
    assert!(!server.get("v1/universe").await.header(name).is_empty());
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_json() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.get("v1/nope").await;
    assert_eq!(
        (answer.status, answer.any_json()),
        (404.try_into().unwrap(), json!({"detail": "Not Found"}))
    );
    let answer = server.post("v1/universe", &json!({})).await;
    assert_eq!(answer.status, 405);
    assert!(answer.headers.contains_key("allow"));
}

#[tokio::test]
async fn an_unknown_repository_is_not_found() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let answer = server.send(get("/api/butler/repo/nope/v1/universe")).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn static_files_are_served_and_nothing_above_them() {
    let site = Site::sqlite().await;
    let outside = site.outside();
    let files = outside.join("files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("index.yaml"), "dp1: /repo\n").unwrap();
    std::fs::write(outside.join("secret.yaml"), "no\n").unwrap();
    let options = Options {
        static_files_path: Some(files),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let answer = server.send(get("/api/butler/configs/index.yaml")).await;
    assert_eq!(answer.body, "dp1: /repo\n");
    for path in [
        "../secret.yaml",
        "..%2fsecret.yaml",
        "%2e%2e/secret.yaml",
        "nope.yaml",
        "a/../../secret.yaml",
    ] {
        let answer = server
            .send(get(&format!("/api/butler/configs/{path}")))
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

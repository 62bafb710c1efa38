//! Who may use a repository, as Gafaelfawr says.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get as on_get;
use butler_server::settings::Options;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::support::{Answer, NOBODY, Server, Site, get, in_repository, listen, post, with};

/// Something that answers as Gafaelfawr does.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

async fn user_info(State(fake): State<Fake>, headers: HeaderMap) -> axum::response::Response {
    fake.asked.fetch_add(1, Ordering::SeqCst);
    if fake.down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let groups = HashMap::from([
        ("Bearer ada", json!([{"name": "g_users", "id": 1}])),
        ("Bearer bob", json!([{"name": "g_others", "id": 2}])),
        ("Bearer eve", json!(null)),
    ]);
    match headers["authorization"]
        .to_str()
        .ok()
        .and_then(|token| groups.get(token))
    {
        Some(groups) => axum::Json(json!({"username": "x", "groups": groups})).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// A server with two repositories, `r` of `g_users` and `other` of `g_others`.
async fn guarded(site: &Site) -> (Server, Fake) {
    let fake = Fake::default();
    let service = Router::new()
        .route("/auth/api/v1/user-info", on_get(user_info))
        .with_state(fake.clone());
    let address = listen(service).await;
    let options = Options {
        gafaelfawr_url: Some(format!("http://{address}/auth")),
        ..site.restricted()
    };
    (Server::start(options.check().unwrap()).await, fake)
}

async fn ask(server: &Server, user: &str, path: &str) -> Answer {
    let request = with(get(&in_repository(path)), "x-auth-request-user", user);
    server
        .send(with(request, "x-auth-request-token", user))
        .await
}

#[tokio::test]
async fn members_are_let_in() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    assert_eq!(ask(&server, "ada", "v1/universe").await.status, 200);
}

#[tokio::test]
async fn everybody_is_shown_the_repositories_of_their_groups_alone() {
    let site = Site::sqlite().await;
    let (server, fake) = guarded(&site).await;
    for (user, expected) in [("ada", json!([{"name": "r"}])), ("eve", json!([]))] {
        let request = with(get("/api/butler/repositories"), "x-auth-request-user", user);
        let request = with(request, "x-auth-request-token", user);
        assert_eq!(server.send(request).await.json()["repositories"], expected);
    }
    let nobody = server.send(get("/api/butler/repositories")).await;
    assert_eq!(nobody.status, 403);
    fake.down.store(true, Ordering::SeqCst);
    let request = with(
        get("/api/butler/repositories"),
        "x-auth-request-user",
        "new",
    );
    let answer = server
        .send(with(request, "x-auth-request-token", "new"))
        .await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn others_are_told_that_they_may_not() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    for user in ["bob", "eve"] {
        let answer = ask(&server, user, "v1/universe").await;
        assert_eq!(answer.status, 403);
        let detail = answer.any_json()["detail"].clone();
        let detail = detail.as_str().unwrap();
        assert!(detail.contains(user) && detail.contains("'r'"), "{detail}");
    }
}

#[tokio::test]
async fn refusals_do_not_tell_what_exists() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    let there = site.notes[0].id().to_string();
    for route in ["v1/dataset/{}", "v1/get_file/{}", "v1/dataset/{}/download"] {
        let known = ask(&server, "bob", &route.replace("{}", &there)).await;
        let unknown = ask(&server, "bob", &route.replace("{}", NOBODY)).await;
        assert_eq!(known.status, 403);
        assert_eq!(known.body, unknown.body);
    }
}

#[tokio::test]
async fn every_route_of_a_repository_is_guarded() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    let reads = [
        "v1/universe",
        "v1/dataset_type/note",
        "v1/dataset/nonsense",
        "v1/get_file/nonsense",
        "v1/dataset/nonsense/download",
        "v1/collection_info",
        "v1/collection_summary",
    ];
    for path in reads {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    let posts = [
        "v1/datasets",
        "v1/find_dataset",
        "v1/expand_data_id",
        "v1/get_file_by_data_id",
        "v1/file_transfer",
        "v1/query_collections",
        "v1/query_collection_info",
        "v1/query_dataset_types",
        "v1/query/execute",
        "v1/query/all_datasets",
        "v1/query/count",
        "v1/query/any",
        "v1/query/explain",
    ];
    for path in posts {
        let answer = server.send(post(&in_repository(path), &json!({}))).await;
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[tokio::test]
async fn missing_headers_are_named() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    let answer = server.get("v1/universe").await;
    let detail = answer.any_json()["detail"].clone();
    assert!(detail.as_str().unwrap().contains("X-Auth-Request-User"));
    let request = get(&in_repository("v1/universe"));
    let answer = server
        .send(with(request, "x-auth-request-user", "ada"))
        .await;
    assert_eq!(answer.status, 403);
    let detail = answer.any_json()["detail"].clone();
    assert!(detail.as_str().unwrap().contains("X-Auth-Request-Token"));
}

#[tokio::test]
async fn tokens_that_gafaelfawr_does_not_know_are_unauthorized() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    assert_eq!(ask(&server, "mallory", "v1/universe").await.status, 401);
}

#[tokio::test]
async fn groups_are_asked_for_once_in_a_while() {
    let site = Site::sqlite().await;
    let (server, fake) = guarded(&site).await;
    for _ in 0..3 {
        ask(&server, "ada", "v1/universe").await;
        ask(&server, "bob", "v1/universe").await;
    }
    assert_eq!(fake.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn while_groups_cannot_be_asked_for_clients_are_to_come_back() {
    let site = Site::sqlite().await;
    let (server, fake) = guarded(&site).await;
    fake.down.store(true, Ordering::SeqCst);
    let answer = ask(&server, "ada", "v1/universe").await;
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    fake.down.store(false, Ordering::SeqCst);
    assert_eq!(ask(&server, "ada", "v1/universe").await.status, 200);
}

#[tokio::test]
async fn an_unknown_repository_is_told_to_known_users_only() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    let uri = "/api/butler/repo/nope/v1/universe";
    assert_eq!(server.send(get(uri)).await.status, 403);
    let request = with(get(uri), "x-auth-request-user", "ada");
    let request = with(request, "x-auth-request-token", "ada");
    assert_eq!(server.send(request).await.status, 404);
}

#[tokio::test]
async fn the_configuration_of_clients_is_open_to_all() {
    let site = Site::sqlite().await;
    let (server, _) = guarded(&site).await;
    for file in ["butler.yaml", "butler.json"] {
        let answer = server.get(file).await.json();
        let class = "lsst.daf.butler.remote_butler.RemoteButler";
        assert_eq!(answer["cls"], class);
        assert_eq!(answer["remote_butler"]["url"], "<butlerRoot>");
    }
}

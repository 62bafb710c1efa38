//! Limits: streaming queries, bodies.

use std::time::Duration;

use axum::body::Body;
use butler_core::dimensions::DataCoordinate;
use butler_core::query::wire::QueryInputs;
use butler_core::query::{QueryTree, ResultSpec};
use butler_core::wire::QueryExecuteRequest;
use butler_server::settings::Options;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::support::{Server, Site, in_repository, post, with};

fn query(site: &Site, user: &str) -> Request<Body> {
    let universe = site.butler.universe();
    let group = universe.conform(["detector"]).unwrap();
    let request = QueryExecuteRequest {
        query: QueryInputs {
            tree: QueryTree::identity(universe).join_dimensions(&group),
            default_data_id: DataCoordinate::empty(universe),
            additional_query_inputs: Vec::new(),
        },
        result_spec: ResultSpec::data_coordinates(group),
    };
    let body = request.to_json().unwrap();
    let request = post(&in_repository("v1/query/execute"), &body);
    with(request, "x-auth-request-user", user)
}

/// Begins a query, whose results nobody reads for now.
async fn begin(server: &Server, request: Request<Body>) -> Response<Body> {
    server.router.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_user_may_run_two_queries_at_once() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let first = begin(&server, query(&site, "ada")).await;
    let second = begin(&server, query(&site, "ada")).await;
    assert_eq!(
        (first.status(), second.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    let refused = server.send(query(&site, "ada")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(begin(&server, query(&site, "bob")).await.status(), 200);
    drop(first);
    assert_eq!(begin(&server, query(&site, "ada")).await.status(), 200);
}

#[tokio::test]
async fn a_query_that_was_read_to_its_end_leaves_its_place() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    for _ in 0..5 {
        assert_eq!(server.send(query(&site, "ada")).await.status, 200);
    }
}

#[tokio::test]
async fn the_server_runs_a_number_of_queries_at_once() {
    let site = Site::sqlite().await;
    let options = Options {
        max_streaming_queries: Some(1),
        retry_after_seconds: Some(7),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let _first = begin(&server, query(&site, "ada")).await;
    let refused = server.send(query(&site, "bob")).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "7");
}

#[tokio::test]
async fn a_query_that_waits_says_that_it_is_alive() {
    let site = Site::postgres().await;
    let options = Options {
        keep_alive_seconds: Some(0),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let database = site.butler.registry().database();
    let mut session = database.begin().await.unwrap();
    let lock = format!(
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        database.table("detector")
    );
    session.execute_script(lock).await.unwrap();
    let mut response = begin(&server, query(&site, "ada")).await;
    let line = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(line.into_data().unwrap(), "{\"type\":\"keep-alive\"}\n");
    session.rollback().await.unwrap();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert!(rest.contains("\"type\":\"data_coordinate\""));
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let site = Site::sqlite().await;
    let options = Options {
        max_query_bytes: Some(100),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    for (route, size) in [
        ("v1/query/execute", 101),
        ("v1/find_dataset", (1 << 20) + 1),
    ] {
        let body = Body::from(" ".repeat(size));
        let request = Request::post(in_repository(route)).body(body).unwrap();
        assert_eq!(server.send(request).await.status, 413, "{route}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_measured_as_it_comes() {
    let site = Site::sqlite().await;
    let server = site.server().await;
    let chunks = (0..).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 16]));
    let endless = Body::from_stream(futures::stream::iter(chunks));
    let request = Request::post(in_repository("v1/find_dataset"));
    let answer = server.send(request.body(endless).unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
    assert_eq!(answer.unwrap().status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let site = Site::sqlite().await;
    let options = Options {
        body_timeout_seconds: Some(1),
        ..site.options()
    };
    let server = Server::start(options.check().unwrap()).await;
    let silent = Body::from_stream(futures::stream::pending::<std::io::Result<Vec<u8>>>());
    let request = Request::post(in_repository("v1/find_dataset"));
    let answer = server.send(request.body(silent).unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await;
    assert_eq!(answer.unwrap().status, 408);
}

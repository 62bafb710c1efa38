//! Requests that are answered as a whole.

use butler_core::Error;
use butler_core::collections::CollectionWildcard;
use butler_core::registry::{CollectionQuery, Registry};
use serde_json::json;

use crate::scripted::{Reply, Scripted};

const PATH: &str = "/repo/v1/query_collection_info";

/// Asks for all collections.
async fn ask(server: &Scripted) -> butler_core::Result<usize> {
    let query = CollectionQuery::new(CollectionWildcard::everything());
    let butler = server.butler().await;
    Ok(butler.registry().collections(&query).await?.len())
}

fn no_collections() -> Reply {
    Reply::json(&json!({"collections": []}))
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_so() {
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let server = Scripted::start(move |_, before, _| match before {
            0 | 1 => Reply::new(status, &[("Retry-After", "0")], "busy"),
            _ => no_collections(),
        })
        .await;
        assert_eq!(ask(&server).await.unwrap(), 0);
        assert_eq!(server.asked(PATH), 3);
        let requests = server.requests();
        let id = |at: usize| requests[at].header("x-butler-client-request-id").unwrap();
        assert_eq!(id(0), id(2), "it is the same request");
    }
}

#[tokio::test]
async fn a_server_that_does_not_say_when_is_not_asked_again() {
    let server = Scripted::start(|_, _, _| Reply::new("503 Service Unavailable", &[], "")).await;
    let error = ask(&server).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Server {
                status: Some(503),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.asked(PATH), 1);
}

#[tokio::test]
async fn a_broken_connection_is_made_anew() {
    let server = Scripted::start(|_, before, _| match before {
        0 => Reply::nothing(),
        1 => Reply::cut(&[], br#"{"collections": []}"#, 5),
        _ => no_collections(),
    })
    .await;
    assert_eq!(ask(&server).await.unwrap(), 0);
    assert_eq!(server.asked(PATH), 3);
}

#[tokio::test]
async fn a_network_that_never_works_is_given_up() {
    let server = Scripted::start(|_, _, _| Reply::nothing()).await;
    let error = ask(&server).await.unwrap_err();
    assert!(
        matches!(error, Error::Server { status: None, .. }),
        "{error:?}"
    );
    assert_eq!(server.asked(PATH), 5);
    let requests = server.requests();
    let id = requests[0].header("x-butler-client-request-id").unwrap();
    assert!(error.to_string().contains(id), "{error}");
}

#[tokio::test]
async fn errors_are_what_the_server_says_and_name_the_request() {
    for (status, body, expected) in [
        (
            "422 Unprocessable Entity",
            r#"{"error_type": "missing_collection", "detail": "no such"}"#,
            "MissingCollection",
        ),
        (
            "422 Unprocessable Entity",
            r#"{"error_type": "of_the_future", "detail": "no such"}"#,
            "UnknownUserError",
        ),
        (
            "422 Unprocessable Entity",
            r#"{"detail": [{"msg": "no such"}]}"#,
            "Server",
        ),
        (
            "500 Internal Server Error",
            "<html>no such</html>",
            "Server",
        ),
        ("401 Unauthorized", r#"{"detail": "no such"}"#, "Server"),
        ("200 OK", "no such", "Server"),
    ] {
        let server = Scripted::start(move |_, _, _| Reply::new(status, &[], body)).await;
        let error = ask(&server).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        let requests = server.requests();
        let id = requests[0].header("x-butler-client-request-id").unwrap();
        assert!(error.to_string().contains(id), "{error}");
        assert_eq!(requests.len(), 1, "{status} is final");
    }
}

#[tokio::test]
async fn the_token_goes_along() {
    let server = Scripted::start(|_, _, _| no_collections()).await;
    ask(&server).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret"));
}

#[tokio::test]
async fn names_with_any_characters_reach_the_server() {
    let server = Scripted::start(|_, _, _| Reply::new("404 Not Found", &[], "")).await;
    let butler = server.butler().await;
    assert!(
        butler
            .registry()
            .collection_summary("a/b c?d&e=ü")
            .await
            .is_err()
    );
    let requests = server.requests();
    let expected = "/repo/v1/collection_summary?name=a%2Fb+c%3Fd%26e%3D%C3%BC";
    assert_eq!(requests[0].path, expected);
}

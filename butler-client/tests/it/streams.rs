//! Answers that come line by line.

use butler_core::Error;
use butler_core::dimensions::DataCoordinate;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::scripted::{Reply, Scripted};

const PATH: &str = "/repo/v1/query/execute";

fn page(instrument: &str) -> Value {
    json!({
        "type": "data_coordinate",
        "rows": [{"dataId": {"instrument": instrument}, "records": null}],
    })
}

fn keep_alive() -> Value {
    json!({"type": "keep-alive"})
}

/// What is found, and the error after which nothing comes any more.
async fn ask(server: &Scripted) -> (Vec<String>, Option<Error>) {
    let query = server.butler().await.reader().query().unwrap();
    let mut found = query.data_ids_of(["instrument"]).unwrap().stream();
    let mut names = Vec::new();
    let name = |data_id: &DataCoordinate| data_id.get("instrument").unwrap().to_string();
    while let Some(next) = found.next().await {
        match next {
            Ok(data_id) => names.push(name(&data_id)),
            Err(error) => {
                assert!(found.try_next().await.unwrap().is_none());
                return (names, Some(error));
            }
        }
    }
    (names, None)
}

#[tokio::test]
async fn signs_of_life_are_no_results() {
    let server = Scripted::start(|_, _, _| {
        let lines = [
            keep_alive(),
            page("A"),
            keep_alive(),
            keep_alive(),
            page("B"),
            keep_alive(),
        ];
        Reply::lines(&lines, true)
    })
    .await;
    let (found, error) = ask(&server).await;
    assert_eq!(found, ["A", "B"]);
    assert!(error.is_none());
}

#[tokio::test]
async fn an_error_in_the_stream_ends_it() {
    for (error_type, expected) in [
        ("calibration_lookup", "CalibrationLookup"),
        ("of_the_future", "UnknownUserError"),
    ] {
        let server = Scripted::start(move |_, _, _| {
            let error = json!({"error_type": error_type, "detail": "not unique"});
            let error = json!({"type": "error", "error": error});
            Reply::lines(&[page("A"), error, page("B")], true)
        })
        .await;
        let (found, error) = ask(&server).await;
        assert_eq!(found, ["A"]);
        let error = error.unwrap();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        let requests = server.requests();
        let id = requests[0].header("x-butler-client-request-id").unwrap();
        let text = error.to_string();
        assert!(text.contains("not unique") && text.contains(id), "{text}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_not_an_end() {
    let server =
        Scripted::start(|_, _, _| Reply::lines(&[page("A"), page("B"), page("C")], false)).await;
    let (found, error) = ask(&server).await;
    assert_eq!(found, ["A", "B"]);
    assert!(matches!(error, Some(Error::Server { .. })), "{error:?}");
    assert_eq!(server.asked(PATH), 1, "rows must not come twice");
}

#[tokio::test]
async fn a_line_that_is_no_page_is_an_error() {
    for line in [
        json!("hello"),
        json!({"type": "something new"}),
        json!({"type": "dataset_ref", "rows": []}),
        json!({"type": "data_coordinate", "rows": [{"dataId": {"nothing": 1}, "records": null}]}),
    ] {
        let sent = line.clone();
        let server =
            Scripted::start(move |_, _, _| Reply::lines(&[page("A"), sent.clone()], true)).await;
        let (found, error) = ask(&server).await;
        assert_eq!(found, ["A"]);
        assert!(
            matches!(error, Some(Error::Server { .. })),
            "{line}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_before_the_stream_begins() {
    let server = Scripted::start(|_, before, _| match before {
        0 => Reply::new("503 Service Unavailable", &[("Retry-After", "0")], ""),
        _ => Reply::lines(&[page("A")], true),
    })
    .await;
    assert_eq!(ask(&server).await.0, ["A"]);
}

#[tokio::test]
async fn nothing_is_asked_before_the_stream_is_polled() {
    let server = Scripted::start(|_, _, _| Reply::lines(&[], true)).await;
    let query = server.butler().await.reader().query().unwrap();
    drop(query.data_ids_of(["instrument"]).unwrap().stream());
    assert_eq!(server.asked(PATH), 0);
}

#[tokio::test]
async fn uploads_and_materialized_queries_travel_along() {
    let server = Scripted::start(|_, _, _| Reply::lines(&[page("A")], true)).await;
    let query = server.butler().await.reader().query().unwrap();
    let rows = [vec!["A".into()], vec!["B".into()]];
    let query = query
        .join_data_coordinate_table(&["instrument"], &rows)
        .await
        .unwrap();
    let query = query.materialize(None, None).await.unwrap();
    assert!(server.requests().is_empty());
    let found = query.data_ids_of(["instrument"]).unwrap();
    assert_eq!(found.collect().await.unwrap().len(), 1);
    let body: Value = serde_json::from_slice(&server.requests()[0].body).unwrap();
    let inputs = body["query"]["additional_query_inputs"].as_array().unwrap();
    let kinds: Vec<&Value> = inputs.iter().map(|input| &input["type"]).collect();
    assert_eq!(kinds, ["upload", "materialized"]);
    assert_eq!(inputs[0]["rows"], json!([["A"], ["B"]]));
}

//! Files that do not come as they should.

use butler_client::RetrieveOptions;
use butler_core::Error;
use butler_core::datastore::Datastore;
use butler_core::progress::NoProgress;
use serde_json::json;

use crate::scripted::{Reply, Request, Scripted, dataset, file_at, get_file, record};

const CONTENT: &[u8] = br#"{"an": "example", "of": ["some", "length"]}"#;
const SIZE: i64 = CONTENT.len() as i64;

/// The part of the contents that a request asks for.
fn part(request: &Request) -> Reply {
    let range = request.header("range").unwrap();
    let start: usize = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split('-').next())
        .unwrap()
        .parse()
        .unwrap();
    let place = format!("bytes {start}-{}/{}", CONTENT.len() - 1, CONTENT.len());
    Reply::new(
        "206 Partial Content",
        &[("Content-Range", &place)],
        &CONTENT[start..],
    )
}

/// A server of one file, which is at `/file`.
async fn serving(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |request, before, port| {
        if request.path == get_file() {
            file_at(
                &format!("http://127.0.0.1:{port}/file?signature={before}"),
                SIZE,
            )
        } else {
            answer(request, before)
        }
    })
    .await
}

async fn get(server: &Scripted) -> butler_core::Result<Vec<u8>> {
    let data = server.butler().await.get_bytes(&dataset()).await?;
    Ok(data.to_vec())
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let server = serving(|request, before| match before {
        0 => Reply::cut(&[("ETag", "\"1\"")], CONTENT, 10),
        _ => part(request),
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), CONTENT);
    let last = server.requests().pop().unwrap();
    assert_eq!(last.header("range"), Some("bytes=10-"));
    assert_eq!(last.header("if-range"), Some("\"1\""));
}

#[tokio::test]
async fn a_download_starts_anew_where_parts_are_not_to_be_had() {
    let server = serving(|_, before| match before {
        0 => Reply::cut(&[], CONTENT, 10),
        _ => Reply::new("200 OK", &[], CONTENT),
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_download_that_never_gets_on_is_given_up() {
    let server = serving(|_, _| Reply::nothing()).await;
    let error = get(&server).await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error:?}");
    assert!(!error.to_string().contains("signature"), "{error}");
}

#[tokio::test]
async fn a_server_that_breaks_off_again_and_again_is_outlasted() {
    let server = serving(|request, before| match before {
        0 => Reply::cut(&[], CONTENT, 1),
        1..=30 => {
            let start = before;
            let place = format!("bytes {start}-{}/{}", CONTENT.len() - 1, CONTENT.len());
            let rest = &CONTENT[start..];
            let mut head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: {place}\r\nContent-Length: {}\r\n\r\n",
                rest.len()
            )
            .into_bytes();
            head.push(rest[0]);
            Reply::bytes(head)
        }
        _ => part(request),
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn an_expired_address_is_asked_for_again() {
    for status in ["403 Forbidden", "401 Unauthorized", "400 Bad Request"] {
        let server = serving(move |request, _| match request.path.as_str() {
            "/file?signature=0" => Reply::new(status, &[], "expired"),
            _ => Reply::new("200 OK", &[], CONTENT),
        })
        .await;
        assert_eq!(get(&server).await.unwrap(), CONTENT);
        assert_eq!(server.asked(&get_file()), 2);
    }
}

#[tokio::test]
async fn an_address_that_expires_on_the_way_is_asked_for_again() {
    let server = serving(|request, before| match (request.path.as_str(), before) {
        ("/file?signature=0", 0) => Reply::cut(&[], CONTENT, 10),
        ("/file?signature=0", _) => Reply::new("403 Forbidden", &[], "expired"),
        _ => part(request),
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), CONTENT);
    assert_eq!(
        server.requests().pop().unwrap().header("range"),
        Some("bytes=10-")
    );
}

#[tokio::test]
async fn an_address_that_is_always_refused_is_given_up() {
    let server = serving(|_, _| Reply::new("403 Forbidden", &[], "no")).await;
    let error = get(&server).await.unwrap_err();
    assert!(matches!(error, Error::Storage { .. }), "{error:?}");
    assert!(server.asked(&get_file()) <= 3);
}

#[tokio::test]
async fn a_busy_storage_is_asked_again() {
    let server = serving(|_, before| match before {
        0 => Reply::new("503 Slow Down", &[("Retry-After", "0")], ""),
        1 => Reply::new("500 Internal Error", &[], ""),
        _ => Reply::new("200 OK", &[], CONTENT),
    })
    .await;
    assert_eq!(get(&server).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn a_file_of_another_size_than_recorded_is_refused() {
    let server = serving(|_, _| Reply::new("200 OK", &[], b"{}")).await;
    let error = get(&server).await.unwrap_err();
    assert!(matches!(error, Error::FileIntegrity { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let lost = serving(|_, _| Reply::new("404 Not Found", &[], "")).await;
    let unstored = Scripted::start(|_, _, _| {
        Reply::json(&json!({"dataset_ref": dataset().to_simple(false), "artifact": null}))
    })
    .await;
    let unknown = Scripted::start(|_, _, _| {
        let body = json!({"error_type": "dataset_not_found", "detail": "no such"});
        Reply::new("422 Unprocessable Entity", &[], body.to_string())
    })
    .await;
    for server in [lost, unstored, unknown] {
        let error = get(&server).await.unwrap_err();
        assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
        let butler = server.butler().await;
        let found = butler.datastore().exists(&[dataset()]).await.unwrap();
        assert!(found.is_empty());
    }
}

#[tokio::test]
async fn signed_addresses_are_given_no_token() {
    let server = serving(|_, _| Reply::new("200 OK", &[], CONTENT)).await;
    get(&server).await.unwrap();
    let requests = server.requests();
    let of_file = requests
        .iter()
        .find(|request| request.path.starts_with("/file"))
        .unwrap();
    assert_eq!(of_file.header("authorization"), None);
}

/// A server whose one file has a permanent address, of the record given.
async fn transferring(path: &'static str) -> (Scripted, Scripted) {
    let storage = Scripted::start(|_, _, _| Reply::new("200 OK", &[], CONTENT)).await;
    let elsewhere = storage.config().url.join("/file").unwrap();
    let server = Scripted::start(move |request, _, port| match request.path.as_str() {
        "/repo/v1/file_transfer" => Reply::json(&json!({"files": {dataset().id().to_string(): [{
            "url": format!("http://127.0.0.1:{port}/download"),
            "auth": "gafaelfawr",
            "file_info": record(path, SIZE),
        }]}})),
        _ => Reply::new(
            "307 Temporary Redirect",
            &[("Location", elsewhere.as_str())],
            "",
        ),
    })
    .await;
    (server, storage)
}

#[tokio::test]
async fn the_token_does_not_follow_to_other_servers() {
    let (server, storage) = transferring("a/b.json").await;
    let directory = tempfile::tempdir().unwrap();
    let butler = server.butler().await;
    let options = RetrieveOptions::default();
    let datasets = [dataset()];
    let retrieved = butler.retrieve_artifacts(&datasets, directory.path(), options, &NoProgress);
    let retrieved = retrieved.await.unwrap();
    assert_eq!(retrieved.len(), 1);
    assert_eq!(
        std::fs::read(directory.path().join("a/b.json")).unwrap(),
        CONTENT
    );
    let requests = server.requests();
    let asked = requests
        .iter()
        .find(|request| request.path == "/download")
        .unwrap();
    assert_eq!(asked.header("authorization"), Some("Bearer secret"));
    assert_eq!(storage.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_server_cannot_write_where_it_likes() {
    for path in ["../b.json", "/etc/b.json", "a/../../b.json"] {
        let (server, _) = transferring(path).await;
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("inner");
        let butler = server.butler().await;
        let options = RetrieveOptions::default();
        let error = butler
            .retrieve_artifacts(&[dataset()], &place, options, &NoProgress)
            .await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::PathEscapesRoot { .. }), "{error:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_server_cannot_make_a_client_read_its_own_files() {
    for url in [
        "file:///etc/passwd",
        "s3://bucket/key",
        "/etc/passwd",
        "ftp://127.0.0.1/x",
    ] {
        let server = Scripted::start(move |_, _, _| file_at(url, SIZE)).await;
        let error = get(&server).await.unwrap_err();
        assert!(matches!(error, Error::CorruptRecord { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_failed_download_leaves_nothing_behind() {
    let server = serving(|_, before| match before {
        0 => Reply::cut(&[], CONTENT, 10),
        _ => Reply::nothing(),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("file");
    let butler = server.butler().await;
    assert!(butler.get_file(&dataset(), &target).await.is_err());
    assert!(!target.exists());
}

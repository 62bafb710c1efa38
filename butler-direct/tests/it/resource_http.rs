//! Resources on web servers.

use butler_direct::resource::{ResourceError, ResourcePath, Resources, TransferMode, Transferred};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::support::http::{Answer, WebServer};

const CONTENT: &[u8] = b"0123456789";

fn at(server: &WebServer, path: &str) -> ResourcePath {
    ResourcePath::new(&format!("{}/{path}", server.url)).unwrap()
}

#[tokio::test]
async fn contents_sizes_and_ranges_are_read() {
    let server = WebServer::with(CONTENT).await;
    let (resources, file) = (Resources::default(), at(&server, "a/b%20c.fits"));
    assert!(resources.exists(&file).await.unwrap());
    assert_eq!(resources.size(&file).await.unwrap(), 10);
    assert_eq!(resources.read(&file).await.unwrap(), CONTENT);
    assert_eq!(resources.read_range(&file, 2..5).await.unwrap(), "234");
    let beyond = resources.read_range(&file, 8..12).await;
    assert!(matches!(beyond, Err(ResourceError::Truncated { .. })));
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.target == "/a/b%20c.fits")
    );
}

#[tokio::test]
async fn a_range_is_cut_out_where_the_server_sends_everything() {
    let server = WebServer::start(|request, _| {
        let mut whole = request.clone();
        whole.range = None;
        Answer::of(CONTENT, &whole)
    })
    .await;
    let resources = Resources::default();
    let found = resources.read_range(&at(&server, "x"), 2..5).await.unwrap();
    assert_eq!(found, "234");
    let beyond = resources.read_range(&at(&server, "x"), 8..12).await;
    assert!(matches!(beyond, Err(ResourceError::Truncated { .. })));
}

#[tokio::test]
async fn signed_addresses_keep_their_query_and_need_no_head() {
    let server = WebServer::start(|request, _| match &*request.method {
        "GET" if request.target == "/x.json?signature=secret" => Answer::of(CONTENT, request),
        _ => Answer::status(403),
    })
    .await;
    let signed = at(&server, "x.json?signature=secret#zip-path=a");
    let resources = Resources::default();
    assert_eq!(resources.size(&signed).await.unwrap(), 10);
    assert_eq!(resources.read(&signed).await.unwrap(), CONTENT);
    let wrong = at(&server, "x.json?signature=other-secret");
    let error = resources.read(&wrong).await.unwrap_err();
    assert!(matches!(error, ResourceError::PermissionDenied { .. }));
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = WebServer::start(|_, _| Answer::status(404)).await;
    let (resources, file) = (Resources::default(), at(&server, "x"));
    assert!(!resources.exists(&file).await.unwrap());
    assert!(resources.read(&file).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = WebServer::start(|request, before| match before {
        0 => Answer {
            headers: vec![("Retry-After", "0".to_owned())],
            ..Answer::status(503)
        },
        _ => Answer::of(CONTENT, request),
    })
    .await;
    let found = Resources::default().read(&at(&server, "x")).await.unwrap();
    assert_eq!(found, CONTENT);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_taken_up_where_it_stopped() {
    let server = WebServer::start(|request, before| Answer {
        cut: (before < 2).then_some(3),
        ..Answer::of(CONTENT, request)
    })
    .await;
    let found = Resources::default().read(&at(&server, "x")).await.unwrap();
    assert_eq!(found, CONTENT);
    let starts: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.range.map(|(first, _)| first))
        .collect();
    assert_eq!(starts, [None, Some(3), Some(6)]);
}

#[tokio::test]
async fn a_download_that_cannot_be_taken_up_is_truncated() {
    let server = WebServer::start(|request, _| Answer {
        headers: Vec::new(),
        cut: Some(3),
        ..Answer::of(CONTENT, request)
    })
    .await;
    let stream = Resources::default()
        .read_stream(&at(&server, "x"), None)
        .await
        .unwrap();
    let error = stream.try_collect::<Vec<Bytes>>().await.unwrap_err();
    let expected = (10, 3);
    let ResourceError::Truncated {
        expected: announced,
        received,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((announced, received), expected);
}

#[tokio::test]
async fn files_are_copied_from_servers_but_not_moved() {
    let server = WebServer::with(CONTENT).await;
    let directory = tempfile::tempdir().unwrap();
    let target = ResourcePath::from_local(&directory.path().join("copy")).unwrap();
    let (resources, file) = (Resources::default(), at(&server, "x?signature=1"));
    let moved = resources
        .transfer(&file, &target, TransferMode::Move, false)
        .await;
    assert!(matches!(
        moved,
        Err(ResourceError::UnsupportedTransfer { .. })
    ));
    assert!(!resources.exists(&target).await.unwrap());
    let copied = resources
        .transfer(&file, &target, TransferMode::Auto, false)
        .await;
    assert_eq!(copied.unwrap(), Transferred::Done(TransferMode::Copy));
    assert_eq!(resources.read(&target).await.unwrap(), CONTENT);
}

#[tokio::test]
async fn servers_are_not_written_to() {
    let server = WebServer::with(CONTENT).await;
    let (resources, file) = (Resources::default(), at(&server, "x"));
    let written = resources.write(&file, Bytes::new(), true).await;
    assert!(matches!(written, Err(ResourceError::Unsupported { .. })));
    let deleted = resources.delete(&file).await;
    assert!(matches!(deleted, Err(ResourceError::Unsupported { .. })));
    assert!(server.requests().is_empty());
}

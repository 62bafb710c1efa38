//! Connections: over a real socket.

use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use butler_server::serve::{ServeLimits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const REQUEST: &[u8] = b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A connection that is cut gives what came until then.
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn requests_that_run_may_end_when_the_server_stops() {
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let (begun, has_begun) = oneshot::channel::<()>();
    let begun = std::sync::Mutex::new(Some(begun));
    let slow = move || {
        let released = released.lock().unwrap().take();
        begun.lock().unwrap().take().map(|begun| begun.send(()));
        async move {
            released.unwrap().await.unwrap();
            "done"
        }
    };
    let slow = std::sync::Arc::new(slow);
    let router = Router::new().route("/slow", on_get(move || slow()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async { stopped.await.unwrap() };
    let server = tokio::spawn(serve(listener, router, until, Duration::from_secs(60)));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    has_begun.await.unwrap();
    stop.send(()).unwrap();
    // No new connections are taken.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert!(answer(client).await.ends_with("done"));
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn requests_that_do_not_end_are_broken_off() {
    let router = Router::new().route("/slow", on_get(std::future::pending::<String>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async { stopped.await.unwrap() };
    let server = tokio::spawn(serve(listener, router, until, Duration::from_millis(50)));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}

/// A server of a page `/`, with these limits.
async fn limited(limits: ServeLimits) -> std::net::SocketAddr {
    let router = Router::new().route("/", on_get(|| async { "done" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router, std::future::pending(), limits));
    address
}

/// What comes over a connection until it ends, for which there is a limit.
async fn until_the_end(stream: TcpStream) -> String {
    let answer = tokio::time::timeout(Duration::from_secs(60), answer(stream));
    answer.await.unwrap()
}

#[tokio::test]
async fn whoever_does_not_finish_the_head_of_a_request_is_cut_off() {
    let limits = ServeLimits {
        header_timeout: Duration::from_secs(1),
        ..ServeLimits::default()
    };
    let address = limited(limits).await;
    // Nothing; what may become either version of HTTP; a head without an end; a second one.
    let whole = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let second = format!("{whole}GET / HTT");
    let heads = [
        "",
        "PRI * HT",
        "GET / HTTP/1.1\r\nhost: x\r\nslow: ",
        whole,
        &second,
    ];
    let clients = heads.map(async |sent: &str| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent.as_bytes()).await.unwrap();
        let answer = until_the_end(client).await;
        assert_eq!(
            answer.ends_with("done"),
            sent.starts_with(whole),
            "{sent:?}"
        );
    });
    futures::future::join_all(clients).await;
}

#[tokio::test]
async fn more_connections_than_there_may_be_wait_until_others_end() {
    let limits = ServeLimits {
        max_connections: 1,
        ..ServeLimits::default()
    };
    let address = limited(limits).await;
    let first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    second.write_all(request).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(until_the_end(second).await.ends_with("done"));
}

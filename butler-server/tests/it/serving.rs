//! Connections: over a real socket.

use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use butler_server::serve::serve;
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

//! The writer as a program: starting, waiting, stopping.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use butler_tests::ports::ReservedPort;

use super::fixture::{Embargo, LIMIT};
use crate::kafka::send;

#[test]
fn what_is_not_set_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_butler-pps"))
        .arg("writer")
        .env_clear()
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    for flag in [
        "--repository",
        "--cluster",
        "--topic",
        "--output-topic",
        "--dataset-list-directory",
    ] {
        assert!(said.contains(flag), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_password_is_refused() {
    let embargo = Embargo::sqlite().await;
    let mut writer = embargo.spawn_with(&[("KAFKA_USERNAME".to_owned(), "me".to_owned())]);
    assert!(!writer.ended().await);
    assert!(writer.log().contains("no password"), "{}", writer.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_asked_to_stop_ends_in_success() {
    let embargo = Embargo::sqlite().await;
    let (message, ids) = embargo.message(1, 1);
    send(&embargo.servers, &embargo.input(), [message]);
    let mut writer = embargo.spawn();
    embargo.wait_for_datasets(1).await;
    writer.terminate();
    assert!(writer.ended().await, "{}", writer.log());
    // The next one does not begin anew.
    let (message, more) = embargo.message(2, 1);
    send(&embargo.servers, &embargo.input(), [message]);
    let _next = embargo.spawn();
    let told = embargo.wait_for_datasets(2).await;
    assert_eq!(told, [ids, more].concat());
}

/// The status and body of an answer over HTTP.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}

async fn wait_for_status(address: SocketAddr, path: &str, status: u16) -> String {
    let begun = Instant::now();
    loop {
        match get(address, path) {
            Some((found, body)) if found == status => return body,
            other => assert!(begun.elapsed() < LIMIT, "{path}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_reach_is_waited_for_and_shown() {
    let embargo = Embargo::sqlite().await;
    // A file is where the directory should be.
    std::fs::remove_dir(embargo.lists()).unwrap();
    std::fs::write(embargo.lists(), "").unwrap();
    let (message, ids) = embargo.message(1, 3);
    send(
        &embargo.servers,
        &embargo.input(),
        [message.to_string(), "no JSON".to_owned()],
    );
    let port = ReservedPort::new();
    let address = port.address();
    let listen = ("WRITER_LISTEN".to_owned(), address.to_string());
    let mut writer = embargo.spawn_with(&[listen]);
    let begun = Instant::now();
    while !writer.log().contains("writing a batch file fails") {
        assert!(begun.elapsed() < LIMIT, "{}", writer.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wait_for_status(address, "/readyz", 503).await;
    wait_for_status(address, "/healthz", 200).await;
    assert!(embargo.announced().await.is_empty());
    std::fs::remove_file(embargo.lists()).unwrap();
    std::fs::create_dir(embargo.lists()).unwrap();
    assert_eq!(embargo.wait_for_datasets(3).await, ids);
    wait_for_status(address, "/readyz", 200).await;
    let text = wait_for_status(address, "/metrics", 200).await;
    for line in [
        "butler_writer_messages_received_total 2",
        "butler_writer_messages_ingested_total 1",
        "butler_writer_messages_dead_total{stage=\"parse\"} 1",
        "butler_writer_datasets_announced_total 3",
        "butler_writer_datasets_new_total 3",
        "butler_writer_batches_total 1",
        "butler_writer_retries_total{operation=\"writing a batch file\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    writer.terminate();
    assert!(writer.ended().await, "{}", writer.log());
}

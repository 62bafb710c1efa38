//! Messages that servers and proxies might read in different ways, or that never end: over TCP, byte by byte.
//!
//! Where two of them disagree where a request ends, its sender can have the second one answer something
//! that the first one has never seen. So whatever is ambiguous is refused, or ends its connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use butler_tests::server::{ServerProcess, ServerSetup};
use tempfile::TempDir;

use crate::places::repository;
use crate::support::ours;

/// Longer than a server waits for anything here; only what hangs takes so long.
const LIMIT: Duration = Duration::from_secs(60);

/// A request that would be answered if it were taken for one.
const SMUGGLED: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// Nothing here changes anything: one server will do.
static SERVER: LazyLock<(TempDir, ServerProcess)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("repo");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(repository(&root, None, None));
    let server = ServerSetup::new(&ours())
        .repository("r", &root, &["*"])
        .env("DAF_BUTLER_SERVER_HEADER_TIMEOUT_SECONDS", "2")
        .env("DAF_BUTLER_SERVER_BODY_TIMEOUT_SECONDS", "2")
        .start();
    (directory, server)
});

fn connect() -> TcpStream {
    let stream = TcpStream::connect(SERVER.1.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// All that comes until the server ends the connection.
fn until_the_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // What was still on its way to a server that has closed resets the connection.
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server keeps the connection open: {error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// What comes in answer to some bytes, until the server ends the connection by itself.
fn answer(bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect();
    // It may have been refused before all of it was sent.
    let _ = stream.write_all(bytes.as_ref());
    until_the_end(stream)
}

fn responses(answer: &str) -> usize {
    answer.matches("HTTP/1.1 ").count()
}

#[track_caller]
fn assert_refused(message: impl AsRef<[u8]>) {
    let shown = String::from_utf8_lossy(message.as_ref()).into_owned();
    let answer = answer(message);
    assert!(answer.starts_with("HTTP/1.1 4"), "{shown:?}: {answer:?}");
    assert_eq!(responses(&answer), 1, "{shown:?}: {answer:?}");
}

/// A query with these headers and body; what follows is not to be taken for another request.
fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /api/butler/repo/r/v1/query_collections HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/json\r\n{headers}\r\n{body}"
    )
}

#[test]
fn ordinary_requests_share_a_connection() {
    // Without this, the tests below would pass with a server that closes all connections.
    let last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = answer(format!("{SMUGGLED}{SMUGGLED}{last}"));
    assert_eq!(responses(&answer), 3, "{answer}");
}

#[test]
fn a_request_with_two_kinds_of_length_is_the_last_of_its_connection() {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let length = format!("Content-Length: {}\r\n", body.len());
    for headers in [
        format!("{length}Transfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\n{length}"),
        format!("{length}transfer-encoding:\tchunked\r\n"),
        format!("{length}Transfer-Encoding: CHUNKED\r\n"),
        format!("{length}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let answer = answer(post(&headers, &body));
        assert_eq!(responses(&answer), 1, "{headers:?}: {answer:?}");
    }
}

#[test]
fn contradictory_or_malformed_lengths_are_refused() {
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 18446744073709551615\r\n",
    ] {
        assert_refused(post(lengths, &format!("hello{SMUGGLED}")));
    }
}

#[test]
fn codings_that_are_not_known_are_refused() {
    for coding in [
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\r\n",
    ] {
        assert_refused(post(coding, &format!("0\r\n\r\n{SMUGGLED}")));
    }
    // The older version has no chunks.
    let request = post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n");
    let answer = answer(request.replace("HTTP/1.1", "HTTP/1.0"));
    assert!(
        answer.starts_with("HTTP/1.0 400") || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
}

#[test]
fn malformed_chunks_end_the_connection() {
    for chunks in [
        "5\r\nhelloGET",
        "5;a=b\nx\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
    ] {
        let message = post(
            "Transfer-Encoding: chunked\r\n",
            &format!("{chunks}{SMUGGLED}"),
        );
        let answer = answer(message);
        assert!(responses(&answer) <= 1, "{chunks:?}: {answer:?}");
        assert!(!answer.contains("HTTP/1.1 2"), "{chunks:?}: {answer:?}");
    }
}

#[test]
fn malformed_heads_are_refused() {
    let get = |headers: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n{SMUGGLED}");
    for headers in [
        // A line that goes on in the next one.
        "X-A: one\r\n two\r\n",
        "X-A: one\r\n\ttwo\r\n",
        " X-A: one\r\n",
        "X-A : one\r\n",
        "X-A: one\rX-B: two\r\n",
        "X-A: one\0two\r\n",
        "X\0A: one\r\n",
        "X A: one\r\n",
        ": one\r\n",
        "X-A\r\n",
    ] {
        assert_refused(get(headers));
    }
    for line in [
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/1.1x\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 GET /x HTTP/1.1\r\n",
        "GET /\0 HTTP/1.1\r\n",
        "GET / http/1.1\r\n",
        "G\tT / HTTP/1.1\r\n",
    ] {
        assert_refused(format!("{line}Host: x\r\n\r\n{SMUGGLED}"));
    }
}

#[test]
fn a_bare_line_feed_ends_a_line_and_hides_nothing() {
    // Some proxies take what follows it for a part of the line: the length must count all the same.
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let headers = format!(
        "Content-Length: {}\r\nX-A: b\nTransfer-Encoding: chunked\r\n",
        body.len()
    );
    let answer = answer(post(&headers, &body));
    assert_eq!(responses(&answer), 1, "{answer:?}");
}

#[test]
fn headers_that_are_too_large_or_too_many_are_refused() {
    let large = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n",
        "a".repeat(2 << 20)
    );
    let many: String = (0..10_000).map(|n| format!("X-{n}: a\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(2 << 20));
    for message in [large, many, long] {
        let answer = answer(message);
        // What the server had not read yet may reset the connection before its answer arrives.
        let refused = ["HTTP/1.1 431", "HTTP/1.1 414", "HTTP/1.1 400"];
        let refused = refused.iter().any(|status| answer.starts_with(status));
        assert!(refused || answer.is_empty(), "{answer:?}");
    }
    assert_eq!(
        responses(&answer(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )),
        1
    );
}

#[test]
fn targets_of_proxies_lead_nowhere() {
    for line in [
        "GET http://169.254.169.254/latest/meta-data HTTP/1.1",
        "CONNECT 169.254.169.254:80 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET /api/butler/configs/../../../../etc/passwd HTTP/1.1",
        "GET /api/butler/configs/%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        "GET //etc/passwd HTTP/1.1",
        "TRACE / HTTP/1.1",
    ] {
        let answer = answer(format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n"));
        let status = answer.get(9..12).unwrap_or_default();
        assert!(status.starts_with('4'), "{line}: {answer}");
        assert!(!answer.contains("root:"), "{line}: {answer}");
    }
}

#[test]
fn who_does_not_finish_a_head_is_cut_off() {
    let mut stream = connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
        .unwrap();
    let answer = until_the_end(stream);
    assert!(responses(&answer) <= 1, "{answer}");
    assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
}

#[test]
fn who_sends_a_head_a_byte_at_a_time_is_cut_off() {
    let mut stream = connect();
    let mut sent = 0;
    // One byte more often than any time-out: what counts is the whole.
    for byte in b"GET / HTTP/1.1\r\nX-A: "
        .iter()
        .chain(std::iter::repeat(&b'a'))
    {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        sent += 1;
        assert!(sent < 2000, "the server goes on reading");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_does_not_finish_a_body_is_told_so() {
    let mut stream = connect();
    let message = post("Content-Length: 100\r\n", "{");
    stream.write_all(message.as_bytes()).unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).unwrap();
    assert_eq!(&begin[..10], b"HTTP/1.1 4", "{begin:?}");
}

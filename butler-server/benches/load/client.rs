//! Clients that send requests as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How long a client waits whom the server told to come back later.
const BACK_OFF: Duration = Duration::from_millis(20);

/// A request that can be sent many times.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    method: &'static str,
    uri: String,
    body: Bytes,
}

impl Prepared {
    /// What an entry of `bench_requests.py` describes, for the repository at this path.
    pub(crate) fn new(repository: &str, entry: &Value) -> Self {
        let body = &entry["body"];
        Self {
            method: if entry["method"] == "GET" {
                "GET"
            } else {
                "POST"
            },
            uri: format!("{repository}/{}", entry["path"].as_str().unwrap()),
            body: if body.is_null() {
                Bytes::new()
            } else {
                body.to_string().into()
            },
        }
    }
}

/// What clients have seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each answered request took.
    pub(crate) latencies: Vec<Duration>,
    /// Bytes of bodies.
    pub(crate) bytes: usize,
    /// How often the server had no room.
    pub(crate) busy: usize,
    /// From the first request to the last answer.
    pub(crate) time: Duration,
}

impl Seen {
    /// The time within which this share of the requests was answered.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let index = (sorted.len() as f64 * share) as usize;
        sorted
            .get(index.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }
}

/// Lets so many clients, each with a connection of its own, take one request after the other for so long.
pub(crate) async fn load(
    address: SocketAddr,
    requests: &Arc<Vec<Prepared>>,
    clients: usize,
    time: Duration,
) -> Seen {
    let next = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
            tokio::spawn(async move {
                let mut connection = connect(address).await;
                let mut seen = Seen::default();
                while begin.elapsed() < time {
                    let index = next.fetch_add(1, Ordering::Relaxed) % requests.len();
                    send(address, &mut connection, &requests[index], &mut seen).await;
                }
                seen
            })
        })
        .collect();
    let mut all = Seen::default();
    for task in tasks {
        let seen = task.await.unwrap();
        all.latencies.extend(seen.latencies);
        all.bytes += seen.bytes;
        all.busy += seen.busy;
    }
    all.time = begin.elapsed();
    all
}

/// Lets so many clients read for so long, and then go away in the midst of it.
pub(crate) async fn hold(
    address: SocketAddr,
    requests: &Arc<Vec<Prepared>>,
    clients: usize,
    time: Duration,
) {
    let tasks: Vec<_> = (0..clients)
        .map(|index| {
            let requests = Arc::clone(requests);
            tokio::spawn(async move {
                let mut connection = connect(address).await;
                loop {
                    let request = &requests[index % requests.len()];
                    send(address, &mut connection, request, &mut Seen::default()).await;
                }
            })
        })
        .collect();
    sleep(time).await;
    for task in tasks {
        task.abort();
    }
}

async fn send(
    address: SocketAddr,
    connection: &mut SendRequest<Full<Bytes>>,
    prepared: &Prepared,
    seen: &mut Seen,
) {
    let request = Request::builder()
        .method(prepared.method)
        .uri(&prepared.uri)
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("authorization", "Bearer a-token")
        .body(Full::new(prepared.body.clone()))
        .unwrap();
    if connection.ready().await.is_err() {
        *connection = connect(address).await;
    }
    let begin = Instant::now();
    let response = connection.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut bytes = 0;
    let mut start = Bytes::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes += data.len();
            if start.is_empty() {
                start = data;
            }
        }
    }
    match status {
        200 => {
            seen.latencies.push(begin.elapsed());
            seen.bytes += bytes;
        }
        503 | 429 => {
            seen.busy += 1;
            sleep(BACK_OFF).await;
        }
        other => panic!("{} answers {other}: {start:?}", prepared.uri),
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    // Its errors are those of the requests that wait for it.
    tokio::spawn(connection);
    sender
}

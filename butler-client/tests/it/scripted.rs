//! A server that does what a test says, byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use butler_client::{
    AuthenticationMode, RemoteButler, RemoteButlerFactory, RemoteConfig, RemoteOptions, RetryPolicy,
};
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// An answer, which ends with the connection.
pub(crate) struct Reply(Vec<u8>);

impl Reply {
    /// A status, headers and a body that may claim to be longer than it is.
    fn raw(status: &str, headers: &[(&str, &str)], length: usize, body: &[u8]) -> Self {
        let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    pub(crate) fn new(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self::raw(status, headers, body.len(), body)
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::new(
            "200 OK",
            &[("Content-Type", "application/json")],
            body.to_string(),
        )
    }

    /// The body, without what comes after so many bytes of it.
    pub(crate) fn cut(headers: &[(&str, &str)], body: &[u8], after: usize) -> Self {
        Self::raw("200 OK", headers, body.len(), &body[..after])
    }

    /// Lines of JSON; if not `whole`, the connection breaks before the last is through.
    pub(crate) fn lines(lines: &[Value], whole: bool) -> Self {
        let text: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        let text = text.concat();
        if whole {
            Self::new("200 OK", &[], text)
        } else {
            Self::cut(&[], text.as_bytes(), text.len() - 5)
        }
    }

    /// An answer to be sent as it is.
    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Not even an answer.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }
}

/// A server, and what it was asked.
#[derive(Clone)]
pub(crate) struct Scripted {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// Starts a server that answers requests, of which it is told how often their path was asked
    /// for before. It knows its universe without the test.
    pub(crate) async fn start(
        answer: impl Fn(&Request, usize, u16) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let scripted = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
        };
        let (server, answer) = (scripted.clone(), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, answer) = (server.clone(), Arc::clone(&answer));
                tokio::spawn(async move { server.serve(stream, &*answer).await });
            }
        });
        scripted
    }

    async fn serve(
        &self,
        mut stream: TcpStream,
        answer: &(impl Fn(&Request, usize, u16) -> Reply + Send + Sync),
    ) {
        let Some(request) = read(&mut stream).await else {
            return;
        };
        let reply = if request.path.ends_with("/v1/universe") {
            let universe = DimensionUniverse::default_universe().config().to_simple();
            Reply::json(&json!({"universe": universe}))
        } else {
            let before = self.asked(&request.path);
            self.requests.lock().unwrap().push(request.clone());
            answer(&request, before, self.port)
        };
        stream.write_all(&reply.0).await.unwrap();
        stream.shutdown().await.ok();
    }

    /// The requests, without those for the universe.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.path == path)
            .count()
    }

    pub(crate) fn config(&self) -> RemoteConfig {
        RemoteConfig {
            url: format!("http://127.0.0.1:{}/repo/", self.port)
                .parse()
                .unwrap(),
            authentication: AuthenticationMode::RubinSciencePlatform,
        }
    }

    /// A client of the server that does not lose much time.
    pub(crate) async fn butler(&self) -> RemoteButler {
        let policy = RetryPolicy {
            pause: Duration::from_millis(1),
            ..RetryPolicy::default()
        };
        let factory = RemoteButlerFactory::with_policy(self.config(), policy).unwrap();
        let options = RemoteOptions::default();
        factory.open_with_token("secret", options).await.unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut data = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = data.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(data[..end].to_vec()).unwrap();
            let path = head.split(' ').nth(1)?.to_owned();
            let mut request = Request {
                path,
                head,
                body: data[end + 4..].to_vec(),
            };
            let length = request
                .header("content-length")
                .map_or(0, |text| text.parse().unwrap());
            while request.body.len() < length {
                let count = stream.read(&mut piece).await.ok()?;
                request.body.extend_from_slice(&piece[..count]);
            }
            return Some(request);
        }
        let count = stream
            .read(&mut piece)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        data.extend_from_slice(&piece[..count]);
    }
}

/// A dataset of structured data.
pub(crate) fn dataset() -> DatasetRef {
    let universe = DimensionUniverse::default_universe();
    let dimensions = universe.conform(["instrument"]).unwrap();
    let dataset_type = DatasetType::new("config", dimensions, "StructuredDataDict", false).unwrap();
    let values: [(&str, DataIdValue); 1] = [("instrument", "Cam1".into())];
    let data_id = DataCoordinate::standardize(universe, values, None, None).unwrap();
    DatasetRef::new(Arc::new(dataset_type), data_id, "run", Uuid::from_u128(7)).unwrap()
}

/// The path of requests for the dataset's file.
pub(crate) fn get_file() -> String {
    format!("/repo/v1/get_file/{}", dataset().id())
}

/// The record of a file of the dataset.
pub(crate) fn record(path: &str, size: i64) -> Value {
    json!({
        "formatter": "lsst.daf.butler.formatters.json.JsonFormatter",
        "path": path,
        "storage_class": "StructuredDataDict",
        "component": null,
        "checksum": null,
        "file_size": size,
    })
}

/// The answer that the dataset's file is at an address.
pub(crate) fn file_at(url: &str, size: i64) -> Reply {
    Reply::json(&json!({
        "dataset_ref": dataset().to_simple(false),
        "artifact": {
            "datastore_type": "file",
            "file_info": [{"url": url, "datastoreRecords": record("a/b.json", size), "auth": "none"}],
        },
    }))
}

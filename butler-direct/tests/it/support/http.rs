//! A web server inside the test process, which does as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request, as far as tests look at it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// The first and the last byte asked for.
    pub(crate) range: Option<(usize, Option<usize>)>,
}

/// What the server says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// How many bytes of the body are sent before the connection is closed.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The content or the part of it that was asked for, as a server that knows ranges sends it.
    pub(crate) fn of(content: &[u8], request: &Request) -> Self {
        let tag = ("ETag", "\"tag\"".to_owned());
        let Some((first, last)) = request.range else {
            return Self {
                status: 200,
                headers: vec![tag],
                body: content.to_vec(),
                cut: None,
            };
        };
        let end = last.map_or(content.len(), |last| (last + 1).min(content.len()));
        if first >= end {
            let unsatisfied = ("Content-Range", format!("bytes */{}", content.len()));
            return Self {
                headers: vec![unsatisfied],
                ..Self::status(416)
            };
        }
        let part = format!("bytes {first}-{}/{}", end - 1, content.len());
        Self {
            status: 206,
            headers: vec![tag, ("Content-Range", part)],
            body: content[first..end].to_vec(),
            cut: None,
        }
    }
}

/// A running server; it stops when dropped.
pub(crate) struct WebServer {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl WebServer {
    /// Starts a server that answers as the function says, given the request and how many there were
    /// before it.
    pub(crate) async fn start(
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A client that hangs up is no concern of the server's.
                    let _ = serve(client, &*answer, &seen).await;
                });
            }
        });
        Self {
            url,
            requests,
            task,
        }
    }

    /// A server that has one content at every address.
    pub(crate) async fn with(content: &'static [u8]) -> Self {
        Self::start(|request, _| Answer::of(content, request)).await
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    answer: &(dyn Fn(&Request, usize) -> Answer + Send + Sync),
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let range = head.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("range: bytes=")
            .map(str::to_owned)
    });
    let request = Request {
        method: word(),
        target: word(),
        range: range.and_then(|range| {
            let (first, last) = range.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()))
        }),
    };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answer = answer(&request, before);
    let mut out = format!(
        "HTTP/1.1 {} Said\r\nConnection: close\r\nContent-Length: {}\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    client.write_all(out.as_bytes()).await?;
    if request.method != "HEAD" {
        let sent = answer.cut.unwrap_or(answer.body.len());
        client.write_all(&answer.body[..sent]).await?;
    }
    client.shutdown().await
}

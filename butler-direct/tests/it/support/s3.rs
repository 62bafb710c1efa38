//! An S3 server inside the test process, which checks signatures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use butler_direct::environment::Environment;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connections;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// The access key the server knows.
pub(crate) const ACCESS_KEY: &str = "TESTACCESSKEY";

/// The secret belonging to it.
pub(crate) const SECRET_KEY: &str = "test/secret+key";

/// A running server with its own empty directory of buckets; it stops when dropped.
pub(crate) struct S3Server {
    address: SocketAddr,
    root: TempDir,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Starts a server on a free port of the loopback interface, with the given buckets.
    pub(crate) async fn start(buckets: &[&str]) -> Self {
        let root = TempDir::new().unwrap();
        for bucket in buckets {
            std::fs::create_dir(root.path().join(bucket)).unwrap();
        }
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let connections = Connections::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                let connection =
                    connections.serve_connection(TokioIo::new(socket), service.clone());
                let connection = connection.into_owned();
                tokio::spawn(async move {
                    // A client that hangs up is no concern of the server's.
                    let _ = connection.await;
                });
            }
        });
        Self {
            address,
            root,
            task,
        }
    }

    /// The server's address without credentials.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The server's address with credentials, as a profile variable holds it.
    pub(crate) fn url_with_keys(&self) -> String {
        format!("http://{ACCESS_KEY}:test%2Fsecret%2Bkey@{}", self.address)
    }

    /// An environment in which this is the default server.
    pub(crate) fn environment(&self) -> Environment {
        Environment::fixed([
            ("S3_ENDPOINT_URL", self.url().as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ])
    }

    /// Where the server keeps an object.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> std::path::PathBuf {
        self.root.path().join(bucket).join(key)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A proxy which breaks connections off after some bytes of the answer, a given number of times.
pub(crate) struct Breaking {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Breaking {
    /// Cuts answers longer than `limit` bytes, as long as `times` allows.
    pub(crate) async fn start(server: &S3Server, limit: usize, times: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = server.address;
        let left = Arc::new(AtomicUsize::new(times));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, upstream, limit, left.clone()));
            }
        });
        Self { url, task }
    }
}

impl Drop for Breaking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(mut client: TcpStream, upstream: SocketAddr, limit: usize, left: Arc<AtomicUsize>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let requests = tokio::io::copy(&mut from_client, &mut to_server);
    let answers = async {
        let mut buffer = vec![0; 16 << 10];
        let mut passed = 0;
        while let Ok(count) = from_server.read(&mut buffer).await {
            if count == 0 {
                break;
            }
            passed += count;
            let spent = |n: usize| n.checked_sub(1);
            if passed > limit
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spent)
                    .is_ok()
            {
                break;
            }
            if to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = requests => {}
        () = answers => {}
    }
}

/// A proxy which holds back requests to delete several objects until it is opened.
pub(crate) struct Gate {
    pub(crate) url: String,
    arrived: Arc<Semaphore>,
    is_open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Gate {
    /// A closed gate before the server at `endpoint`, `http://<address>`.
    pub(crate) async fn start(endpoint: &str) -> Self {
        let upstream: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let arrived = Arc::new(Semaphore::new(0));
        let (is_open, opened) = watch::channel(false);
        let arrivals = arrived.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(hold_back(
                    client,
                    upstream,
                    arrivals.clone(),
                    opened.clone(),
                ));
            }
        });
        Self {
            url,
            arrived,
            is_open,
            task,
        }
    }

    /// Waits for a request to delete, each time for another one.
    pub(crate) async fn arrival(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hold_back(
    mut client: TcpStream,
    upstream: SocketAddr,
    arrived: Arc<Semaphore>,
    mut opened: watch::Receiver<bool>,
) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = tokio::io::copy(&mut from_server, &mut to_client);
    let requests = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let part = &buffer[..count];
            if part.starts_with(b"POST ") && part.windows(7).any(|text| text == b"?delete") {
                arrived.add_permits(1);
                if opened.wait_for(|is_open| *is_open).await.is_err() {
                    break;
                }
            }
            if to_server.write_all(part).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = answers => {}
        () = requests => {}
    }
}

//! An S3 server in this process, over a temporary directory, that verifies signatures.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as ConnectionBuilder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The access key that the server knows.
pub const ACCESS_KEY: &str = "butlertestaccesskey";

/// The secret of [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "butlertestsecretkey";

/// The region for which clients sign.
pub const REGION: &str = "us-east-1";

/// An S3 server on the loopback interface; buckets are directories under [`S3Server::root`].
///
/// It runs on a thread of its own, so a blocking test or a Python process can speak with it. It ends, and
/// its data go, when the value is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    root: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// Starts a server that has these (empty) buckets.
    ///
    /// # Panics
    /// When the machine refuses a directory, a port or a thread.
    #[must_use]
    pub fn start(buckets: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        for bucket in buckets {
            std::fs::create_dir(root.path().join(bucket)).expect("a new directory takes a bucket");
        }
        let service = service(root.path());
        let (address_sender, address_receiver) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .await
                    .expect("the loopback interface has a free port");
                let address = listener
                    .local_addr()
                    .expect("a bound socket has an address");
                address_sender
                    .send(address)
                    .expect("the starter waits for the address");
                tokio::select! {
                    () = serve(listener, service) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address_receiver
            .recv()
            .expect("the server's thread gives its address");
        Self {
            address,
            root,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The endpoint, `http://127.0.0.1:<port>`, for path-style requests.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The directory whose sub-directories are the buckets.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The file that holds an object's bytes.
    #[must_use]
    pub fn object_file(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }

    /// The variables with which a process of its own, the Python package for one, finds this server.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("S3_ENDPOINT_URL", self.endpoint().as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_REGION", REGION),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only when the server has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has printed its message already.
            let _ = thread.join();
        }
    }
}

fn service(root: &Path) -> S3Service {
    let files = s3s_fs::FileSystem::new(root).expect("the directory of the buckets exists");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.build()
}

/// Accepts connections until it is dropped.
async fn serve(listener: TcpListener, service: S3Service) {
    let http = ConnectionBuilder::new(TokioExecutor::new());
    loop {
        // A connection that fails, while it is accepted or later, is its client's to report.
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        let connection = http
            .serve_connection(TokioIo::new(socket), service.clone())
            .into_owned();
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

//! An S3 server in this process, over a temporary directory, that verifies signatures.

use crate::faults::Faults;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as ConnectionBuilder;
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    faults: Arc<Faults>,
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
        let auth = SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY);
        Self::serving(buckets, |service| service.set_auth(auth))
    }

    /// Starts a server in which each bucket has an account of its own, and whoever has that one can use
    /// no other bucket. See [`profiles`](Self::profiles).
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn with_accounts(buckets: &[&str]) -> Self {
        let mut auth = SimpleAuth::new();
        for bucket in buckets {
            auth.register(access_key(bucket), secret_key(bucket).into());
        }
        Self::serving(buckets, |service| {
            service.set_auth(auth);
            service.set_access(OwnBucket);
        })
    }

    fn serving(buckets: &[&str], protect: impl FnOnce(&mut S3ServiceBuilder)) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        for bucket in buckets {
            std::fs::create_dir(root.path().join(bucket)).expect("a new directory takes a bucket");
        }
        let files = s3s_fs::FileSystem::new(root.path()).expect("the directory exists");
        let mut service = S3ServiceBuilder::new(files);
        protect(&mut service);
        let service = service.build();
        let faults = Arc::new(Faults::new(1));
        let injected = Arc::clone(&faults);
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
                    () = serve(listener, service, injected) => {}
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
            faults,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The endpoint, `http://127.0.0.1:<port>`, for path-style requests.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is to go wrong; nothing at first.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
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

    /// The variables by which a process finds a server [with accounts](Self::with_accounts): the profile
    /// for the bucket `some-bucket` is called `some_bucket`.
    #[must_use]
    pub fn profiles(&self, buckets: &[&str]) -> Vec<(String, String)> {
        let profile = |bucket: &&str| {
            let name = format!("LSST_RESOURCES_S3_PROFILE_{}", bucket.replace('-', "_"));
            let (key, secret) = (access_key(bucket), secret_key(bucket));
            (name, format!("http://{key}:{secret}@{}", self.address))
        };
        let region = ["AWS_DEFAULT_REGION", "AWS_REGION"];
        let region = region.map(|name| (name.to_owned(), REGION.to_owned()));
        buckets.iter().map(profile).chain(region).collect()
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

fn access_key(bucket: &str) -> String {
    format!("keyof{bucket}")
}

fn secret_key(bucket: &str) -> String {
    format!("secretof{bucket}")
}

/// Lets each account use its bucket only.
struct OwnBucket;

#[async_trait::async_trait]
impl S3Access for OwnBucket {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let bucket = context.s3_path().get_bucket_name();
        let account = context.credentials().map(|found| found.access_key.as_str());
        match bucket {
            Some(bucket) if account == Some(access_key(bucket).as_str()) => Ok(()),
            _ => Err(s3s::s3_error!(
                AccessDenied,
                "the bucket has another account"
            )),
        }
    }
}

/// Accepts connections until it is dropped.
async fn serve(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    let http = ConnectionBuilder::new(TokioExecutor::new());
    loop {
        // A connection that fails, while it is accepted or later, is its client's to report.
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        let (service, faults) = (service.clone(), Arc::clone(&faults));
        let answer = service_fn(move |request| Arc::clone(&faults).serve(service.clone(), request));
        let connection = http
            .serve_connection(TokioIo::new(socket), answer)
            .into_owned();
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

//! Taking connections, and stopping without cutting anybody off.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// How long the server rests when it can take no more connections.
const REST: Duration = Duration::from_millis(100);

/// What connections may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// How long running requests may go on when the server is told to stop.
    pub grace: Duration,
    /// How long a client may take to send the head of a request, and so how long a connection may
    /// be idle.
    pub header_timeout: Duration,
    /// How many connections there may be; more have to wait until others end.
    pub max_connections: usize,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(25),
            header_timeout: Duration::from_secs(15),
            max_connections: 4096,
        }
    }
}

impl From<Duration> for ServeLimits {
    /// The usual limits with this grace.
    fn from(grace: Duration) -> Self {
        Self {
            grace,
            ..Self::default()
        }
    }
}

/// Serves until `stop` is ready; then takes no more connections, and lets requests that are running
/// go on for a while.
///
/// # Errors
/// The listener is of no use any more.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    limits: impl Into<ServeLimits>,
) -> io::Result<()> {
    let limits = limits.into();
    let (stopping, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(
        limits.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let mut stop = pin!(stop);
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            listener.accept().await.map(|(stream, _)| (place, stream))
        };
        let (place, stream) = tokio::select! {
            accepted = next => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_connection(&error) => continue,
                Err(error) => {
                    // Such as too many open files, which passes.
                    tracing::error!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        tokio::spawn(async move {
            handle(stream, router, stopped, limits.header_timeout).await;
            drop(place);
        });
    }
    drop(listener);
    drop(stopped);
    // Connections hold the other ends of the channel.
    let _ = stopping.send(());
    if tokio::time::timeout(limits.grace, stopping.closed())
        .await
        .is_err()
    {
        tracing::warn!("requests are broken off: they did not end in time");
    }
    Ok(())
}

/// Whether only the connection that was to be accepted is at fault.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn handle(
    stream: TcpStream,
    router: Router,
    mut stopped: watch::Receiver<()>,
    header_timeout: Duration,
) {
    // Small answers are not to wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection cannot be set up");
        return;
    }
    let begun = Arc::new(AtomicBool::new(false));
    let begin = Arc::clone(&begun);
    let service = router.map_request(move |request: http::Request<Incoming>| {
        begin.store(true, Ordering::Relaxed);
        request.map(axum::body::Body::new)
    });
    let service = TowerToHyperService::new(service);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // The time-out above does not count while the version of HTTP is not known yet.
    let nothing_came = async {
        tokio::time::sleep(header_timeout).await;
        if begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = nothing_came => return,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(error, "a connection broke");
    }
}

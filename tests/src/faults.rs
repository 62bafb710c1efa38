//! What may go wrong between a client and an object store, at random.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use s3s::Body;
use s3s::service::S3Service;

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(300);

/// Faults of a server, off at first. Half of those of writing come after the work is done, so that the client cannot
/// know whether it is.
#[derive(Debug)]
pub struct Faults {
    /// Requests of a thousand that go wrong.
    share: AtomicU32,
    dice: AtomicU64,
    count: AtomicU64,
}

/// A connection is broken off.
type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Faults {
    /// The same sequence for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            share: AtomicU32::new(0),
            dice: AtomicU64::new(seed),
            count: AtomicU64::new(0),
        }
    }

    /// Lets so many of a thousand requests go wrong from now on.
    pub fn set(&self, share: u32) {
        self.share.store(share, Ordering::Relaxed);
    }

    /// How many requests went wrong so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn roll(&self, bound: u64) -> u64 {
        let step = |dice: u64| {
            dice.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407)
        };
        let (Ok(before) | Err(before)) =
            self.dice
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |dice| {
                    Some(step(dice))
                });
        (step(before) >> 33) % bound
    }

    /// Answers a request, or lets it go wrong.
    pub(crate) async fn serve(
        self: Arc<Self>,
        service: S3Service,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Broken> {
        let request = request.map(Body::from);
        if self.roll(1_000) >= u64::from(self.share.load(Ordering::Relaxed)) {
            return Ok(service.call(request).await?);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        match self.roll(7) {
            0 => Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")),
            1 => Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")),
            2 => Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            3 => {
                tokio::time::sleep(SLOW).await;
                Ok(service.call(request).await?)
            }
            4 => {
                service.call(request).await?;
                Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"))
            }
            5 => {
                service.call(request).await?;
                Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
            }
            _ => cut(service.call(request).await?).await,
        }
    }
}

/// An error as S3 says it.
fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code>\
         <Message>as the test wishes</Message></Error>"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// The same response, but its body ends half way.
async fn cut(response: Response<Body>) -> Result<Response<Body>, Broken> {
    let (parts, body) = response.into_parts();
    let whole = body.collect().await?.to_bytes();
    if whole.is_empty() {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
    }
    let half: Bytes = whole.slice(..whole.len() / 2);
    let pieces = [
        Ok(Frame::data(half)),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ];
    let body = StreamBody::new(stream::iter(pieces));
    Ok(Response::from_parts(parts, Body::http_body(body)))
}

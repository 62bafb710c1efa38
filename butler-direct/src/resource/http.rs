//! Web servers, for reading.
//!
//! Any `http://` or `https://` address that needs no credentials other than those in the address
//! itself, such as a signed one. The part of it after `?` is where signatures are, so it is kept
//! when the resource is asked for, and left out of messages.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, IF_MATCH, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, StatusCode};

use super::error::Result;
use super::store::{ByteStream, ResourceInfo, ResourceStore};
use super::{ResourceError, ResourcePath};

/// How often a request is made that fails for reasons which may pass.
const ATTEMPTS: u32 = 5;

/// Pause before the second attempt; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause, also if the server asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How often a download that breaks off is taken up again where it stopped.
const RESUMES: u32 = 4;

/// Every web server that addresses may name.
#[derive(Debug, Default)]
pub struct HttpStore {
    client: OnceLock<Client>,
}

impl HttpStore {
    fn client(&self) -> Result<Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = Client::builder()
            .user_agent(concat!("butler/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(180))
            .build()
            .map_err(|error| ResourceError::Settings {
                setting: "the HTTP client's".to_owned(),
                reason: error.to_string(),
            })?;
        Ok(self.client.get_or_init(|| client).clone())
    }
}

/// An address to read from.
#[derive(Clone, Debug)]
struct Source {
    client: Client,
    uri: ResourcePath,
}

impl Source {
    /// Asks for the resource until there is an answer that is worth reporting. Other statuses than
    /// success are returned, too.
    async fn ask(&self, method: Method, headers: HeaderMap) -> Result<Response> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let request = self
                .client
                .request(method.clone(), self.uri.with_fragment("").to_string())
                .headers(headers.clone())
                // Sizes and ranges are those of the resource, not of a compressed form.
                .header(ACCEPT_ENCODING, "identity");
            let answer = request.send().await;
            let asked_to_wait = match &answer {
                Ok(response) if is_passing(response.status()) => seconds(response.headers()),
                Err(error) if error.is_connect() || error.is_timeout() => None,
                _ => return answer.map_err(|error| failed(&self.uri, error)),
            };
            if attempt == ATTEMPTS {
                return answer.map_err(|error| failed(&self.uri, error));
            }
            tokio::time::sleep(asked_to_wait.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            attempt += 1;
            pause *= 2;
        }
    }

    /// As [`ask`](Self::ask), for a part of the resource.
    async fn ask_for(&self, range: &str, tag: Option<&str>) -> Result<Response> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(RANGE, Some(range)), (IF_MATCH, tag)] {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
        self.ask(Method::GET, headers).await
    }

    /// The size in bytes.
    async fn size(&self) -> Result<u64> {
        let answer = self.ask(Method::HEAD, HeaderMap::new()).await?;
        if answer.status().is_success()
            && let Some(size) = number(answer.headers().get(CONTENT_LENGTH))
        {
            return Ok(size);
        }
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(refused(&self.uri, answer.status()));
        }
        // Signed addresses are for one method only, and some servers do not tell sizes.
        let answer = self.ask_for("bytes=0-0", None).await?;
        let size = match answer.status() {
            StatusCode::PARTIAL_CONTENT => total(answer.headers()),
            // Of an empty resource there is no first byte.
            StatusCode::RANGE_NOT_SATISFIABLE => Some(total(answer.headers()).unwrap_or(0)),
            status if status.is_success() => number(answer.headers().get(CONTENT_LENGTH)),
            status => return Err(refused(&self.uri, status)),
        };
        size.ok_or_else(|| ResourceError::Remote {
            uri: shown(&self.uri),
            operation: "inspect",
            detail: "the server does not say how large it is".to_owned(),
            source: None,
        })
    }
}

/// A download that survives broken connections.
struct Download {
    source: Source,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    tag: Option<String>,
    /// Bytes of the resource before those that are still to come.
    at: u64,
    /// Where the resource, or the range asked for, ends, if the server says so.
    end: Option<u64>,
    received: u64,
    /// Bytes of the answer that were not asked for.
    skip: u64,
    resumes: u32,
}

impl Download {
    async fn begin(source: Source, range: Option<Range<u64>>) -> Result<Self> {
        let answer = match &range {
            None => source.ask(Method::GET, HeaderMap::new()).await?,
            Some(range) => {
                let wanted = format!("bytes={}-{}", range.start, range.end.max(1) - 1);
                source.ask_for(&wanted, None).await?
            }
        };
        let status = answer.status();
        if let (Some(range), StatusCode::RANGE_NOT_SATISFIABLE) = (&range, status) {
            return Err(ResourceError::Truncated {
                uri: shown(&source.uri),
                expected: range.end - range.start,
                received: 0,
            });
        }
        if !status.is_success() {
            return Err(refused(&source.uri, status));
        }
        let start = range.as_ref().map_or(0, |range| range.start);
        let announced = number(answer.headers().get(CONTENT_LENGTH));
        // A server that knows no ranges sends everything.
        let (skip, end) = match (status, &range) {
            (StatusCode::PARTIAL_CONTENT, _) => (0, announced.map(|length| start + length)),
            (_, Some(range)) => (
                start,
                announced.map(|length| length.clamp(start, range.end.max(start))),
            ),
            (_, None) => (0, announced),
        };
        let tag = answer.headers().get(ETAG);
        let tag = tag.and_then(|tag| tag.to_str().ok());
        Ok(Self {
            // Weak tags are no good for ranges.
            tag: tag.filter(|tag| !tag.starts_with("W/")).map(str::to_owned),
            body: answer.bytes_stream().boxed(),
            source,
            at: start,
            end,
            received: 0,
            skip,
            resumes: 0,
        })
    }

    fn stream(self) -> ByteStream {
        futures::stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.end.is_none_or(|end| self.at < end) {
            let broken = match self.body.next().await {
                Some(Ok(chunk)) => match self.wanted(chunk) {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                None if self.end.is_none() => return Ok(None),
                None => None,
                Some(Err(error)) => Some(error),
            };
            tracing::debug!(
                uri = shown(&self.source.uri),
                at = self.at,
                "download broke off"
            );
            let can_resume = self.tag.is_some() && self.skip == 0 && self.end.is_some();
            if self.resumes == RESUMES || !can_resume {
                return Err(self.gave_up(broken));
            }
            self.resumes += 1;
            self.resume().await?;
        }
        Ok(None)
    }

    /// The part of what has arrived that was asked for.
    fn wanted(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        let skipped = self.skip.min(chunk.len() as u64);
        self.skip -= skipped;
        // Neither is larger than the chunk.
        drop(chunk.split_to(usize::try_from(skipped).unwrap_or(usize::MAX)));
        if let Some(end) = self.end {
            let rest = usize::try_from(end - self.at).unwrap_or(usize::MAX);
            chunk.truncate(rest);
        }
        self.at += chunk.len() as u64;
        self.received += chunk.len() as u64;
        (!chunk.is_empty()).then_some(chunk)
    }

    async fn resume(&mut self) -> Result<()> {
        let end = self.end.map_or(String::new(), |end| (end - 1).to_string());
        let range = format!("bytes={}-{end}", self.at);
        let answer = self.source.ask_for(&range, self.tag.as_deref()).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => self.body = answer.bytes_stream().boxed(),
            status if status.is_success() => return Err(self.gave_up(None)),
            status => return Err(refused(&self.source.uri, status)),
        }
        Ok(())
    }

    fn gave_up(&self, error: Option<reqwest::Error>) -> ResourceError {
        match (self.end, error) {
            (None, Some(error)) => failed(&self.source.uri, error),
            (end, _) => ResourceError::Truncated {
                uri: shown(&self.source.uri),
                expected: end.map_or(0, |end| self.received + (end - self.at)),
                received: self.received,
            },
        }
    }
}

#[async_trait]
impl ResourceStore for HttpStore {
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        Ok(ResourceInfo {
            uri: uri.clone(),
            size: self.source(uri)?.size().await?,
            modified: None,
            is_directory: false,
        })
    }

    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        let download = Download::begin(self.source(uri)?, range).await?;
        Ok(download.stream())
    }

    async fn write_stream(&self, uri: &ResourcePath, _: ByteStream, _: bool) -> Result<u64> {
        Err(read_only(uri, "write"))
    }

    async fn copy(&self, _: &ResourcePath, to: &ResourcePath, _: bool) -> Result<bool> {
        Err(read_only(to, "write"))
    }

    async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        Err(read_only(uri, "delete"))
    }

    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        let error = ResourceError::Unsupported {
            uri: shown(directory),
            operation: "list",
            reason: "web servers do not say what they have".to_owned(),
        };
        futures::stream::once(async { Err(error) }).boxed()
    }

    async fn make_directory(&self, uri: &ResourcePath) -> Result<()> {
        Err(read_only(uri, "make"))
    }
}

impl HttpStore {
    fn source(&self, uri: &ResourcePath) -> Result<Source> {
        Ok(Source {
            client: self.client()?,
            uri: uri.clone(),
        })
    }
}

/// An address without what may be a signature.
fn shown(uri: &ResourcePath) -> String {
    ResourcePath {
        query: String::new(),
        ..uri.clone()
    }
    .to_string()
}

fn read_only(uri: &ResourcePath, operation: &'static str) -> ResourceError {
    ResourceError::Unsupported {
        uri: shown(uri),
        operation,
        reason: "web servers are for reading only".to_owned(),
    }
}

/// Whether the same request may succeed a little later.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn refused(uri: &ResourcePath, status: StatusCode) -> ResourceError {
    let uri = shown(uri);
    match status.as_u16() {
        404 | 410 => ResourceError::NotFound { uri },
        401 | 403 => ResourceError::PermissionDenied {
            uri,
            operation: "read",
            detail: format!(
                "the server answered HTTP {status} (a signed address may have expired)"
            ),
        },
        _ => ResourceError::Remote {
            uri,
            operation: "read",
            detail: format!("the server answered HTTP {status}"),
            source: None,
        },
    }
}

fn failed(uri: &ResourcePath, error: reqwest::Error) -> ResourceError {
    // Its own text would show the whole address.
    let error = error.without_url();
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        detail.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    ResourceError::Remote {
        uri: shown(uri),
        operation: "read",
        detail,
        source: Some(Box::new(error)),
    }
}

fn number(value: Option<&reqwest::header::HeaderValue>) -> Option<u64> {
    value?.to_str().ok()?.trim().parse().ok()
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    number(headers.get(RETRY_AFTER)).map(Duration::from_secs)
}

/// The size of a resource of which a part was sent.
fn total(headers: &HeaderMap) -> Option<u64> {
    let (_, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.split_once('/')?;
    total.trim().parse().ok()
}

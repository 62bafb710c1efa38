//! Bringing files here, whatever happens on the way.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use butler_core::{Error, Result};
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE,
};
use reqwest::{Response, StatusCode};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::connection::Connection;
use crate::failure;
use crate::files::RemoteFile;
use crate::retry::Attempts;

/// How often, in a row, a new address is asked for when one is refused.
const RENEWALS: u32 = 2;

/// Where the bytes of a file go.
enum Sink {
    Memory(BytesMut),
    File(File),
}

impl Sink {
    async fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Memory(data) => data.extend_from_slice(piece),
            Self::File(file) => file.write_all(piece).await?,
        }
        Ok(())
    }

    /// Forgets what was written.
    async fn restart(&mut self) -> std::io::Result<()> {
        match self {
            Self::Memory(data) => data.clear(),
            Self::File(file) => {
                file.set_len(0).await?;
                file.rewind().await?;
            }
        }
        Ok(())
    }
}

/// A file on its way.
struct Download<'a> {
    connection: &'a Connection,
    file: RemoteFile,
    attempts: Attempts,
    renewals: u32,
    received: u64,
    /// The size that the storage announces, and the version of the file that it is of.
    total: Option<u64>,
    version: Option<HeaderValue>,
}

/// What to do after a failed attempt.
enum Next {
    Wait(Duration),
    Renew,
    Fail(Error),
}

/// The whole contents of a file.
///
/// # Errors
/// [`Error::FileNotFound`] if it is not there; [`Error::FileIntegrity`] if it has another size than
/// the record says; [`Error::Storage`] if it cannot be fetched.
pub(crate) async fn to_memory(connection: &Connection, file: RemoteFile) -> Result<Bytes> {
    let mut sink = Sink::Memory(BytesMut::new());
    let size = expected_size(&file);
    let mut download = Download::new(connection, file);
    download.run(&mut sink, None).await?;
    download.check(size)?;
    match sink {
        Sink::Memory(data) => Ok(data.freeze()),
        Sink::File(_) => Err(Error::Internal("a download lost its place".to_owned())),
    }
}

/// Brings a file to a local path, which must not exist; nothing is left there after an error.
///
/// # Errors
/// As for [`to_memory`]; [`Error::Io`].
pub(crate) async fn to_path(
    connection: &Connection,
    file: RemoteFile,
    size: Option<u64>,
    target: &Path,
) -> Result<()> {
    let io = |error| Error::io(target, error);
    let created = File::options()
        .write(true)
        .create_new(true)
        .open(target)
        .await;
    let mut sink = Sink::File(created.map_err(io)?);
    let mut download = Download::new(connection, file);
    let done = async {
        download.run(&mut sink, Some(target)).await?;
        if let Sink::File(file) = &mut sink {
            file.flush().await.map_err(io)?;
        }
        download.check(size)
    };
    let done = done.await;
    if done.is_err()
        && let Err(error) = tokio::fs::remove_file(target).await
    {
        tracing::warn!(path = %target.display(), %error, "a part of a file stays");
    }
    done
}

/// A part of a file, and the size of the whole.
///
/// # Errors
/// As for [`to_memory`].
pub(crate) async fn part(
    connection: &Connection,
    file: &mut RemoteFile,
    range: Range<u64>,
) -> Result<(Bytes, u64)> {
    let mut download = Download::new(connection, file.clone());
    let header = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
    loop {
        let outcome = download.read_part(&header).await;
        match outcome {
            Ok(found) => {
                *file = download.file;
                return Ok(found);
            }
            Err(next) => download.recover(next).await?,
        }
    }
}

/// Whether a file is there. Signed addresses are for GET only: a first byte is asked for.
///
/// # Errors
/// [`Error::Storage`] if the storage refuses to answer.
pub(crate) async fn exists(connection: &Connection, file: &mut RemoteFile) -> Result<bool> {
    match part(connection, file, 0..1).await {
        Ok(_) => Ok(true),
        Err(Error::FileNotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The size a file should have, if it is known. The record of a member of an archive tells the
/// member's.
pub(crate) fn expected_size(file: &RemoteFile) -> Option<u64> {
    file.info
        .known_size()
        .filter(|_| file.zip_member().is_none())
}

impl<'a> Download<'a> {
    fn new(connection: &'a Connection, file: RemoteFile) -> Self {
        Self {
            attempts: Attempts::new(connection.policy()),
            connection,
            file,
            renewals: 0,
            received: 0,
            total: None,
            version: None,
        }
    }

    /// Fetches what has not come yet, until nothing is missing.
    async fn run(&mut self, sink: &mut Sink, path: Option<&Path>) -> Result<()> {
        loop {
            match self.continue_once(sink, path).await {
                Ok(()) => return Ok(()),
                Err(next) => self.recover(next).await?,
            }
        }
    }

    async fn recover(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Wait(pause) => tokio::time::sleep(pause).await,
            Next::Renew => self.file.renew(self.connection).await?,
            Next::Fail(error) => return Err(error),
        }
        Ok(())
    }

    async fn continue_once(&mut self, sink: &mut Sink, path: Option<&Path>) -> Result<(), Next> {
        let io = |error| match path {
            Some(path) => Next::Fail(Error::io(path, error)),
            None => Next::Fail(Error::Internal(format!("writing to memory: {error}"))),
        };
        let range = (self.received > 0).then(|| format!("bytes={}-", self.received));
        let mut response = self.request(range.as_deref()).await?;
        match response.status() {
            // All was there when the connection broke.
            StatusCode::RANGE_NOT_SATISFIABLE if Some(self.received) == self.total => {
                return Ok(());
            }
            StatusCode::PARTIAL_CONTENT if range.is_some() => match content_range(&response) {
                Some((start, _)) if start != self.received => {
                    return Err(self.failed("the storage sent another part than asked for"));
                }
                Some((_, total)) if total.is_some() && total != self.total => {
                    return Err(self.failed("the file changed while it was read"));
                }
                Some(_) => {}
                None => return Err(self.failed("the storage does not say what it sent")),
            },
            status if status.is_success() => {
                // From the start: the file has changed, or its storage knows no parts.
                if self.received > 0 {
                    sink.restart().await.map_err(io)?;
                    self.received = 0;
                }
                self.total = header_number(&response);
                self.version = strong_version(&response);
            }
            status => return Err(self.failed(status)),
        }
        loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    sink.write(&piece).await.map_err(io)?;
                    self.received += piece.len() as u64;
                    self.attempts.progressed();
                    self.renewals = 0;
                }
                Ok(None) => break,
                Err(error) => return Err(self.broke_off(error)),
            }
        }
        match self.total {
            Some(total) if self.received < total => {
                Err(self.interrupted("it ended too early".to_owned()))
            }
            _ => Ok(()),
        }
    }

    async fn read_part(&mut self, range: &str) -> Result<(Bytes, u64), Next> {
        let response = self.request(Some(range)).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let total = content_range(&response).and_then(|(_, total)| total);
                let total = total.ok_or_else(|| self.failed("the storage tells no size"))?;
                match response.bytes().await {
                    Ok(data) => Ok((data, total)),
                    Err(error) => Err(self.broke_off(error)),
                }
            }
            // The file is empty.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok((Bytes::new(), 0)),
            status if status.is_success() && range == "bytes=0-0" => {
                Ok((Bytes::new(), header_number(&response).unwrap_or_default()))
            }
            status if status.is_success() => {
                Err(self.failed("the storage does not give parts of files"))
            }
            status => Err(self.failed(status)),
        }
    }

    /// Sends a request for a file or a part of it. What is final is an error.
    async fn request(&mut self, range: Option<&str>) -> Result<Response, Next> {
        let mut request = self.connection.http().get(self.file.url.clone());
        if let Some(token) = self.connection.credentials().for_file(self.file.auth) {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
            if let Some(version) = &self.version {
                request = request.header(IF_RANGE, version.clone());
            }
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Err(self.broke_off(error)),
        };
        let status = response.status();
        if let Some(pause) = self.attempts.after_answer(status, response.headers()) {
            return Err(Next::Wait(pause));
        }
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(Next::Fail(Error::FileNotFound(self.file.shown())))
            }
            // Storages say so, each in its way, of addresses whose time is over.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                if self.renewals < RENEWALS =>
            {
                self.renewals += 1;
                Err(Next::Renew)
            }
            status if status.is_server_error() => Err(self.interrupted(status.to_string())),
            _ => Ok(response),
        }
    }

    fn broke_off(&mut self, error: reqwest::Error) -> Next {
        let text = failure::network_text(error);
        self.interrupted(text)
    }

    /// Waits and tries again, unless that was done too often.
    fn interrupted(&mut self, why: String) -> Next {
        match self.attempts.after_failure() {
            Some(pause) => {
                let received = self.received;
                tracing::debug!(file = self.file.shown(), why, received, "trying again");
                Next::Wait(pause)
            }
            None => self.failed(why),
        }
    }

    fn failed(&self, why: impl std::fmt::Display) -> Next {
        Next::Fail(Error::storage(
            format!("downloading {}", self.file.shown()),
            why.to_string(),
        ))
    }

    /// Checks that a file has the size that was recorded.
    fn check(&self, size: Option<u64>) -> Result<()> {
        match size {
            Some(size) if size != self.received => Err(Error::FileIntegrity {
                path: self.file.shown(),
                detail: format!(
                    "the file has {} bytes, but {size} were recorded",
                    self.received
                ),
            }),
            _ => Ok(()),
        }
    }
}

fn header_number(response: &Response) -> Option<u64> {
    let value = response.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// The version of a file that parts may be of. Weak ones do not tell apart what differs by bytes.
fn strong_version(response: &Response) -> Option<HeaderValue> {
    let version = response.headers().get(ETAG)?;
    (!version.as_bytes().starts_with(b"W/")).then(|| version.clone())
}

/// Where a part starts, and the size of the whole if it is told.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

//! `file/{id}/{name}?token=…`: files of datastores on disk, for whoever has a signed URL.
//!
//! The token says which dataset and which of its files. Where that is, the repository says: there is
//! no path in the request that could lead anywhere else.

use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use butler_core::error::Error;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio_util::io::ReaderStream;
use url::Url;

use crate::app::App;
use crate::auth::text;
use crate::error::{ApiError, ApiResult};
use crate::extract::{IdInPath, LabelInPath, Params};
use crate::openapi::Refusals;

/// Bytes read from disk at once.
const CHUNK: usize = 256 << 10;

/// The file, or the part of it that a `Range` header asks for.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/file/{id}/{name}",
    operation_id = "read_file",
    params(("repository" = String, Path, description = "The repository's label"), ("id" = uuid::Uuid, Path, description = "The dataset's ID"), ("name" = String, Path, description = "The file's name, which does not count"), ("token" = String, Query, description = "The signature")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"), (status = 206, description = "The part that Range asks for", body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "The file has the ETag of If-None-Match"), (status = 416, description = "The file has no such part"), Refusals),
)]
pub(crate) async fn get(
    State(app): State<App>,
    LabelInPath(label): LabelInPath,
    IdInPath(id): IdInPath,
    params: Params,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let refused = |detail: &str| ApiError::refused(StatusCode::FORBIDDEN, detail);
    let token = params
        .get("token")
        .ok_or_else(|| refused("Required 'token' parameter was not provided"))?;
    let claims = app.file_urls.verify(token);
    let claims = claims.filter(|claims| claims.repository == label && claims.dataset == id);
    let claims =
        claims.ok_or_else(|| refused("The token is not valid for this URL, or no longer"))?;
    let gone = || ApiError::not_found("The file is no longer there");
    let served = app.repositories.get(&label).ok_or_else(gone)?;
    let repository = served.repository().ok_or_else(ApiError::closed)?;
    let files = repository.lookups().datastore().files(&[id]).await?;
    let mut files = files.into_values().flatten();
    let file = files
        .find(|file| file.info.artifact_path() == claims.path)
        .ok_or_else(gone)?;
    let path = Url::parse(&file.uri).ok().and_then(|url| {
        let is_local = url.scheme() == "file";
        is_local.then(|| url.to_file_path().ok()).flatten()
    });
    match open(path.ok_or_else(gone)?).await? {
        Some(opened) => opened.respond(&headers).await,
        None => Err(gone()),
    }
}

struct Opened {
    path: PathBuf,
    file: tokio::fs::File,
    length: u64,
    etag: String,
}

/// Opens a file; none if there is none.
async fn open(path: PathBuf) -> ApiResult<Option<Opened>> {
    let fail = |error| Error::io(&path, error);
    let file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error).into()),
    };
    let metadata = file.metadata().await.map_err(fail)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    let length = metadata.len();
    Ok(Some(Opened {
        etag: format!("\"{length:x}-{seconds:x}-{nanoseconds:x}\""),
        path,
        file,
        length,
    }))
}

impl Opened {
    async fn respond(mut self, headers: &HeaderMap) -> ApiResult<Response> {
        let has_tag = |list: &str| {
            list.split(',')
                .any(|tag| matches!(tag.trim(), t if t == self.etag || t == "*"))
        };
        let mut own = HeaderMap::new();
        own.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            own.insert(header::ETAG, etag);
        }
        if text(headers, "if-none-match").is_some_and(has_tag) {
            return Ok((StatusCode::NOT_MODIFIED, own).into_response());
        }
        let still_valid = text(headers, "if-range").is_none_or(|tag| tag == self.etag);
        let range = text(headers, "range").filter(|_| still_valid);
        let range = range.map_or(Range::Whole, |range| Range::parse(range, self.length));
        let (status, start, length) = match range {
            Range::Whole => (StatusCode::OK, 0, self.length),
            Range::Part(range) => {
                let (start, end) = (*range.start(), *range.end());
                let content_range = format!("bytes {start}-{end}/{}", self.length);
                insert(&mut own, header::CONTENT_RANGE, &content_range);
                (StatusCode::PARTIAL_CONTENT, start, end - start + 1)
            }
            Range::Outside => {
                let content_range = format!("bytes */{}", self.length);
                insert(&mut own, header::CONTENT_RANGE, &content_range);
                return Ok((StatusCode::RANGE_NOT_SATISFIABLE, own).into_response());
            }
        };
        let fail = |error| Error::io(&self.path, error);
        let seek = self.file.seek(SeekFrom::Start(start));
        seek.await.map_err(fail)?;
        let content_type = content_type(&self.path);
        own.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        own.insert(header::CONTENT_LENGTH, length.into());
        let data = ReaderStream::with_capacity(self.file.take(length), CHUNK);
        Ok((status, own, Body::from_stream(data)).into_response())
    }
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Everything, also for headers that mean several ranges or nothing.
    Whole,
    /// These bytes.
    Part(RangeInclusive<u64>),
    /// Nothing that is there.
    Outside,
}

impl Range {
    fn parse(text: &str, length: u64) -> Self {
        let Some((first, last)) = text
            .trim()
            .strip_prefix("bytes=")
            .and_then(|range| range.split_once('-'))
        else {
            return Self::Whole;
        };
        let last_byte = length.saturating_sub(1);
        let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => first..=last.min(last_byte),
            (Ok(first), Err(_)) if last.trim().is_empty() => first..=last_byte,
            (Err(_), Ok(0)) if first.trim().is_empty() => return Self::Outside,
            (Err(_), Ok(count)) if first.trim().is_empty() => {
                length.saturating_sub(count)..=last_byte
            }
            _ => return Self::Whole,
        };
        match *range.start() < length {
            true => Self::Part(range),
            false => Self::Outside,
        }
    }
}

/// The media type of the formats that datastores write.
fn content_type(path: &std::path::Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("fits" | "fit" | "fz") => "application/fits",
        Some("json") => "application/json",
        Some("yaml" | "yml") => "application/yaml",
        Some("parq" | "parquet" | "pq") => "application/vnd.apache.parquet",
        Some("zip") => "application/zip",
        Some("png") => "image/png",
        Some("txt" | "log" | "ecsv") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn ranges_are_read_as_http_means_them() {
        let cases = [
            ("bytes=0-3", Range::Part(0..=3)),
            ("bytes=4-", Range::Part(4..=9)),
            ("bytes=-2", Range::Part(8..=9)),
            ("bytes=-20", Range::Part(0..=9)),
            ("bytes=5-100", Range::Part(5..=9)),
            ("bytes=10-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=3-1", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("lines=1-2", Range::Whole),
            ("bytes=-", Range::Whole),
        ];
        for (text, expected) in cases {
            assert_eq!(Range::parse(text, 10), expected, "{text}");
        }
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        assert_eq!(Range::parse("bytes=0-0", 0), Range::Outside);
        assert_eq!(Range::parse("bytes=-1", 0), Range::Outside);
    }
}

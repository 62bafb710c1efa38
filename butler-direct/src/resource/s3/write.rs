//! Storing objects, in one piece or in parts.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};

use super::client::S3Settings;
use super::failure::translate;
use super::store::ObjectKey;
use crate::resource::error::Result;
use crate::resource::store::ByteStream;
use crate::resource::{ResourceError, quoting};

/// The most parts an object can have.
const MAX_PARTS: i32 = 10_000;

/// Stores what a stream brings and returns its size.
pub(super) async fn put_stream(
    client: &Client,
    object: &ObjectKey,
    mut data: ByteStream,
    settings: &S3Settings,
) -> Result<u64> {
    let mut cutter = Cutter {
        pending: BytesMut::new(),
        size: settings.part_size.max(1),
    };
    let Some(first) = cutter.next(&mut data).await? else {
        return put(client, object, Bytes::new()).await;
    };
    let Some(second) = cutter.next(&mut data).await? else {
        return put(client, object, first).await;
    };
    let upload = Upload::begin(client, object).await?;
    let mut size = 0;
    let sent = async {
        let mut parts = Vec::new();
        let mut under_way = FuturesUnordered::new();
        let mut early = [Some(first), Some(second)].into_iter();
        for number in 1.. {
            let piece = match early.next() {
                Some(piece) => piece,
                None => cutter.next(&mut data).await?,
            };
            let Some(piece) = piece else { break };
            if number > MAX_PARTS {
                return Err(ResourceError::Unsupported {
                    uri: object.uri.to_string(),
                    operation: "write",
                    reason: format!(
                        "it needs more than {MAX_PARTS} parts of {} bytes; raise the part size",
                        settings.part_size
                    ),
                });
            }
            size += piece.len() as u64;
            if under_way.len() >= settings.parallel_parts.max(1) {
                parts.extend(under_way.try_next().await?);
            }
            under_way.push(upload.part(number, piece));
        }
        while let Some(part) = under_way.try_next().await? {
            parts.push(part);
        }
        Ok(parts)
    }
    .await;
    upload.finish(sent).await?;
    Ok(size)
}

/// Stores an object in one request.
pub(super) async fn put(client: &Client, object: &ObjectKey, data: Bytes) -> Result<u64> {
    let size = data.len() as u64;
    client
        .put_object()
        .bucket(&object.bucket)
        .key(&object.key)
        .body(Body::from(data))
        .send()
        .await
        .map_err(|error| translate(&object.uri, "write", error))?;
    Ok(size)
}

/// Copies an object of `size` bytes inside the server, `part_size` bytes at a time.
pub(super) async fn copy_parts(
    client: &Client,
    from: &ObjectKey,
    to: &ObjectKey,
    size: u64,
    part_size: u64,
) -> Result<()> {
    let part_size = part_size.max(1).max(size.div_ceil(MAX_PARTS as u64));
    let upload = Upload::begin(client, to).await?;
    let starts = (0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX));
    let copied = futures::stream::iter((1..).zip(starts))
        .map(|(number, start)| upload.part_from(from, number, start, size.min(start + part_size)))
        .buffer_unordered(4)
        .try_collect()
        .await;
    upload.finish(copied).await
}

/// How the server is told where to copy from.
pub(super) fn copy_source(from: &ObjectKey) -> String {
    format!("{}/{}", from.bucket, quoting::quote(&from.key))
}

/// An object being sent in parts.
struct Upload<'a> {
    client: &'a Client,
    object: &'a ObjectKey,
    id: String,
}

impl<'a> Upload<'a> {
    async fn begin(client: &'a Client, object: &'a ObjectKey) -> Result<Self> {
        let begun = client
            .create_multipart_upload()
            .bucket(&object.bucket)
            .key(&object.key)
            .send()
            .await
            .map_err(|error| translate(&object.uri, "write", error))?;
        match begun.upload_id {
            Some(id) => Ok(Self { client, object, id }),
            None => Err(ResourceError::Remote {
                uri: object.uri.to_string(),
                operation: "write",
                detail: "the server named no upload to send parts to".to_owned(),
                source: None,
            }),
        }
    }

    async fn part(&self, number: i32, data: Bytes) -> Result<CompletedPart> {
        let sent = self
            .client
            .upload_part()
            .bucket(&self.object.bucket)
            .key(&self.object.key)
            .upload_id(&self.id)
            .part_number(number)
            .body(Body::from(data))
            .send()
            .await
            .map_err(|error| translate(&self.object.uri, "write", error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .build())
    }

    async fn part_from(
        &self,
        from: &ObjectKey,
        number: i32,
        start: u64,
        end: u64,
    ) -> Result<CompletedPart> {
        let copied = self
            .client
            .upload_part_copy()
            .bucket(&self.object.bucket)
            .key(&self.object.key)
            .upload_id(&self.id)
            .part_number(number)
            .copy_source(copy_source(from))
            .copy_source_range(format!("bytes={start}-{}", end - 1))
            .send()
            .await
            .map_err(|error| translate(&from.uri, "copy", error))?;
        let tag = copied.copy_part_result.and_then(|result| result.e_tag);
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(tag)
            .build())
    }

    /// Assembles the parts, or discards them if sending them failed.
    async fn finish(&self, parts: Result<Vec<CompletedPart>>) -> Result<()> {
        let done = match parts {
            Ok(parts) => self.complete(parts).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            let aborted = self
                .client
                .abort_multipart_upload()
                .bucket(&self.object.bucket)
                .key(&self.object.key)
                .upload_id(&self.id)
                .send()
                .await;
            if let Err(error) = aborted {
                let error = translate(&self.object.uri, "abandon the upload of", error);
                tracing::warn!(%error, upload = self.id, "parts of a failed upload remain");
            }
        }
        done
    }

    async fn complete(&self, mut parts: Vec<CompletedPart>) -> Result<()> {
        parts.sort_by_key(|part| part.part_number);
        self.client
            .complete_multipart_upload()
            .bucket(&self.object.bucket)
            .key(&self.object.key)
            .upload_id(&self.id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map_err(|error| translate(&self.object.uri, "write", error))?;
        Ok(())
    }
}

/// Cuts a stream into pieces of one size; only the last is shorter.
struct Cutter {
    pending: BytesMut,
    size: usize,
}

impl Cutter {
    async fn next(&mut self, data: &mut ByteStream) -> Result<Option<Bytes>> {
        while self.pending.len() < self.size {
            match data.try_next().await? {
                Some(chunk) => self.pending.extend_from_slice(&chunk),
                None if self.pending.is_empty() => return Ok(None),
                None => break,
            }
        }
        let size = self.size.min(self.pending.len());
        Ok(Some(self.pending.split_to(size).freeze()))
    }
}

//! The trait every storage backend implements.

use std::fmt::Debug;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::error::Result;
use super::{ResourceError, ResourcePath, WORKERS};

/// The contents of a resource, piece by piece.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// What a storage knows of a resource without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceInfo {
    /// The resource's address.
    pub uri: ResourcePath,
    /// Its size in bytes; 0 for a directory.
    pub size: u64,
    /// When it was last changed.
    pub modified: Option<SystemTime>,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// One kind of storage. Every address handed in belongs to it.
///
/// Writes are atomic: a reader sees the old contents or the new, never a part, and a failed
/// write leaves nothing behind.
#[async_trait]
pub trait ResourceStore: Debug + Send + Sync {
    /// Size and modification time; [`ResourceError::NotFound`] if there is nothing.
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo>;

    /// The size in bytes; 0 for a directory.
    async fn size(&self, uri: &ResourcePath) -> Result<u64> {
        Ok(self.info(uri).await?.size)
    }

    /// Whether there is a resource. Being refused the answer is an error.
    async fn exists(&self, uri: &ResourcePath) -> Result<bool> {
        match self.info(uri).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether each of the resources exists, in the given order.
    async fn exists_many(&self, uris: &[ResourcePath]) -> Vec<Result<bool>> {
        futures::stream::iter(uris.to_vec())
            .map(|uri| async move { self.exists(&uri).await })
            .buffered(WORKERS)
            .collect()
            .await
    }

    /// The contents, or a range of them in bytes. The stream ends with
    /// [`ResourceError::Truncated`] if less arrives than the storage announced.
    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream>;

    /// The whole contents.
    async fn read(&self, uri: &ResourcePath) -> Result<Bytes> {
        gather(self.read_stream(uri, None).await?).await
    }

    /// A range of the contents in bytes. A range that goes beyond the end gives
    /// [`ResourceError::Truncated`].
    async fn read_range(&self, uri: &ResourcePath, range: Range<u64>) -> Result<Bytes> {
        let expected = range.end.saturating_sub(range.start);
        if expected == 0 {
            return Ok(Bytes::new());
        }
        let data = gather(self.read_stream(uri, Some(range)).await?).await?;
        if data.len() as u64 != expected {
            return Err(ResourceError::Truncated {
                uri: uri.to_string(),
                expected,
                received: data.len() as u64,
            });
        }
        Ok(data)
    }

    /// Stores the contents. Unless `overwrite`, an existing resource is refused with
    /// [`ResourceError::AlreadyExists`].
    async fn write(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        self.write_stream(
            uri,
            futures::stream::once(async { Ok(data) }).boxed(),
            overwrite,
        )
        .await
        .map(drop)
    }

    /// Stores contents as they arrive and returns their size in bytes.
    async fn write_stream(
        &self,
        uri: &ResourcePath,
        data: ByteStream,
        overwrite: bool,
    ) -> Result<u64>;

    /// Duplicates a resource without its contents passing through this process. `false` if the
    /// storage cannot do that between these two.
    async fn copy(&self, from: &ResourcePath, to: &ResourcePath, overwrite: bool) -> Result<bool>;

    /// Removes a resource. Whether a missing one is an error depends on the storage: S3 does not
    /// say.
    async fn delete(&self, uri: &ResourcePath) -> Result<()>;

    /// Removes many resources; the outcomes come in the given order.
    async fn delete_many(&self, uris: &[ResourcePath]) -> Vec<Result<()>> {
        futures::stream::iter(uris.to_vec())
            .map(|uri| async move { self.delete(&uri).await })
            .buffered(WORKERS)
            .collect()
            .await
    }

    /// Every file below a directory, at any depth. A directory that does not exist is empty.
    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>>;

    /// Makes a directory and those above it; an existing directory is fine. Storages without
    /// directories check that it could be written to.
    async fn make_directory(&self, uri: &ResourcePath) -> Result<()>;
}

/// A storage that can hand out addresses which work without credentials for a while.
#[async_trait]
pub trait Signer: Send + Sync {
    /// An address to read the resource with HTTP GET. The fragment of `uri` is kept.
    async fn presign_get(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String>;

    /// An address to store the resource with HTTP PUT.
    async fn presign_put(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String>;
}

/// Collects a stream.
pub(super) async fn gather(mut stream: ByteStream) -> Result<Bytes> {
    let Some(first) = stream.try_next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = stream.try_next().await? else {
        return Ok(first);
    };
    let mut all = BytesMut::with_capacity(first.len() + second.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&second);
    while let Some(chunk) = stream.try_next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

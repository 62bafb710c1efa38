//! Files on web servers, for configurations and indexes that are kept there.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use butler_client::PublicFiles;
use butler_core::Error;
use butler_direct::resource::{
    ByteStream, ResourceError, ResourceInfo, ResourcePath, ResourceStore, Result,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

/// Reads what web servers give to everybody.
#[derive(Clone)]
pub(crate) struct HttpStore(pub(crate) PublicFiles);

impl fmt::Debug for HttpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpStore")
    }
}

fn failed(uri: &ResourcePath, operation: &'static str, error: Error) -> ResourceError {
    match error {
        Error::FileNotFound(_) => ResourceError::NotFound {
            uri: uri.to_string(),
        },
        error => ResourceError::Io {
            uri: uri.to_string(),
            operation,
            source: std::io::Error::other(error),
        },
    }
}

fn read_only(uri: &ResourcePath, operation: &'static str) -> ResourceError {
    ResourceError::Unsupported {
        uri: uri.to_string(),
        operation,
        reason: "web servers are for reading only".to_owned(),
    }
}

#[async_trait]
impl ResourceStore for HttpStore {
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        let part = self.0.read_range(&uri.to_string(), 0..1).await;
        let (_, size) = part.map_err(|error| failed(uri, "look for", error))?;
        Ok(ResourceInfo {
            uri: uri.clone(),
            size,
            modified: None,
            is_directory: false,
        })
    }

    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        let address = uri.to_string();
        let data: Bytes = match range {
            None => self.0.read(&address).await,
            Some(range) => self
                .0
                .read_range(&address, range)
                .await
                .map(|(data, _)| data),
        }
        .map_err(|error| failed(uri, "read", error))?;
        Ok(futures::stream::once(async { Ok(data) }).boxed())
    }

    async fn write_stream(&self, uri: &ResourcePath, _: ByteStream, _: bool) -> Result<u64> {
        Err(read_only(uri, "write to"))
    }

    async fn copy(&self, _: &ResourcePath, _: &ResourcePath, _: bool) -> Result<bool> {
        Ok(false)
    }

    async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        Err(read_only(uri, "delete"))
    }

    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        let error = read_only(directory, "list");
        futures::stream::once(async { Err(error) }.boxed()).boxed()
    }

    async fn make_directory(&self, uri: &ResourcePath) -> Result<()> {
        Err(read_only(uri, "make a directory at"))
    }
}

//! Resources in process memory, for tests and demonstrations.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::error::Result;
use super::store::{ByteStream, ResourceInfo, ResourceStore, gather};
use super::{ResourceError, ResourcePath};

type Entries = BTreeMap<ResourcePath, (Bytes, SystemTime)>;

/// A storage that lives as long as its last clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    entries: Arc<Mutex<Entries>>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, uri: &ResourcePath) -> Result<(Bytes, SystemTime)> {
        self.lock()
            .get(&uri.without_fragment())
            .cloned()
            .ok_or_else(|| ResourceError::NotFound {
                uri: uri.to_string(),
            })
    }

    fn put(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        if uri.is_directory() == Some(true) {
            return Err(ResourceError::IsADirectory {
                uri: uri.to_string(),
            });
        }
        let mut entries = self.lock();
        let key = uri.without_fragment();
        if !overwrite && entries.contains_key(&key) {
            return Err(ResourceError::AlreadyExists {
                uri: uri.to_string(),
            });
        }
        entries.insert(key, (data, SystemTime::now()));
        Ok(())
    }
}

#[async_trait]
impl ResourceStore for MemoryStore {
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        if uri.is_directory() == Some(true) {
            return Ok(ResourceInfo {
                uri: uri.clone(),
                size: 0,
                modified: None,
                is_directory: true,
            });
        }
        let (data, modified) = self.get(uri)?;
        Ok(ResourceInfo {
            uri: uri.clone(),
            size: data.len() as u64,
            modified: Some(modified),
            is_directory: false,
        })
    }

    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        let (data, _) = self.get(uri)?;
        let piece = match range {
            None => data,
            Some(range) => {
                let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
                data.slice(clamp(range.start)..clamp(range.end.max(range.start)))
            }
        };
        Ok(futures::stream::once(async { Ok(piece) }).boxed())
    }

    async fn write(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        self.put(uri, data, overwrite)
    }

    async fn write_stream(
        &self,
        uri: &ResourcePath,
        data: ByteStream,
        overwrite: bool,
    ) -> Result<u64> {
        let data = gather(data).await?;
        let size = data.len() as u64;
        self.put(uri, data, overwrite)?;
        Ok(size)
    }

    async fn copy(&self, from: &ResourcePath, to: &ResourcePath, overwrite: bool) -> Result<bool> {
        let (data, _) = self.get(from)?;
        self.put(to, data, overwrite)?;
        Ok(true)
    }

    async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        match self.lock().remove(&uri.without_fragment()) {
            Some(_) => Ok(()),
            None => Err(ResourceError::NotFound {
                uri: uri.to_string(),
            }),
        }
    }

    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        let found: Vec<_> = self
            .lock()
            .iter()
            .filter(|(uri, _)| uri.relative_to(directory).is_some_and(|path| path != "."))
            .map(|(uri, (data, modified))| {
                Ok(ResourceInfo {
                    uri: uri.clone(),
                    size: data.len() as u64,
                    modified: Some(*modified),
                    is_directory: false,
                })
            })
            .collect();
        futures::stream::iter(found).boxed()
    }

    async fn make_directory(&self, _uri: &ResourcePath) -> Result<()> {
        Ok(())
    }
}

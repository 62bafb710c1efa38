//! [`ResourceStore`] for local files.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::transfer::LocalTransfer;
use super::write::{KnownDirectories, publish, temporary_beside};
use crate::resource::error::Result;
use crate::resource::store::{ByteStream, ResourceInfo, ResourceStore};
use crate::resource::{ResourceError, ResourcePath, TransferMode, WORKERS, blocking};

/// Bytes read at a time when streaming.
const CHUNK: usize = 1 << 20;

/// Files looked at or removed by one blocking task.
const BATCH: usize = 500;

/// The local file system.
#[derive(Clone, Debug, Default)]
pub struct PosixStore {
    durable: bool,
}

impl PosixStore {
    /// Every write is forced to the disk before it counts as done.
    pub fn durable() -> Self {
        Self { durable: true }
    }

    /// Whether writes are forced to the disk.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    fn path(uri: &ResourcePath) -> Result<PathBuf> {
        uri.local_path()
            .ok_or_else(|| ResourceError::UnsupportedScheme {
                scheme: uri.scheme().as_str().to_owned(),
                uri: uri.to_string(),
            })
    }

    async fn in_batches<T: Send + 'static>(
        uris: &[ResourcePath],
        each: impl Fn(&ResourcePath) -> Result<T> + Copy + Send + 'static,
    ) -> Vec<Result<T>> {
        let batches: Vec<Vec<ResourcePath>> = uris.chunks(BATCH).map(<[_]>::to_vec).collect();
        futures::stream::iter(batches)
            .map(|batch| async move {
                let size = batch.len();
                blocking(move || batch.iter().map(each).collect::<Vec<_>>())
                    .await
                    .unwrap_or_else(|_| (0..size).map(|_| Err(interrupted())).collect())
            })
            .buffered(WORKERS)
            .flat_map(futures::stream::iter)
            .collect()
            .await
    }
}

fn interrupted() -> ResourceError {
    ResourceError::Io {
        uri: "a batch of files".to_owned(),
        operation: "visit",
        source: io::ErrorKind::Interrupted.into(),
    }
}

#[async_trait]
impl ResourceStore for PosixStore {
    async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        let path = Self::path(uri)?;
        let found = tokio::fs::metadata(&path)
            .await
            .map_err(ResourceError::io(uri, "inspect"))?;
        Ok(describe(uri.clone(), &found))
    }

    async fn exists(&self, uri: &ResourcePath) -> Result<bool> {
        let uri = uri.clone();
        blocking(move || exists(&uri)).await?
    }

    async fn exists_many(&self, uris: &[ResourcePath]) -> Vec<Result<bool>> {
        Self::in_batches(uris, exists).await
    }

    async fn read(&self, uri: &ResourcePath) -> Result<Bytes> {
        let path = Self::path(uri)?;
        let uri = uri.clone();
        blocking(move || {
            fs::read(path)
                .map(Bytes::from)
                .map_err(ResourceError::io(uri, "read"))
        })
        .await?
    }

    async fn read_range(&self, uri: &ResourcePath, range: Range<u64>) -> Result<Bytes> {
        let path = Self::path(uri)?;
        let uri = uri.clone();
        blocking(move || {
            let expected = range.end.saturating_sub(range.start);
            let mut data = Vec::new();
            fs::File::open(path)
                .and_then(|mut file| {
                    file.seek(SeekFrom::Start(range.start))?;
                    file.take(expected).read_to_end(&mut data)
                })
                .map_err(ResourceError::io(&uri, "read"))?;
            if data.len() as u64 != expected {
                return Err(ResourceError::Truncated {
                    uri: uri.to_string(),
                    expected,
                    received: data.len() as u64,
                });
            }
            Ok(Bytes::from(data))
        })
        .await?
    }

    async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        let path = Self::path(uri)?;
        let mut file = tokio::fs::File::open(&path)
            .await
            .map_err(ResourceError::io(uri, "open"))?;
        let (start, length) = match &range {
            Some(range) => (range.start, range.end.saturating_sub(range.start)),
            None => (0, u64::MAX),
        };
        if start > 0 {
            file.seek(SeekFrom::Start(start))
                .await
                .map_err(ResourceError::io(uri, "read"))?;
        }
        let uri = uri.to_string();
        Ok(ReaderStream::with_capacity(file.take(length), CHUNK)
            .map_err(move |error| ResourceError::io(&uri, "read")(error))
            .boxed())
    }

    async fn write(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        let path = Self::path(uri)?;
        let uri = uri.clone();
        let durable = self.durable;
        blocking(move || {
            refuse_directory(&uri, &path)?;
            let failed = ResourceError::io(&uri, "write");
            KnownDirectories::default()
                .make_parent(&path)
                .and_then(|()| temporary_beside(&path))
                .and_then(|mut file| {
                    file.as_file_mut().write_all(&data)?;
                    publish(file, &path, overwrite, durable)
                })
                .map_err(failed)
        })
        .await?
    }

    async fn write_stream(
        &self,
        uri: &ResourcePath,
        mut data: ByteStream,
        overwrite: bool,
    ) -> Result<u64> {
        // Nothing is created before the first bytes have arrived: a source that does not exist
        // must not leave directories behind.
        let mut next = data.try_next().await?;
        let path = Self::path(uri)?;
        refuse_directory(uri, &path)?;
        let failed = || ResourceError::io(uri, "write");
        let (place, temporary) = blocking(move || {
            KnownDirectories::default().make_parent(&path)?;
            let temporary = temporary_beside(&path)?;
            Ok((path, temporary))
        })
        .await?
        .map_err(failed())?;
        let handle = temporary.as_file().try_clone().map_err(failed())?;
        let mut file = tokio::fs::File::from_std(handle);
        let mut size = 0;
        while let Some(chunk) = next {
            size += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(failed())?;
            next = data.try_next().await?;
        }
        file.flush().await.map_err(failed())?;
        let durable = self.durable;
        blocking(move || publish(temporary, &place, overwrite, durable))
            .await?
            .map_err(failed())?;
        Ok(size)
    }

    async fn copy(&self, from: &ResourcePath, to: &ResourcePath, overwrite: bool) -> Result<bool> {
        let (from, to) = (from.clone(), to.clone());
        let mut transfer = LocalTransfer::new(self.durable);
        blocking(move || transfer.run(&from, &to, TransferMode::Copy, overwrite)).await??;
        Ok(true)
    }

    async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        let uri = uri.clone();
        blocking(move || delete(&uri)).await?
    }

    async fn delete_many(&self, uris: &[ResourcePath]) -> Vec<Result<()>> {
        Self::in_batches(uris, delete).await
    }

    fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        let directory = directory.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(256);
        tokio::task::spawn_blocking(move || {
            let outcome = Self::path(&directory).and_then(|path| {
                walk(&path, &mut Vec::new(), &mut |info| {
                    sender.blocking_send(Ok(info)).is_ok()
                })
            });
            if let Err(error) = outcome {
                // A receiver that has gone does not want to know.
                let _ = sender.blocking_send(Err(error));
            }
        });
        futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|item| (item, receiver))
        })
        .boxed()
    }

    async fn make_directory(&self, uri: &ResourcePath) -> Result<()> {
        let path = Self::path(uri)?;
        tokio::fs::create_dir_all(&path)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    ResourceError::NotADirectory {
                        uri: uri.to_string(),
                    }
                }
                _ => ResourceError::io(uri, "make directory")(error),
            })
    }
}

fn describe(uri: ResourcePath, found: &fs::Metadata) -> ResourceInfo {
    ResourceInfo {
        uri,
        size: if found.is_dir() { 0 } else { found.len() },
        modified: found.modified().ok(),
        is_directory: found.is_dir(),
    }
}

fn exists(uri: &ResourcePath) -> Result<bool> {
    PosixStore::path(uri)?
        .try_exists()
        .or_else(|error| match error.kind() {
            io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(ResourceError::io(uri, "look for")(error)),
        })
}

fn delete(uri: &ResourcePath) -> Result<()> {
    fs::remove_file(PosixStore::path(uri)?).map_err(ResourceError::io(uri, "delete"))
}

fn refuse_directory(uri: &ResourcePath, path: &Path) -> Result<()> {
    if uri.is_directory() == Some(true) || path.is_dir() {
        return Err(ResourceError::IsADirectory {
            uri: uri.to_string(),
        });
    }
    Ok(())
}

/// Visits the files below a directory in order of their names, following symbolic links but no
/// circles. `visit` returns whether to go on.
fn walk(
    directory: &Path,
    above: &mut Vec<(u64, u64)>,
    visit: &mut dyn FnMut(ResourceInfo) -> bool,
) -> Result<bool> {
    let failed = |error| ResourceError::io(directory.display(), "list")(error);
    let here = match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other.map_err(failed)?,
    };
    let identity = (here.dev(), here.ino());
    if above.contains(&identity) {
        return Ok(true);
    }
    above.push(identity);
    let mut entries = fs::read_dir(directory)
        .map_err(failed)?
        .collect::<io::Result<Vec<_>>>()
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let goes_on = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => walk(&path, above, visit)?,
            Ok(found) => {
                let uri = ResourcePath::from_local(&path)?;
                visit(describe(uri, &found))
            }
            // Gone meanwhile, or a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(ResourceError::io(path.display(), "inspect")(error)),
        };
        if !goes_on {
            return Ok(false);
        }
    }
    above.pop();
    Ok(true)
}

//! Acting on resources whatever their storage.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::error::Result;
use super::http::HttpStore;
use super::posix::{LocalTransfer, PosixStore};
use super::s3::{S3Settings, S3Store};
use super::store::{ByteStream, ResourceInfo, ResourceStore, Signer};
use super::{
    ChecksumAlgorithm, LocalCopy, MemoryStore, ResourceError, ResourcePath, Scheme, TransferMode,
    Transferred, WORKERS, blocking, zip,
};
use crate::environment::Environment;

/// Local transfers done by one blocking task, so that directories are checked once per batch.
const TRANSFER_BATCH: usize = 64;

/// Access to every kind of storage. Cheap to clone; clones share clients and connections.
#[derive(Clone, Debug)]
pub struct Resources {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    environment: Environment,
    posix: Arc<PosixStore>,
    s3: Arc<S3Store>,
    http: Arc<HttpStore>,
    memory: Arc<MemoryStore>,
}

/// Settings for [`Resources`].
#[derive(Clone, Debug, Default)]
pub struct ResourcesBuilder {
    environment: Environment,
    durable: bool,
    s3: S3Settings,
    memory: MemoryStore,
}

impl ResourcesBuilder {
    /// Take endpoints, credentials and directories from here rather than from the process.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Whether local writes are forced to the disk before they count as done.
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// How S3 servers are used.
    pub fn s3(mut self, settings: S3Settings) -> Self {
        self.s3 = settings;
        self
    }

    /// Share an in-memory storage.
    pub fn memory(mut self, store: MemoryStore) -> Self {
        self.memory = store;
        self
    }

    /// Makes the storages available. Nothing is contacted yet.
    pub fn build(self) -> Resources {
        let posix = if self.durable {
            PosixStore::durable()
        } else {
            PosixStore::default()
        };
        Resources {
            shared: Arc::new(Shared {
                posix: Arc::new(posix),
                s3: Arc::new(S3Store::new(self.environment.clone(), self.s3)),
                http: Arc::default(),
                memory: Arc::new(self.memory),
                environment: self.environment,
            }),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Resources {
    /// Access with settings other than the defaults.
    pub fn builder() -> ResourcesBuilder {
        ResourcesBuilder::default()
    }

    /// The environment that settings are taken from.
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// The storage an address belongs to.
    pub fn store(&self, uri: &ResourcePath) -> Arc<dyn ResourceStore> {
        match uri.scheme() {
            Scheme::File | Scheme::Relative => self.shared.posix.clone(),
            Scheme::S3 => self.shared.s3.clone(),
            Scheme::Memory => self.shared.memory.clone(),
            Scheme::Http | Scheme::Https => self.shared.http.clone(),
        }
    }

    /// Whether the resource exists. Being refused the answer is an error.
    pub async fn exists(&self, uri: &ResourcePath) -> Result<bool> {
        self.store(uri).exists(uri).await
    }

    /// Whether each of the resources exists, in the given order, several asked at once.
    pub async fn exists_many(&self, uris: &[ResourcePath]) -> Vec<Result<bool>> {
        let mut found = Ordered::new(uris.len());
        for (members, group) in group(uris) {
            found.put(members, self.store(&group[0]).exists_many(&group).await);
        }
        found.finish()
    }

    /// Size and modification time.
    pub async fn info(&self, uri: &ResourcePath) -> Result<ResourceInfo> {
        self.store(uri).info(uri).await
    }

    /// The size in bytes; 0 for a directory.
    pub async fn size(&self, uri: &ResourcePath) -> Result<u64> {
        self.store(uri).size(uri).await
    }

    /// Whether the address is a directory, asking the file system when the address does not say.
    pub async fn is_directory(&self, uri: &ResourcePath) -> Result<bool> {
        match uri.is_directory() {
            Some(known) => Ok(known),
            None if uri.is_local() => match self.info(uri).await {
                Ok(info) => Ok(info.is_directory),
                Err(error) if error.is_not_found() => Ok(false),
                Err(error) => Err(error),
            },
            None => Ok(false),
        }
    }

    /// The whole contents.
    pub async fn read(&self, uri: &ResourcePath) -> Result<Bytes> {
        self.store(uri).read(uri).await
    }

    /// A range of the contents, in bytes; going beyond the end is an error.
    pub async fn read_range(&self, uri: &ResourcePath, range: Range<u64>) -> Result<Bytes> {
        self.store(uri).read_range(uri, range).await
    }

    /// The contents, or a range of them, as they arrive.
    pub async fn read_stream(
        &self,
        uri: &ResourcePath,
        range: Option<Range<u64>>,
    ) -> Result<ByteStream> {
        self.store(uri).read_stream(uri, range).await
    }

    /// What the address selects: a member of a zip archive if its fragment says `zip-path=…`,
    /// else the whole contents.
    pub async fn read_selected(&self, uri: &ResourcePath) -> Result<Bytes> {
        match uri.zip_member() {
            Some(member) => self.read_zip_member(uri, &member).await,
            None => self.read(uri).await,
        }
    }

    /// A member of a zip archive. Only the needed parts of the archive are fetched.
    pub async fn read_zip_member(&self, archive: &ResourcePath, member: &str) -> Result<Bytes> {
        zip::read_member(self.store(archive), archive, member).await
    }

    /// Stores the contents atomically.
    pub async fn write(&self, uri: &ResourcePath, data: Bytes, overwrite: bool) -> Result<()> {
        self.store(uri).write(uri, data, overwrite).await
    }

    /// Stores contents as they arrive, atomically, and returns their size in bytes.
    pub async fn write_stream(
        &self,
        uri: &ResourcePath,
        data: ByteStream,
        overwrite: bool,
    ) -> Result<u64> {
        self.store(uri).write_stream(uri, data, overwrite).await
    }

    /// Removes a resource.
    pub async fn delete(&self, uri: &ResourcePath) -> Result<()> {
        self.store(uri).delete(uri).await
    }

    /// Removes many resources, several at once; outcomes come in the given order.
    pub async fn delete_many(&self, uris: &[ResourcePath]) -> Vec<Result<()>> {
        let mut done = Ordered::new(uris.len());
        for (members, group) in group(uris) {
            done.put(members, self.store(&group[0]).delete_many(&group).await);
        }
        done.finish()
    }

    /// Every file below a directory.
    pub fn list(&self, directory: &ResourcePath) -> BoxStream<'static, Result<ResourceInfo>> {
        self.store(directory).list(directory)
    }

    /// Makes a directory and those above it.
    pub async fn make_directory(&self, uri: &ResourcePath) -> Result<()> {
        self.store(uri).make_directory(uri).await
    }

    /// Brings a resource to another place. See [`TransferMode`] for the ways.
    ///
    /// Links are possible between local places only. Between different storages the bytes
    /// stream through this process; between places of one S3 server they do not. The destination
    /// appears whole or not at all; after a failed move the source is still there.
    pub async fn transfer(
        &self,
        from: &ResourcePath,
        to: &ResourcePath,
        mode: TransferMode,
        overwrite: bool,
    ) -> Result<Transferred> {
        let unsupported = |reason| ResourceError::UnsupportedTransfer {
            mode,
            from: from.to_string(),
            to: to.to_string(),
            reason,
        };
        if mode == TransferMode::Direct {
            return Err(unsupported(
                "only a datastore can record a file where it is",
            ));
        }
        if from.without_fragment() == to.without_fragment() {
            return Ok(Transferred::SameFile);
        }
        if from.is_local() && to.is_local() {
            let (from, to) = (from.clone(), to.clone());
            let mut transfer = self.local_transfer();
            return blocking(move || transfer.run(&from, &to, mode, overwrite)).await?;
        }
        if mode.is_link() {
            return Err(unsupported(
                "links need both ends in the local file system; use copy",
            ));
        }
        if mode == TransferMode::Move && matches!(from.scheme(), Scheme::Http | Scheme::Https) {
            return Err(unsupported(
                "what a web server has cannot be deleted; use copy",
            ));
        }
        let (source, target) = (self.store(from), self.store(to));
        let copied = from.scheme() == to.scheme() && source.copy(from, to, overwrite).await?;
        if !copied {
            // Refuse before a needless download.
            if !overwrite && target.exists(to).await? {
                return Err(ResourceError::AlreadyExists {
                    uri: to.to_string(),
                });
            }
            target
                .write_stream(to, source.read_stream(from, None).await?, overwrite)
                .await?;
        }
        if mode == TransferMode::Move {
            source.delete(from).await?;
            return Ok(Transferred::Done(TransferMode::Move));
        }
        Ok(Transferred::Done(TransferMode::Copy))
    }

    /// Transfers many resources, several at once, and returns the outcomes in the given order.
    pub async fn transfer_many(
        &self,
        pairs: &[(ResourcePath, ResourcePath)],
        mode: TransferMode,
        overwrite: bool,
    ) -> Vec<Result<Transferred>> {
        let (local, remote): (Vec<usize>, Vec<usize>) =
            (0..pairs.len()).partition(|&at| pairs[at].0.is_local() && pairs[at].1.is_local());
        let mut done = Ordered::new(pairs.len());
        let batches: Vec<Vec<(usize, ResourcePath, ResourcePath)>> = local
            .chunks(TRANSFER_BATCH)
            .map(|batch| {
                batch
                    .iter()
                    .map(|&at| (at, pairs[at].0.clone(), pairs[at].1.clone()))
                    .collect()
            })
            .collect();
        let workers = std::thread::available_parallelism().map_or(4, |n| n.get() + 2);
        let mut finished = futures::stream::iter(batches)
            .map(|batch| {
                let members: Vec<usize> = batch.iter().map(|(at, ..)| *at).collect();
                let mut transfer = self.local_transfer();
                let work = blocking(move || {
                    batch
                        .iter()
                        .map(|(_, from, to)| {
                            if mode != TransferMode::Direct && from == to {
                                return Ok(Transferred::SameFile);
                            }
                            transfer.run(from, to, mode, overwrite)
                        })
                        .collect::<Vec<_>>()
                });
                async move { (members, work.await) }
            })
            .buffer_unordered(workers.min(WORKERS));
        while let Some((members, outcome)) = finished.next().await {
            if let Ok(outcomes) = outcome {
                done.put(members, outcomes);
            }
        }
        let mut finished = futures::stream::iter(remote)
            .map(|at| async move {
                let (from, to) = &pairs[at];
                (at, self.transfer(from, to, mode, overwrite).await)
            })
            .buffer_unordered(WORKERS);
        while let Some((at, outcome)) = finished.next().await {
            done.put(vec![at], vec![outcome]);
        }
        done.finish()
    }

    /// Duplicates a resource.
    pub async fn copy(
        &self,
        from: &ResourcePath,
        to: &ResourcePath,
        overwrite: bool,
    ) -> Result<()> {
        self.transfer(from, to, TransferMode::Copy, overwrite)
            .await
            .map(drop)
    }

    /// A local file with the contents of the resource: the resource itself if it is local, else
    /// a download into `directory` (or the directory for temporary files) that is removed
    /// together with the returned value.
    pub async fn local_copy(
        &self,
        uri: &ResourcePath,
        directory: Option<&Path>,
    ) -> Result<LocalCopy> {
        if let Some(path) = uri.local_path() {
            return Ok(LocalCopy::in_place(path));
        }
        let data = self.read_stream(uri, None).await?;
        match directory {
            Some(directory) => self.save(data, directory, uri.extension()).await,
            None => {
                let directory = self.temporary_directory();
                self.save(data, &directory, uri.extension()).await
            }
        }
    }

    /// A new local file with some contents, which goes with the returned value.
    pub(crate) async fn save(
        &self,
        data: ByteStream,
        directory: &Path,
        extension: &str,
    ) -> Result<LocalCopy> {
        let place = directory.display().to_string();
        let temporary = tempfile::Builder::new()
            .prefix("butler-")
            .suffix(extension)
            .tempfile_in(directory)
            .map_err(ResourceError::io(place, "write into"))?
            .into_temp_path();
        let target = ResourcePath::from_local(&temporary)?;
        self.shared.posix.write_stream(&target, data, true).await?;
        Ok(LocalCopy::from(temporary))
    }

    /// Where temporary files go: `LSST_RESOURCES_TMPDIR`, `TMPDIR` or the system's choice.
    pub fn temporary_directory(&self) -> PathBuf {
        ["LSST_RESOURCES_TMPDIR", "TMPDIR"]
            .iter()
            .filter_map(|name| self.shared.environment.get_non_empty(name))
            .map(PathBuf::from)
            .find(|path| path.is_dir())
            .unwrap_or_else(std::env::temp_dir)
    }

    /// The checksum of the contents, in lowercase hexadecimal digits. The contents are streamed,
    /// never held as a whole.
    pub async fn checksum(
        &self,
        uri: &ResourcePath,
        algorithm: ChecksumAlgorithm,
    ) -> Result<String> {
        let mut data = self.read_stream(uri, None).await?;
        let mut hasher = algorithm.start();
        while let Some(chunk) = data.try_next().await? {
            hasher.update(&chunk);
        }
        Ok(hasher.finish())
    }

    /// An address that lets anyone read the resource over HTTP for a while. Only S3 has such
    /// addresses. Signing happens here, without asking the server.
    pub async fn presign_get(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String> {
        self.signer(uri)?.presign_get(uri, valid_for).await
    }

    /// An address that lets anyone store the resource with HTTP PUT for a while.
    pub async fn presign_put(&self, uri: &ResourcePath, valid_for: Duration) -> Result<String> {
        self.signer(uri)?.presign_put(uri, valid_for).await
    }

    fn signer(&self, uri: &ResourcePath) -> Result<&dyn Signer> {
        match uri.scheme() {
            Scheme::S3 => Ok(&*self.shared.s3),
            _ => Err(ResourceError::Unsupported {
                uri: uri.to_string(),
                operation: "sign an address for",
                reason: "only S3 resources have signed addresses".to_owned(),
            }),
        }
    }

    fn local_transfer(&self) -> LocalTransfer {
        LocalTransfer::new(self.shared.posix.is_durable())
    }
}

/// Addresses by storage, with their positions in the given list.
fn group(uris: &[ResourcePath]) -> Vec<(Vec<usize>, Vec<ResourcePath>)> {
    let mut groups: HashMap<Scheme, (Vec<usize>, Vec<ResourcePath>)> = HashMap::new();
    for (at, uri) in uris.iter().enumerate() {
        let (members, group) = groups.entry(uri.scheme()).or_default();
        members.push(at);
        group.push(uri.clone());
    }
    groups.into_values().collect()
}

/// Outcomes arriving out of order.
struct Ordered<T> {
    slots: Vec<Option<Result<T>>>,
}

impl<T> Ordered<T> {
    fn new(count: usize) -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(count).collect(),
        }
    }

    fn put(&mut self, members: Vec<usize>, outcomes: Vec<Result<T>>) {
        for (at, outcome) in members.into_iter().zip(outcomes) {
            self.slots[at] = Some(outcome);
        }
    }

    /// A slot stays empty only when its worker was cancelled.
    fn finish(self) -> Vec<Result<T>> {
        self.slots
            .into_iter()
            .map(|slot| {
                slot.unwrap_or_else(|| {
                    Err(ResourceError::Io {
                        uri: "a batch of resources".to_owned(),
                        operation: "process",
                        source: std::io::ErrorKind::Interrupted.into(),
                    })
                })
            })
            .collect()
    }
}

#[async_trait]
impl butler_core::datastore::Signer for Resources {
    async fn sign(&self, uri: &str, valid_for: Duration) -> butler_core::Result<String> {
        let uri = ResourcePath::new(uri)?;
        Ok(self.presign_get(&uri, valid_for).await?)
    }
}

//! Putting files into the cache and finding them there.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use butler_core::config::Config;
use butler_core::datasets::DatasetRef;
use butler_core::datastore::{CacheableTable, Entity};
use butler_core::dimensions::DimensionUniverse;
use butler_core::{Error, Result};
use uuid::Uuid;

use super::directory::CacheDirectory;
use super::entries::{Entries, Entry, file_name, parse_file_name};
use super::settings::{CacheSettings, Expiry};
use crate::resource::{LocalCopy, ResourcePath, Resources, TransferMode, blocking};

/// A local cache of dataset files. Cheap to clone; clones share the cache.
#[derive(Clone, Debug)]
pub struct DatasetCache {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) resources: Resources,
    expiry: Expiry,
    pub(super) directory: CacheDirectory,
    cacheable: CacheableTable,
    /// What this process knows; others may have put more there, or removed some.
    entries: Mutex<Entries>,
}

impl DatasetCache {
    /// The cache which the `cached` section of a datastore describes. A directory that is named
    /// there, or by the environment, is made if it does not exist.
    ///
    /// # Errors
    /// The section is malformed, or the directory cannot be made.
    pub fn new(config: &Config, universe: DimensionUniverse, resources: Resources) -> Result<Self> {
        let settings = CacheSettings::new(config, resources.environment())?;
        let cacheable = CacheableTable::from_config(config, universe)?;
        Self::with_settings(settings, cacheable, resources)
    }

    /// A cache in which nothing is kept.
    pub fn disabled() -> Self {
        Self {
            shared: Arc::new(Shared {
                resources: Resources::default(),
                expiry: Expiry::Disabled,
                directory: CacheDirectory::default(),
                cacheable: CacheableTable::default(),
                entries: Mutex::default(),
            }),
        }
    }

    fn with_settings(
        settings: CacheSettings,
        cacheable: CacheableTable,
        resources: Resources,
    ) -> Result<Self> {
        let place = settings.directory.clone().unwrap_or_default();
        let directory = CacheDirectory::new(settings.directory, resources.temporary_directory())
            .map_err(|error| Error::io(place, error))?;
        tracing::debug!(?directory, expiry = %settings.expiry, "dataset cache");
        Ok(Self {
            shared: Arc::new(Shared {
                resources,
                expiry: settings.expiry,
                directory,
                cacheable,
                entries: Mutex::default(),
            }),
        })
    }

    /// When files leave the cache.
    pub fn expiry(&self) -> Expiry {
        self.shared.expiry
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.shared.expiry == Expiry::Disabled
    }

    /// The number of files this process knows to be in the cache.
    pub fn file_count(&self) -> usize {
        self.shared.lock().len()
    }

    /// The size of the files this process knows to be in the cache, in bytes.
    pub fn size(&self) -> u64 {
        self.shared.lock().size()
    }

    /// The cache's directory; a temporary one is made if there is none yet.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn directory(&self) -> Result<PathBuf> {
        self.shared
            .directory
            .path()
            .map(Path::to_owned)
            .map_err(|e| Error::io("cache", e))
    }

    /// Where to download files that are to go into the cache: they only need renaming then.
    /// `None` if nothing is cached.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn download_directory(&self) -> Result<Option<PathBuf>> {
        if self.is_disabled() {
            return Ok(None);
        }
        self.shared
            .directory
            .exempt()
            .map(Some)
            .map_err(|error| Error::io("cache", error))
    }

    /// Whether a dataset, a dataset type or a storage class is to be cached.
    pub fn should_be_cached<'a>(&self, entity: impl Into<Entity<'a>>) -> bool {
        !self.is_disabled() && self.shared.cacheable.should_be_cached(entity)
    }

    /// Whether this process knows the dataset to be in the cache: with an extension as a
    /// particular file (of the component, if `dataset` is one), without one in any form.
    pub fn is_known(&self, dataset: &DatasetRef, extension: Option<&str>) -> bool {
        let entries = self.shared.lock();
        match extension {
            Some(extension) => entries.contains(&name_of(dataset, extension)),
            None => entries.of_dataset(dataset.id()).next().is_some(),
        }
    }

    /// Moves a local file into the cache, after making room for it. Returns where it is now, or
    /// `None` if the dataset is not to be cached; then the file stays where it was. It also
    /// stays if the cache holds the dataset already.
    ///
    /// # Errors
    /// The file cannot be moved.
    pub async fn insert(&self, file: &Path, dataset: &DatasetRef) -> Result<Option<PathBuf>> {
        if !self.should_be_cached(dataset) {
            return Ok(None);
        }
        let source = ResourcePath::from_local(file)?;
        let name = name_of(dataset, source.extension());
        let (shared, id) = (Arc::clone(&self.shared), dataset.id());
        let (target, is_known) = blocking(move || -> Result<(PathBuf, bool)> {
            shared.expire()?;
            let target = shared.path(&name)?;
            Ok((target, shared.lock().contains(&name)))
        })
        .await??;
        if is_known {
            return Ok(Some(target));
        }
        let place = ResourcePath::from_local(&target)?;
        self.shared
            .resources
            .transfer(&source, &place, TransferMode::Move, true)
            .await?;
        let (shared, path) = (Arc::clone(&self.shared), target.clone());
        blocking(move || shared.register(&path, id)).await??;
        Ok(Some(target))
    }

    /// Looks for the file of a dataset, or of the component that `dataset` is. What is returned
    /// stays readable until it is dropped, whatever others do to the cache.
    ///
    /// A file that disappears at this very moment, or cannot be linked to, counts as not found.
    ///
    /// # Errors
    /// The cache's directory is unusable.
    pub async fn find(&self, dataset: &DatasetRef, extension: &str) -> Result<Option<LocalCopy>> {
        if self.is_disabled() || self.shared.directory.existing().is_none() {
            return Ok(None);
        }
        let name = name_of(dataset, extension);
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.link(&name, None)).await?
    }

    /// Removes all files of some datasets from the cache, whichever process put them there.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub async fn remove(&self, datasets: impl IntoIterator<Item = Uuid>) -> Result<()> {
        if self.is_disabled() {
            return Ok(());
        }
        let ids: HashSet<Uuid> = datasets.into_iter().collect();
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            shared.scan()?;
            let names: Vec<String> = {
                let entries = shared.lock();
                ids.iter()
                    .flat_map(|id| entries.of_dataset(*id).map(str::to_owned))
                    .collect()
            };
            shared.remove(&names)
        })
        .await?
    }

    /// Brings what this process knows in line with what is in the directory.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn scan(&self) -> Result<()> {
        if self.is_disabled() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.scan()).await?
    }
}

/// The name of a dataset's file in the cache.
fn name_of(dataset: &DatasetRef, extension: &str) -> String {
    file_name(dataset.id(), dataset.dataset_type().component(), extension)
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self, name: &str) -> Result<PathBuf> {
        Ok(self
            .directory
            .path()
            .map_err(|error| Error::io("cache", error))?
            .join(name))
    }

    pub(super) fn register(&self, path: &Path, dataset: Uuid) -> Result<()> {
        match fs::metadata(path) {
            Ok(found) => {
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                self.lock()
                    .insert(name.unwrap_or_default(), Entry::new(dataset, &found));
                Ok(())
            }
            // Another process has expired it already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(path, error)),
        }
    }

    /// A second name for a cached file, which another process may expire; none if the file is not
    /// there. One that has not the expected size is not what was recorded: it is removed.
    pub(super) fn link(&self, name: &str, size: Option<u64>) -> Result<Option<LocalCopy>> {
        let cached = self.path(name)?;
        if !cached.exists() {
            return Ok(None);
        }
        let exempt = self
            .directory
            .exempt()
            .map_err(|error| Error::io("cache", error))?;
        let random = Uuid::new_v4().simple().to_string();
        let path = exempt.join(format!("{}-{name}", &random[..8]));
        let linked = fs::hard_link(&cached, &path).and_then(|()| LocalCopy::temporary(path));
        let copy = match linked {
            Ok(copy) => copy.within(self.directory.holder()),
            Err(error) => {
                tracing::debug!(path = %cached.display(), %error, "cannot use the cached file");
                return Ok(None);
            }
        };
        let found = fs::metadata(copy.path()).map_err(|error| Error::io(copy.path(), error))?;
        match size {
            Some(expected) if found.len() != expected => {
                tracing::warn!(
                    path = %cached.display(), size = found.len(), expected,
                    "a cached file of the wrong size is removed"
                );
                self.remove(&[name.to_owned()])?;
                Ok(None)
            }
            _ => Ok(Some(copy)),
        }
    }

    pub(super) fn remove(&self, names: &[String]) -> Result<()> {
        for name in names {
            self.lock().remove(name);
            let path = self.path(name)?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn expire(&self) -> Result<()> {
        if matches!(self.expiry, Expiry::Never | Expiry::Disabled) {
            return Ok(());
        }
        self.scan()?;
        let expired = self.lock().expired(self.expiry, SystemTime::now());
        self.remove(&expired)
    }

    pub(super) fn scan(&self) -> Result<()> {
        let Some(directory) = self.directory.existing() else {
            return Ok(());
        };
        let failed = |error| Error::io(directory, error);
        // Locked all the while: a file that arrives meanwhile is registered afterwards.
        let mut entries = self.lock();
        let mut found = Entries::default();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Whatever else lies there is not ours to touch.
            let Some(dataset) = parse_file_name(&name) else {
                continue;
            };
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    found.insert(name, Entry::new(dataset, &metadata));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        *entries = found;
        Ok(())
    }
}

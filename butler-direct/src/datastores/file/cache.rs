//! A local cache of files that were read from remote storage.
//!
//! Its directory may be shared by processes, also with the reference: files are named by dataset,
//! component and extension. A reader gets a hard link to a cached file, so that expiry by another
//! process takes nothing away from it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use butler_core::config::Config;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::CacheableTable;
use butler_core::dimensions::DimensionUniverse;
use butler_core::error::{Error, Result};
use tempfile::TempDir;
use uuid::Uuid;

use crate::environment::Environment;
use crate::resource::{LocalCopy, ResourcePath, Resources, blocking};

/// The directory within the cache that is never expired.
const EXEMPT: &str = "exempt";

/// When files leave the cache. Limits count what was there before another file comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Never,
    Files(u64),
    Datasets(u64),
    Bytes(u64),
    Age(Duration),
}

/// The cache of one datastore.
#[derive(Debug)]
pub(super) struct ReadCache {
    /// None if nothing is cached at all.
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    cacheable: CacheableTable,
    expiry: Expiry,
    directory: Option<PathBuf>,
    temporary: OnceLock<TempDir>,
}

impl ReadCache {
    /// Reads the `cached` section; environment variables win over it.
    pub(super) fn from_config(
        config: Option<&Config>,
        universe: DimensionUniverse,
        resources: &Resources,
    ) -> Result<Self> {
        let Some(config) = config else {
            return Ok(Self { active: None });
        };
        let environment = resources.environment();
        let Some(expiry) = expiry(config, environment)? else {
            return Ok(Self { active: None });
        };
        let directory = match environment.get_non_empty("DAF_BUTLER_CACHE_DIRECTORY") {
            Some(directory) => Some(directory.to_owned()),
            None => match config.get_str("root")? {
                Some(directory) => Some(directory.to_owned()),
                None => environment
                    .get_non_empty("DAF_BUTLER_CACHE_DIRECTORY_IF_UNSET")
                    .map(|directory| directory.to_owned()),
            },
        };
        let directory = directory
            .map(|directory| {
                let uri = ResourcePath::options()
                    .directory(true)
                    .environment(environment.clone())
                    .parse(&directory)?;
                uri.local_path().ok_or_else(|| {
                    Error::Configuration(format!(
                        "the cache directory must be in the local file system, but it is {uri}"
                    ))
                })
            })
            .transpose()?;
        Ok(Self {
            active: Some(Active {
                cacheable: CacheableTable::from_config(config, universe)?,
                expiry,
                directory,
                temporary: OnceLock::new(),
            }),
        })
    }

    /// A local copy of a remote file, from the cache or put there now; none if the dataset is not
    /// to be cached.
    pub(super) async fn fetch(
        &self,
        resources: &Resources,
        dataset: &DatasetRef,
        component: Option<&str>,
        uri: &ResourcePath,
    ) -> Result<Option<LocalCopy>> {
        let Some(active) = &self.active else {
            return Ok(None);
        };
        if !active.cacheable.should_be_cached(dataset) {
            return Ok(None);
        }
        let directory = active.directory(resources)?;
        let suffix = component.map_or_else(String::new, |name| format!("_{name}"));
        let cached = directory.join(format!("{}{suffix}{}", dataset.id(), uri.extension()));
        let exempt = directory.join(EXEMPT);
        if let Some(copy) = link(&cached, &exempt).await? {
            return Ok(Some(copy));
        }
        std::fs::create_dir_all(&exempt).map_err(|error| Error::io(&exempt, error))?;
        let download = resources.local_copy(uri, Some(&exempt)).await?;
        let expiry = active.expiry;
        let source = download.path().to_owned();
        blocking(move || -> std::io::Result<()> {
            expire(&directory, expiry)?;
            // The download keeps its own name: it is the copy that is handed out.
            match std::fs::hard_link(&source, &cached) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        })
        .await?
        .unwrap_or_else(|error| tracing::debug!(%error, %uri, "file is not kept in the cache"));
        Ok(Some(download))
    }

    /// Whether a file of the dataset is in the cache.
    pub(super) fn holds(&self, id: DatasetId) -> bool {
        let directory = self.active.as_ref().and_then(Active::existing_directory);
        directory.is_some_and(|directory| {
            entries(directory).is_ok_and(|found| found.iter().any(|entry| entry.id == id))
        })
    }

    /// Takes datasets out of the cache.
    pub(super) fn remove(&self, ids: &[DatasetId]) {
        let directory = self.active.as_ref().and_then(Active::existing_directory);
        let Some(found) = directory.and_then(|directory| entries(directory).ok()) else {
            return;
        };
        let ids: std::collections::HashSet<&DatasetId> = ids.iter().collect();
        for entry in found.iter().filter(|entry| ids.contains(&entry.id)) {
            discard(&entry.path);
        }
    }
}

impl Active {
    fn existing_directory(&self) -> Option<&Path> {
        match &self.directory {
            Some(directory) => Some(directory),
            None => self.temporary.get().map(TempDir::path),
        }
    }

    fn directory(&self, resources: &Resources) -> Result<PathBuf> {
        if let Some(directory) = self.existing_directory() {
            return Ok(directory.to_owned());
        }
        let parent = resources.temporary_directory();
        let made = tempfile::Builder::new()
            .prefix("butler-cache-dir-")
            .tempdir_in(&parent)
            .map_err(|error| Error::io(parent, error))?;
        Ok(self.temporary.get_or_init(|| made).path().to_owned())
    }
}

/// A second name for a cached file, removed together with the result; none if it is not there.
async fn link(cached: &Path, exempt: &Path) -> Result<Option<LocalCopy>> {
    let name = cached.file_name().unwrap_or_default().to_string_lossy();
    let digits = Uuid::new_v4().simple().to_string();
    let target = exempt.join(format!("{}-{name}", &digits[..8]));
    let cached = cached.to_owned();
    Ok(blocking(move || {
        let made = std::fs::hard_link(&cached, &target);
        made.ok().and_then(|()| LocalCopy::temporary(target).ok())
    })
    .await?)
}

#[derive(Debug)]
struct Entry {
    id: DatasetId,
    path: PathBuf,
    size: u64,
    created: SystemTime,
}

/// The cached files, oldest first.
fn entries(directory: &Path) -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name();
        let id = name
            .to_str()
            .and_then(|name| name.split(['.', '_']).next())
            .and_then(|digits| Uuid::try_parse(digits).ok());
        // Another process may have removed it meanwhile.
        let (Some(id), Ok(metadata)) = (id, file.metadata()) else {
            continue;
        };
        if metadata.is_file() {
            found.push(Entry {
                id,
                path: file.path(),
                size: metadata.len(),
                created: metadata.modified()?,
            });
        }
    }
    found.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

fn expire(directory: &Path, expiry: Expiry) -> std::io::Result<()> {
    if expiry == Expiry::Never {
        return Ok(());
    }
    let found = entries(directory)?;
    match expiry {
        Expiry::Never => {}
        Expiry::Files(limit) => {
            let over = found.len().saturating_sub(as_count(limit));
            found
                .iter()
                .take(over)
                .for_each(|entry| discard(&entry.path));
        }
        Expiry::Datasets(limit) => {
            let mut order: Vec<DatasetId> = Vec::new();
            let mut files: HashMap<DatasetId, Vec<&Path>> = HashMap::new();
            for entry in &found {
                let own = files.entry(entry.id).or_default();
                if own.is_empty() {
                    order.push(entry.id);
                }
                own.push(&entry.path);
            }
            let over = order.len().saturating_sub(as_count(limit));
            for id in order.iter().take(over) {
                files[id].iter().for_each(|path| discard(path));
            }
        }
        Expiry::Bytes(limit) => {
            let mut total: u64 = found.iter().map(|entry| entry.size).sum();
            for entry in &found {
                if total <= limit {
                    break;
                }
                discard(&entry.path);
                total -= entry.size;
            }
        }
        Expiry::Age(limit) => {
            let now = SystemTime::now();
            for entry in &found {
                let age = now.duration_since(entry.created).unwrap_or_default();
                if age <= limit {
                    break;
                }
                discard(&entry.path);
            }
        }
    }
    Ok(())
}

fn as_count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "a cached file cannot be removed");
    }
}

/// The expiry mode; none if caching is disabled.
fn expiry(config: &Config, environment: &Environment) -> Result<Option<Expiry>> {
    const VARIABLE: &str = "DAF_BUTLER_CACHE_EXPIRATION_MODE";
    let mut mode = config.get_str(".expiry.mode")?.map(str::to_owned);
    let mut threshold = config.get_i64(".expiry.threshold")?;
    if let Some(text) = environment.get_non_empty(VARIABLE) {
        match text.split_once('=') {
            _ if &*text == "disabled" => mode = Some("disabled".to_owned()),
            Some((name, value)) => {
                let value = value.parse().map_err(|_| {
                    Error::Configuration(format!("{VARIABLE}: '{value}' is not a number"))
                })?;
                (mode, threshold) = (Some(name.to_owned()), Some(value));
            }
            None => tracing::warn!(
                value = &*text,
                "{VARIABLE} is ignored: it must be 'disabled' or look like 'files=10'"
            ),
        }
    }
    let Some(mode) = mode else {
        return Ok(Some(Expiry::Never));
    };
    if mode == "disabled" {
        return Ok(None);
    }
    let limit = threshold
        .and_then(|limit| u64::try_from(limit).ok())
        .ok_or_else(|| {
            Error::Configuration(format!(
                "the cache's expiry mode '{mode}' needs a threshold that is not negative"
            ))
        })?;
    Ok(Some(match mode.as_str() {
        "files" => Expiry::Files(limit),
        "datasets" => Expiry::Datasets(limit),
        "size" => Expiry::Bytes(limit),
        "age" => Expiry::Age(Duration::from_secs(limit)),
        other => {
            return Err(Error::Configuration(format!(
                "the cache's expiry mode '{other}' is not one of disabled, files, datasets, size, \
                 age"
            )));
        }
    }))
}

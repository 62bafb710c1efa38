//! Reading remote files through the cache.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::datasets::DatasetRef;
use butler_core::{Error, Result};
use uuid::Uuid;

use super::entries::file_name;
use super::store::{DatasetCache, Shared};
use crate::resource::{LocalCopy, ResourcePath, blocking};

impl DatasetCache {
    /// A local copy of a remote file: from the cache, or downloaded and kept there. `None` if the
    /// dataset is not to be cached, or the cache is unusable; then the file can only be read where
    /// it is.
    ///
    /// `component` says which component has this file to itself. It is not taken from `dataset`,
    /// which may be a component that is part of a larger file. A cached file that has not the
    /// given size in bytes is replaced.
    ///
    /// The copy lasts as long as the value that is returned, whatever others do to the cache.
    /// What goes wrong with the cache is logged and never an error.
    ///
    /// # Errors
    /// Those of the remote file.
    pub async fn fetch(
        &self,
        dataset: &DatasetRef,
        component: Option<&str>,
        uri: &ResourcePath,
        size: Option<u64>,
    ) -> Result<Option<LocalCopy>> {
        let is_wanted = if component.is_none() && dataset.is_component() {
            self.should_be_cached(&dataset.make_composite()?)
        } else {
            self.should_be_cached(dataset)
        };
        if !is_wanted {
            return Ok(None);
        }
        let name = file_name(dataset.id(), component, uri.extension());
        let exempt = match self.link_or_prepare(name.clone(), size).await {
            Ok(Found::Cached(copy)) => return Ok(Some(copy)),
            Ok(Found::Download(exempt)) => exempt,
            Err(error) => {
                tracing::warn!(%uri, %error, "the cache cannot be used; reading without it");
                return Ok(None);
            }
        };
        let data = self.shared.resources.read_stream(uri, None).await?;
        let saved = self
            .shared
            .resources
            .save(data, &exempt, uri.extension())
            .await;
        let copy = match saved {
            Ok(copy) => copy.within(self.shared.directory.holder()),
            // A full disk, perhaps; if it is the remote file, reading it again will tell.
            Err(error) => {
                tracing::warn!(%uri, %error, "no download into the cache; reading without it");
                return Ok(None);
            }
        };
        if let Err(error) = self.keep(copy.path(), name, dataset.id()).await {
            tracing::warn!(%uri, %error, "the file is not kept in the cache");
        }
        Ok(Some(copy))
    }

    /// Which of the datasets have a file in the cache, whichever process put it there. A cache
    /// that cannot be read has none.
    pub async fn holds(&self, ids: &[Uuid]) -> HashSet<Uuid> {
        if ids.is_empty() {
            return HashSet::new();
        }
        if let Err(error) = self.scan().await {
            tracing::warn!(%error, "the cache cannot be read");
            return HashSet::new();
        }
        let entries = self.shared.lock();
        ids.iter()
            .filter(|id| entries.of_dataset(**id).next().is_some())
            .copied()
            .collect()
    }

    async fn link_or_prepare(&self, name: String, size: Option<u64>) -> Result<Found> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            if let Some(copy) = shared.link(&name, size)? {
                return Ok(Found::Cached(copy));
            }
            let exempt = shared.directory.exempt();
            exempt
                .map(Found::Download)
                .map_err(|error| Error::io("cache", error))
        })
        .await?
    }

    /// Gives a download its name in the cache, after making room. The download keeps its own name
    /// too: that is the copy which is handed out.
    async fn keep(&self, download: &Path, name: String, dataset: Uuid) -> Result<()> {
        let (shared, download) = (Arc::clone(&self.shared), download.to_owned());
        blocking(move || add_link(&shared, &download, &name, dataset)).await?
    }
}

/// A file from the cache, or the directory to download it into.
enum Found {
    Cached(LocalCopy),
    Download(PathBuf),
}

fn add_link(shared: &Shared, download: &Path, name: &str, dataset: Uuid) -> Result<()> {
    shared.expire()?;
    let target = shared.path(name)?;
    match fs::hard_link(download, &target) {
        // Somebody else was quicker: theirs is as good.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Error::io(target, error)),
        _ => shared.register(&target, dataset),
    }
}

//! Bringing the files of datasets to a local directory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::{ArtifactIndexInfo, StoredFileInfo, ZIP_INDEX_NAME, ZipIndex};
use butler_core::progress::Progress;
use butler_core::{Error, Result};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use indexmap::IndexMap;

use crate::datastore::{RemoteDatastore, WORKERS};
use crate::download;
use crate::files::{RemoteFile, permanent_files};
use crate::zip;

/// How artifacts are retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrieveOptions {
    /// Whether files keep their path within the datastore; else only its last component.
    pub preserve_path: bool,
    /// Whether files at the destination may be replaced.
    pub overwrite: bool,
    /// Whether an index ([`ZIP_INDEX_NAME`]) is written to the destination.
    pub write_index: bool,
    /// Whether file names begin with the first eight digits of a dataset ID, unless paths are
    /// preserved.
    pub add_prefix: bool,
}

impl Default for RetrieveOptions {
    fn default() -> Self {
        Self {
            preserve_path: true,
            overwrite: false,
            write_index: false,
            add_prefix: false,
        }
    }
}

/// What is retrieved, by paths below the destination.
type Artifacts = IndexMap<String, ArtifactIndexInfo>;

/// What has to be fetched.
#[derive(Default)]
struct Plan {
    artifacts: Artifacts,
    files: Vec<(RemoteFile, String)>,
    archives: BTreeMap<String, (RemoteFile, BTreeSet<DatasetId>)>,
}

impl RemoteDatastore {
    /// Brings copies of files to a local directory, several at once, and tells what is where.
    /// Downloads that are interrupted go on where they broke off. Each file appears whole or not at
    /// all; after an error some may be there.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if a dataset is not stored, [`Error::FileExists`] if a file is in the
    /// way, [`Error::InvalidArgument`] for two files that would get the same name,
    /// [`Error::PathEscapesRoot`] if the server names a path outside of the destination; errors of
    /// downloads and of the file system.
    pub async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &Path,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<PathBuf, ArtifactIndexInfo>> {
        let mut plan = self.plan(datasets, options).await?;
        progress.start("retrieving files", Some(plan.files.len() as u64));
        let fetched = self
            .fetch_all(plan.files, destination, options, progress)
            .await;
        progress.finish();
        fetched?;
        for (archive, ids) in plan.archives.into_values() {
            self.unpack(archive, &ids, destination, options, &mut plan.artifacts)
                .await?;
        }
        if options.write_index {
            let artifacts = plan.artifacts.iter();
            let artifacts = artifacts.map(|(path, artifact)| (path.clone(), artifact));
            let index = ZipIndex::new(datasets, artifacts).to_json()?;
            save(index, &destination.join(ZIP_INDEX_NAME), true).await?;
        }
        let artifacts = plan.artifacts.into_iter();
        Ok(artifacts
            .map(|(path, artifact)| (destination.join(path), artifact))
            .collect())
    }

    async fn plan(&self, datasets: &[DatasetRef], options: RetrieveOptions) -> Result<Plan> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut files = permanent_files(self.connection(), &ids).await?;
        // The order decides which dataset of a shared file gives its name a prefix.
        let mut order: Vec<&DatasetRef> = datasets.iter().collect();
        order.sort_by(|a, b| a.sort_order(b));
        order.dedup_by_key(|dataset| dataset.id());
        let mut plan = Plan::default();
        let mut places: BTreeMap<String, String> = BTreeMap::new();
        let mut taken: HashSet<String> = HashSet::new();
        for dataset in order {
            let own = files.swap_remove(&dataset.id()).ok_or_else(|| {
                Error::FileNotFound(format!("{dataset} (the server stores no file of it)"))
            })?;
            for file in own {
                // The same file has an address for each dataset in it.
                let path = file.info.artifact_path().to_owned();
                if file.zip_member().is_some() && path.ends_with(".zip") {
                    let archive = plan.archives.entry(path);
                    archive
                        .or_insert_with(|| (file, BTreeSet::new()))
                        .1
                        .insert(dataset.id());
                    continue;
                }
                if let Some(place) = places.get(&path) {
                    if let Some(artifact) = plan.artifacts.get_mut(place) {
                        artifact.ids.insert(dataset.id());
                    }
                    continue;
                }
                let place = place(&path, dataset, options)?;
                if !taken.insert(place.clone()) {
                    return Err(Error::InvalidArgument(format!(
                        "several files would become {place}; preserve their paths, or add prefixes \
                         to their names"
                    )));
                }
                places.insert(path, place.clone());
                let artifact = ArtifactIndexInfo {
                    info: file.info.clone(),
                    ids: BTreeSet::from([dataset.id()]),
                };
                plan.artifacts.insert(place.clone(), artifact);
                plan.files.push((file, place));
            }
        }
        Ok(plan)
    }

    async fn fetch_all(
        &self,
        files: Vec<(RemoteFile, String)>,
        destination: &Path,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<()> {
        let fetches: Vec<_> = files
            .into_iter()
            .map(|(file, place)| {
                let target = destination.join(place);
                async move { self.fetch(file, &target, options.overwrite).await }.boxed()
            })
            .collect();
        let mut fetched = futures::stream::iter(fetches).buffer_unordered(WORKERS);
        while fetched.try_next().await?.is_some() {
            progress.advance(1);
        }
        Ok(())
    }

    async fn fetch(&self, file: RemoteFile, target: &Path, overwrite: bool) -> Result<()> {
        // Refuse before a needless download.
        if !overwrite && exists(target).await? {
            return Err(in_the_way(target));
        }
        let directory = temporary_beside(target).await?;
        let part = directory.path().join("part");
        let size = download::expected_size(&file);
        download::to_path(self.connection(), file, size, &part).await?;
        put_in_place(&part, target, overwrite).await
    }

    /// Takes the members that belong to some of the datasets out of an archive.
    async fn unpack(
        &self,
        archive: RemoteFile,
        wanted: &BTreeSet<DatasetId>,
        destination: &Path,
        options: RetrieveOptions,
        artifacts: &mut Artifacts,
    ) -> Result<()> {
        let index = zip::read_index(self.connection(), archive.clone()).await?;
        let directory = match options.preserve_path {
            true => index
                .path_in_store()
                .rsplit_once('/')
                .map(|(parent, _)| format!("{parent}/")),
            false => None,
        };
        for (member, entry) in &index.artifact_map {
            let ids = entry.ids.iter().copied();
            let ids: BTreeSet<DatasetId> = ids.filter(|id| wanted.contains(id)).collect();
            if ids.is_empty() {
                continue;
            }
            let place = format!("{}{member}", directory.as_deref().unwrap_or_default());
            inside(&place)?;
            let target = destination.join(&place);
            if !options.overwrite && exists(&target).await? {
                return Err(in_the_way(&target));
            }
            let data = zip::read_member(self.connection(), archive.clone(), member).await?;
            save(data, &target, options.overwrite).await?;
            let info = StoredFileInfo::from_simple(entry.info.clone());
            artifacts.insert(place, ArtifactIndexInfo { info, ids });
        }
        Ok(())
    }
}

/// Where a file goes, below the destination.
fn place(path: &str, dataset: &DatasetRef, options: RetrieveOptions) -> Result<String> {
    let place = if options.preserve_path {
        path.to_owned()
    } else {
        let name = path.rsplit('/').next().unwrap_or(path);
        match options.add_prefix {
            true => format!("{}-{name}", &dataset.id().to_string()[..8]),
            false => name.to_owned(),
        }
    };
    inside(&place)?;
    Ok(place)
}

/// Refuses paths that would lead elsewhere than below the destination.
fn inside(place: &str) -> Result<()> {
    use std::path::Component;
    let fine = !place.is_empty()
        && !place.contains('\0')
        && Path::new(place)
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
    if fine {
        return Ok(());
    }
    Err(Error::PathEscapesRoot {
        path: place.to_owned(),
        root: "the destination".to_owned(),
    })
}

fn in_the_way(target: &Path) -> Error {
    Error::FileExists(target.display().to_string())
}

async fn exists(path: &Path) -> Result<bool> {
    tokio::fs::try_exists(path)
        .await
        .map_err(|error| Error::io(path, error))
}

/// A directory for a file that is not finished, on the file system of the finished one.
async fn temporary_beside(target: &Path) -> Result<tempfile::TempDir> {
    let parent = target.parent().unwrap_or(Path::new("."));
    tokio::fs::create_dir_all(parent)
        .await
        .map_err(|error| Error::io(parent, error))?;
    tempfile::Builder::new()
        .prefix(".butler-")
        .tempdir_in(parent)
        .map_err(|error| Error::io(parent, error))
}

async fn save(data: Bytes, target: &Path, overwrite: bool) -> Result<()> {
    let directory = temporary_beside(target).await?;
    let part = directory.path().join("part");
    tokio::fs::write(&part, data)
        .await
        .map_err(|error| Error::io(&part, error))?;
    put_in_place(&part, target, overwrite).await
}

/// Gives a finished file its name.
async fn put_in_place(part: &Path, target: &Path, overwrite: bool) -> Result<()> {
    let done = match overwrite {
        true => tokio::fs::rename(part, target).await,
        // Unlike renaming, a link never replaces a file; but not all file systems have links.
        false => match tokio::fs::hard_link(part, target).await {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                tokio::fs::rename(part, target).await
            }
            done => done,
        },
    };
    done.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => in_the_way(target),
        _ => Error::io(target, error),
    })
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn paths_stay_below_the_destination() {
        for place in ["a.fits", "run/type/a b.fits", "..a/b", "a/..b", "a./b#c"] {
            assert!(inside(place).is_ok(), "{place}");
        }
        for place in ["", "/etc/passwd", "../a", "a/../../b", "./../a", "a\0b"] {
            assert!(inside(place).is_err(), "{place:?}");
        }
    }
}

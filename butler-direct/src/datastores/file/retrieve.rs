//! Copying files out of the datastore.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::{ArtifactIndexInfo, StoredFileInfo, ZIP_INDEX_NAME};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use indexmap::IndexMap;

use super::FileDatastore;
use crate::datastores::store::RetrieveOptions;
use crate::datastores::zip_index::{index_below, read_zip_index};
use crate::resource::{ResourcePath, TransferMode};

/// Files transferred at a time.
const BATCH: usize = 1_000;

type Artifacts = IndexMap<ResourcePath, ArtifactIndexInfo>;

impl FileDatastore {
    pub(super) async fn retrieve(
        &self,
        datasets: &[DatasetRef],
        destination: &ResourcePath,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<Artifacts> {
        if options.mode == TransferMode::Move {
            return Err(Error::InvalidArgument(
                "files cannot be moved out of a datastore; use 'copy'".to_owned(),
            ));
        }
        let destination = destination.as_directory()?;
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let mut records = self.recorded(&ids).await?;
        let missing: Vec<DatasetRef> = datasets
            .iter()
            .filter(|dataset| !records.contains_key(&dataset.id()))
            .cloned()
            .collect();
        if !missing.is_empty() {
            if self.shared.trust {
                records.extend(self.guessed(&missing).await?);
            }
            if let Some(dataset) = missing.iter().find(|d| !records.contains_key(&d.id())) {
                return Err(Error::FileNotFound(format!(
                    "{dataset} (datastore '{}' does not store it)",
                    self.shared.name
                )));
            }
        }
        // The order decides which dataset of a shared file gives its name a prefix.
        let mut order: Vec<&DatasetRef> = datasets.iter().collect();
        order.sort_by(|a, b| a.sort_order(b));
        let mut artifacts = Artifacts::new();
        let mut transfers: IndexMap<ResourcePath, ResourcePath> = IndexMap::new();
        let mut targets: HashSet<ResourcePath> = HashSet::new();
        let mut archives: BTreeMap<ResourcePath, BTreeSet<DatasetId>> = BTreeMap::new();
        for dataset in order {
            let prefix = match options.add_prefix {
                true => format!("{}-", &dataset.id().to_string()[..8]),
                false => String::new(),
            };
            for info in &records[&dataset.id()] {
                let uri = self.uri(info)?;
                let source = uri.without_fragment();
                if uri.zip_member().is_some() && source.extension() == ".zip" {
                    archives.entry(source).or_default().insert(dataset.id());
                    continue;
                }
                if let Some(target) = transfers.get(&source) {
                    if let Some(artifact) = artifacts.get_mut(target) {
                        artifact.ids.insert(dataset.id());
                    }
                    continue;
                }
                let target = place(&destination, info, &source, options.preserve_path, &prefix)?;
                if !targets.insert(target.clone()) {
                    return Err(Error::InvalidArgument(format!(
                        "several files would become {target}; preserve their paths, or add \
                         prefixes to their names"
                    )));
                }
                transfers.insert(source, target.clone());
                let artifact = ArtifactIndexInfo {
                    info: info.clone(),
                    ids: BTreeSet::from([dataset.id()]),
                };
                artifacts.insert(target, artifact);
            }
        }
        let pairs: Vec<(ResourcePath, ResourcePath)> = transfers.into_iter().collect();
        progress.start("retrieving files", Some(pairs.len() as u64));
        for batch in pairs.chunks(BATCH) {
            let done = self
                .shared
                .resources
                .transfer_many(batch, options.mode, options.overwrite)
                .await;
            for outcome in done {
                if let Err(error) = outcome {
                    progress.finish();
                    return Err(error.into());
                }
            }
            progress.advance(batch.len() as u64);
        }
        progress.finish();
        for (archive, ids) in archives {
            self.unpack(&archive, &ids, &destination, options, &mut artifacts)
                .await?;
        }
        if options.write_index {
            let index = index_below(&destination, datasets, &artifacts)?;
            let place = destination.join(ZIP_INDEX_NAME)?;
            self.shared
                .resources
                .write(&place, index.to_json()?, true)
                .await?;
        }
        Ok(artifacts)
    }

    /// Takes the members that belong to some of the datasets out of an archive.
    async fn unpack(
        &self,
        archive: &ResourcePath,
        wanted: &BTreeSet<DatasetId>,
        destination: &ResourcePath,
        options: RetrieveOptions,
        artifacts: &mut Artifacts,
    ) -> Result<()> {
        let resources = &self.shared.resources;
        let index = read_zip_index(resources, archive).await?;
        let directory = if options.preserve_path {
            let path = index.path_in_store();
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            destination.join_directory(parent)?
        } else {
            destination.clone()
        };
        for (member, entry) in &index.artifact_map {
            let ids: BTreeSet<DatasetId> = entry
                .ids
                .iter()
                .filter(|id| wanted.contains(id))
                .copied()
                .collect();
            if ids.is_empty() {
                continue;
            }
            let target = directory.join_in_store(member)?;
            let data = resources.read_zip_member(archive, member).await?;
            resources.write(&target, data, options.overwrite).await?;
            let info = StoredFileInfo::from_simple(entry.info.clone());
            artifacts.insert(target, ArtifactIndexInfo { info, ids });
        }
        Ok(())
    }
}

/// Where a file goes.
fn place(
    destination: &ResourcePath,
    info: &StoredFileInfo,
    source: &ResourcePath,
    preserve_path: bool,
    prefix: &str,
) -> Result<ResourcePath> {
    let path = if preserve_path {
        let recorded = ResourcePath::relative(&info.path)?;
        if recorded.is_absolute() {
            recorded.relative_to_path_root()
        } else {
            recorded.unquoted_path()
        }
    } else {
        format!("{prefix}{}", source.basename())
    };
    // A '#' is part of the name here.
    Ok(destination.join_in_store(&path.replace('#', "%23"))?)
}

//! Deleting files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use butler_core::datasets::DatasetId;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::Result;

use super::FileDatastore;
use crate::datastores::zip_index::ZipIndex;
use crate::registry::RegistryTransaction;
use crate::resource::ResourcePath;

/// Datasets that are deleted in one transaction.
const BATCH: usize = 10_000;

/// What to do with the files of a batch of datasets.
struct Plan {
    /// Files to delete, each with the datasets that have it.
    delete: BTreeMap<ResourcePath, Vec<DatasetId>>,
}

impl FileDatastore {
    pub(super) async fn empty_all(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        match selected {
            Some(ids) => {
                for chunk in ids.chunks(BATCH) {
                    self.empty_some(Some(chunk), dry_run, &mut removed).await?;
                }
            }
            None => self.empty_some(None, dry_run, &mut removed).await?,
        }
        Ok(removed)
    }

    /// Empties the trash batch by batch, until nothing is left in it but what cannot be deleted.
    async fn empty_some(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
        removed: &mut Vec<String>,
    ) -> Result<()> {
        let shared = &self.shared;
        // What could not be deleted stays in the trash: ask for that many more.
        let mut stuck: HashSet<DatasetId> = HashSet::new();
        loop {
            let mut transaction = shared.registry.begin().await?;
            let limit = if dry_run {
                usize::MAX >> 1
            } else {
                BATCH + stuck.len()
            };
            let mut ids = transaction.trashed(&shared.name, selected, limit).await?;
            ids.retain(|id| !stuck.contains(id));
            if ids.is_empty() {
                return transaction.rollback().await;
            }
            if dry_run {
                for chunk in ids.chunks(BATCH) {
                    let plan = self.plan_removal(&mut transaction, chunk).await?;
                    removed.extend(plan.delete.keys().map(ToString::to_string));
                }
                removed.sort_unstable();
                removed.dedup();
                return transaction.rollback().await;
            }
            let plan = self.plan_removal(&mut transaction, &ids).await?;
            let (uris, owners): (Vec<ResourcePath>, Vec<Vec<DatasetId>>) =
                plan.delete.into_iter().unzip();
            let outcomes = shared.resources.delete_many(&uris).await;
            let mut failed: HashSet<DatasetId> = HashSet::new();
            for ((uri, owners), outcome) in uris.iter().zip(owners).zip(outcomes) {
                match outcome {
                    Err(error) if !error.is_not_found() => {
                        tracing::warn!(%uri, %error, "a file of the trash cannot be removed");
                        failed.extend(owners);
                    }
                    // Somebody else was faster if it is not there.
                    _ => removed.push(uri.to_string()),
                }
            }
            let done: Vec<DatasetId> = ids
                .iter()
                .filter(|id| !failed.contains(id))
                .copied()
                .collect();
            self.remove_from_cache(&done).await;
            transaction
                .delete_file_records(&shared.table, &done)
                .await?;
            transaction.delete_trash(&shared.name, &done).await?;
            transaction.commit().await?;
            stuck.extend(failed);
        }
    }

    /// Which files can go with these datasets.
    async fn plan_removal(
        &self,
        transaction: &mut RegistryTransaction,
        ids: &[DatasetId],
    ) -> Result<Plan> {
        let shared = &self.shared;
        let records = transaction.file_records(&shared.table, ids).await?;
        let mut owners: HashMap<String, Vec<DatasetId>> = HashMap::new();
        let mut archives: BTreeSet<String> = BTreeSet::new();
        for (id, infos) in records {
            for info in infos {
                let path = info.artifact_path().to_owned();
                // What was ingested in its own place is not ours to delete.
                if ResourcePath::relative(&path)?.is_absolute() {
                    continue;
                }
                if info.path.len() != path.len() {
                    archives.insert(path.clone());
                }
                owners.entry(path).or_default().push(id);
            }
        }
        let plain: Vec<Arc<str>> = owners
            .keys()
            .filter(|path| !archives.contains(*path))
            .map(|path| path.as_str().into())
            .collect();
        let live = transaction
            .live_file_paths(&shared.table, &shared.name, &plain)
            .await?;
        let mut delete = BTreeMap::new();
        for (path, owners) in owners {
            let keep = if archives.contains(&path) {
                self.archive_is_live(transaction, &path).await?
            } else {
                live.contains_key(&path)
            };
            if !keep {
                delete.insert(shared.root.join_in_store(&path)?, owners);
            }
        }
        Ok(Plan { delete })
    }

    /// Whether datasets that are not in the trash lie in an archive. Its own index names them
    /// all, so that no search through the records is needed.
    async fn archive_is_live(
        &self,
        transaction: &mut RegistryTransaction,
        path: &str,
    ) -> Result<bool> {
        let shared = &self.shared;
        let uri = shared.root.join_in_store(path)?;
        let index = match ZipIndex::read(&shared.resources, &uri).await {
            Ok(index) => index,
            Err(butler_core::Error::FileNotFound(_)) => return Ok(false),
            Err(error) => {
                tracing::warn!(%uri, %error, "an archive without a readable index is kept");
                return Ok(true);
            }
        };
        let ids: BTreeSet<DatasetId> = index
            .artifact_map
            .values()
            .flat_map(|entry| entry.ids.iter().copied())
            .collect();
        let ids: Vec<DatasetId> = ids.into_iter().collect();
        let records = transaction.file_records(&shared.table, &ids).await?;
        let inside: Vec<DatasetId> = records
            .into_iter()
            .filter(|(_, infos)| infos.iter().any(|info| is_in(info, path)))
            .map(|(id, _)| id)
            .collect();
        let trashed = transaction.in_trash(&shared.name, &inside).await?;
        Ok(inside.iter().any(|id| !trashed.contains(id)))
    }
}

fn is_in(info: &StoredFileInfo, archive: &str) -> bool {
    info.artifact_path() == archive
}

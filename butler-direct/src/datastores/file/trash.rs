//! Deleting files.
//!
//! No transaction is open and nothing is locked while files are deleted, which may take long.
//! First it is read what is in the trash, then files are deleted, then, in a short transaction,
//! the records of those whose files are gone. A crash leaves records in the trash, and the next
//! attempt finds their files missing, which is fine.
//!
//! Several may empty the same trash at once, the reference among them, which keeps rows locked
//! meanwhile. They delete the same files, and whoever comes first removes the records: rows that
//! another transaction is about to remove are left to it. Records of a dataset that has been stored
//! again meanwhile are not in the trash, and stay.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use butler_core::datasets::DatasetId;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::Result;

use super::FileDatastore;
use crate::datastores::zip_index::read_zip_index;
use crate::resource::{ResourceError, ResourcePath};

/// Datasets whose files are deleted together. Whether others need the files is asked once for all
/// of them, immediately before, so there should not be too many.
const BATCH: usize = 5_000;

/// Files to delete, each with the datasets that have it.
type Removals = BTreeMap<ResourcePath, Vec<DatasetId>>;

impl FileDatastore {
    pub(super) async fn empty_all(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>> {
        let shared = &self.shared;
        let mut ids = shared.registry.trashed(&shared.name, selected).await?;
        // Parts of one archive were stored together.
        ids.sort_unstable();
        let mut removed = Vec::new();
        let mut kept = HashSet::new();
        for batch in ids.chunks(BATCH) {
            let removals = self.plan_removals(batch, &mut kept).await?;
            if dry_run {
                removed.extend(removals.keys().map(ToString::to_string));
            } else {
                self.remove(batch, removals, &mut removed).await?;
            }
        }
        removed.sort_unstable();
        removed.dedup();
        Ok(removed)
    }

    /// Deletes files, and then the records of those datasets of which all files are gone.
    async fn remove(
        &self,
        ids: &[DatasetId],
        removals: Removals,
        removed: &mut Vec<String>,
    ) -> Result<()> {
        let shared = &self.shared;
        let (uris, owners): (Vec<ResourcePath>, Vec<Vec<DatasetId>>) = removals.into_iter().unzip();
        let outcomes = shared.resources.delete_many(&uris).await;
        let missing_is_fine = self.storage_is_there(&outcomes).await;
        let mut failed: HashSet<DatasetId> = HashSet::new();
        for ((uri, owners), outcome) in uris.iter().zip(owners).zip(outcomes) {
            match outcome {
                Err(error) if !(missing_is_fine && error.is_not_found()) => {
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
        if done.is_empty() {
            return Ok(());
        }
        self.remove_from_cache(&done).await;
        let mut transaction = shared.registry.begin().await?;
        let done = transaction
            .trashed(&shared.name, Some(&done), done.len())
            .await?;
        transaction
            .delete_file_records(&shared.table, &done)
            .await?;
        transaction.delete_trash(&shared.name, &done).await?;
        transaction.commit().await
    }

    /// Whether missing files are missing, and not the whole storage: a disk that is not mounted, a
    /// bucket that is not there. Asked only if some files are missing.
    async fn storage_is_there(&self, outcomes: &[Result<(), ResourceError>]) -> bool {
        let is_missing = |outcome: &Result<(), ResourceError>| {
            outcome.as_ref().is_err_and(ResourceError::is_not_found)
        };
        if !outcomes.iter().any(is_missing) {
            return true;
        }
        let root = self.root();
        let place = if root.is_local() {
            root.clone()
        } else {
            // Object stores have no directories that could outlive what was in them.
            root.root()
        };
        match self.shared.resources.exists(&place).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%place, %error, "cannot tell missing files from a missing storage");
                false
            }
        }
    }

    /// Which files can go with these datasets. `kept` are archives that are known to be needed.
    async fn plan_removals(
        &self,
        ids: &[DatasetId],
        kept: &mut HashSet<String>,
    ) -> Result<Removals> {
        let shared = &self.shared;
        let records = shared.registry.file_records(&shared.table, ids).await?;
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
        for path in &archives {
            if !kept.contains(path) && self.archive_is_live(path).await? {
                kept.insert(path.clone());
            }
        }
        let plain: Vec<Arc<str>> = owners
            .keys()
            .filter(|path| !archives.contains(*path))
            .map(|path| path.as_str().into())
            .collect();
        let live = shared
            .registry
            .live_file_paths(&shared.table, &shared.name, &plain)
            .await?;
        owners
            .into_iter()
            .filter(|(path, _)| !kept.contains(path) && !live.contains_key(path))
            .map(|(path, owners)| Ok((shared.root.join_in_store(&path)?, owners)))
            .collect()
    }

    /// Whether datasets that are not in the trash lie in an archive. Its own index names them
    /// all, so that no search through the records is needed.
    async fn archive_is_live(&self, path: &str) -> Result<bool> {
        let shared = &self.shared;
        let uri = shared.root.join_in_store(path)?;
        let index = match read_zip_index(&shared.resources, &uri).await {
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
        let records = shared.registry.file_records(&shared.table, &ids).await?;
        let inside: Vec<DatasetId> = records
            .into_iter()
            .filter(|(_, infos)| infos.iter().any(|info| is_in(info, path)))
            .map(|(id, _)| id)
            .collect();
        let trashed = shared.registry.trashed(&shared.name, Some(&inside)).await?;
        Ok(trashed.len() < inside.len())
    }
}

fn is_in(info: &StoredFileInfo, archive: &str) -> bool {
    info.artifact_path() == archive
}

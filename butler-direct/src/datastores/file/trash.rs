//! Deleting files.
//!
//! No transaction is open and nothing is locked while files are deleted, which may take long.
//! First some of what is in the trash is [claimed](crate::registry::trash), then files are deleted,
//! then, in a short transaction, the records of those whose files are gone. A crash leaves records
//! under a claim that ends some time later, and whoever empties the trash then finds their files
//! missing, which is fine.
//!
//! Several may empty the same trash at once, the reference among them: each deletes what the
//! others have neither claimed nor locked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use butler_core::datasets::DatasetId;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::Result;

use super::FileDatastore;
use crate::datastores::zip_index::read_zip_index;
use crate::registry::trash::TrashClaim;
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
        if !dry_run && selected.is_none() {
            shared.registry.end_old_claims(&shared.name).await?;
        }
        let mut ids = shared.registry.trashed(&shared.name, selected).await?;
        // Parts of one archive were stored together.
        ids.sort_unstable();
        let mut removed = Vec::new();
        let mut kept = HashSet::new();
        for batch in ids.chunks(BATCH) {
            if dry_run {
                let removals = self.plan_removals(batch, &mut kept).await?;
                removed.extend(removals.keys().map(ToString::to_string));
            } else {
                self.empty_batch(batch, &mut kept, &mut removed).await?;
            }
        }
        removed.sort_unstable();
        removed.dedup();
        Ok(removed)
    }

    /// Claims datasets and deletes their files. Those of which a file is left become ordinary trash
    /// again.
    async fn empty_batch(
        &self,
        ids: &[DatasetId],
        kept: &mut HashSet<String>,
        removed: &mut Vec<String>,
    ) -> Result<()> {
        let shared = &self.shared;
        let claim = TrashClaim::lasting(&shared.name, shared.registry.trash_claim());
        let claimed = shared.registry.claim_trash(&claim, ids).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let done = async {
            let removals = self.plan_removals(&claimed, kept).await?;
            let failed = self.delete_files(removals, removed).await;
            let (failed, done): (Vec<DatasetId>, Vec<DatasetId>) =
                claimed.iter().partition(|id| failed.contains(id));
            self.remove_from_cache(&done).await;
            let mut transaction = shared.registry.begin().await?;
            transaction
                .remove_claimed(&claim, &shared.table, &done)
                .await?;
            transaction.release_trash(&claim, &failed).await?;
            transaction.commit().await
        }
        .await;
        if done.is_err() {
            // Better now than when the claim ends.
            if let Err(error) = shared.registry.release_trash(&claim, &claimed).await {
                tracing::warn!(%error, "datasets in the trash stay claimed for a while");
            }
        }
        done
    }

    /// Deletes files and gives the datasets of which one is left.
    async fn delete_files(
        &self,
        removals: Removals,
        removed: &mut Vec<String>,
    ) -> HashSet<DatasetId> {
        let (uris, owners): (Vec<ResourcePath>, Vec<Vec<DatasetId>>) = removals.into_iter().unzip();
        let outcomes = self.shared.resources.delete_many(&uris).await;
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
        failed
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
        let trashed = shared.registry.in_trash(&shared.name, &inside).await?;
        Ok(trashed.len() < inside.len())
    }
}

fn is_in(info: &StoredFileInfo, archive: &str) -> bool {
    info.artifact_path() == archive
}

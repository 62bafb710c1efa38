//! Removing datasets and runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::error::{Error, Result};
use butler_core::progress::{NoProgress, Progress};
use butler_core::registry::{CollectionQuery, Registry};

use crate::butler::DirectButler;
use crate::registry::chains::ChainEdit;

/// Datasets that one transaction removes.
const CHUNK: usize = 50_000;

/// How thoroughly datasets are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prune {
    /// Take them out of these TAGGED collections; with `unstore`, also delete their files.
    Disassociate {
        /// The collections.
        tags: Vec<String>,
        /// Whether files are deleted.
        unstore: bool,
    },
    /// Delete their files; the registry still knows them.
    Unstore,
    /// Delete their files, and remove them from the registry and all collections.
    Purge,
}

impl DirectButler {
    /// Removes datasets.
    ///
    /// In chunks, each one transaction that marks files as trash and changes the registry; the
    /// files are deleted after it. A crash in between leaves them in the trash, from where
    /// [`empty_trash`](Self::empty_trash) deletes them.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::InvalidArgument`] for a component, or without collections to
    /// disassociate from; [`Error::MissingCollection`] or [`Error::CollectionType`] for what is no
    /// TAGGED collection.
    pub async fn prune_datasets(
        &self,
        datasets: &[DatasetRef],
        how: &Prune,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.require_writeable()?;
        if let Some(component) = datasets.iter().find(|dataset| dataset.is_component()) {
            return Err(Error::InvalidArgument(format!(
                "{component} is a component; only whole datasets can be removed"
            )));
        }
        let mut tags: &[String] = &[];
        if let Prune::Disassociate { tags: given, .. } = how {
            if given.is_empty() {
                return Err(Error::InvalidArgument(
                    "no TAGGED collections given to take the datasets out of".to_owned(),
                ));
            }
            tags = given;
            let query = CollectionQuery::new(CollectionWildcard::from_names(given.iter().cloned()));
            for info in self.registry().collections(&query).await? {
                if info.collection_type != CollectionType::Tagged {
                    return Err(Error::CollectionType(format!(
                        "cannot take datasets out of collection '{}' of type {}; it must be TAGGED",
                        info.name, info.collection_type
                    )));
                }
            }
        }
        let unstore = !matches!(how, Prune::Disassociate { unstore: false, .. });
        progress.start("pruning", Some(datasets.len() as u64));
        for chunk in datasets.chunks(CHUNK) {
            let ids: Vec<DatasetId> = chunk.iter().map(DatasetRef::id).collect();
            let mut transaction = self.registry().begin().await?;
            if unstore {
                self.datastore().trash(&mut transaction, &ids).await?;
            }
            if *how == Prune::Purge {
                transaction.remove_datasets(&ids).await?;
            }
            for tag in tags {
                transaction.disassociate(tag, chunk).await?;
            }
            transaction.commit().await?;
            if unstore {
                self.datastore().empty_trash(Some(&ids), false).await?;
            }
            progress.advance(chunk.len() as u64);
        }
        progress.finish();
        Ok(())
    }

    /// Removes datasets by their IDs, in a way that can be repeated until it is done: what is gone
    /// already is passed over, and files that an earlier attempt left in the trash are deleted.
    /// Returns the datasets of which files are still there: somebody else is deleting them, or they
    /// cannot be deleted now.
    ///
    /// # Errors
    /// As for [`prune_datasets`](Self::prune_datasets).
    pub async fn prune_ids(&self, ids: &[DatasetId], how: &Prune) -> Result<HashSet<DatasetId>> {
        self.require_writeable()?;
        let known = self.registry().datasets(ids).await?;
        let known: Vec<DatasetRef> = known.into_values().collect();
        self.prune_datasets(&known, how, &NoProgress).await?;
        let mut left = self.in_trash(ids).await?;
        if left.is_empty() {
            return Ok(left);
        }
        for name in self.datastore().roots().keys() {
            self.registry().end_old_claims(name).await?;
        }
        let again: Vec<DatasetId> = left.into_iter().collect();
        self.datastore().empty_trash(Some(&again), false).await?;
        left = self.in_trash(&again).await?;
        Ok(left)
    }

    /// Which of the datasets are in the trash of any datastore.
    async fn in_trash(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        let mut found = HashSet::new();
        for name in self.datastore().roots().keys() {
            found.extend(self.registry().in_trash(name, ids).await?);
        }
        Ok(found)
    }

    /// Deletes the files of all datasets in the trash. Returns the URIs of those that were removed
    /// or, with `dry_run`, would be.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; any error of database or storage.
    pub async fn empty_trash(&self, dry_run: bool) -> Result<Vec<String>> {
        self.require_writeable()?;
        self.datastore().empty_trash(None, dry_run).await
    }

    /// Removes RUN collections with all their datasets and files. With `unlink_from_chains` they
    /// are taken out of CHAINED collections first.
    ///
    /// Datasets go in chunks; a failure leaves the collections with the rest of their datasets, and
    /// removing them can be repeated.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::MissingCollection`]; [`Error::CollectionType`] for what is no
    /// RUN; [`Error::OrphanedRecord`] if one is in a chain and is not to be taken out, in which
    /// case nothing is removed.
    pub async fn remove_runs(
        &self,
        names: &[String],
        unlink_from_chains: bool,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.require_writeable()?;
        let mut query = CollectionQuery::new(CollectionWildcard::from_expression(names)?);
        query.with_parents = true;
        let mut runs = BTreeSet::new();
        let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for info in self.registry().collections(&query).await? {
            if info.collection_type != CollectionType::Run {
                return Err(Error::CollectionType(format!(
                    "collection '{}' is of type {}, not RUN",
                    info.name, info.collection_type
                )));
            }
            for parent in info.parents.into_iter().flatten() {
                if !unlink_from_chains {
                    return Err(Error::OrphanedRecord(format!(
                        "run '{}' is in the chain '{parent}'; take it out first, or ask for it to \
                         be taken out of all chains",
                        info.name
                    )));
                }
                chains.entry(parent).or_default().push(info.name.clone());
            }
            runs.insert(info.name);
        }
        for run in &runs {
            let ids = self.registry().run_dataset_ids(run).await?;
            progress.start(run, Some(ids.len() as u64));
            for chunk in ids.chunks(CHUNK) {
                let mut transaction = self.registry().begin().await?;
                self.datastore().trash(&mut transaction, chunk).await?;
                transaction.remove_datasets(chunk).await?;
                transaction.commit().await?;
                self.datastore().empty_trash(Some(chunk), false).await?;
                progress.advance(chunk.len() as u64);
            }
            progress.finish();
        }
        let mut transaction = self.registry().begin().await?;
        for (chain, children) in &mut chains {
            children.sort();
            transaction
                .edit_chain(chain, ChainEdit::Remove, children)
                .await?;
        }
        for run in &runs {
            transaction.remove_collection(run).await?;
        }
        transaction.commit().await
    }
}

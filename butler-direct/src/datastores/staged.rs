//! Datasets that are stored but not recorded yet.

use std::collections::HashSet;

use butler_core::datasets::DatasetId;
use butler_core::error::Result;

use super::file::StagedFiles;
use super::memory::StagedObjects;
use crate::registry::RegistryTransaction;
use crate::resource::ResourcePath;

/// Datasets that a datastore has stored, but which the registry does not know to be there.
///
/// Call [`record`](Self::record) in the transaction that makes the datasets known, and
/// [`undo`](Self::undo) if that transaction fails. Dropping the value leaves files where they are.
#[derive(Debug, Default)]
#[must_use = "staged datasets are recorded or undone"]
pub struct Staged {
    pub(super) files: Vec<StagedFiles>,
    pub(super) objects: Vec<StagedObjects>,
    /// Files to delete once the datasets are recorded: the sources of a move to several places.
    pub(super) sources: Vec<(crate::resource::Resources, ResourcePath)>,
    pub(super) datasets: Vec<butler_core::datasets::DatasetRef>,
}

impl Staged {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The IDs of the datasets.
    pub fn ids(&self) -> HashSet<DatasetId> {
        let files = self.files.iter().flat_map(StagedFiles::ids);
        let objects = self.objects.iter().flat_map(StagedObjects::ids);
        files.chain(objects).collect()
    }

    /// The datasets of a zip file; empty for everything else.
    pub fn zip_datasets(&self) -> &[butler_core::datasets::DatasetRef] {
        &self.datasets
    }

    /// Adds what another value holds.
    pub fn merge(&mut self, other: Staged) {
        self.files.extend(other.files);
        self.objects.extend(other.objects);
        self.sources.extend(other.sources);
        self.datasets.extend(other.datasets);
    }

    /// Writes locations and records of the datasets, which must be in the registry (or come to
    /// it earlier in the same transaction).
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) if a dataset is
    /// stored already; any database error.
    pub async fn record(&self, transaction: &mut RegistryTransaction) -> Result<()> {
        for files in &self.files {
            files.record(transaction).await?;
        }
        Ok(())
    }

    /// Finishes the work after the transaction was committed: files that were to be moved and
    /// could only be copied are deleted. Failures are logged.
    pub async fn finish(self) {
        for (resources, source) in self.sources {
            if let Err(error) = resources.delete(&source).await
                && !error.is_not_found()
            {
                tracing::warn!(%source, %error, "a file that was to be moved cannot be deleted");
            }
        }
    }

    /// Takes back what was stored, after the transaction failed. Files that have become those of
    /// a recorded dataset in the meantime stay.
    ///
    /// # Errors
    /// The first of all failures; everything possible is done all the same.
    pub async fn undo(self) -> Result<()> {
        let mut outcome = Ok(());
        for objects in self.objects {
            objects.undo();
        }
        for files in self.files {
            let undone = files.undo().await;
            outcome = outcome.and(undone);
        }
        outcome
    }
}

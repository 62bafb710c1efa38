//! Steps 2 and 3: files and records from one repository to another.

use async_trait::async_trait;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_core::progress::NoProgress;
use butler_core::registry::Registry as _;
use butler_direct::DirectButler;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::TransferMode;
use uuid::Uuid;

use super::{Action, Outcome};
use crate::state::Problem;

/// Transfers datasets with their files, dimension records and dataset types.
#[derive(Debug)]
pub(super) struct Transfer {
    source: DirectButler,
    target: DirectButler,
    mode: TransferMode,
}

impl Transfer {
    /// With files that are copied.
    pub(super) fn copies(source: DirectButler, target: DirectButler) -> Self {
        Self {
            source,
            target,
            mode: TransferMode::Copy,
        }
    }

    /// With files that are linked: both share them, and neither's deleting concerns the other.
    pub(super) fn links(source: DirectButler, target: DirectButler) -> Self {
        Self {
            source,
            target,
            mode: TransferMode::Hardlink,
        }
    }

    async fn transfer(&self, datasets: &[DatasetRef]) -> Result<()> {
        let options = TransferOptions {
            mode: self.mode,
            skip_missing: false,
            register_dataset_types: true,
            transfer_dimensions: true,
            dry_run: false,
        };
        self.target
            .transfer_from(&self.source, datasets, options, &NoProgress)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Action for Transfer {
    async fn act(&self, ids: &[Uuid]) -> Result<Outcome> {
        let (stored, mut missing) = stored(&self.source, ids).await?;
        let mut done: Vec<Uuid> = stored.iter().map(DatasetRef::id).collect();
        match self.transfer(&stored).await {
            Ok(()) => {}
            // Records without files are rare, so that files are looked for only now.
            Err(Error::FileNotFound(_)) => {
                let there = self.source.reader().datastore().exists(&stored).await?;
                let (rest, lost): (Vec<_>, Vec<_>) = stored
                    .into_iter()
                    .partition(|dataset| there.contains(&dataset.id()));
                missing.extend(lost.iter().map(|dataset| Problem {
                    id: dataset.id(),
                    reason: format!("the file of {dataset} is not there"),
                }));
                done = rest.iter().map(DatasetRef::id).collect();
                self.transfer(&rest).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(Outcome {
            done,
            missing,
            failed: Vec::new(),
        })
    }
}

/// The datasets that a repository stores, by its records, and what is wrong with the others.
pub(super) async fn stored(
    source: &DirectButler,
    ids: &[Uuid],
) -> Result<(Vec<DatasetRef>, Vec<Problem>)> {
    let mut found = source.registry().datasets(ids).await?;
    let known = source.reader().datastore().knows(ids).await?;
    let mut stored = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for &id in ids {
        let reason = match found.remove(&id) {
            Some(dataset) if known.contains(&id) => {
                stored.push(dataset);
                continue;
            }
            Some(dataset) => format!("there are no records of files of {dataset}"),
            None => "the registry does not know it".to_owned(),
        };
        missing.push(Problem { id, reason });
    }
    Ok((stored, missing))
}

//! Steps 4, 7 and 8: deleting from a repository.

use async_trait::async_trait;
use butler_core::error::Result;
use butler_direct::DirectButler;
use butler_direct::ops::prune::Prune;
use uuid::Uuid;

use super::{Action, Outcome};
use crate::state::Problem;

/// Deletes datasets, or their files.
#[derive(Debug)]
pub(super) struct Delete {
    target: DirectButler,
    how: Prune,
}

impl Delete {
    /// The files, and the datasets from the registry.
    pub(super) fn wholly(target: DirectButler) -> Self {
        Self {
            target,
            how: Prune::Purge,
        }
    }

    /// The files alone: the registry keeps the datasets, for provenance.
    pub(super) fn files(target: DirectButler) -> Self {
        Self {
            target,
            how: Prune::Unstore,
        }
    }
}

#[async_trait]
impl Action for Delete {
    async fn act(&self, ids: &[Uuid]) -> Result<Outcome> {
        let left = self.target.prune_ids(ids, &self.how).await?;
        let (failed, done): (Vec<Uuid>, Vec<Uuid>) = ids.iter().partition(|id| left.contains(id));
        let failed = failed.into_iter().map(|id| Problem {
            id,
            reason: "its files cannot be deleted now, or somebody else is deleting them".to_owned(),
        });
        Ok(Outcome {
            done,
            missing: Vec::new(),
            failed: failed.collect(),
        })
    }
}

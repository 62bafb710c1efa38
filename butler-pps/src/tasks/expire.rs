//! Step 6: datasets are not to be fetched any more, but the registry keeps them.

use async_trait::async_trait;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_core::registry::Registry as _;
use butler_direct::DirectButler;
use uuid::Uuid;

use super::tags::make_room;
use super::{Action, Outcome};
use crate::collections::{EXPIRED, OUTPUTS};

/// Moves datasets of a public repository from the outputs that are available to those that have
/// expired, and forgets where their files are.
#[derive(Debug)]
pub(super) struct Expire {
    pub(super) target: DirectButler,
}

#[async_trait]
impl Action for Expire {
    async fn act(&self, ids: &[Uuid]) -> Result<Outcome> {
        // Somebody may have removed some altogether; they cannot be fetched either.
        let found = self.target.registry().datasets(ids).await?;
        let found: Vec<DatasetRef> = found.into_values().collect();
        let expire = || self.target.forget_files(&found, Some((OUTPUTS, EXPIRED)));
        match (expire().await, &found[..]) {
            // Batches that fail so are divided until there is but one.
            (Err(Error::ConflictingDefinition(_)), [dataset]) => {
                make_room(&self.target, EXPIRED, dataset).await?;
                expire().await?;
            }
            (outcome, _) => outcome?,
        }
        Ok(Outcome {
            done: ids.to_vec(),
            ..Outcome::default()
        })
    }
}

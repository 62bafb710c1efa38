//! Step 5: records, without files, from `prompt_prep` to a public repository.

use async_trait::async_trait;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_direct::DirectButler;
use butler_direct::ops::in_place::InPlaceOptions;
use uuid::Uuid;

use super::tags::make_room;
use super::transfer::stored;
use super::{Action, Outcome};
use crate::collections::OUTPUTS;

/// Publishes datasets: the target sees the files of the source, under the same paths, through a
/// gateway.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) source: DirectButler,
    pub(super) target: DirectButler,
}

#[async_trait]
impl Action for Publish {
    async fn act(&self, ids: &[Uuid]) -> Result<Outcome> {
        let (stored, missing) = stored(&self.source, ids).await?;
        let options = InPlaceOptions {
            register_dataset_types: true,
            transfer_dimensions: true,
            tag: Some(OUTPUTS.to_owned()),
        };
        let publish = || {
            self.target
                .transfer_in_place(&self.source, &stored, &options)
        };
        match (publish().await, &stored[..]) {
            // Batches that fail so are divided until there is but one.
            (Err(Error::ConflictingDefinition(_)), [dataset]) => {
                make_room(&self.target, OUTPUTS, dataset).await?;
                publish().await?;
            }
            (outcome, _) => drop(outcome?),
        }
        Ok(Outcome {
            done: stored.iter().map(DatasetRef::id).collect(),
            missing,
            failed: Vec::new(),
        })
    }
}

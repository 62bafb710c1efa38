//! Whether datasets exist, and in which sense.

use std::collections::HashMap;

use super::Butler;
use crate::datasets::{DatasetId, DatasetRef};
use crate::error::Result;

/// What is known of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Existence {
    /// The registry has it.
    pub recorded: bool,
    /// The datastore has records of its files.
    pub stored: bool,
    /// Its files are there; none if nobody looked.
    pub artifact: Option<bool>,
}

impl Existence {
    /// Whether the dataset can be used: registry and datastore know it, and nobody has found its
    /// files missing.
    pub fn is_complete(self) -> bool {
        self.recorded && self.stored && self.artifact != Some(false)
    }
}

impl Butler {
    /// What is known of each dataset; with `look`, files are looked for.
    ///
    /// # Errors
    /// Any error of registry or datastore.
    pub async fn exists(
        &self,
        datasets: &[DatasetRef],
        look: bool,
    ) -> Result<HashMap<DatasetId, Existence>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let recorded = self.registry().datasets(&ids).await?;
        let stored = self.datastore().knows(&ids).await?;
        let files = if look {
            Some(self.datastore().exists(datasets).await?)
        } else {
            None
        };
        Ok(ids
            .into_iter()
            .map(|id| {
                let existence = Existence {
                    recorded: recorded.contains_key(&id),
                    stored: stored.contains(&id),
                    artifact: files.as_ref().map(|files| files.contains(&id)),
                };
                (id, existence)
            })
            .collect())
    }

    /// Whether the datastore has records of each dataset, without looking for files.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn stored_many(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, bool>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let stored = self.datastore().knows(&ids).await?;
        Ok(ids
            .into_iter()
            .map(|id| (id, stored.contains(&id)))
            .collect())
    }
}

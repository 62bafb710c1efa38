//! Whether datasets exist, and in which sense.

use std::collections::HashMap;

pub use butler_core::butler::Existence;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::error::Result;

use crate::butler::DirectButler;

impl DirectButler {
    /// What is known of each dataset; with `look`, files are looked for.
    ///
    /// # Errors
    /// Any error of database or storage.
    pub async fn exists(
        &self,
        datasets: &[DatasetRef],
        look: bool,
    ) -> Result<HashMap<DatasetId, Existence>> {
        self.reader().exists(datasets, look).await
    }

    /// Whether the datastore has records of each dataset, without looking for files.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stored_many(&self, datasets: &[DatasetRef]) -> Result<HashMap<DatasetId, bool>> {
        self.reader().stored_many(datasets).await
    }
}

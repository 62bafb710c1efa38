//! Lists of ingested datasets, for the publication service.

use std::time::{SystemTime, UNIX_EPOCH};

use butler_core::datasets::DatasetId;
use butler_core::error::{Error, Result};
use butler_core::time::civil_from_days;
use butler_direct::resource::{ResourcePath, Resources};
use bytes::Bytes;
use uuid::Uuid;

use crate::events::DatasetBatch;

/// A batch file that is going to be written, or has been.
#[derive(Debug, Clone)]
pub(super) struct BatchFile {
    pub(super) id: Uuid,
    /// Its name in the directory: the time, in UTC to the microsecond, and the batch.
    pub(super) name: String,
    place: ResourcePath,
    content: Bytes,
}

impl BatchFile {
    /// A file of a new batch.
    pub(super) fn new(directory: &ResourcePath, datasets: Vec<DatasetId>) -> Result<Self> {
        let id = Uuid::new_v4();
        let name = format!("{}-{id}.json", timestamp(SystemTime::now()));
        let batch = DatasetBatch {
            batch_id: id,
            datasets,
        };
        let content = serde_json::to_vec(&batch)
            .map_err(|error| Error::Internal(format!("a batch file as JSON: {error}")))?;
        Ok(Self {
            id,
            place: directory.join(&name)?,
            name,
            content: content.into(),
        })
    }

    /// Writes it.
    pub(super) async fn write(&self, resources: &Resources) -> Result<()> {
        let content = self.content.clone();
        Ok(resources.write(&self.place, content, true).await?)
    }

    /// Deletes it, since no message will name it. It would do no harm if it stayed.
    pub(super) async fn withdraw(&self, resources: &Resources) {
        if let Err(error) = resources.delete(&self.place).await {
            tracing::warn!(%error, file = self.name, "a batch file that is not needed stays");
        }
    }
}

/// `2026-11-25T01-02-03-000004`.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = civil_from_days(i64::try_from(seconds / 86_400).unwrap_or(0));
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}-{:02}-{:02}-{:06}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn names_begin_with_a_time_that_sorts() {
        let time = UNIX_EPOCH + Duration::from_micros(1_771_234_567_000_089);
        assert_eq!(super::timestamp(time), "2026-02-16T09-36-07-000089");
    }
}

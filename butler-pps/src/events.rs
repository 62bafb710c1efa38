//! What travels through Kafka: the outputs of Prompt Processing, and the batches that were ingested.
//!
//! The models are those of Rubin's Prompt Processing Butler Writer; what they contain are the reference's
//! serialized models. Fields that are not known are passed over.

use std::sync::Arc;

use butler_core::datasets::{DatasetId, MinimalDatasetRef, SerializedDatasetType};
use butler_core::dimensions::SerializedDimensionRecord;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The origin of what the Butler writer ingests.
pub const PROMPT_PROCESSING: &str = "prompt_processing";

/// The `type` of [`PromptProcessingOutput`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PromptProcessingOutputType {
    /// The only one.
    #[default]
    #[serde(rename = "pp-output")]
    PromptProcessingOutput,
}

/// Files that a worker of Prompt Processing has brought into the embargo repository's datastore, with all that
/// the registry has to know of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptProcessingOutput {
    /// What kind of message this is.
    #[serde(rename = "type")]
    pub kind: PromptProcessingOutputType,
    /// Dimension records that the datasets may need.
    pub dimension_records: Vec<SerializedDimensionRecord>,
    /// Dataset types that may be new to the repository.
    #[serde(default)]
    pub dataset_types: Vec<SerializedDatasetType>,
    /// The files.
    pub datasets: Vec<SerializedFileDataset>,
}

/// A file and the datasets in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerializedFileDataset {
    /// The datasets by identifier.
    pub refs: IndexMap<DatasetId, MinimalDatasetRef>,
    /// Where the file is; relative paths count from the datastore's root.
    pub path: String,
    /// The full name of the class that reads the file; none to take the configured one.
    #[serde(default)]
    pub formatter: Option<Arc<str>>,
}

/// The `type` of [`BatchIngested`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum BatchIngestedType {
    /// The only one.
    #[default]
    #[serde(rename = "batch-ingested")]
    BatchIngested,
}

/// Datasets are in the embargo repository's registry now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchIngested {
    /// What kind of message this is.
    #[serde(rename = "type")]
    pub kind: BatchIngestedType,
    /// The batch.
    pub batch_id: Uuid,
    /// The service that made the datasets, such as [`PROMPT_PROCESSING`].
    pub origin: String,
    /// The name of the file that has the [`DatasetBatch`], in a directory that both sides are told.
    pub batch_file: String,
}

/// The datasets of a batch; what is in a batch file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetBatch {
    /// The batch.
    pub batch_id: Uuid,
    /// Their identifiers.
    pub datasets: Vec<DatasetId>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::{BatchIngested, PromptProcessingOutput};

    #[test]
    fn messages_of_another_type_are_refused() {
        let output = json!({"type": "pp-input", "dimension_records": [], "datasets": []});
        serde_json::from_value::<PromptProcessingOutput>(output).unwrap_err();
        let batch = json!({"type": "batch", "batch_id": "26c6235f-2ea3-5a15-8009-a3056e49c379",
                           "origin": "x", "batch_file": "x.json"});
        serde_json::from_value::<BatchIngested>(batch).unwrap_err();
    }

    #[test]
    fn dataset_types_and_formatters_may_be_missing() {
        let output = json!({"type": "pp-output", "dimension_records": [], "datasets": [
            {"refs": {"26c6235f-2ea3-5a15-8009-a3056e49c379": {
                "dataset_type_name": "dt1", "run": "Cam1/run", "data_id": {"detector": 1}}},
             "path": "a.json"}]});
        let output: PromptProcessingOutput = serde_json::from_value(output).unwrap();
        assert_eq!(output.datasets[0].formatter, None);
        assert!(output.dataset_types.is_empty());
    }
}

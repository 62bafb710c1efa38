//! `dataset/{id}`, `datasets`, `find_dataset`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::datasets::SerializedDatasetRef;
use crate::dimensions::SerializedDataId;
use crate::timespan::Timespan;

/// The request of `find_dataset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindDatasetRequest {
    /// The name of the dataset type.
    pub dataset_type: String,
    /// Keys and values.
    pub data_id: SerializedDataId,
    /// Values for required keys that `data_id` leaves out.
    #[serde(default)]
    pub default_data_id: SerializedDataId,
    /// The collections to search, in order.
    pub collections: Vec<String>,
    /// When the dataset must be valid, for CALIBRATION collections.
    #[serde(deserialize_with = "Option::deserialize")]
    pub timespan: Option<Timespan>,
    /// Whether the data ID of the answer has its dimension records.
    #[serde(default)]
    pub dimension_records: bool,
}

/// The response of `dataset/{id}` and `find_dataset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindDatasetResponse {
    /// The dataset, if there is one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub dataset_ref: Option<SerializedDatasetRef>,
}

/// The request of `datasets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetManyDatasetsRequest {
    /// The datasets, [`MAX_ITEMS_PER_REQUEST`](super::MAX_ITEMS_PER_REQUEST) at most.
    pub dataset_ids: Vec<Uuid>,
}

/// The response of `datasets`, and a page of datasets in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "dataset_ref")]
pub struct DatasetRefResult {
    /// The datasets.
    pub rows: Vec<SerializedDatasetRef>,
}

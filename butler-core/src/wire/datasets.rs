//! `dataset/{id}`, `datasets`, `find_dataset`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::datasets::SerializedDatasetRef;
use crate::dimensions::SerializedDataId;
use crate::timespan::Timespan;

/// The request of `find_dataset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FindDatasetRequest {
    /// The name of the dataset type.
    pub dataset_type: String,
    /// Keys and values.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub data_id: SerializedDataId,
    /// Values for required keys that `data_id` leaves out.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub default_data_id: SerializedDataId,
    /// The collections to search, in order.
    pub collections: Vec<String>,
    /// When the dataset must be valid, for CALIBRATION collections.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = Option<Vec<i64>>, min_items = 2, max_items = 2))]
    pub timespan: Option<Timespan>,
    /// Whether the data ID of the answer has its dimension records.
    #[serde(default)]
    pub dimension_records: bool,
}

/// The response of `dataset/{id}` and `find_dataset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FindDatasetResponse {
    /// The dataset, if there is one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub dataset_ref: Option<SerializedDatasetRef>,
}

/// The request of `datasets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetManyDatasetsRequest {
    /// The datasets, [`MAX_ITEMS_PER_REQUEST`](super::MAX_ITEMS_PER_REQUEST) at most.
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub dataset_ids: Vec<Uuid>,
}

/// The response of `datasets`, and a page of datasets in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename = "dataset_ref")]
pub struct DatasetRefResult {
    /// The datasets.
    pub rows: Vec<SerializedDatasetRef>,
}

//! `dataset_type/{name}`, `query_dataset_types`.

use serde::{Deserialize, Serialize};

use crate::datasets::SerializedDatasetType;

/// The response of `dataset_type/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetDatasetTypeResponse {
    /// The dataset type.
    pub dataset_type: SerializedDatasetType,
}

/// The request of `query_dataset_types`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryDatasetTypesRequest {
    /// Names and patterns.
    pub search: Vec<String>,
}

/// The response of `query_dataset_types`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryDatasetTypesResponse {
    /// The dataset types that match.
    pub dataset_types: Vec<SerializedDatasetType>,
    /// Names in the search that are not registered.
    pub missing: Vec<String>,
}

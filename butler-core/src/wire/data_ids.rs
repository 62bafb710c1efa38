//! `universe`, `expand_data_id`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dimensions::{SerializedDataCoordinate, SerializedDataId};

/// The response of `universe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetUniverseResponse {
    /// The universe's configuration, as
    /// [`UniverseConfig::to_simple`](crate::dimensions::UniverseConfig::to_simple) gives it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub universe: Value,
}

/// The request of `expand_data_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpandDataIdRequest {
    /// Keys and values.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, crate::dimensions::DataIdValue>))]
    pub data_id: SerializedDataId,
}

/// The response of `expand_data_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpandDataIdResponse {
    /// The data ID with implied values and records.
    pub data_coordinate: SerializedDataCoordinate,
}

//! `collection_info`, `collection_summary`, `query_collections`, `query_collection_info`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::collections::{CollectionInfo, CollectionType, SerializedCollectionSummary};

/// The response of `collection_info`, which only older clients ask for. What was not asked for is
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetCollectionInfoResponse {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub collection_type: CollectionType,
    /// The members of a CHAINED collection.
    pub children: Vec<String>,
    /// The documentation: absent if it was not asked for, `null` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub doc: Option<Option<String>>,
    /// The CHAINED collections that this one is a member of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parents: Option<BTreeSet<String>>,
}

/// The response of `collection_summary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetCollectionSummaryResponse {
    /// What the collection holds.
    pub summary: SerializedCollectionSummary,
}

/// The request of `query_collections`, which only older clients send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryCollectionsRequest {
    /// Names and patterns.
    pub search: Vec<String>,
    /// The types to give.
    pub collection_types: Vec<CollectionType>,
    /// Whether chains are replaced by what is in them.
    pub flatten_chains: bool,
    /// Whether chains themselves are given.
    pub include_chains: bool,
}

/// The response of `query_collections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryCollectionsResponse {
    /// The names of the collections that match.
    pub collections: Vec<String>,
}

/// The request of `query_collection_info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryCollectionInfoRequest {
    /// Names and patterns.
    pub expression: Vec<String>,
    /// The types to give.
    pub collection_types: Vec<CollectionType>,
    /// Whether chains are replaced by what is in them.
    pub flatten_chains: bool,
    /// Whether chains themselves are given.
    pub include_chains: bool,
    /// Whether [`CollectionInfo::parents`] is filled in.
    pub include_parents: bool,
    /// Whether [`CollectionInfo::dataset_types`] is filled in.
    pub include_summary: bool,
    /// Whether [`CollectionInfo::doc`] is filled in.
    pub include_doc: bool,
    /// The dataset types that a summary tells of; all if none are named.
    #[serde(deserialize_with = "Option::deserialize")]
    pub summary_datasets: Option<Vec<String>>,
}

/// The response of `query_collection_info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueryCollectionInfoResponse {
    /// The collections that match.
    pub collections: Vec<CollectionInfo>,
}

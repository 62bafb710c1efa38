//! `get_file/{id}`, `get_file_by_data_id`, `file_transfer`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::datasets::SerializedDatasetRef;
use crate::datastore::SerializedStoredFileInfo;
use crate::dimensions::SerializedDataId;
use crate::timespan::Timespan;

/// The request of `get_file_by_data_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetFileByDataIdRequest {
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
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<i64>>, min_items = 2, max_items = 2))]
    pub timespan: Option<Timespan>,
}

/// The response of `get_file/{id}` and `get_file_by_data_id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetFileResponse {
    /// The dataset.
    pub dataset_ref: SerializedDatasetRef,
    /// Its files; none if the dataset is known but stored nowhere (any more).
    #[serde(deserialize_with = "Option::deserialize")]
    pub artifact: Option<FileInfoPayload>,
}

/// The files of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "datastore_type", rename = "file")]
pub struct FileInfoPayload {
    /// One record for each file.
    pub file_info: Vec<FileInfoRecord>,
}

/// Where a file is, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileInfoRecord {
    /// An `http` or `https` URL, and nothing else: a client must not be led to read a file of its
    /// own machine, or to use credentials that it happens to have.
    pub url: String,
    /// What the datastore recorded of the file; the path is relative.
    #[serde(rename = "datastoreRecords")]
    pub datastore_records: SerializedStoredFileInfo,
    /// What has to be sent along to read the URL.
    #[serde(default)]
    pub auth: FileAuthentication,
}

/// What a client sends along when it reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileAuthentication {
    /// Nothing: the URL is signed.
    #[default]
    None,
    /// The token for the Butler server.
    Gafaelfawr,
    /// The token for the service that keeps the files.
    Datastore,
}

/// The request of `file_transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetFileTransferInfoRequest {
    /// The datasets, [`MAX_ITEMS_PER_REQUEST`](super::MAX_ITEMS_PER_REQUEST) at most.
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub dataset_ids: Vec<Uuid>,
}

/// The response of `file_transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GetFileTransferInfoResponse {
    /// The files of each dataset.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Vec<FileTransferRecord>>))]
    pub files: IndexMap<Uuid, Vec<FileTransferRecord>>,
}

/// A file that is to be transferred to another repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileTransferRecord {
    /// An `http` or `https` URL that stays valid.
    pub url: String,
    /// What has to be sent along to read the URL.
    pub auth: FileAuthentication,
    /// What the datastore recorded of the file; the path is relative.
    pub file_info: SerializedStoredFileInfo,
}

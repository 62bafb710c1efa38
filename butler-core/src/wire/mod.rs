//! The bodies of the `v1` protocol between servers and clients, one file per resource.
//!
//! Every struct mirrors the model of the same name in the reference's `server_models` (there with
//! `Model` at the end). Both sides use them: servers read requests and write responses, clients the
//! other way round. Keys that are not known are ignored, so that either side may be newer.

mod collections;
mod data_ids;
mod dataset_types;
mod datasets;
mod error;
mod files;
pub mod pages;
mod queries;

pub use collections::{
    GetCollectionInfoResponse, GetCollectionSummaryResponse, QueryCollectionInfoRequest,
    QueryCollectionInfoResponse, QueryCollectionsRequest, QueryCollectionsResponse,
};
pub use data_ids::{ExpandDataIdRequest, ExpandDataIdResponse, GetUniverseResponse};
pub use dataset_types::{
    GetDatasetTypeResponse, QueryDatasetTypesRequest, QueryDatasetTypesResponse,
};
pub use datasets::{
    DatasetRefResult, FindDatasetRequest, FindDatasetResponse, GetManyDatasetsRequest,
};
pub use error::ErrorResponse;
pub use files::{
    FileAuthentication, FileInfoPayload, FileInfoRecord, FileTransferRecord,
    GetFileByDataIdRequest, GetFileResponse, GetFileTransferInfoRequest,
    GetFileTransferInfoResponse,
};
pub use queries::{
    QueryAllDatasetsRequest, QueryAnyRequest, QueryAnyResponse, QueryCountRequest,
    QueryCountResponse, QueryErrorResult, QueryExecuteRequest, QueryExplainRequest,
    QueryExplainResponse,
};

/// The header in which clients name their requests, so that logs of both sides can be compared.
pub const CLIENT_REQUEST_ID_HEADER: &str = "x-butler-client-request-id";

/// The status of a response whose body is an [`ErrorResponse`].
pub const ERROR_STATUS_CODE: u16 = 422;

/// How many dataset IDs one request may name.
pub const MAX_ITEMS_PER_REQUEST: usize = 10_000;

/// How many rows of data IDs may be uploaded with one query.
pub const MAX_UPLOAD_ROWS: usize = 100_000;

//! The shapes of requests with bodies, as the reference's models have them.

use butler_core::wire::{
    ExpandDataIdRequest, FindDatasetRequest, GetFileByDataIdRequest, GetFileTransferInfoRequest,
    GetManyDatasetsRequest, QueryAllDatasetsRequest, QueryAnyRequest, QueryCollectionInfoRequest,
    QueryCollectionsRequest, QueryCountRequest, QueryDatasetTypesRequest, QueryExecuteRequest,
    QueryExplainRequest,
};

use super::{Field, Shape, Shaped};
use crate::routes::search::SearchRequest;

const NAMES: Shape = Shape::List(&Shape::Text);
const DATA_ID: Shape = Shape::Map(&Shape::Key);
const IDS: Shape = Shape::Model(&[Field::required("dataset_ids", Shape::List(&Shape::Uuid))]);
const COLLECTION_TYPES: Shape = Shape::List(&Shape::CollectionType);

/// Trees and result specifications are read, and refused, with the repository's universe.
const QUERY: Shape = Shape::Model(&[
    Field::required("tree", Shape::Anything),
    Field::required(
        "default_data_id",
        Shape::Model(&[Field::required("dataId", DATA_ID)]),
    ),
    Field::required("additional_query_inputs", Shape::List(&Shape::Model(&[]))),
]);

impl Shaped for GetManyDatasetsRequest {
    const SHAPE: Shape = IDS;
}

impl Shaped for GetFileTransferInfoRequest {
    const SHAPE: Shape = IDS;
}

impl Shaped for FindDatasetRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("dataset_type", Shape::Text),
        Field::required("data_id", DATA_ID),
        Field::optional("default_data_id", DATA_ID),
        Field::required("collections", NAMES),
        Field::required("timespan", Shape::Optional(&Shape::Timespan)),
        Field::optional("dimension_records", Shape::Boolean),
    ]);
}

impl Shaped for GetFileByDataIdRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("dataset_type", Shape::Text),
        Field::required("data_id", DATA_ID),
        Field::optional("default_data_id", DATA_ID),
        Field::required("collections", NAMES),
        Field::optional("timespan", Shape::Optional(&Shape::Timespan)),
    ]);
}

impl Shaped for SearchRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("dataset_type", Shape::Text),
        Field::required("collections", NAMES),
        Field::optional("where", Shape::Text),
        Field::optional("order_by", NAMES),
        Field::required("limit", Shape::Integer),
        Field::optional("find_first", Shape::Boolean),
    ]);
}

impl Shaped for ExpandDataIdRequest {
    const SHAPE: Shape = Shape::Model(&[Field::required("data_id", DATA_ID)]);
}

impl Shaped for QueryCollectionsRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("search", NAMES),
        Field::required("collection_types", COLLECTION_TYPES),
        Field::required("flatten_chains", Shape::Boolean),
        Field::required("include_chains", Shape::Boolean),
    ]);
}

impl Shaped for QueryCollectionInfoRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("expression", NAMES),
        Field::required("collection_types", COLLECTION_TYPES),
        Field::required("flatten_chains", Shape::Boolean),
        Field::required("include_chains", Shape::Boolean),
        Field::required("include_parents", Shape::Boolean),
        Field::required("include_summary", Shape::Boolean),
        Field::required("include_doc", Shape::Boolean),
        Field::required("summary_datasets", Shape::Optional(&NAMES)),
    ]);
}

impl Shaped for QueryDatasetTypesRequest {
    const SHAPE: Shape = Shape::Model(&[Field::required("search", NAMES)]);
}

impl Shaped for QueryAllDatasetsRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("collections", NAMES),
        Field::required("name", NAMES),
        Field::required("find_first", Shape::Boolean),
        Field::required("data_id", DATA_ID),
        Field::optional("default_data_id", DATA_ID),
        Field::required("where", Shape::Text),
        Field::required("bind", Shape::Map(&Shape::Model(&[]))),
        Field::required("limit", Shape::Optional(&Shape::Integer)),
        Field::required("with_dimension_records", Shape::Boolean),
    ]);
}

impl Shaped for QueryExecuteRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("query", QUERY),
        Field::required("result_spec", Shape::Anything),
    ]);
}

impl Shaped for QueryCountRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("query", QUERY),
        Field::required("result_spec", Shape::Anything),
        Field::required("exact", Shape::Boolean),
        Field::required("discard", Shape::Boolean),
    ]);
}

impl Shaped for QueryAnyRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("query", QUERY),
        Field::required("execute", Shape::Boolean),
        Field::required("exact", Shape::Boolean),
    ]);
}

impl Shaped for QueryExplainRequest {
    const SHAPE: Shape = Shape::Model(&[
        Field::required("query", QUERY),
        Field::required("execute", Shape::Boolean),
    ]);
}

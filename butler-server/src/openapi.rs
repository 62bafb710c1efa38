//! The protocol, for machines and for people.
//!
//! The document is made from the handlers and the structs of the protocol; `cargo xtask openapi`
//! writes it to `openapi/butler-server.json`.

use std::sync::LazyLock;

use axum::response::Response;
use butler_core::dimensions::SerializedDataCoordinate;
use butler_core::error::Error;
use butler_core::wire::QueryErrorResult;
use bytes::Bytes;
use serde_json::Value;
use utoipa::{IntoResponses, OpenApi, ToSchema};

use crate::error::{ApiResult, Complaint};
use crate::routes::{
    client_config, collections, configs, data_ids, dataset_types, datasets, download, file, files,
    health, json_body, queries, repositories, search,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Butler server",
        description = "Butler repositories over REST, read-only: the v1 protocol of lsst-daf-butler. Every request may carry X-Butler-Client-Request-Id, which is in the response and in the server's log. Behind Gafaelfawr, X-Auth-Request-User and X-Auth-Request-Token say who sends it; a server with keys for tokens of its own takes Authorization: Bearer instead.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        client_config::yaml,
        client_config::json,
        data_ids::universe,
        data_ids::expand,
        dataset_types::get,
        dataset_types::query,
        datasets::get,
        datasets::get_many,
        datasets::find,
        files::get,
        files::get_by_data_id,
        files::transfer,
        download::redirect,
        file::get,
        collections::info,
        collections::summary,
        collections::query_names,
        collections::query_info,
        queries::execute,
        queries::all_datasets,
        queries::count,
        queries::any,
        queries::explain,
        search::datasets,
        search::table,
        repositories::list,
        configs::get,
        health::index,
        health::live,
        health::ready,
        health::metrics,
    ),
    components(schemas(QueryErrorResult, Unprocessable, Mistake, Malformed, Complaint))
)]
struct Document;

/// A refusal that says why.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Detail {
    /// Why, for people.
    detail: String,
}

/// Malformed parts of the request.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Malformed {
    detail: Vec<Complaint>,
}

/// A mistake of the user.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct Mistake {
    /// The protocol's name of the mistake, if it has one.
    #[schema(nullable = false)]
    error_type: Option<String>,
    /// What is wrong, for people.
    detail: String,
}

/// What is wrong with a request that was understood, or why it was not.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum Unprocessable {
    Mistake(Mistake),
    Malformed(Malformed),
}

/// How a request about a repository may be refused.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(crate) enum Refusals {
    /// There is no valid token.
    #[response(status = 401)]
    Unauthorized(Detail),
    /// The user may not use the repository, or is not known.
    #[response(status = 403)]
    Forbidden(Detail),
    /// The repository is unknown, or the file.
    #[response(status = 404)]
    NotFound(Detail),
    /// The request cannot be answered: it is malformed, or asks for what is not there.
    #[response(status = 422)]
    Unprocessable(Unprocessable),
    /// The server has a fault.
    #[response(status = 500)]
    Internal(Detail),
    /// The server, or what it needs, is too busy; see Retry-After.
    #[response(status = 503)]
    Busy(Detail),
}

/// How a request with a body may be refused, besides.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(crate) enum BodyRefusals {
    /// The body cannot be read.
    #[response(status = 400)]
    Unreadable(Detail),
    /// The body did not arrive in time.
    #[response(status = 408)]
    Late(Detail),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(Detail),
}

/// How a query that streams may be refused, besides.
#[derive(IntoResponses)]
#[allow(dead_code)]
pub(crate) enum LimitRefusals {
    /// The user runs too many queries; see Retry-After.
    #[response(status = 429)]
    TooMany(Detail),
}

/// A query and all it refers to.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct QueryInputs {
    /// The tree.
    #[schema(value_type = Object)]
    tree: Value,
    /// The values of governor dimensions that it may leave out.
    default_data_id: SerializedDataCoordinate,
    /// What was uploaded or materialized before.
    #[schema(value_type = Vec<Object>)]
    additional_query_inputs: Vec<Value>,
}

/// The request of `query/execute`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct QueryExecuteBody {
    query: QueryInputs,
    /// What comes back.
    #[schema(value_type = Object)]
    result_spec: Value,
}

/// The request of `query/count`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct QueryCountBody {
    query: QueryInputs,
    /// What is counted.
    #[schema(value_type = Object)]
    result_spec: Value,
    /// Whether an upper bound does not do.
    exact: bool,
    /// Whether rows may be fetched only to be counted.
    discard: bool,
}

/// The request of `query/any`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct QueryAnyBody {
    query: QueryInputs,
    /// Whether the query may be run.
    execute: bool,
    /// Whether rows have to be looked at.
    exact: bool,
}

/// The request of `query/explain`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(crate) struct QueryExplainBody {
    query: QueryInputs,
    /// Whether queries may be run to find out.
    execute: bool,
}

/// The document as text, with an end of line.
///
/// # Errors
/// It cannot be written as JSON.
pub fn text() -> serde_json::Result<String> {
    let mut text = Document::openapi().to_pretty_json()?;
    text.push('\n');
    Ok(text)
}

static TEXT: LazyLock<Result<Bytes, String>> = LazyLock::new(|| {
    let text = text().map_err(|error| format!("the document of the protocol: {error}"));
    text.map(Bytes::from)
});

/// The document.
pub(crate) async fn document() -> ApiResult<Response> {
    let text = TEXT.clone().map_err(Error::Internal)?;
    Ok(json_body(text))
}

//! `query/execute`, `query/all_datasets`, `query/count`, `query/any`, `query/explain`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use butler_core::error::{Error, Result};
use butler_core::query::language::{BindValue, BindValues};
use butler_core::query::wire::{AdditionalQueryInput, QueryInputs};
use butler_core::query::{
    ColumnLiteral, PageStream, QueryDriver, QueryTree, ResultLimit, ResultPage, ResultSpec,
    SimpleQuery, Where,
};
use butler_core::wire::{
    MAX_UPLOAD_ROWS, QueryAllDatasetsRequest, QueryAnyRequest, QueryAnyResponse, QueryCountRequest,
    QueryCountResponse, QueryExecuteRequest, QueryExplainRequest, QueryExplainResponse,
};
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Access, Body, QueryBody};
use crate::openapi::{
    BodyRefusals, LimitRefusals, QueryAnyBody, QueryCountBody, QueryExecuteBody, QueryExplainBody,
    Refusals,
};
use crate::repositories::Repository;
use crate::streaming::stream_pages;

/// All results of a query, streamed.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query/execute",
    operation_id = "query_execute",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryExecuteBody,
    responses((status = 200, description = "Pages of results, one JSON object a line, with keep-alive and error messages among them", body = String, content_type = "application/jsonlines"), Refusals, BodyRefusals, LimitRefusals),
)]
pub(crate) async fn execute(
    State(app): State<App>,
    access: Access,
    body: QueryBody,
) -> ApiResult<Response> {
    let permit = app.limits.acquire(access.user.name.as_deref())?;
    let request = body.read(&access, QueryExecuteRequest::from_json)?;
    let pages = later(run(access.repository, request.query, request.result_spec));
    stream_pages(&app, permit, pages).await
}

/// Datasets of several types, streamed.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query/all_datasets",
    operation_id = "query_all_datasets",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryAllDatasetsRequest,
    responses((status = 200, description = "Pages of datasets, one JSON object a line, with keep-alive and error messages among them", body = String, content_type = "application/jsonlines"), Refusals, BodyRefusals, LimitRefusals),
)]
pub(crate) async fn all_datasets(
    State(app): State<App>,
    access: Access,
    Body(request): Body<QueryAllDatasetsRequest>,
) -> ApiResult<Response> {
    let permit = app.limits.acquire(access.user.name.as_deref())?;
    let bind = bind_values(&request)?;
    let pages = later(search_all(access.repository, request, bind));
    stream_pages(&app, permit, pages).await
}

/// The number of rows.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query/count",
    operation_id = "query_count",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryCountBody,
    responses((status = 200, description = "The answer", body = QueryCountResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn count(access: Access, body: QueryBody) -> ApiResult<Json<QueryCountResponse>> {
    let request = body.read(&access, QueryCountRequest::from_json)?;
    let (driver, tree) = prepare(&access.repository, request.query).await?;
    let (exact, discard) = (request.exact, request.discard);
    let count = driver.count(&tree, &request.result_spec, exact, discard);
    Ok(Json(QueryCountResponse {
        count: count.await?,
    }))
}

/// Whether there are rows.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query/any",
    operation_id = "query_any",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryAnyBody,
    responses((status = 200, description = "The answer", body = QueryAnyResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn any(access: Access, body: QueryBody) -> ApiResult<Json<QueryAnyResponse>> {
    let request = body.read(&access, QueryAnyRequest::from_json)?;
    let (driver, tree) = prepare(&access.repository, request.query).await?;
    let found_rows = driver.any(&tree, request.execute, request.exact).await?;
    Ok(Json(QueryAnyResponse { found_rows }))
}

/// Why there are no rows.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query/explain",
    operation_id = "query_explain",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryExplainBody,
    responses((status = 200, description = "The answer", body = QueryExplainResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn explain(
    access: Access,
    body: QueryBody,
) -> ApiResult<Json<QueryExplainResponse>> {
    let request = body.read(&access, QueryExplainRequest::from_json)?;
    let (driver, tree) = prepare(&access.repository, request.query).await?;
    let messages = driver.explain_no_results(&tree, request.execute).await?;
    Ok(Json(QueryExplainResponse { messages }))
}

/// The values of names in the condition.
fn bind_values(request: &QueryAllDatasetsRequest) -> ApiResult<BindValues> {
    let read = |(name, value): (&String, &Value)| {
        let literal = ColumnLiteral::from_value(value).map_err(|error| {
            let place = ["body", "bind", name];
            ApiError::malformed(
                "model_attributes_type",
                place,
                error.to_string(),
                Value::Null,
            )
        })?;
        Ok((name.clone(), BindValue::from(literal)))
    };
    request.bind.iter().map(read).collect()
}

/// A stream that begins with work, during which it is kept alive, too.
pub(super) fn later(
    pages: impl Future<Output = Result<PageStream>> + Send + 'static,
) -> PageStream {
    pages.try_flatten_stream().boxed()
}

async fn run(
    repository: Arc<Repository>,
    query: QueryInputs,
    spec: ResultSpec,
) -> Result<PageStream> {
    let (driver, tree) = prepare(&repository, query).await?;
    Ok(driver.execute(&spec, &tree))
}

async fn search_all(
    repository: Arc<Repository>,
    request: QueryAllDatasetsRequest,
    bind: BindValues,
) -> Result<PageStream> {
    let mut condition = Where::new().bind_all(bind);
    if !request.condition.is_empty() {
        condition = condition.and_expression(request.condition);
    }
    for (name, value) in request.data_id {
        condition = condition.value(name, value);
    }
    let options = SimpleQuery {
        condition,
        order_by: Vec::new(),
        limit: ResultLimit::from(request.limit),
        explain: false,
        with_dimension_records: request.with_dimension_records,
        find_first: request.find_first,
    };
    let butler = repository.queries_with(request.default_data_id)?;
    let pages = butler
        .query()?
        .all_dataset_pages(&request.name, Some(&request.collections), &options)
        .await?;
    Ok(pages.map_ok(ResultPage::DatasetRefs).boxed())
}

/// A driver that has taken over all that the query refers to.
async fn prepare(
    repository: &Repository,
    query: QueryInputs,
) -> Result<(Arc<dyn QueryDriver>, QueryTree)> {
    let uploaded = query
        .additional_query_inputs
        .iter()
        .map(|input| match input {
            AdditionalQueryInput::Upload { rows, .. } => rows.len(),
            AdditionalQueryInput::Materialized { .. } => 0,
        });
    if uploaded.sum::<usize>() > MAX_UPLOAD_ROWS {
        return Err(Error::InvalidQuery(format!(
            "Uploaded data coordinate rows exceed limit of {MAX_UPLOAD_ROWS}"
        )));
    }
    let driver = repository
        .queries_of(query.default_data_id)
        .query_driver()?;
    for input in &query.additional_query_inputs {
        driver.add_input(input).await?;
    }
    Ok((driver, query.tree))
}

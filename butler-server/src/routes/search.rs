//! `web/search` and `web/datasets.csv`: what the web page's form asks for, to be shown and to be saved.
//! The reference has no such routes: there, condition and order of a query travel as a tree that the
//! client made of them.

use axum::extract::State;
use axum::response::Response;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_core::query::{ResultLimit, ResultPage, RowPages, SimpleQuery, Where};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use utoipa::ToSchema;

use super::queries::later;
use crate::app::App;
use crate::error::ApiResult;
use crate::extract::{Access, Body, Params};
use crate::openapi::{BodyRefusals, LimitRefusals, Refusals};
use crate::repositories::Repository;
use crate::streaming::{stream_pages, stream_table};

/// A search for datasets of one type.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SearchRequest {
    /// The name of the dataset type.
    dataset_type: String,
    /// Names of collections, and patterns if not only first datasets count.
    collections: Vec<String>,
    /// A condition in the expression language; may be empty. A governor dimension that the
    /// collections have only one value of may be left out.
    #[serde(default, rename = "where")]
    condition: String,
    /// What datasets are sorted by: fields, after a minus in descending order.
    #[serde(default)]
    order_by: Vec<String>,
    /// How many datasets come back at most.
    limit: u64,
    /// Whether of each data ID only the first dataset counts, in the order of the collections.
    #[serde(default = "yes")]
    find_first: bool,
}

/// The `error_type` of a search without results, whose `detail` says why. It is not in the protocol.
const NO_RESULTS: &str = "empty_query_result";

const fn yes() -> bool {
    true
}

/// Datasets with their dimension records, streamed as by `query/execute`. If there are none, the
/// stream ends with the error `empty_query_result`, which says why.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/web/search",
    operation_id = "web_search",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = SearchRequest,
    responses((status = 200, description = "Pages of datasets, one JSON object a line, with keep-alive and error messages among them", body = String, content_type = "application/jsonlines"), Refusals, BodyRefusals, LimitRefusals),
)]
pub(crate) async fn datasets(
    State(app): State<App>,
    access: Access,
    Body(request): Body<SearchRequest>,
) -> ApiResult<Response> {
    let permit = app.limits.acquire(access.user.name.as_deref())?;
    let limit = ResultLimit::AtMost(request.limit);
    let options = request.options(limit).with_dimension_records();
    let pages = later(async move {
        let pages = search(&access.repository, &request, &options).await?;
        Ok(pages.map_ok(ResultPage::DatasetRefs).boxed())
    });
    stream_pages(&app, permit, pages).await
}

/// All datasets that the page's form asks for, as CSV: a file to be saved.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/web/datasets.csv",
    operation_id = "web_datasets_csv",
    params(
        ("repository" = String, Path, description = "The repository's label"),
        ("type" = String, Query, description = "The name of the dataset type"),
        ("in" = String, Query, description = "Names of collections, separated by commas"),
        ("where" = Option<String>, Query, description = "A condition in the expression language"),
        ("order" = Option<String>, Query, description = "Fields to sort by, separated by commas, after a minus in descending order"),
    ),
    responses((status = 200, description = "A line of titles, and one for each dataset: type, run, id, and its data ID", body = String, content_type = "text/csv"), Refusals, LimitRefusals),
)]
pub(crate) async fn table(
    State(app): State<App>,
    access: Access,
    params: Params,
) -> ApiResult<Response> {
    let permit = app.limits.acquire(access.user.name.as_deref())?;
    let request = SearchRequest {
        dataset_type: params.require("type")?.to_owned(),
        collections: names(params.require("in")?),
        condition: params.get("where").unwrap_or_default().to_owned(),
        order_by: names(params.get("order").unwrap_or_default()),
        limit: 0,
        find_first: true,
    };
    let options = request.options(ResultLimit::Unlimited);
    let mut pages = search(&access.repository, &request, &options).await?;
    // What is wrong with the search is found before the first page.
    let first = pages.try_next().await?.unwrap_or_default();
    stream_table(&app, permit, &request.dataset_type, first, pages)
}

/// The names in a list, separated by commas.
fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

impl SearchRequest {
    fn options(&self, limit: ResultLimit) -> SimpleQuery {
        let mut condition = Where::new();
        if !self.condition.trim().is_empty() {
            condition = condition.and_expression(self.condition.clone());
        }
        let mut options = SimpleQuery::new(condition)
            .order_by(self.order_by.iter().cloned())
            .limit(limit);
        options.find_first = self.find_first;
        options
    }
}

async fn search(
    repository: &Repository,
    request: &SearchRequest,
    options: &SimpleQuery,
) -> Result<RowPages<DatasetRef>> {
    let collections = request.collections.as_slice();
    let butler = repository.queries_in(collections).await?;
    let query = butler.query()?;
    let dataset_type = request.dataset_type.as_str();
    let pages = query.dataset_pages(dataset_type, Some(collections), options);
    let explained = pages.await?.map_err(|error| match error {
        Error::EmptyQueryResult(reasons) => Error::UnknownUserError {
            error_type: NO_RESULTS.to_owned(),
            detail: reasons.join(" "),
        },
        other => other,
    });
    Ok(explained.boxed())
}

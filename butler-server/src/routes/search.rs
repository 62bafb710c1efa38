//! `web/search`: what the web page's form asks for. The reference has no such route: there, condition
//! and order of a query travel as a tree that the client made of them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use butler_core::error::{Error, Result};
use butler_core::query::{PageStream, ResultPage, Where};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use utoipa::ToSchema;

use super::queries::later;
use crate::app::App;
use crate::error::ApiResult;
use crate::extract::{Access, Body};
use crate::openapi::{BodyRefusals, LimitRefusals, Refusals};
use crate::repositories::Repository;
use crate::streaming::stream_pages;

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
    let pages = later(search(access.repository, request));
    stream_pages(&app, permit, pages).await
}

async fn search(repository: Arc<Repository>, request: SearchRequest) -> Result<PageStream> {
    let mut condition = Where::new();
    if !request.condition.trim().is_empty() {
        condition = condition.and_expression(request.condition);
    }
    let butler = repository.queries_in(&request.collections).await?;
    let results = butler
        .query()?
        .datasets_with(
            &request.dataset_type,
            Some(&request.collections),
            request.find_first,
        )
        .await?
        .where_(condition)?
        .order_by(request.order_by)?
        .limit(request.limit)
        .with_dimension_records();
    let mut pages = results.pages();
    let first = loop {
        match pages.try_next().await? {
            Some(page) if page.is_empty() => {}
            Some(page) => break page,
            None => {
                let reasons = results.explain_no_results(true).await?;
                return Err(Error::UnknownUserError {
                    error_type: NO_RESULTS.to_owned(),
                    detail: reasons.join(" "),
                });
            }
        }
    };
    let pages = stream::once(std::future::ready(Ok(first))).chain(pages);
    Ok(pages.map_ok(ResultPage::DatasetRefs).boxed())
}

//! `dataset/{id}`, `datasets`, `find_dataset`.

use axum::response::Response;
use butler_core::butler::Butler;
use butler_core::datasets::DatasetRef;
use butler_core::error::Result;
use butler_core::query::ResultPage;
use butler_core::wire::pages::{write_dataset_ref, write_page};
use butler_core::wire::{
    DatasetRefResult, FindDatasetRequest, FindDatasetResponse, GetManyDatasetsRequest,
    MAX_ITEMS_PER_REQUEST,
};
use uuid::Uuid;

use super::json_body;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Access, Body, IdInPath, Params};
use crate::openapi::{BodyRefusals, Refusals};

/// A dataset by its ID; `null` if there is none.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/dataset/{id}",
    operation_id = "get_dataset",
    params(("repository" = String, Path, description = "The repository's label"), ("id" = uuid::Uuid, Path, description = "The dataset's ID"), ("dimension_records" = Option<bool>, Query, description = "Whether the data ID has its dimension records")),
    responses((status = 200, description = "The answer", body = FindDatasetResponse), Refusals),
)]
pub(crate) async fn get(
    access: Access,
    IdInPath(id): IdInPath,
    params: Params,
) -> ApiResult<Response> {
    let with_records = params.flag("dimension_records")?;
    let butler = access.repository.lookups();
    let found = butler.registry().dataset(id).await?;
    Ok(dataset_response(butler, found, with_records).await?)
}

/// Datasets by their IDs; those that do not exist are left out.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/datasets",
    operation_id = "get_many_datasets",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = GetManyDatasetsRequest,
    responses((status = 200, description = "The answer", body = DatasetRefResult), Refusals, BodyRefusals),
)]
pub(crate) async fn get_many(
    access: Access,
    Body(request): Body<GetManyDatasetsRequest>,
) -> ApiResult<Response> {
    check_number(&request.dataset_ids)?;
    let registry = access.repository.lookups().registry();
    let mut found = registry.datasets(&request.dataset_ids).await?;
    let ids = request.dataset_ids.iter();
    let page = ResultPage::DatasetRefs(ids.filter_map(|id| found.remove(id)).collect());
    let mut body = Vec::new();
    write_page(&page, &mut body);
    Ok(json_body(body))
}

/// The first dataset of a type and data ID in collections; `null` if there is none.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/find_dataset",
    operation_id = "find_dataset",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = FindDatasetRequest,
    responses((status = 200, description = "The answer", body = FindDatasetResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn find(
    access: Access,
    Body(request): Body<FindDatasetRequest>,
) -> ApiResult<Response> {
    let butler = access.repository.lookups_with(request.default_data_id)?;
    let found = butler
        .find_dataset(
            &request.dataset_type,
            request.data_id,
            Some(&request.collections),
            request.timespan,
        )
        .await?;
    Ok(dataset_response(&butler, found, request.dimension_records).await?)
}

/// Refuses more IDs than one request may name.
pub(super) fn check_number(ids: &[Uuid]) -> ApiResult<()> {
    if ids.len() <= MAX_ITEMS_PER_REQUEST {
        return Ok(());
    }
    let message = format!(
        "List should have at most {MAX_ITEMS_PER_REQUEST} items after validation, not {}",
        ids.len()
    );
    Err(ApiError::malformed(
        "too_long",
        ["body", "dataset_ids"],
        message,
        ids.len(),
    ))
}

async fn dataset_response(
    butler: &Butler,
    found: Option<DatasetRef>,
    with_records: bool,
) -> Result<Response> {
    let Some(mut dataset) = found else {
        return Ok(json_body("{\"dataset_ref\":null}"));
    };
    if with_records {
        let data_id = butler.expand_data_id(dataset.data_id()).await?;
        dataset = dataset.expanded(data_id)?;
    }
    let mut body = b"{\"dataset_ref\":".to_vec();
    write_dataset_ref(&dataset, &mut body);
    body.push(b'}');
    Ok(json_body(body))
}

//! `dataset_type/{name}`, `query_dataset_types`.

use axum::Json;
use butler_core::collections::DatasetTypeWildcard;
use butler_core::datasets::validate_dataset_type_name;
use butler_core::error::{Error, Result};
use butler_core::wire::{
    GetDatasetTypeResponse, QueryDatasetTypesRequest, QueryDatasetTypesResponse,
};

use crate::error::ApiResult;
use crate::extract::{Access, Body, NameInPath};
use crate::openapi::{BodyRefusals, Refusals};

/// A dataset type by its name.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/dataset_type/{name}",
    operation_id = "get_dataset_type",
    params(("repository" = String, Path, description = "The repository's label"), ("name" = String, Path, description = "The name")),
    responses((status = 200, description = "The answer", body = GetDatasetTypeResponse), Refusals),
)]
pub(crate) async fn get(
    access: Access,
    NameInPath(name): NameInPath,
) -> ApiResult<Json<GetDatasetTypeResponse>> {
    let registry = access.repository.lookups().registry();
    let dataset_type = registry.dataset_type(&name).await?;
    Ok(Json(GetDatasetTypeResponse {
        dataset_type: dataset_type.to_simple(false),
    }))
}

/// The dataset types that match names and patterns.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query_dataset_types",
    operation_id = "query_dataset_types",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryDatasetTypesRequest,
    responses((status = 200, description = "The answer", body = QueryDatasetTypesResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn query(
    access: Access,
    Body(request): Body<QueryDatasetTypesRequest>,
) -> ApiResult<Json<QueryDatasetTypesResponse>> {
    let wildcard = DatasetTypeWildcard::from_expression(&request.search)?;
    for name in wildcard.values().keys() {
        refuse_component(name)?;
    }
    let registry = access.repository.lookups().registry();
    let found = registry.dataset_types(&wildcard).await?;
    let is_known = |name: &str| found.iter().any(|known| **known.name() == *name);
    let missing = wildcard.values().keys().filter(|name| !is_known(name));
    Ok(Json(QueryDatasetTypesResponse {
        missing: missing.cloned().collect(),
        dataset_types: found.iter().map(|found| found.to_simple(false)).collect(),
    }))
}

/// Refuses names with a dot: those of components are in no repository.
fn refuse_component(name: &str) -> Result<()> {
    if !name.contains('.') {
        return Ok(());
    }
    validate_dataset_type_name(name)?;
    Err(Error::DatasetTypeExpression(
        "Component dataset types are not supported here; take components from the dataset types \
         that they are part of."
            .to_owned(),
    ))
}

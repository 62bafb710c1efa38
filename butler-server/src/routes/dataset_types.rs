//! `dataset_type/{name}`, `query_dataset_types`.

use axum::Json;
use butler_core::collections::DatasetTypeWildcard;
use butler_core::wire::{
    GetDatasetTypeResponse, QueryDatasetTypesRequest, QueryDatasetTypesResponse,
};

use crate::error::ApiResult;
use crate::extract::{Access, Body, NameInPath};

/// A dataset type by its name.
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
pub(crate) async fn query(
    access: Access,
    Body(request): Body<QueryDatasetTypesRequest>,
) -> ApiResult<Json<QueryDatasetTypesResponse>> {
    let wildcard = DatasetTypeWildcard::from_expression(&request.search)?;
    let registry = access.repository.lookups().registry();
    let found = registry.dataset_types(&wildcard).await?;
    let is_known = |name: &str| found.iter().any(|known| **known.name() == *name);
    let missing = wildcard.values().keys().filter(|name| !is_known(name));
    Ok(Json(QueryDatasetTypesResponse {
        missing: missing.cloned().collect(),
        dataset_types: found.iter().map(|found| found.to_simple(false)).collect(),
    }))
}

//! `universe`, `expand_data_id`.

use axum::Json;
use axum::response::Response;
use butler_core::dimensions::DataCoordinate;
use butler_core::wire::{ExpandDataIdRequest, ExpandDataIdResponse, GetUniverseResponse};

use super::json_body;
use crate::error::ApiResult;
use crate::extract::{Access, Body};
use crate::openapi::{BodyRefusals, Refusals};

/// The dimension universe.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/universe",
    operation_id = "get_universe",
    params(("repository" = String, Path, description = "The repository's label")),
    responses((status = 200, description = "The answer", body = GetUniverseResponse), Refusals),
)]
pub(crate) async fn universe(access: Access) -> Response {
    json_body(access.repository.universe_body.clone())
}

/// A data ID with all implied values and dimension records.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/expand_data_id",
    operation_id = "expand_data_id",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = ExpandDataIdRequest,
    responses((status = 200, description = "The answer", body = ExpandDataIdResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn expand(
    access: Access,
    Body(request): Body<ExpandDataIdRequest>,
) -> ApiResult<Json<ExpandDataIdResponse>> {
    let butler = access.repository.lookups();
    let data_id = DataCoordinate::standardize(butler.universe(), request.data_id, None, None)?;
    let expanded = butler.expand_data_id(&data_id).await?;
    Ok(Json(ExpandDataIdResponse {
        data_coordinate: expanded.to_simple(false),
    }))
}

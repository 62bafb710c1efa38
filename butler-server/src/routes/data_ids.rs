//! `universe`, `expand_data_id`.

use axum::Json;
use axum::response::Response;
use butler_core::dimensions::DataCoordinate;
use butler_core::wire::{ExpandDataIdRequest, ExpandDataIdResponse};

use super::json_body;
use crate::error::ApiResult;
use crate::extract::{Access, Body};

/// The dimension universe.
pub(crate) async fn universe(access: Access) -> Response {
    json_body(access.repository.universe_body.clone())
}

/// A data ID with all implied values and dimension records.
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

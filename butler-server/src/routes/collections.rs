//! `collection_info`, `collection_summary`, `query_collections`, `query_collection_info`.

use axum::Json;
use butler_core::collections::{CollectionInfo, CollectionType, CollectionWildcard};
use butler_core::error::{Error, Result};
use butler_core::registry::{CollectionQuery, Registry};
use butler_core::wire::{
    GetCollectionInfoResponse, GetCollectionSummaryResponse, QueryCollectionInfoRequest,
    QueryCollectionInfoResponse, QueryCollectionsRequest, QueryCollectionsResponse,
};

use crate::error::ApiResult;
use crate::extract::{Access, Body, Params};
use crate::openapi::{BodyRefusals, Refusals};

/// What older clients ask about one collection.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/collection_info",
    operation_id = "get_collection_info",
    params(("repository" = String, Path, description = "The repository's label"), ("name" = String, Query, description = "The name"), ("include_doc" = Option<bool>, Query, description = "Whether documentation is wanted"), ("include_parents" = Option<bool>, Query, description = "Whether parents are wanted")),
    responses((status = 200, description = "The answer", body = GetCollectionInfoResponse), Refusals),
)]
pub(crate) async fn info(
    access: Access,
    params: Params,
) -> ApiResult<Json<GetCollectionInfoResponse>> {
    let name = params.require("name")?;
    let with_doc = params.flag("include_doc")?;
    let mut query = CollectionQuery::new(CollectionWildcard::from_names([name]));
    query.with_doc = with_doc;
    query.with_parents = params.flag("include_parents")?;
    let registry = access.repository.lookups().registry();
    let found = registry.collections(&query).await?.pop();
    let found = found.ok_or_else(|| {
        Error::MissingCollection(format!("No collection with name '{name}' found."))
    })?;
    Ok(Json(GetCollectionInfoResponse {
        name: found.name,
        collection_type: found.collection_type,
        children: found.children,
        doc: with_doc.then_some(Some(found.doc).filter(|doc| !doc.is_empty())),
        parents: found.parents,
    }))
}

/// The dataset types and governor dimension values of a collection.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/collection_summary",
    operation_id = "get_collection_summary",
    params(("repository" = String, Path, description = "The repository's label"), ("name" = String, Query, description = "The name")),
    responses((status = 200, description = "The answer", body = GetCollectionSummaryResponse), Refusals),
)]
pub(crate) async fn summary(
    access: Access,
    params: Params,
) -> ApiResult<Json<GetCollectionSummaryResponse>> {
    let name = params.require("name")?;
    let registry = access.repository.lookups().registry();
    let summary = registry.collection_summary(name).await?;
    Ok(Json(GetCollectionSummaryResponse {
        summary: summary.to_simple(),
    }))
}

/// The names of collections, as older clients ask for them.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query_collections",
    operation_id = "query_collections",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryCollectionsRequest,
    responses((status = 200, description = "The answer", body = QueryCollectionsResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn query_names(
    access: Access,
    Body(request): Body<QueryCollectionsRequest>,
) -> ApiResult<Json<QueryCollectionsResponse>> {
    let mut query = CollectionQuery::new(CollectionWildcard::from_expression(&request.search)?);
    query.flatten_chains = request.flatten_chains;
    query.include_chains = Some(request.include_chains);
    let registry = access.repository.lookups().registry();
    let found = of_types(registry, query, request.collection_types).await?;
    Ok(Json(QueryCollectionsResponse {
        collections: found.into_iter().map(|info| info.name).collect(),
    }))
}

/// Collections and what is known of them.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/query_collection_info",
    operation_id = "query_collection_info",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = QueryCollectionInfoRequest,
    responses((status = 200, description = "The answer", body = QueryCollectionInfoResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn query_info(
    access: Access,
    Body(request): Body<QueryCollectionInfoRequest>,
) -> ApiResult<Json<QueryCollectionInfoResponse>> {
    let wildcard = CollectionWildcard::from_expression(&request.expression)?;
    let query = CollectionQuery {
        flatten_chains: request.flatten_chains,
        include_chains: Some(request.include_chains),
        with_parents: request.include_parents,
        with_dataset_types: request.include_summary,
        with_doc: request.include_doc,
        ..CollectionQuery::new(wildcard)
    };
    let registry = access.repository.lookups().registry();
    let mut collections = of_types(registry, query, request.collection_types).await?;
    if let Some(wanted) = &request.summary_datasets {
        for info in &mut collections {
            if let Some(names) = &mut info.dataset_types {
                names.retain(|name| wanted.contains(name));
            }
        }
    }
    Ok(Json(QueryCollectionInfoResponse { collections }))
}

/// Collections of some types; none if no types are named.
async fn of_types(
    registry: &dyn Registry,
    mut query: CollectionQuery,
    types: Vec<CollectionType>,
) -> Result<Vec<CollectionInfo>> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    query.types = types;
    registry.collections(&query).await
}

//! `/api/butler/repositories`: what the sender of the request may use. The reference has no such
//! route.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiResult;
use crate::openapi::Refusals;

/// The repositories that the sender of the request may use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RepositoryList {
    /// In the order of their labels.
    repositories: Vec<ListedRepository>,
}

/// A repository in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedRepository {
    /// The label, as it is in paths.
    name: String,
}

/// The repositories that the sender of the request may use; those of others are not mentioned.
#[utoipa::path(
    get,
    path = "/api/butler/repositories",
    operation_id = "list_repositories",
    responses((status = 200, description = "The answer", body = RepositoryList), Refusals),
)]
pub(crate) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
) -> ApiResult<Json<RepositoryList>> {
    let mut repositories = Vec::new();
    for (name, repository) in &app.repositories {
        let groups = Some(repository.groups.as_slice());
        let (_, may_use) = app.authenticator.judge(&headers, groups).await?;
        if may_use {
            repositories.push(ListedRepository { name: name.clone() });
        }
    }
    Ok(Json(RepositoryList { repositories }))
}

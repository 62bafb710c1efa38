//! `dataset/{id}/download`: the way to a file under a URL that stays valid.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};

use super::files::{base_url, file_url, log_access};
use crate::app::App;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Access, IdInPath, Params};
use crate::openapi::Refusals;

/// Sends the client on to a URL of the file of a dataset, or of one of its components if it was
/// taken apart.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/dataset/{id}/download",
    operation_id = "redirect_to_dataset_download",
    params(("repository" = String, Path, description = "The repository's label"), ("id" = uuid::Uuid, Path, description = "The dataset's ID"), ("component" = Option<String>, Query, description = "The component, if the dataset was taken apart")),
    responses((status = 307, description = "Where the file is", headers(("location" = String))), Refusals),
)]
pub(crate) async fn redirect(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    IdInPath(id): IdInPath,
    params: Params,
) -> ApiResult<Response> {
    let repository = &access.repository;
    let label = &repository.name;
    let found = repository.dataset_files(id).await?;
    let (dataset, files) = found.ok_or_else(|| {
        ApiError::not_found(format!(
            "Dataset id '{id}' not found in repository '{label}'"
        ))
    })?;
    if files.is_empty() {
        return Err(ApiError::not_found(format!(
            "No files are available for dataset id '{id}' in repository '{label}'"
        )));
    }
    let component = params.get("component");
    let wanted = files
        .iter()
        .find(|file| file.info.component.as_deref() == component);
    if let Some(file) = wanted {
        log_access(&access, &dataset, "uuid-redirect");
        let base = base_url(&app, &headers);
        let url = file_url(&app, repository, &base, id, file).await?;
        let status = StatusCode::TEMPORARY_REDIRECT;
        return Ok((status, [(header::LOCATION, url)]).into_response());
    }
    let known: Vec<&str> = files
        .iter()
        .filter_map(|file| file.info.component.as_deref())
        .collect();
    Err(match component {
        None => ApiError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "Dataset '{id}' in repository '{label}' consists of multiple files. Specify the \
                 'component' query parameter to select one of the following: {known:?}"
            ),
        ),
        Some(component) => ApiError::not_found(format!(
            "Component '{component}' for dataset '{id}' in repository '{label}' not found. \
             Available components: {known:?}"
        )),
    })
}

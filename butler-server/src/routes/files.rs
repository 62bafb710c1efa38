//! `get_file/{id}`, `get_file_by_data_id`, `file_transfer`.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use butler_core::datasets::DatasetRef;
use butler_core::datastore::{StoredFile, make_datastore_path_relative};
use butler_core::error::{Error, Result};
use butler_core::wire::pages::write_dataset_ref;
use butler_core::wire::{
    FileAuthentication, FileInfoPayload, FileInfoRecord, FileTransferRecord,
    GetFileByDataIdRequest, GetFileResponse, GetFileTransferInfoRequest,
    GetFileTransferInfoResponse,
};
use http::HeaderMap;
use uuid::Uuid;

use super::datasets::check_number;
use super::json_body;
use crate::app::App;
use crate::auth::{User, text};
use crate::error::ApiResult;
use crate::extract::{Access, Body, IdInPath};
use crate::file_urls::quote;
use crate::openapi::{BodyRefusals, Refusals};
use crate::repositories::Repository;
use crate::settings::FileAccess;

/// The files of a dataset, by its ID.
#[utoipa::path(
    get,
    path = "/api/butler/repo/{repository}/v1/get_file/{id}",
    operation_id = "get_file",
    params(("repository" = String, Path, description = "The repository's label"), ("id" = uuid::Uuid, Path, description = "The dataset's ID")),
    responses((status = 200, description = "The answer", body = GetFileResponse), Refusals),
)]
pub(crate) async fn get(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    IdInPath(id): IdInPath,
) -> ApiResult<Response> {
    let found = access.repository.dataset_files(id).await?;
    let (dataset, files) =
        found.ok_or_else(|| Error::DatasetNotFound(format!("Dataset ID {id} not found")))?;
    log_access(&access, &dataset, "uuid");
    let base = base_url(&app, &headers);
    Ok(response(&app, &access.repository, &base, &dataset, files).await?)
}

/// The files of a dataset, by type and data ID.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/get_file_by_data_id",
    operation_id = "get_file_by_data_id",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = GetFileByDataIdRequest,
    responses((status = 200, description = "The answer", body = GetFileResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn get_by_data_id(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    Body(request): Body<GetFileByDataIdRequest>,
) -> ApiResult<Response> {
    let butler = access.repository.lookups_with(request.default_data_id)?;
    let dataset = butler
        .require_dataset(
            &request.dataset_type,
            request.data_id,
            Some(&request.collections),
            request.timespan,
        )
        .await?;
    log_access(&access, &dataset, "data-id");
    let (dataset, files) = access.repository.files_of(dataset).await?;
    let base = base_url(&app, &headers);
    Ok(response(&app, &access.repository, &base, &dataset, files).await?)
}

/// URLs that stay valid for the files of many datasets.
#[utoipa::path(
    post,
    path = "/api/butler/repo/{repository}/v1/file_transfer",
    operation_id = "file_transfer",
    params(("repository" = String, Path, description = "The repository's label")),
    request_body = GetFileTransferInfoRequest,
    responses((status = 200, description = "The answer", body = GetFileTransferInfoResponse), Refusals, BodyRefusals),
)]
pub(crate) async fn transfer(
    State(app): State<App>,
    access: Access,
    headers: HeaderMap,
    Body(request): Body<GetFileTransferInfoRequest>,
) -> ApiResult<Json<GetFileTransferInfoResponse>> {
    check_number(&request.dataset_ids)?;
    let datastore = access.repository.lookups().datastore();
    let base = base_url(&app, &headers);
    let found = datastore.files(&request.dataset_ids).await?;
    let label = &access.repository.name;
    let files = found.into_iter().map(|(id, files)| {
        let files = files.into_iter();
        let records = files.map(|file| transfer_record(&app, &base, label, id, file));
        Ok((id, records.collect::<Result<_>>()?))
    });
    Ok(Json(GetFileTransferInfoResponse {
        files: files.collect::<Result<_>>()?,
    }))
}

fn transfer_record(
    app: &App,
    base: &str,
    repository: &str,
    dataset: Uuid,
    file: StoredFile,
) -> Result<FileTransferRecord> {
    let (url, auth) = match app.settings.file_access {
        // It leads to a signed URL, whenever it is asked.
        FileAccess::RubinSciencePlatform => {
            let mut url = format!(
                "{base}/api/butler/repo/{}/v1/dataset/{dataset}/download",
                quote(repository)
            );
            if let Some(component) = &file.info.component {
                url.push_str(&format!("?component={}", quote(component)));
            }
            (url, FileAuthentication::Gafaelfawr)
        }
        FileAccess::Cadc => (http_only(file.uri)?, FileAuthentication::Datastore),
    };
    let mut file_info = file.info.to_simple();
    file_info.path = make_datastore_path_relative(&file_info.path)?;
    Ok(FileTransferRecord {
        url,
        auth,
        file_info,
    })
}

async fn response(
    app: &App,
    repository: &Repository,
    base: &str,
    dataset: &DatasetRef,
    files: Vec<StoredFile>,
) -> Result<Response> {
    let mut body = b"{\"dataset_ref\":".to_vec();
    write_dataset_ref(dataset, &mut body);
    body.extend_from_slice(b",\"artifact\":");
    if files.is_empty() {
        body.extend_from_slice(b"null");
    } else {
        let mut file_info = Vec::with_capacity(files.len());
        for file in files {
            file_info.push(FileInfoRecord {
                url: file_url(app, repository, base, dataset.id(), &file).await?,
                auth: match app.settings.file_access {
                    FileAccess::RubinSciencePlatform => FileAuthentication::None,
                    FileAccess::Cadc => FileAuthentication::Datastore,
                },
                datastore_records: {
                    let mut record = file.info.to_simple();
                    record.path = make_datastore_path_relative(&record.path)?;
                    record
                },
            });
        }
        serde_json::to_writer(&mut body, &FileInfoPayload { file_info })
            .map_err(|error| Error::Internal(format!("writing a response: {error}")))?;
    }
    body.push(b'}');
    Ok(json_body(body))
}

/// The URL with which a client reads a file.
pub(super) async fn file_url(
    app: &App,
    repository: &Repository,
    base: &str,
    dataset: Uuid,
    file: &StoredFile,
) -> Result<String> {
    let lifetime = app.settings.url_lifetime;
    if app.settings.file_access == FileAccess::Cadc {
        return http_only(file.uri.clone());
    }
    if file.uri.starts_with("http://") || file.uri.starts_with("https://") {
        return Ok(file.uri.clone());
    }
    if !file.uri.starts_with("file://") {
        return repository.signer.sign(&file.uri, lifetime).await;
    }
    let (path, fragment) = match file.info.path.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (file.info.path.as_str(), None),
    };
    let urls = &app.file_urls;
    let mut url = urls.url(base, &repository.name, dataset, path, lifetime)?;
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    Ok(url)
}

/// Clients are sent to HTTP servers only.
fn http_only(uri: String) -> Result<String> {
    if uri.starts_with("http://") || uri.starts_with("https://") {
        return Ok(uri);
    }
    Err(Error::Configuration(format!(
        "files at {uri} cannot be read by clients in this mode of authentication"
    )))
}

/// Where the client reached this server, without a slash at the end: as the settings say, or as the
/// request does.
pub(super) fn base_url(app: &App, headers: &HeaderMap) -> String {
    if let Some(base) = &app.settings.base_url {
        return base.clone();
    }
    let first = |name| text(headers, name).and_then(|value| value.split(',').next());
    let scheme = match first("x-forwarded-proto").map(str::trim) {
        Some("https") => "https",
        _ => "http",
    };
    let host = first("host").filter(|host| !host.is_empty());
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// The event that tells which files are read, by whom.
pub(super) fn log_access(access: &Access, dataset: &DatasetRef, endpoint: &str) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let User { name, service } = &access.user;
    let requester = serde_json::json!({ "username": name, "service": service });
    let data_id: serde_json::Map<_, _> = dataset
        .data_id()
        .required()
        .map(|(name, value)| (name.to_owned(), serde_json::json!(value)))
        .collect();
    let accessed = serde_json::json!({
        "uuid": dataset.id(),
        "type": dataset.dataset_type().name(),
        "data_id": data_id,
    });
    tracing::info!(
        butler_repo = access.repository.name,
        requester.json = requester.to_string(),
        dataset.json = accessed.to_string(),
        file_access_endpoint = endpoint,
        "file-access"
    );
}

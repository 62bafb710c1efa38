//! Files that a server knows of: where they are now, and how to get a new address when one expires.

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::StoredFileInfo;
use butler_core::wire::{
    FileAuthentication, FileInfoRecord, FileTransferRecord, GetFileResponse,
    GetFileTransferInfoRequest, GetFileTransferInfoResponse, MAX_ITEMS_PER_REQUEST,
};
use butler_core::{Error, Result};
use indexmap::IndexMap;
use url::Url;
use uuid::Uuid;

use crate::config::http_url;
use crate::connection::Connection;

/// A file, and the address to read it from for now.
#[derive(Debug, Clone)]
pub(crate) struct RemoteFile {
    pub(crate) info: StoredFileInfo,
    pub(crate) url: Url,
    pub(crate) auth: FileAuthentication,
    /// The dataset whose file it is, if the address expires and the server gives new ones.
    renewable: Option<DatasetId>,
}

impl RemoteFile {
    fn expiring(dataset: DatasetId, record: FileInfoRecord) -> Result<Self> {
        Ok(Self {
            url: usable(&record.url)?,
            auth: record.auth,
            info: StoredFileInfo::from_simple(record.datastore_records),
            renewable: Some(dataset),
        })
    }

    fn permanent(record: FileTransferRecord) -> Result<Self> {
        Ok(Self {
            url: usable(&record.url)?,
            auth: record.auth,
            info: StoredFileInfo::from_simple(record.file_info),
            renewable: None,
        })
    }

    /// A file of which nothing but a permanent address is known.
    pub(crate) fn at(url: Url, auth: FileAuthentication) -> Self {
        Self {
            // Of the record, nothing is needed but that it tells nothing.
            info: StoredFileInfo {
                formatter: "".into(),
                path: String::new(),
                storage_class: "".into(),
                component: None,
                checksum: None,
                file_size: -1,
            },
            url,
            auth,
            renewable: None,
        }
    }

    /// Gets a new address if the present one may have expired.
    pub(crate) async fn renew(&mut self, connection: &Connection) -> Result<()> {
        let Some(dataset) = self.renewable else {
            return Ok(());
        };
        let files = files_of(connection, dataset).await?.unwrap_or_default();
        let same = files.into_iter().find(|file| file.info == self.info);
        *self = same.ok_or_else(|| {
            Error::FileNotFound(format!("{}, a file of dataset {dataset}", self.info.path))
        })?;
        Ok(())
    }

    /// The member of a zip archive that the dataset is in, if it is in one.
    pub(crate) fn zip_member(&self) -> Option<String> {
        let (_, fragment) = self.info.path.rsplit_once('#')?;
        let fragment = percent_encoding::percent_decode_str(fragment).decode_utf8_lossy();
        fragment.strip_prefix("zip-path=").map(str::to_owned)
    }

    /// The address for people and records: without what only signs it.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        if self.renewable.is_some() {
            url.set_query(None);
        }
        url.set_fragment(None);
        url.to_string()
    }
}

pub(crate) fn usable(url: &str) -> Result<Url> {
    http_url(url).map_err(|reason| Error::corrupt("answer of the Butler server", reason))
}

/// The files of a dataset by addresses that work for a while; none if it is stored nowhere.
///
/// # Errors
/// [`Error::DatasetNotFound`] if there is no such dataset.
pub(crate) async fn files_of(
    connection: &Connection,
    dataset: DatasetId,
) -> Result<Option<Vec<RemoteFile>>> {
    let answer: GetFileResponse = connection
        .get(&["get_file", &dataset.to_string()], &[])
        .await?;
    let Some(payload) = answer.artifact else {
        return Ok(None);
    };
    let files = payload.file_info.into_iter();
    files
        .map(|record| RemoteFile::expiring(dataset, record))
        .collect::<Result<_>>()
        .map(Some)
}

/// The file to read for a dataset or component, and the component to take out of it.
///
/// # Errors
/// [`Error::FileNotFound`] if the dataset is stored nowhere; those of [`StoredFileInfo::choose`].
pub(crate) async fn file_to_read(
    connection: &Connection,
    dataset: &DatasetRef,
) -> Result<(RemoteFile, Option<String>)> {
    let missing = |why: &str| Error::FileNotFound(format!("{dataset} ({why})"));
    let files = match files_of(connection, dataset.id()).await {
        Ok(Some(files)) if !files.is_empty() => files,
        Ok(_) => return Err(missing("the server knows it, but stores no file of it")),
        Err(Error::DatasetNotFound(said)) => return Err(missing(&said)),
        Err(error) => return Err(error),
    };
    let infos = files.iter().map(|file| file.info.clone());
    let (info, part) = StoredFileInfo::choose(dataset, infos)?;
    let file = files.into_iter().find(|file| file.info == info);
    let file = file.ok_or_else(|| missing("the server stores no file of it"))?;
    Ok((file, part))
}

/// The files of many datasets by addresses that stay valid. Those that are stored nowhere are left
/// out.
pub(crate) async fn permanent_files(
    connection: &Connection,
    datasets: &[DatasetId],
) -> Result<IndexMap<DatasetId, Vec<RemoteFile>>> {
    let mut found: IndexMap<Uuid, Vec<RemoteFile>> = IndexMap::with_capacity(datasets.len());
    for ids in datasets.chunks(MAX_ITEMS_PER_REQUEST) {
        let request = GetFileTransferInfoRequest {
            dataset_ids: ids.to_vec(),
        };
        let answer: GetFileTransferInfoResponse =
            connection.post(&["file_transfer"], &request).await?;
        for (id, records) in answer.files {
            if records.is_empty() {
                continue;
            }
            let files = records.into_iter().map(RemoteFile::permanent);
            found.insert(id, files.collect::<Result<_>>()?);
        }
    }
    Ok(found)
}

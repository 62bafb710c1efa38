//! The files of a repository behind a server.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::{DatasetUris, Datastore, DatastoreRecordData, StoredFile};
use butler_core::yaml;
use butler_core::{Error, Result};
use butler_formats::{FileContent, SchemaRef, Table};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use indexmap::IndexMap;

use crate::connection::Connection;
use crate::download;
use crate::files::{RemoteFile, file_to_read, files_of, permanent_files};
use crate::zip;

/// Requests under way at once.
pub(crate) const WORKERS: usize = 16;

/// Where the datasets of a repository behind a server are kept: the server tells where, the files
/// are read from there.
#[derive(Clone)]
pub struct RemoteDatastore {
    connection: Connection,
}

impl fmt::Debug for RemoteDatastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteDatastore")
            .field("server", &self.connection.server().as_str())
            .finish_non_exhaustive()
    }
}

impl RemoteDatastore {
    pub(crate) const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    async fn read(&self, file: RemoteFile) -> Result<Bytes> {
        match file.zip_member() {
            Some(member) => zip::read_member(&self.connection, file, &member).await,
            None => download::to_memory(&self.connection, file).await,
        }
    }

    /// The file that holds a dataset or component, and nothing else.
    async fn whole(&self, dataset: &DatasetRef) -> Result<RemoteFile> {
        match file_to_read(&self.connection, dataset).await? {
            (file, None) => Ok(file),
            (file, Some(part)) => Err(Error::UnknownComponent(format!(
                "the component '{part}' of {dataset} has no file of its own, it is part of {}; \
                 read the composite instead",
                file.shown()
            ))),
        }
    }

    async fn read_with<T>(
        &self,
        dataset: &DatasetRef,
        understand: impl FnOnce(FileContent<'_>, Bytes) -> Result<T>,
    ) -> Result<T> {
        let (file, part) = file_to_read(&self.connection, dataset).await?;
        let (info, uri) = (file.info.clone(), file.shown());
        let content = FileContent::new(dataset, &info, part.as_deref(), &uri)?;
        understand(content, self.read(file).await?)
    }

    /// Brings the file of a dataset, or of a component that has its own, to a local path, which
    /// must not exist.
    ///
    /// # Errors
    /// As for [`get_bytes`](Datastore::get_bytes); [`Error::Io`]. Nothing is left behind.
    pub async fn get_file(&self, dataset: &DatasetRef, target: &Path) -> Result<()> {
        let file = self.whole(dataset).await?;
        match file.zip_member() {
            None => {
                let size = download::expected_size(&file);
                download::to_path(&self.connection, file, size, target).await
            }
            Some(member) => {
                let data = zip::read_member(&self.connection, file, &member).await?;
                tokio::fs::write(target, data)
                    .await
                    .map_err(|error| Error::io(target, error))
            }
        }
    }

    /// A dataset of structured data. Tables give their components `columns` (a list of names) and
    /// `rowcount` this way.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is in another format; others as for
    /// [`get_bytes`](Datastore::get_bytes).
    pub async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        self.read_with(dataset, |content, data| content.yaml(data))
            .await
    }

    /// As [`get_yaml`](Self::get_yaml), as JSON.
    ///
    /// # Errors
    /// As there.
    pub async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        self.read_with(dataset, |content, data| content.json(data))
            .await
    }

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml); [`Error::InvalidArgument`] for an unknown column.
    pub async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        self.read_with(dataset, |content, data| content.table(data, columns))
            .await
    }

    /// The schema of a table, with its metadata.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml).
    pub async fn get_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef> {
        self.read_with(dataset, |content, data| content.schema(data))
            .await
    }

    /// The files of each dataset by addresses that work for a while; those that are stored nowhere
    /// are left out.
    async fn located(&self, datasets: &[DatasetRef]) -> Result<Vec<(DatasetRef, Vec<RemoteFile>)>> {
        let mut asked = futures::stream::iter(datasets.to_vec())
            .map(|dataset| async move {
                match files_of(&self.connection, dataset.id()).await {
                    Ok(files) => Ok((dataset, files.unwrap_or_default())),
                    Err(Error::DatasetNotFound(_)) => Ok((dataset, Vec::new())),
                    Err(error) => Err(error),
                }
            })
            .buffered(WORKERS);
        let mut found = Vec::with_capacity(datasets.len());
        while let Some((dataset, files)) = asked.try_next().await? {
            if !files.is_empty() {
                found.push((dataset, files));
            }
        }
        Ok(found)
    }
}

fn uris(dataset: &DatasetRef, files: &[RemoteFile]) -> DatasetUris {
    let mut found = DatasetUris::default();
    for file in files {
        let uri = file.url.to_string();
        match &file.info.component {
            None => found.primary = Some(uri),
            Some(component) => {
                found.components.insert(component.to_string(), uri);
            }
        }
    }
    let component = dataset.dataset_type().component();
    if let Some(uri) = component.and_then(|component| found.components.remove(component)) {
        return DatasetUris {
            primary: Some(uri),
            ..DatasetUris::default()
        };
    }
    found
}

#[async_trait]
impl Datastore for RemoteDatastore {
    /// The server's address: what its datastores are called it does not tell.
    fn names(&self) -> Vec<String> {
        vec![self.connection.server().to_string()]
    }

    async fn knows(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        let files = permanent_files(&self.connection, ids).await?;
        Ok(files.into_keys().collect())
    }

    async fn exists(&self, datasets: &[DatasetRef]) -> Result<HashSet<DatasetId>> {
        let located = self.located(datasets).await?;
        let checks = located.into_iter().map(|(dataset, files)| async move {
            for mut file in files {
                if !download::exists(&self.connection, &mut file).await? {
                    return Ok(None);
                }
            }
            Ok::<_, Error>(Some(dataset.id()))
        });
        let checks: Vec<_> = checks.map(FutureExt::boxed).collect();
        let found = futures::stream::iter(checks).buffer_unordered(WORKERS);
        found
            .try_filter_map(|id| async move { Ok(id) })
            .try_collect()
            .await
    }

    /// Addresses to read files from, which work for as long as the server says. A server does not
    /// predict any.
    async fn uris(
        &self,
        datasets: &[DatasetRef],
        predict: bool,
    ) -> Result<HashMap<DatasetId, DatasetUris>> {
        if predict {
            return Err(Error::InvalidArgument(
                "a Butler server does not predict where datasets would be".to_owned(),
            ));
        }
        let located = self.located(datasets).await?;
        let located = located.iter();
        Ok(located
            .map(|(dataset, files)| (dataset.id(), uris(dataset, files)))
            .collect())
    }

    async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        let file = self.whole(dataset).await?;
        self.read(file).await
    }

    /// A server tells where files are, see [`files`](Datastore::files), but not which datastore
    /// has recorded them.
    async fn records(&self, _: &[DatasetId]) -> Result<IndexMap<String, DatastoreRecordData>> {
        Err(Error::InvalidArgument(
            "a Butler server does not give the records of its datastores; transfer the datasets \
             instead"
                .to_owned(),
        ))
    }

    async fn files(&self, ids: &[DatasetId]) -> Result<IndexMap<DatasetId, Vec<StoredFile>>> {
        let files = permanent_files(&self.connection, ids).await?;
        let stored = |file: RemoteFile| StoredFile {
            uri: file.url.to_string(),
            info: file.info,
        };
        Ok(files
            .into_iter()
            .map(|(id, files)| (id, files.into_iter().map(stored).collect()))
            .collect())
    }
}

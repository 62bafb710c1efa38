//! Reading datasets.

use std::collections::HashMap;

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::yaml;
use butler_formats::{FileContent, SchemaRef, Table};
use bytes::Bytes;

use super::FileDatastore;
use crate::resource::{LocalCopy, ResourcePath};

/// The file to read a dataset from.
struct Located {
    info: StoredFileInfo,
    uri: ResourcePath,
    /// The component to take out of the file, if the file holds more than was asked for.
    part: Option<String>,
}

impl FileDatastore {
    async fn find(&self, dataset: &DatasetRef) -> Result<Located> {
        let given = std::slice::from_ref(dataset);
        let mut records = self.stored(given).await?.remove(&dataset.id());
        if records.is_none() && self.shared.trust {
            records = self.guessed(given).await?.remove(&dataset.id());
        }
        let records = records
            .filter(|records| !records.is_empty())
            .ok_or_else(|| {
                Error::FileNotFound(format!(
                    "{dataset} (datastore '{}' does not store it)",
                    self.shared.name
                ))
            })?;
        let (info, part) = StoredFileInfo::choose(dataset, records)?;
        Ok(Located {
            uri: self.uri(&info)?,
            info,
            part,
        })
    }

    /// What of the expected files of datasets is there.
    pub(super) async fn guessed(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<StoredFileInfo>>> {
        let mut expected = Vec::new();
        let mut uris = Vec::new();
        for dataset in datasets {
            for info in self.expected(dataset)? {
                uris.push(self.uri(&info)?);
                expected.push((dataset.id(), info));
            }
        }
        let found = self.shared.resources.exists_many(&uris).await;
        let mut guessed: HashMap<DatasetId, Vec<StoredFileInfo>> = HashMap::new();
        for ((id, info), found) in expected.into_iter().zip(found) {
            if found? {
                guessed.entry(id).or_default().push(info);
            }
        }
        Ok(guessed)
    }

    /// The file of a dataset or component as a whole.
    async fn find_whole(&self, dataset: &DatasetRef) -> Result<Located> {
        let located = self.find(dataset).await?;
        match located.part {
            None => Ok(located),
            Some(part) => Err(Error::UnknownComponent(format!(
                "the component '{part}' of {} has no file of its own, it is part of {}; read the \
                 composite instead",
                dataset, located.uri
            ))),
        }
    }

    pub(super) async fn read_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        let located = self.find_whole(dataset).await?;
        self.read(dataset, &located).await
    }

    async fn read(&self, dataset: &DatasetRef, located: &Located) -> Result<Bytes> {
        let (uri, resources) = (&located.uri, &self.shared.resources);
        let data = match self.cached(dataset, located).await? {
            Some(copy) => {
                resources
                    .read(&ResourcePath::from_local(copy.path())?)
                    .await
            }
            None => resources.read_selected(uri).await,
        };
        let data = data.map_err(|error| missing(dataset, uri, error.into()))?;
        check_size(dataset, located, data.len() as u64)?;
        Ok(data)
    }

    async fn cached(&self, dataset: &DatasetRef, located: &Located) -> Result<Option<LocalCopy>> {
        let uri = &located.uri;
        if uri.is_local() || uri.zip_member().is_some() {
            return Ok(None);
        }
        let component = located.info.component.as_deref();
        self.shared
            .cache
            .fetch(dataset, component, uri, located.info.known_size())
            .await
            .map_err(|error| missing(dataset, uri, error))
    }

    pub(super) async fn read_file(&self, dataset: &DatasetRef) -> Result<LocalCopy> {
        let located = self.find_whole(dataset).await?;
        let uri = &located.uri;
        if uri.zip_member().is_some() {
            let data = self.read(dataset, &located).await?;
            return self.spill(data, uri).await;
        }
        let copy = match self.cached(dataset, &located).await? {
            Some(copy) => copy,
            None => self
                .shared
                .resources
                .local_copy(uri, None)
                .await
                .map_err(|error| missing(dataset, uri, error.into()))?,
        };
        let size = match std::fs::metadata(copy.path()) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(missing(dataset, uri, Error::FileNotFound(uri.to_string())));
            }
            Err(error) => return Err(Error::io(copy.path(), error)),
        };
        check_size(dataset, &located, size)?;
        Ok(copy)
    }

    /// A temporary file with the contents of an archive's member.
    async fn spill(&self, data: Bytes, uri: &ResourcePath) -> Result<LocalCopy> {
        let member = uri.zip_member().unwrap_or_default();
        let extension = ResourcePath::relative(&member)?.extension().to_owned();
        crate::datastores::memory::temporary_file(&self.shared.resources, data, &extension).await
    }

    /// Reads a dataset's file with what understands it.
    async fn read_with<T>(
        &self,
        dataset: &DatasetRef,
        understand: impl FnOnce(FileContent<'_>, Bytes) -> Result<T>,
    ) -> Result<T> {
        let located = self.find(dataset).await?;
        let uri = located.uri.to_string();
        let content = FileContent::new(dataset, &located.info, located.part.as_deref(), &uri)?;
        let data = self.read(dataset, &located).await?;
        understand(content, data)
    }

    pub(super) async fn read_structured(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        self.read_with(dataset, |content, data| content.yaml(data))
            .await
    }

    pub(super) async fn read_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        self.read_with(dataset, |content, data| content.json(data))
            .await
    }

    pub(super) async fn read_as_table(
        &self,
        dataset: &DatasetRef,
        columns: Option<&[&str]>,
    ) -> Result<Table> {
        self.read_with(dataset, |content, data| content.table(data, columns))
            .await
    }

    pub(super) async fn read_table_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef> {
        self.read_with(dataset, |content, data| content.schema(data))
            .await
    }
}

fn check_size(dataset: &DatasetRef, located: &Located, actual: u64) -> Result<()> {
    match located.info.known_size() {
        Some(expected) if expected != actual => Err(Error::FileIntegrity {
            path: located.uri.to_string(),
            detail: format!(
                "the file of {dataset} has {actual} bytes, but {expected} were recorded"
            ),
        }),
        _ => Ok(()),
    }
}

fn missing(dataset: &DatasetRef, uri: &ResourcePath, error: Error) -> Error {
    match error {
        Error::FileNotFound(_) => {
            Error::FileNotFound(format!("{uri}, which {dataset} is recorded to be in"))
        }
        other => other,
    }
}

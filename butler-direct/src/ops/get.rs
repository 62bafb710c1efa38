//! Finding datasets and getting what they hold.

use butler_core::datasets::DatasetRef;
use butler_core::datastore::DatasetUris;
use butler_core::dimensions::DataIdValue;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::Registry;
use butler_core::timespan::Timespan;
use butler_core::yaml;
use bytes::Bytes;
use indexmap::IndexMap;

use crate::butler::DirectButler;
use crate::datastores::{ArtifactIndexInfo, RetrieveOptions, Table};
use crate::resource::{LocalCopy, ResourcePath};

impl DirectButler {
    /// The first dataset of the type and data ID in the collections (the default ones if none are
    /// given), searched in order. Governor dimensions may be left to the defaults.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] without collections; [`Error::MissingCollection`],
    /// [`Error::MissingDatasetType`], [`Error::CalibrationLookup`]; errors about the data ID.
    pub async fn find_dataset<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
        collections: Option<&[String]>,
        timespan: Option<Timespan>,
    ) -> Result<Option<DatasetRef>> {
        let data_id: Vec<(N, V)> = data_id.into_iter().collect();
        let collections = self.defaults().search(collections)?;
        let found = self.registry().dataset_type(dataset_type).await?;
        let data_id = self.defaults().data_id_for(found.dimensions(), data_id)?;
        self.registry()
            .find_dataset(dataset_type, &data_id, collections, timespan)
            .await
    }

    /// As [`find_dataset`](Self::find_dataset), but there must be one.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`]; others as there.
    pub async fn require_dataset<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
        collections: Option<&[String]>,
        timespan: Option<Timespan>,
    ) -> Result<DatasetRef> {
        let data_id: Vec<(String, DataIdValue)> = data_id
            .into_iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.into()))
            .collect();
        let shown = format!("{data_id:?}");
        self.find_dataset(dataset_type, data_id, collections, timespan).await?.ok_or_else(|| {
            Error::DatasetNotFound(format!(
                "no dataset of type '{dataset_type}' with data ID {shown} in the collections {:?}",
                collections.unwrap_or(self.defaults().collections())
            ))
        })
    }

    /// The contents of a dataset's file, or of a component that has a file of its own.
    ///
    /// # Errors
    /// As for [`Datastore::get_bytes`](butler_core::datastore::Datastore::get_bytes).
    pub async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        self.datastore().get_bytes(dataset).await
    }

    /// A local file with the contents of a dataset.
    ///
    /// # Errors
    /// As for [`get_bytes`](Self::get_bytes).
    pub async fn get_file(&self, dataset: &DatasetRef) -> Result<LocalCopy> {
        self.datastore().get_file(dataset).await
    }

    /// A dataset of structured data (JSON or YAML).
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is in another format; others as for
    /// [`get_bytes`](Self::get_bytes).
    pub async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        self.datastore().get_yaml(dataset).await
    }

    /// A dataset of structured data (JSON or YAML) as JSON.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml).
    pub async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        self.datastore().get_json(dataset).await
    }

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`get_yaml`](Self::get_yaml); [`Error::InvalidArgument`] for an unknown column.
    pub async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        self.datastore().get_table(dataset, columns).await
    }

    /// Where a dataset is.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`] if it is not stored.
    pub async fn uris(&self, dataset: &DatasetRef) -> Result<DatasetUris> {
        let mut found = self
            .datastore()
            .uris(std::slice::from_ref(dataset), false)
            .await?;
        found.remove(&dataset.id()).ok_or_else(|| {
            Error::DatasetNotFound(format!("the dataset {dataset} is not in the datastore"))
        })
    }

    /// Brings copies of the files of datasets to a directory, and tells what is where.
    ///
    /// # Errors
    /// As for
    /// [`DirectDatastore::retrieve_artifacts`](crate::datastores::DirectDatastore::retrieve_artifacts).
    pub async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &ResourcePath,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<ResourcePath, ArtifactIndexInfo>> {
        self.datastore()
            .retrieve_artifacts(datasets, destination, options, progress)
            .await
    }
}

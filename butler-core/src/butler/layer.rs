//! [`Butler`]: reading from a repository, however it is reached.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{ButlerDefaults, DefaultsOptions};
use crate::datasets::DatasetRef;
use crate::datastore::{DatasetUris, Datastore};
use crate::dimensions::{DataIdValue, DimensionUniverse};
use crate::error::{Error, Result};
use crate::query::{Query, QuerySource};
use crate::registry::Registry;
use crate::timespan::Timespan;

/// A registry, a datastore and defaults: all that reading needs. Clones share everything.
#[derive(Clone)]
pub struct Butler {
    registry: Arc<dyn Registry>,
    datastore: Arc<dyn Datastore>,
    defaults: Arc<ButlerDefaults>,
    queries: Option<Arc<dyn QuerySource>>,
}

impl std::fmt::Debug for Butler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Butler")
            .field("datastore", &self.datastore)
            .field("defaults", &self.defaults)
            .finish_non_exhaustive()
    }
}

impl Butler {
    /// Puts the parts together.
    pub fn new(
        registry: Arc<dyn Registry>,
        datastore: Arc<dyn Datastore>,
        defaults: Arc<ButlerDefaults>,
    ) -> Self {
        Self {
            registry,
            datastore,
            defaults,
            queries: None,
        }
    }

    /// The same repository with something that answers queries.
    #[must_use]
    pub fn with_queries(mut self, queries: Arc<dyn QuerySource>) -> Self {
        self.queries = Some(queries);
        self
    }

    /// The same repository with other defaults.
    ///
    /// # Errors
    /// As for [`ButlerDefaults::resolve`].
    pub async fn with_defaults(&self, options: DefaultsOptions) -> Result<Self> {
        let defaults = ButlerDefaults::resolve(&*self.registry, options).await?;
        Ok(Self {
            defaults: Arc::new(defaults),
            ..self.clone()
        })
    }

    /// The registry.
    pub fn registry(&self) -> &dyn Registry {
        &*self.registry
    }

    /// Where datasets are kept.
    pub fn datastore(&self) -> &dyn Datastore {
        &*self.datastore
    }

    /// Default collections, run and governor values.
    pub fn defaults(&self) -> &ButlerDefaults {
        &self.defaults
    }

    /// The dimensions.
    pub fn universe(&self) -> DimensionUniverse {
        self.registry.universe()
    }

    /// A new query. What is uploaded or materialized for it lives as long as it and what is made of
    /// it.
    ///
    /// # Errors
    /// [`Error::UnimplementedQuery`] if this repository was put together without queries.
    pub fn query(&self) -> Result<Query> {
        let queries = self.queries.as_ref().ok_or_else(|| {
            Error::UnimplementedQuery("this repository does not answer queries".to_owned())
        })?;
        Ok(Query::new(queries.query_driver(&self.defaults)))
    }

    /// The dataset with this identifier.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`].
    pub async fn dataset(&self, id: Uuid) -> Result<DatasetRef> {
        let found = self.registry.dataset(id).await?;
        found.ok_or_else(|| Error::DatasetNotFound(format!("there is no dataset {id}")))
    }

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
        let collections = self.defaults.search(collections)?;
        let found = self.registry.dataset_type(dataset_type).await?;
        let data_id = self.defaults.data_id_for(found.dimensions(), data_id)?;
        self.registry
            .find_dataset(dataset_type, &data_id, collections, timespan)
            .await
    }

    /// The contents of a dataset's file, or of a component that has a file of its own.
    ///
    /// # Errors
    /// As for [`Datastore::get_bytes`].
    pub async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        self.datastore.get_bytes(dataset).await
    }

    /// Where a dataset is.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`] if it is not stored.
    pub async fn uris(&self, dataset: &DatasetRef) -> Result<DatasetUris> {
        let mut found = self
            .datastore
            .uris(std::slice::from_ref(dataset), false)
            .await?;
        found.remove(&dataset.id()).ok_or_else(|| {
            Error::DatasetNotFound(format!("the dataset {dataset} is not in the datastore"))
        })
    }
}

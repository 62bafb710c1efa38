//! [`Butler`]: reading from a repository, however it is reached.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{ButlerDefaults, DefaultsOptions};
use crate::collections::CollectionWildcard;
use crate::datasets::DatasetRef;
use crate::datastore::{DatasetUris, Datastore};
use crate::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use crate::error::{Error, Result};
use crate::query::{Query, QueryDriver, QuerySource};
use crate::registry::{CollectionQuery, Registry};
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

    /// The same repository with other defaults that need no check.
    #[must_use]
    pub fn with_checked_defaults(&self, defaults: Arc<ButlerDefaults>) -> Self {
        Self {
            defaults,
            ..self.clone()
        }
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

    /// What answers queries, with the defaults of this repository.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_driver(&self) -> Result<Arc<dyn QueryDriver>> {
        let queries = self.queries.as_ref().ok_or_else(|| {
            Error::UnimplementedQuery("this repository does not answer queries".to_owned())
        })?;
        Ok(queries.query_driver(&self.defaults))
    }

    /// A new query. What is uploaded or materialized for it lives as long as it and what is made of
    /// it.
    ///
    /// # Errors
    /// [`Error::UnimplementedQuery`] if this repository was put together without queries.
    pub fn query(&self) -> Result<Query> {
        Ok(Query::new(self.query_driver()?))
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
    /// given), searched in order. Governor dimensions may be left to the defaults, and dimensions be
    /// named by fields of their records; see [`rewrite_data_id`](Self::rewrite_data_id).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if none are given and there are no default ones;
    /// [`Error::MissingCollection`],
    /// [`Error::MissingDatasetType`], [`Error::CalibrationLookup`]; errors about the data ID.
    pub async fn find_dataset<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
        collections: Option<&[String]>,
        timespan: Option<Timespan>,
    ) -> Result<Option<DatasetRef>> {
        let data_id = owned(data_id);
        let collections = self.to_search(collections).await?;
        let found = self.registry.dataset_type(dataset_type).await?;
        let data_id = self.rewrite_data_id(&found, data_id).await?;
        let data_id = self.defaults.data_id_for(found.dimensions(), data_id)?;
        self.registry
            .find_dataset(dataset_type, &data_id, &collections, timespan)
            .await
    }

    /// The collections that are searched. Those that a pattern matches come after those named, by
    /// name; a list that is given may be empty.
    async fn to_search<'a>(&'a self, given: Option<&'a [String]>) -> Result<Cow<'a, [String]>> {
        let Some(given) = given else {
            return self.defaults.search(None).map(Cow::Borrowed);
        };
        let wildcard = CollectionWildcard::from_expression(given)?;
        if wildcard.patterns().is_empty() {
            return Ok(Cow::Borrowed(given));
        }
        let query = CollectionQuery::new(wildcard);
        let found = self.registry.collections(&query).await?;
        Ok(found.into_iter().map(|info| info.name).collect())
    }

    /// As [`find_dataset`](Self::find_dataset), for a dataset that is to be read: it must exist, and
    /// a calibration's timespan may follow from its data ID, which may have more dimensions for
    /// that. Without any, all timespans count.
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`]; those of [`find_dataset`](Self::find_dataset).
    pub async fn require_dataset<N: AsRef<str>, V: Into<DataIdValue>>(
        &self,
        dataset_type: &str,
        data_id: impl IntoIterator<Item = (N, V)>,
        collections: Option<&[String]>,
        timespan: Option<Timespan>,
    ) -> Result<DatasetRef> {
        let found = self.registry.dataset_type(dataset_type).await?;
        let data_id = owned(data_id);
        let data_id = self.rewrite_data_id(&found, data_id).await?;
        let collections = self.to_search(collections).await?;
        let (data_id, timespan) = if found.is_calibration() {
            let (universe, defaults) = (self.universe(), self.defaults.data_id());
            let data_id = DataCoordinate::standardize(universe, data_id, None, Some(defaults))?;
            let timespan = match timespan {
                None if data_id.dimensions().temporal().is_empty() => Some(Timespan::UNBOUNDED),
                None => self.expand_data_id(&data_id).await?.timespan(),
                given => given,
            };
            (data_id, timespan)
        } else {
            let data_id = self.defaults.data_id_for(found.dimensions(), data_id)?;
            (data_id, timespan)
        };
        self.registry
            .find_dataset(dataset_type, &data_id, &collections, timespan)
            .await?
            .ok_or_else(|| {
                Error::DatasetNotFound(format!(
                    "Dataset {dataset_type} with data ID {data_id} could not be found in \
                     collections [{}].",
                    collections.join(", ")
                ))
            })
    }

    /// A data ID with all implied values and dimension records.
    ///
    /// # Errors
    /// As for [`Registry::expand_data_ids`].
    pub async fn expand_data_id(&self, data_id: &DataCoordinate) -> Result<DataCoordinate> {
        let given = std::slice::from_ref(data_id);
        let expanded = self.registry.expand_data_ids(given).await?.pop();
        expanded.ok_or_else(|| Error::Internal("an expanded data ID is missing".to_owned()))
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

fn owned<N: AsRef<str>, V: Into<DataIdValue>>(
    data_id: impl IntoIterator<Item = (N, V)>,
) -> Vec<(String, DataIdValue)> {
    let data_id = data_id.into_iter();
    data_id
        .map(|(name, value)| (name.as_ref().to_owned(), value.into()))
        .collect()
}

//! What a server knows of datasets.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use butler_core::butler::ButlerDefaults;
use butler_core::collections::{
    CollectionInfo, CollectionSummary, CollectionType, CollectionWildcard, DatasetTypeWildcard,
    Patterns,
};
use butler_core::datasets::{
    DatasetRef, DatasetType, split_dataset_type_name, validate_dataset_type_name,
};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DimensionElement, DimensionRecord, DimensionUniverse,
    SerializedDataId,
};
use butler_core::query::{DatasetField, GeneralColumns, GeneralRow, Query, QuerySource};
use butler_core::registry::{CollectionQuery, DatasetAssociation, Registry};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::timespan::Timespan;
use butler_core::wire::{
    DatasetRefResult, FindDatasetRequest, FindDatasetResponse, GetCollectionSummaryResponse,
    GetDatasetTypeResponse, GetManyDatasetsRequest, GetUniverseResponse, MAX_ITEMS_PER_REQUEST,
    QueryCollectionInfoRequest, QueryCollectionInfoResponse, QueryDatasetTypesRequest,
    QueryDatasetTypesResponse,
};
use butler_core::{Error, Result};
use futures::TryStreamExt;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::connection::Connection;

/// What does not change while a server has a repository, and is therefore asked for once. Users of
/// one server may share it.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    universe: OnceCell<DimensionUniverse>,
    dataset_types: RwLock<HashMap<String, Arc<DatasetType>>>,
}

impl Remembered {
    fn dataset_type(&self, name: &str) -> Option<Arc<DatasetType>> {
        let known = self.dataset_types.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.get(name).map(Arc::clone)
    }

    fn remember(&self, name: &str, dataset_type: DatasetType) -> Arc<DatasetType> {
        let known = self.dataset_types.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let entry = known.entry(name.to_owned());
        Arc::clone(entry.or_insert_with(|| Arc::new(dataset_type)))
    }
}

/// The registry of a repository behind a server.
#[derive(Clone)]
pub struct RemoteRegistry {
    connection: Connection,
    universe: DimensionUniverse,
    storage_classes: Arc<StorageClassRegistry>,
    remembered: Arc<Remembered>,
}

impl fmt::Debug for RemoteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRegistry")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl RemoteRegistry {
    /// Asks the server for its dimensions, unless they are known.
    pub(crate) async fn open(
        connection: Connection,
        storage_classes: Arc<StorageClassRegistry>,
        remembered: Arc<Remembered>,
    ) -> Result<Self> {
        let universe = remembered.universe.get_or_try_init(|| async {
            let answer: GetUniverseResponse = connection.get(&["universe"], &[]).await?;
            DimensionUniverse::parse(&answer.universe.to_string())
        });
        let universe = *universe.await?;
        Ok(Self {
            connection,
            universe,
            storage_classes,
            remembered,
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn storage_classes(&self) -> &Arc<StorageClassRegistry> {
        &self.storage_classes
    }

    /// A query without default collections and values of governor dimensions.
    pub(crate) fn query(&self) -> Query {
        let defaults = Arc::new(ButlerDefaults::none(self.universe));
        Query::new(self.query_driver(&defaults)).without_governor_validation()
    }

    /// The registered dataset type, which is never a component. Servers are not asked for
    /// components: they may not know the storage classes that have them.
    async fn registered(&self, name: &str) -> Result<Arc<DatasetType>> {
        if let Some(found) = self.remembered.dataset_type(name) {
            return Ok(found);
        }
        let answer: GetDatasetTypeResponse =
            self.connection.get(&["dataset_type", name], &[]).await?;
        let found = DatasetType::from_simple(&answer.dataset_type, self.universe)?;
        Ok(self.remembered.remember(name, found))
    }
}

/// The names and patterns of an expression as the protocol has them.
fn search<'a>(names: impl IntoIterator<Item = &'a String>, patterns: &Patterns) -> Vec<String> {
    match patterns {
        Patterns::Everything => vec!["*".to_owned()],
        Patterns::AnyOf(globs) => {
            let names = names.into_iter().cloned();
            names
                .chain(globs.iter().map(|glob| glob.as_str().to_owned()))
                .collect()
        }
    }
}

/// The required keys and values: what servers need of a data ID.
pub(crate) fn required(data_id: &DataCoordinate) -> SerializedDataId {
    let required = data_id.required();
    required
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect()
}

#[async_trait]
impl Registry for RemoteRegistry {
    fn universe(&self) -> DimensionUniverse {
        self.universe
    }

    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>> {
        validate_dataset_type_name(name)?;
        let (parent, component) = split_dataset_type_name(name);
        let registered = self.registered(parent).await?;
        match component {
            None => Ok(registered),
            Some(component) => registered
                .make_component(component, &self.storage_classes)
                .map(Arc::new),
        }
    }

    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>> {
        let request = QueryDatasetTypesRequest {
            search: search(wildcard.values().keys(), wildcard.patterns()),
        };
        if request.search.is_empty() {
            return Ok(Vec::new());
        }
        let answer: QueryDatasetTypesResponse = self
            .connection
            .post(&["query_dataset_types"], &request)
            .await?;
        let read = |simple| DatasetType::from_simple(simple, self.universe).map(Arc::new);
        let mut found: Vec<Arc<DatasetType>> = answer
            .dataset_types
            .iter()
            .map(read)
            .collect::<Result<_>>()?;
        found.sort_by(|a, b| a.name().cmp(b.name()));
        found.dedup_by(|a, b| a.name() == b.name());
        Ok(found)
    }

    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>> {
        let types = match query.types.as_slice() {
            [] => CollectionType::ALL.to_vec(),
            types => types.to_vec(),
        };
        let request = QueryCollectionInfoRequest {
            expression: search(query.wildcard.names(), query.wildcard.patterns()),
            collection_types: types,
            flatten_chains: query.flatten_chains,
            include_chains: query.include_chains.unwrap_or(!query.flatten_chains),
            include_parents: query.with_parents,
            include_summary: query.with_dataset_types,
            include_doc: query.with_doc,
            summary_datasets: None,
        };
        if request.expression.is_empty() {
            return Ok(Vec::new());
        }
        let answer: QueryCollectionInfoResponse = self
            .connection
            .post(&["query_collection_info"], &request)
            .await?;
        Ok(answer.collections)
    }

    async fn collection_summary(&self, name: &str) -> Result<CollectionSummary> {
        let answer: GetCollectionSummaryResponse = self
            .connection
            .get(&["collection_summary"], &[("name", name)])
            .await?;
        CollectionSummary::from_simple(&answer.summary, self.universe)
    }

    async fn find_dataset(
        &self,
        dataset_type: &str,
        data_id: &DataCoordinate,
        collections: &[String],
        timespan: Option<Timespan>,
    ) -> Result<Option<DatasetRef>> {
        let (parent, component) = split_dataset_type_name(dataset_type);
        let registered = self.registered(parent).await?;
        let data_id = data_id.subset(registered.dimensions())?;
        let request = FindDatasetRequest {
            dataset_type: parent.to_owned(),
            data_id: required(&data_id),
            default_data_id: SerializedDataId::new(),
            collections: collections.to_vec(),
            timespan,
            dimension_records: false,
        };
        let answer: FindDatasetResponse = self.connection.post(&["find_dataset"], &request).await?;
        let Some(simple) = answer.dataset_ref else {
            return Ok(None);
        };
        let dataset = DatasetRef::from_simple(&simple, self.universe, None)?;
        match component {
            None => Ok(Some(dataset)),
            Some(component) => dataset
                .make_component(component, &self.storage_classes)
                .map(Some),
        }
    }

    async fn datasets(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, DatasetRef>> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(MAX_ITEMS_PER_REQUEST) {
            let request = GetManyDatasetsRequest {
                dataset_ids: ids.to_vec(),
            };
            let answer: DatasetRefResult = self.connection.post(&["datasets"], &request).await?;
            for simple in &answer.rows {
                let dataset = DatasetRef::from_simple(simple, self.universe, None)?;
                found.insert(dataset.id(), dataset);
            }
        }
        Ok(found)
    }

    async fn dataset(&self, id: Uuid) -> Result<Option<DatasetRef>> {
        let answer: FindDatasetResponse = self
            .connection
            .get(&["dataset", &id.to_string()], &[])
            .await?;
        let dataset = answer.dataset_ref.as_ref();
        dataset
            .map(|simple| DatasetRef::from_simple(simple, self.universe, None))
            .transpose()
    }

    async fn expand_data_ids(&self, data_ids: &[DataCoordinate]) -> Result<Vec<DataCoordinate>> {
        self.expand_all(data_ids).await
    }

    async fn dimension_records(
        &self,
        element: DimensionElement,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        if element.is_skypix() {
            return Err(Error::InvalidArgument(format!(
                "the records of the skypix dimension '{}' are without number",
                element.name()
            )));
        }
        let results = self.query().dimension_records(element.name())?;
        let mut records = results.collect().await?;
        records.sort_by_cached_key(|record| record.required_values().collect::<Vec<_>>());
        Ok(records)
    }

    async fn associations(
        &self,
        dataset_type: &str,
        collections: &[String],
    ) -> Result<Vec<DatasetAssociation>> {
        let registered = self.registered(dataset_type).await?;
        // As they may be valid for a time in some collections only, those that are something else
        // must be told apart.
        let wildcard = CollectionWildcard::from_names(collections);
        let flat = self
            .collections(&CollectionQuery::new(wildcard).flattened())
            .await?;
        let types: HashMap<&str, CollectionType> = flat
            .iter()
            .map(|info| (info.name.as_str(), info.collection_type))
            .collect();
        if flat.is_empty() {
            return Ok(Vec::new());
        }
        let mut columns = GeneralColumns::new().dataset(Arc::clone(registered.name()));
        for field in [DatasetField::Collection, DatasetField::Timespan] {
            columns = columns.dataset_field(Arc::clone(registered.name()), field);
        }
        let query = self
            .query()
            .join_dataset_search(&**registered.name(), Some(collections))
            .await?;
        let results = query.general(registered.dimensions().names(), columns, Some(false))?;
        let mut rows = results.stream();
        let mut found = Vec::new();
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        while let Some(row) = rows.try_next().await? {
            found.push(association(&row, &registered, &types, &mut names)?);
        }
        Ok(found)
    }
}

fn association(
    row: &GeneralRow,
    dataset_type: &Arc<DatasetType>,
    types: &HashMap<&str, CollectionType>,
    names: &mut HashMap<String, Arc<str>>,
) -> Result<DatasetAssociation> {
    let lacks = |what: &str| Error::corrupt("query result", format!("a row lacks the {what}"));
    let dataset = row.dataset(dataset_type)?.ok_or_else(|| lacks("dataset"))?;
    let field = |field: DatasetField| row.get(&format!("{}.{}", dataset_type.name(), field.name()));
    let collection = field(DatasetField::Collection)
        .and_then(|value| value.as_str())
        .ok_or_else(|| lacks("collection"))?;
    let timespan = match types.get(collection) {
        Some(CollectionType::Calibration) => match field(DatasetField::Timespan) {
            Some(ColumnValue::Timespan(timespan)) => Some(*timespan),
            _ => return Err(lacks("validity range")),
        },
        _ => None,
    };
    let collection = match names.get(collection) {
        Some(known) => Arc::clone(known),
        None => {
            let shared: Arc<str> = collection.into();
            names.insert(collection.to_owned(), Arc::clone(&shared));
            shared
        }
    };
    Ok(DatasetAssociation {
        dataset,
        collection,
        timespan,
    })
}

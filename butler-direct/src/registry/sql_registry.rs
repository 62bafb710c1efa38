//! [`SqlRegistry`]: the registry traits over a database.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use butler_core::collections::{
    CollectionInfo, CollectionSummary, CollectionType, DatasetTypeWildcard,
};
use butler_core::datasets::{
    DatasetIdMode, DatasetRef, DatasetType, split_dataset_type_name, validate_dataset_type_name,
};
use butler_core::dimensions::{
    DataCoordinate, DataIdValue, DimensionElement, DimensionGroup, DimensionRecord,
    DimensionUniverse,
};
use butler_core::error::{Error, Result};
use butler_core::registry::{
    CollectionQuery, DatasetAssociation, InsertMode, Registry, RegistryWriter, SyncOutcome,
};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::timespan::Timespan;
use uuid::Uuid;

use super::chains::ChainEdit;
use super::collections::{self, CollectionRecord, CollectionTree};
use super::context::Context;
use super::datasets::lookup::Search;
use super::summaries::SummaryRecord;
use super::transaction::RegistryTransaction;
use super::versions::SchemaVersions;
use super::{attributes, tables};
use crate::db::{Access, Database, Session};

/// How often a search is repeated because its dataset type was redefined meanwhile.
const ATTEMPTS: usize = 3;

/// The registry of a repository in a PostgreSQL or SQLite database. Clones share everything.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    context: Arc<Context>,
    storage_classes: Arc<StorageClassRegistry>,
}

impl SqlRegistry {
    /// What all parts of the registry share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Creates the tables of a new repository, in one transaction, and opens it.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`] when the database (or its namespace) holds a repository
    /// already.
    pub async fn create(
        database: Database,
        universe: DimensionUniverse,
        versions: &SchemaVersions,
        storage_classes: Arc<StorageClassRegistry>,
    ) -> Result<Self> {
        let mut session = database.begin().await?;
        database.ensure_namespace(&mut session).await?;
        if database
            .table_exists(&mut session, "butler_attributes")
            .await?
        {
            return Err(Error::ConflictingDefinition(format!(
                "{} holds a Butler repository already",
                database.label()
            )));
        }
        for spec in tables::static_tables(universe, versions) {
            for statement in database.ddl().create(&spec, false) {
                session.execute_script(statement).await?;
            }
        }
        for (name, value) in versions.to_attributes() {
            attributes::set(&mut session, &name, &value, false).await?;
        }
        attributes::set(
            &mut session,
            attributes::DIMENSIONS,
            &universe.document_json(),
            false,
        )
        .await?;
        session.commit().await?;
        let context = Arc::new(Context::new(database, universe, versions.clone()));
        Ok(Self {
            context,
            storage_classes,
        })
    }

    /// Opens the repository in a database.
    ///
    /// # Errors
    /// [`Error::Configuration`] when there is none; [`Error::UnsupportedVersion`] when its schema
    /// is of a version that this library does not handle.
    pub async fn open(
        database: Database,
        storage_classes: Arc<StorageClassRegistry>,
    ) -> Result<Self> {
        let mut session = database.read().await?;
        let attributes = attributes::fetch_all(&mut session).await?;
        drop(session);
        let writeable = database.access() == Access::ReadWrite;
        let versions = SchemaVersions::from_attributes(&attributes, writeable)?;
        let Some(document) = attributes.get(attributes::DIMENSIONS) else {
            return Err(Error::Configuration(format!(
                "{} records no dimension universe; it is a damaged repository",
                database.label()
            )));
        };
        let universe = DimensionUniverse::parse(document)?;
        let context = Arc::new(Context::new(database, universe, versions));
        Ok(Self {
            context,
            storage_classes,
        })
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.context.database
    }

    /// The versions of the parts of the schema.
    pub fn versions(&self) -> &SchemaVersions {
        &self.context.versions
    }

    /// The storage classes by which components of dataset types are understood.
    pub fn storage_classes(&self) -> &Arc<StorageClassRegistry> {
        &self.storage_classes
    }

    /// Starts a transaction.
    ///
    /// # Errors
    /// [`Error::ReadOnly`] when the repository was opened for reading only.
    pub async fn begin(&self) -> Result<RegistryTransaction> {
        let session = self.context.database.begin().await?;
        Ok(RegistryTransaction::new(Arc::clone(&self.context), session))
    }

    /// Forgets what is remembered of dataset types.
    pub fn refresh(&self) {
        self.context.forget_dataset_types();
    }

    /// The IDs of all datasets of a RUN.
    ///
    /// # Errors
    /// [`Error::MissingCollection`], [`Error::CollectionType`].
    pub async fn run_dataset_ids(&self, run: &str) -> Result<Vec<Uuid>> {
        let mut session = self.context.database.read().await?;
        let record = collections::find(&mut session, run).await?;
        if record.kind != CollectionType::Run {
            return Err(Error::CollectionType(format!(
                "'{run}' is not a RUN collection."
            )));
        }
        self.context.run_dataset_ids(&mut session, record.key).await
    }

    /// The dimension records of an element that have one of the given values for some of its
    /// required dimensions; `keys` are in the order of `dimensions`.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if the element does not require one of the dimensions.
    pub async fn dimension_records_with(
        &self,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let mut session = self.context.database.read().await?;
        self.context
            .fetch_records_with(&mut session, element, dimensions, keys)
            .await
    }

    /// The names of the datastores that store each of the datasets.
    ///
    /// # Errors
    /// Any database error.
    pub async fn locations(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<String>>> {
        let mut session = self.context.database.read().await?;
        self.context.locations(&mut session, ids).await
    }

    /// Which of the datasets a datastore stores.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stored_in(
        &self,
        datastore: &str,
        ids: &[Uuid],
    ) -> Result<std::collections::HashSet<Uuid>> {
        let mut session = self.context.database.read().await?;
        self.context.stored_in(&mut session, datastore, ids).await
    }

    fn summary(
        &self,
        record: &SummaryRecord,
        types: &HashMap<i64, Arc<DatasetType>>,
    ) -> CollectionSummary {
        let mut summary = CollectionSummary::default();
        for dataset_type in record
            .dataset_type_ids
            .iter()
            .filter_map(|id| types.get(id))
        {
            summary.add_dataset_type(dataset_type);
        }
        for (governor, values) in &record.governors {
            let values = values
                .iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>();
            summary.governors.insert((*governor).to_owned(), values);
        }
        summary
    }

    async fn types_by_id(&self, session: &mut Session) -> Result<HashMap<i64, Arc<DatasetType>>> {
        let records = self.context.all_dataset_types(session).await?;
        Ok(records
            .iter()
            .map(|r| (r.id, Arc::clone(&r.dataset_type)))
            .collect())
    }
}

/// The collections that a query asks for, in its order.
fn select<'a>(
    query: &CollectionQuery,
    tree: &'a CollectionTree,
) -> Result<Vec<&'a CollectionRecord>> {
    let include_chains = query.include_chains.unwrap_or(!query.flatten_chains);
    let mut names: Vec<&str> = query.wildcard.names().iter().map(String::as_str).collect();
    let patterns = query.wildcard.patterns();
    let mut chosen: Vec<&CollectionRecord> = Vec::new();
    if query.flatten_chains {
        names.extend(
            tree.iter()
                .filter(|r| patterns.matches(&r.name))
                .map(|r| &*r.name),
        );
        chosen = tree.flatten(&names, include_chains)?;
    } else {
        for name in names {
            chosen.push(tree.get(name)?);
        }
        chosen.extend(tree.iter().filter(|record| patterns.matches(&record.name)));
    }
    let mut seen = BTreeSet::new();
    chosen.retain(|record| {
        (query.types.is_empty() || query.types.contains(&record.kind))
            && (include_chains || record.kind != CollectionType::Chained)
            && seen.insert(record.key)
    });
    Ok(chosen)
}

#[async_trait]
impl Registry for SqlRegistry {
    fn universe(&self) -> DimensionUniverse {
        self.context.universe
    }

    async fn dataset_type(&self, name: &str) -> Result<Arc<DatasetType>> {
        validate_dataset_type_name(name)?;
        let (parent, component) = split_dataset_type_name(name);
        let record = match self.context.dataset_type_by_name(parent) {
            Some(record) => record,
            None => {
                let mut session = self.context.database.read().await?;
                self.context.dataset_type(&mut session, parent).await?
            }
        };
        match component {
            None => Ok(Arc::clone(&record.dataset_type)),
            Some(component) => record
                .dataset_type
                .make_component(component, &self.storage_classes)
                .map(Arc::new),
        }
    }

    async fn dataset_types(&self, wildcard: &DatasetTypeWildcard) -> Result<Vec<Arc<DatasetType>>> {
        let mut session = self.context.database.read().await?;
        let records = self.context.all_dataset_types(&mut session).await?;
        Ok(records
            .iter()
            .map(|record| &record.dataset_type)
            .filter(|t| {
                wildcard.values().contains_key(&**t.name()) || wildcard.patterns().matches(t.name())
            })
            .map(Arc::clone)
            .collect())
    }

    async fn collections(&self, query: &CollectionQuery) -> Result<Vec<CollectionInfo>> {
        let mut session = self.context.database.read().await?;
        let tree = if query.wildcard.patterns().is_empty() {
            collections::fetch(&mut session, query.wildcard.names()).await?
        } else {
            collections::fetch_all(&mut session).await?
        };
        let chosen = select(query, &tree)?;
        let keys: Vec<i64> = chosen.iter().map(|record| record.key).collect();
        let docs = if query.with_doc {
            collections::documentation(&mut session, keys.clone()).await?
        } else {
            HashMap::new()
        };
        let parents = if query.with_parents {
            Some(collections::parents_of(&mut session, keys).await?)
        } else {
            None
        };
        let types = if query.with_dataset_types {
            let names = chosen.iter().map(|r| &*r.name).collect::<Vec<_>>();
            // The tree may lack what is below a chain that a pattern matched.
            let tree = collections::fetch(&mut session, &names).await?;
            Some(
                self.dataset_type_names(&mut session, &tree, &chosen)
                    .await?,
            )
        } else {
            None
        };
        Ok(chosen
            .into_iter()
            .map(|record| {
                let mut info = CollectionInfo::new(&*record.name, record.kind);
                info.children = record.children.iter().map(ToString::to_string).collect();
                info.doc = docs.get(&record.key).cloned().unwrap_or_default();
                info.parents = parents
                    .as_ref()
                    .map(|all| all.get(&record.key).cloned().unwrap_or_default());
                info.dataset_types = types
                    .as_ref()
                    .map(|all| all.get(&record.key).cloned().unwrap_or_default());
                info
            })
            .collect())
    }

    async fn collection_summary(&self, name: &str) -> Result<CollectionSummary> {
        let mut session = self.context.database.read().await?;
        let tree = collections::fetch(&mut session, &[name]).await?;
        let keys: Vec<i64> = tree
            .flatten(&[name], false)?
            .iter()
            .map(|r| r.key)
            .collect();
        let mut merged = SummaryRecord::default();
        for summary in self
            .context
            .fetch_summaries(&mut session, &keys)
            .await?
            .values()
        {
            merged.merge(summary);
        }
        let types = self.types_by_id(&mut session).await?;
        Ok(self.summary(&merged, &types))
    }

    async fn find_dataset(
        &self,
        dataset_type: &str,
        data_id: &DataCoordinate,
        collections: &[String],
        timespan: Option<Timespan>,
    ) -> Result<Option<DatasetRef>> {
        let (parent, component) = split_dataset_type_name(dataset_type);
        let mut session = self.context.database.read().await?;
        let mut record = self
            .context
            .remembered_dataset_type(&mut session, parent)
            .await?;
        let tree = collections::fetch(&mut session, collections).await?;
        let flat = tree.flatten(collections, false)?;
        for _ in 0..ATTEMPTS {
            let found = self
                .context
                .find_dataset(&mut session, &record, data_id, &flat, timespan)
                .await?;
            match (found, component) {
                (Search::Found(dataset), Some(name)) => {
                    return dataset
                        .make_component(name, &self.storage_classes)
                        .map(Some);
                }
                (Search::Found(dataset), None) => return Ok(Some(dataset)),
                (Search::Nothing, _) => return Ok(None),
                (Search::Outdated, _) => {
                    record = self.context.dataset_type(&mut session, parent).await?;
                }
            }
        }
        Err(Error::Interrupted(format!(
            "dataset type '{parent}' is being redefined by other clients; try again"
        )))
    }

    async fn datasets(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, DatasetRef>> {
        let mut session = self.context.database.read().await?;
        let found = self.context.get_datasets(&mut session, ids).await?;
        Ok(found
            .into_iter()
            .map(|dataset| (dataset.id(), dataset))
            .collect())
    }

    async fn expand_data_ids(&self, data_ids: &[DataCoordinate]) -> Result<Vec<DataCoordinate>> {
        let mut places: HashMap<&DimensionGroup, Vec<usize>> = HashMap::new();
        for (place, data_id) in data_ids.iter().enumerate() {
            places.entry(data_id.dimensions()).or_default().push(place);
        }
        let mut expanded = data_ids.to_vec();
        let mut session = self.context.database.read().await?;
        for places in places.into_values() {
            let group: Vec<DataCoordinate> = places
                .iter()
                .map(|&place| data_ids[place].clone())
                .collect();
            let done = self.context.expand(&mut session, &group).await?;
            for (place, data_id) in places.into_iter().zip(done) {
                expanded[place] = data_id;
            }
        }
        Ok(expanded)
    }

    async fn dimension_records(
        &self,
        element: DimensionElement,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let mut session = self.context.database.read().await?;
        self.context.fetch_all_records(&mut session, element).await
    }

    async fn associations(
        &self,
        dataset_type: &str,
        collections: &[String],
    ) -> Result<Vec<DatasetAssociation>> {
        let mut session = self.context.database.read().await?;
        let record = self
            .context
            .dataset_type(&mut session, dataset_type)
            .await?;
        let tree = collections::fetch(&mut session, collections).await?;
        let flat = tree.flatten(collections, false)?;
        let found = self
            .context
            .memberships(&mut session, &record, &flat)
            .await?;
        found
            .into_iter()
            .map(|membership| {
                let collection = tree.by_key(membership.collection).ok_or_else(|| {
                    Error::Internal("a membership in a collection not asked for".to_owned())
                })?;
                Ok(DatasetAssociation {
                    dataset: membership.dataset,
                    collection: Arc::clone(&collection.name),
                    timespan: membership.timespan,
                })
            })
            .collect()
    }
}

impl SqlRegistry {
    /// Names of the dataset types of each of the chosen collections; of a chain, those of all
    /// below it.
    async fn dataset_type_names(
        &self,
        session: &mut Session,
        tree: &CollectionTree,
        chosen: &[&CollectionRecord],
    ) -> Result<HashMap<i64, BTreeSet<String>>> {
        let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
        for record in chosen {
            let flat = tree.flatten(&[&record.name], false)?;
            below.insert(record.key, flat.iter().map(|r| r.key).collect());
        }
        let keys: BTreeSet<i64> = below.values().flatten().copied().collect();
        let keys: Vec<i64> = keys.into_iter().collect();
        let summaries = self.context.fetch_summaries(session, &keys).await?;
        let types = self.types_by_id(session).await?;
        Ok(below
            .into_iter()
            .map(|(key, below)| {
                let names = below
                    .iter()
                    .filter_map(|key| summaries.get(key))
                    .flat_map(|summary| &summary.dataset_type_ids)
                    .filter_map(|id| types.get(id))
                    .map(|dataset_type| dataset_type.name().to_string())
                    .collect();
                (key, names)
            })
            .collect())
    }
}

/// Runs one operation in a transaction of its own.
macro_rules! in_transaction {
    ($self:ident, $transaction:ident => $operation:expr) => {{
        let mut $transaction = $self.begin().await?;
        let result = $operation.await?;
        $transaction.commit().await?;
        Ok(result)
    }};
}

#[async_trait]
impl RegistryWriter for SqlRegistry {
    async fn register_collection(
        &self,
        name: &str,
        collection_type: CollectionType,
        doc: Option<&str>,
    ) -> Result<bool> {
        in_transaction!(self, t => t.register_collection(name, collection_type, doc))
    }

    async fn remove_collection(&self, name: &str) -> Result<()> {
        in_transaction!(self, t => t.remove_collection(name))
    }

    async fn set_collection_doc(&self, name: &str, doc: Option<&str>) -> Result<()> {
        in_transaction!(self, t => t.set_collection_doc(name, doc))
    }

    async fn set_collection_chain(&self, parent: &str, children: &[String]) -> Result<()> {
        in_transaction!(self, t => t.edit_chain(parent, ChainEdit::Replace, children))
    }

    async fn prepend_collection_chain(&self, parent: &str, children: &[String]) -> Result<()> {
        in_transaction!(self, t => t.edit_chain(parent, ChainEdit::Prepend, children))
    }

    async fn extend_collection_chain(&self, parent: &str, children: &[String]) -> Result<()> {
        in_transaction!(self, t => t.edit_chain(parent, ChainEdit::Extend, children))
    }

    async fn remove_from_collection_chain(&self, parent: &str, children: &[String]) -> Result<()> {
        in_transaction!(self, t => t.edit_chain(parent, ChainEdit::Remove, children))
    }

    async fn register_dataset_type(&self, dataset_type: &DatasetType) -> Result<bool> {
        in_transaction!(self, t => t.register_dataset_type(dataset_type))
    }

    async fn remove_dataset_type(&self, name: &str) -> Result<()> {
        in_transaction!(self, t => t.remove_dataset_type(name))
    }

    async fn insert_dimension_records(
        &self,
        element: DimensionElement,
        records: &[DimensionRecord],
        mode: InsertMode,
    ) -> Result<()> {
        in_transaction!(self, t => t.insert_dimension_records(element, records, mode))
    }

    async fn sync_dimension_record(
        &self,
        record: &DimensionRecord,
        update: bool,
    ) -> Result<SyncOutcome> {
        in_transaction!(self, t => t.sync_dimension_record(record, update))
    }

    async fn insert_datasets(
        &self,
        dataset_type: &str,
        data_ids: &[DataCoordinate],
        run: &str,
        mode: DatasetIdMode,
    ) -> Result<Vec<DatasetRef>> {
        in_transaction!(self, t => t.insert_datasets(dataset_type, data_ids, run, mode))
    }

    async fn import_datasets(&self, datasets: &[DatasetRef]) -> Result<()> {
        in_transaction!(self, t => t.import_datasets(datasets))
    }

    async fn remove_datasets(&self, ids: &[Uuid]) -> Result<()> {
        let mut transaction = self.begin().await?;
        transaction.remove_datasets(ids).await?;
        transaction.commit().await
    }

    async fn associate(&self, collection: &str, datasets: &[DatasetRef]) -> Result<()> {
        in_transaction!(self, t => t.associate(collection, datasets))
    }

    async fn disassociate(&self, collection: &str, datasets: &[DatasetRef]) -> Result<()> {
        in_transaction!(self, t => t.disassociate(collection, datasets))
    }

    async fn certify(
        &self,
        collection: &str,
        datasets: &[DatasetRef],
        timespan: Timespan,
    ) -> Result<()> {
        in_transaction!(self, t => t.certify(collection, datasets, timespan))
    }

    async fn decertify(
        &self,
        collection: &str,
        dataset_type: &str,
        timespan: Timespan,
        data_ids: Option<&[DataCoordinate]>,
    ) -> Result<()> {
        in_transaction!(self, t => t.decertify(collection, dataset_type, timespan, data_ids))
    }

    async fn attributes(&self) -> Result<BTreeMap<String, String>> {
        let mut session = self.context.database.read().await?;
        attributes::fetch_all(&mut session).await
    }

    async fn set_attribute(&self, name: &str, value: &str, force: bool) -> Result<()> {
        in_transaction!(self, t => t.set_attribute(name, value, force))
    }
}

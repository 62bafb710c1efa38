//! [`SqlRegistry`]: the registry traits over a database.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use butler_core::collections::{
    CollectionInfo, CollectionSummary, CollectionType, DatasetTypeWildcard,
};
use butler_core::datasets::{
    DatasetRef, DatasetType, split_dataset_type_name, validate_dataset_type_name,
};
use butler_core::dimensions::{
    DataCoordinate, DataIdValue, DimensionElement, DimensionRecord, DimensionUniverse,
};
use butler_core::error::{Error, Result};
use butler_core::registry::{CollectionQuery, DatasetAssociation, Registry};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::timespan::Timespan;
use uuid::Uuid;

use super::collection_keys::CollectionKey;
use super::collections::{CollectionRecord, CollectionTree};
use super::context::Context;
use super::datasets::find::Search;
use super::overrides::DatasetTypeOverrides;
use super::summaries::SummaryRecord;
use super::transaction::RegistryTransaction;
use super::trash::CLAIM_LASTS;
use super::versions::SchemaVersions;
use super::{attributes, tables};
use crate::db::{Access, Database, Session};

/// Datasets from which on their references are checked set by set on SQLite.
const MANY: usize = 10_000;

/// How often a search is repeated because its dataset type was redefined meanwhile.
const ATTEMPTS: usize = 3;

/// The registry of a repository in a PostgreSQL or SQLite database. Clones share everything.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    context: Arc<Context>,
    storage_classes: Arc<StorageClassRegistry>,
    trash_claim: Duration,
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
                if let Err(error) = session.try_execute_script(statement).await {
                    return Err(match error.kind.is_already_there() {
                        true => Error::ConflictingDefinition(format!(
                            "{} holds tables of a Butler repository already, or another client is \
                             creating one there: {error}",
                            database.label()
                        )),
                        false => error.into(),
                    });
                }
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
        let context = Arc::new(Context::new(
            database,
            universe,
            versions.clone(),
            DatasetTypeOverrides::default(),
        ));
        Ok(Self {
            context,
            storage_classes,
            trash_claim: CLAIM_LASTS,
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
        let context = Arc::new(Context::new(
            database,
            universe,
            versions,
            DatasetTypeOverrides::default(),
        ));
        Ok(Self {
            context,
            storage_classes,
            trash_claim: CLAIM_LASTS,
        })
    }

    /// The same registry for a client that, should it be killed while it deletes files, keeps others
    /// from them no longer than this.
    #[must_use]
    pub fn with_trash_claim(self, lasts: Duration) -> Self {
        Self {
            trash_claim: lasts,
            ..self
        }
    }

    /// How long claims on trash hold that their owners do not end.
    #[must_use]
    pub fn trash_claim(&self) -> Duration {
        self.trash_claim
    }

    /// The same registry for a client that knows dataset types by other names or storage classes
    /// than those in the database.
    #[must_use]
    pub fn with_overrides(self, overrides: DatasetTypeOverrides) -> Self {
        let old = &self.context;
        let context = Context::new(
            old.database.clone(),
            old.universe,
            old.versions.clone(),
            overrides,
        );
        Self {
            context: Arc::new(context),
            ..self
        }
    }

    /// The same registry over other connections to its database. What it remembers is its own.
    #[must_use]
    pub(crate) fn with_database(self, database: Database) -> Self {
        let old = &self.context;
        let context = Context::new(
            database,
            old.universe,
            old.versions.clone(),
            old.overrides.clone(),
        );
        Self {
            context: Arc::new(context),
            ..self
        }
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

    /// Starts a transaction for the insertion of so many datasets, their types, runs, locations and file
    /// records, and nothing else. If [`checks_by_set`](RegistryTransaction::checks_by_set) says so, any
    /// error in it means that it has to be done again, as if for none.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub(crate) async fn begin_inserting(&self, datasets: usize) -> Result<RegistryTransaction> {
        if datasets >= MANY
            && let Some(session) = self.context.database.begin_unchecked().await?
        {
            return Ok(RegistryTransaction::new(Arc::clone(&self.context), session));
        }
        self.begin().await
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
        let record = self.context.find_collection(&mut session, run).await?;
        if record.kind != CollectionType::Run {
            return Err(Error::CollectionType(format!(
                "'{run}' is not a RUN collection."
            )));
        }
        self.context
            .run_dataset_ids(&mut session, &record.key)
            .await
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

    /// Whether there is a table of file records of that name. One that is there stays.
    ///
    /// # Errors
    /// Any database error.
    pub async fn has_records_table(&self, name: &str) -> Result<bool> {
        if self.context.has_table(name) {
            return Ok(true);
        }
        let mut session = self.context.database.read().await?;
        let table = [name.to_owned()];
        let present = self.context.present_tables(&mut session, &table).await?;
        Ok(!present.is_empty())
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
            && seen.insert(&record.key)
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
            self.context
                .fetch_collections(&mut session, query.wildcard.names())
                .await?
        } else {
            self.context.fetch_all_collections(&mut session).await?
        };
        let chosen = select(query, &tree)?;
        let keys: Vec<CollectionKey> = chosen.iter().map(|r| r.key.clone()).collect();
        let docs = if query.with_doc {
            self.context.collection_docs(&mut session, &keys).await?
        } else {
            HashMap::new()
        };
        let parents = if query.with_parents {
            Some(self.context.parent_chains_of(&mut session, &keys).await?)
        } else {
            None
        };
        let types = if query.with_dataset_types {
            let names = chosen.iter().map(|r| &*r.name).collect::<Vec<_>>();
            // The tree may lack what is below a chain that a pattern matched.
            let tree = self.context.fetch_collections(&mut session, &names).await?;
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
        let tree = self
            .context
            .fetch_collections(&mut session, &[name])
            .await?;
        let keys: Vec<CollectionKey> = tree
            .flatten(&[name], false)?
            .iter()
            .map(|r| r.key.clone())
            .collect();
        let mut merged = SummaryRecord::default();
        for summary in self
            .context
            .fetch_summaries(&mut session, &keys)
            .await?
            .values()
            // Governor values stay when the last dataset type goes; they mean nothing then.
            .filter(|summary| !summary.dataset_type_ids.is_empty())
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
        for _ in 0..ATTEMPTS {
            let found = self
                .context
                .find_dataset(&mut session, &record, data_id, collections, timespan)
                .await?;
            let dataset = match found {
                Search::Found(dataset) => dataset,
                Search::Nothing => return Ok(None),
                Search::Outdated => {
                    record = self.context.dataset_type(&mut session, parent).await?;
                    continue;
                }
            };
            return match component {
                Some(name) => dataset
                    .make_component(name, &self.storage_classes)
                    .map(Some),
                None => Ok(Some(dataset)),
            };
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

    async fn dataset(&self, id: Uuid) -> Result<Option<DatasetRef>> {
        self.dataset_with_records(id, &[]).await
    }

    async fn dataset_with_records(
        &self,
        id: Uuid,
        tables: &[String],
    ) -> Result<Option<DatasetRef>> {
        let mut session = self.context.database.read().await?;
        self.context
            .dataset_with_records(&mut session, id, tables)
            .await
    }

    async fn attach_records(&self, dataset: DatasetRef, tables: &[String]) -> Result<DatasetRef> {
        let mut session = self.context.database.read().await?;
        let records = self
            .context
            .records_of(&mut session, dataset.id(), tables)
            .await?;
        Ok(dataset.with_datastore_records(Some(Arc::new(records))))
    }

    async fn expand_data_ids(&self, data_ids: &[DataCoordinate]) -> Result<Vec<DataCoordinate>> {
        let mut session = self.context.database.read().await?;
        self.context.expand_all(&mut session, data_ids).await
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
        let tree = self
            .context
            .fetch_collections(&mut session, collections)
            .await?;
        let flat = tree.flatten(collections, false)?;
        let found = self
            .context
            .memberships(&mut session, &record, &flat)
            .await?;
        found
            .into_iter()
            .map(|membership| {
                let collection = tree.by_key(&membership.collection).ok_or_else(|| {
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
    ) -> Result<HashMap<CollectionKey, BTreeSet<String>>> {
        let mut below: HashMap<CollectionKey, Vec<CollectionKey>> = HashMap::new();
        for record in chosen {
            let flat = tree.flatten(&[&record.name], false)?;
            below.insert(
                record.key.clone(),
                flat.iter().map(|r| r.key.clone()).collect(),
            );
        }
        let keys: BTreeSet<CollectionKey> = below.values().flatten().cloned().collect();
        let keys: Vec<CollectionKey> = keys.into_iter().collect();
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

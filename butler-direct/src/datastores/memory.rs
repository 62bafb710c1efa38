//! Datasets in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use butler_core::config::{Config, LookupKey};
use butler_core::datasets::{DatasetId, DatasetRef, FileDataset};
use butler_core::datastore::{
    ArtifactIndexInfo, Constraints, DatasetUris, Datastore, DatastoreRecordData, DatastoreWriter,
    Entity,
};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::Registry;
use butler_core::yaml;
use butler_formats::{SchemaRef, Table, read_schema, read_table, read_yaml};
use bytes::Bytes;
use indexmap::IndexMap;

use super::encode::natural_bytes;
use super::put_data::PutData;
use super::staged::Staged;
use super::store::{DirectDatastore, IngestOptions, RetrieveOptions, TransferFile};
use crate::registry::{RegistryTransaction, SqlRegistry};
use crate::resource::{LocalCopy, ResourcePath, Resources, TransferMode};

/// A datastore in the memory of this process. Clones share everything.
///
/// It leaves no trace in the registry. Moving datasets to its trash takes effect at once, whatever
/// becomes of the transaction.
#[derive(Debug, Clone)]
pub struct InMemoryDatastore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    constraints: Constraints,
    registry: SqlRegistry,
    resources: Resources,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: HashMap<DatasetId, PutData>,
    trash: HashMap<DatasetId, PutData>,
}

/// Objects that are in memory, but not known to the registry.
#[derive(Debug)]
pub(super) struct StagedObjects {
    datastore: InMemoryDatastore,
    ids: Vec<DatasetId>,
}

impl StagedObjects {
    pub(super) fn ids(&self) -> impl Iterator<Item = DatasetId> {
        self.ids.iter().copied()
    }

    pub(super) fn undo(self) {
        let mut state = self.datastore.write();
        for id in &self.ids {
            state.objects.remove(id);
        }
    }
}

impl InMemoryDatastore {
    /// Makes an empty datastore from its configuration section.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the section is malformed.
    pub fn open(config: &Config, registry: SqlRegistry, resources: Resources) -> Result<Self> {
        let name = match config.get_str("name")? {
            Some(name) => name.to_owned(),
            None => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                format!("InMemoryDatastore@{}", now.as_secs_f64())
            }
        };
        let constraints = config.subset("constraints")?;
        Ok(Self {
            shared: Arc::new(Shared {
                name,
                constraints: Constraints::from_config(constraints.as_ref(), registry.universe())?,
                registry,
                resources,
                state: RwLock::default(),
            }),
        })
    }

    /// No code that holds the lock can panic, so poison is of no concern.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        let lock = self.shared.state.read();
        lock.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        let lock = self.shared.state.write();
        lock.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The object of a dataset or component, and the component that is to be taken out of it.
    fn object(&self, dataset: &DatasetRef) -> Result<(PutData, Option<String>)> {
        let state = self.read();
        let object = state.objects.get(&dataset.id()).ok_or_else(|| {
            Error::FileNotFound(format!(
                "{dataset} (datastore '{}' does not store it)",
                self.shared.name
            ))
        })?;
        match (object, dataset.dataset_type().component()) {
            (PutData::Components(parts), Some(component)) => match parts.get(component) {
                Some(part) => Ok((part.clone(), None)),
                None => Err(Error::UnknownComponent(format!(
                    "the component '{component}' of {dataset} was not stored; there are {:?}",
                    parts.keys().collect::<Vec<_>>()
                ))),
            },
            (object, component) => Ok((object.clone(), component.map(str::to_owned))),
        }
    }

    /// What is kept of given data: files are read.
    async fn keep(&self, data: PutData) -> Result<PutData> {
        Ok(match data {
            PutData::File(file) => PutData::Bytes(self.shared.resources.read(&file).await?),
            PutData::Components(parts) => {
                let mut kept = BTreeMap::new();
                for (name, part) in parts {
                    kept.insert(name, Box::pin(self.keep(part)).await?);
                }
                PutData::Components(kept)
            }
            data => data,
        })
    }

    fn cannot_ingest(&self) -> Error {
        Error::DatasetTypeNotSupported(format!(
            "datastore '{}' is in memory and cannot ingest files; put them instead",
            self.shared.name
        ))
    }
}

fn unreadable(dataset: &DatasetRef) -> Error {
    Error::DatasetTypeNotSupported(format!(
        "{dataset} is not in memory in a form that can be read this way"
    ))
}

/// A temporary local file with some contents.
pub(super) async fn temporary_file(
    resources: &Resources,
    data: Bytes,
    extension: &str,
) -> Result<LocalCopy> {
    let directory = resources.temporary_directory();
    let name = format!("butler-{}{extension}", uuid::Uuid::new_v4().simple());
    let path = directory.join(name);
    let uri = ResourcePath::from_local(&path)?;
    resources.write(&uri, data, false).await?;
    LocalCopy::temporary(path.clone()).map_err(|error| Error::io(path, error))
}

#[async_trait]
impl Datastore for InMemoryDatastore {
    fn names(&self) -> Vec<String> {
        vec![self.shared.name.clone()]
    }

    async fn knows(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        let state = self.read();
        let known = ids.iter().filter(|id| state.objects.contains_key(id));
        Ok(known.copied().collect())
    }

    async fn exists(&self, datasets: &[DatasetRef]) -> Result<HashSet<DatasetId>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        self.knows(&ids).await
    }

    async fn uris(
        &self,
        datasets: &[DatasetRef],
        predict: bool,
    ) -> Result<HashMap<DatasetId, DatasetUris>> {
        let state = self.read();
        let mut uris = HashMap::new();
        for dataset in datasets {
            let uri = match state.objects.contains_key(&dataset.id()) {
                true => format!("mem://{}", dataset.id()),
                false if predict => {
                    format!("mem://{}#predicted", dataset.dataset_type().name())
                }
                false => continue,
            };
            let own = DatasetUris {
                primary: Some(uri),
                ..DatasetUris::default()
            };
            uris.insert(dataset.id(), own);
        }
        Ok(uris)
    }

    async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        match self.object(dataset)? {
            (_, Some(part)) => Err(Error::UnknownComponent(format!(
                "the component '{part}' of {dataset} was not stored by itself; read the composite \
                 instead"
            ))),
            (data, None) => natural_bytes(data).ok_or_else(|| unreadable(dataset))?,
        }
    }

    async fn records(&self, _: &[DatasetId]) -> Result<IndexMap<String, DatastoreRecordData>> {
        Ok(IndexMap::new())
    }
}

#[async_trait]
impl DatastoreWriter for InMemoryDatastore {
    fn accepts(&self, dataset: &DatasetRef) -> bool {
        self.shared.constraints.is_acceptable(dataset)
    }

    fn is_ephemeral(&self) -> bool {
        true
    }

    async fn empty_trash(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>> {
        let mut state = self.write();
        let ids: Vec<DatasetId> = match selected {
            Some(ids) => {
                let inside = ids.iter().filter(|id| state.trash.contains_key(id));
                inside.copied().collect()
            }
            None => state.trash.keys().copied().collect(),
        };
        if !dry_run {
            for id in &ids {
                state.trash.remove(id);
            }
        }
        // Nothing that has a URI outside of this process was removed.
        Ok(Vec::new())
    }
}

#[async_trait]
impl DirectDatastore for InMemoryDatastore {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn roots(&self) -> IndexMap<String, ResourcePath> {
        IndexMap::new()
    }

    async fn register_tables(&self, _: &mut RegistryTransaction) -> Result<()> {
        Ok(())
    }

    fn can_ingest(&self) -> bool {
        false
    }

    fn needs_expanded_data_ids(&self, _: Option<TransferMode>, _: &DatasetRef) -> bool {
        false
    }

    fn trusts_requests(&self) -> bool {
        false
    }

    async fn stage_puts(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        progress.start("keeping datasets", Some(datasets.len() as u64));
        let mut kept = Vec::with_capacity(datasets.len());
        for (dataset, data) in datasets {
            if !self.accepts(&dataset) {
                progress.finish();
                return Err(Error::DatasetTypeNotSupported(format!(
                    "datastore '{}' is configured to reject {dataset}",
                    self.shared.name
                )));
            }
            if self.read().objects.contains_key(&dataset.id()) {
                progress.finish();
                return Err(Error::ConflictingDefinition(format!(
                    "datastore '{}' stores {dataset} already",
                    self.shared.name
                )));
            }
            if let PutData::Components(parts) = &data {
                for name in parts.keys() {
                    dataset.make_component(name, self.shared.registry.storage_classes())?;
                }
            }
            kept.push((dataset.id(), self.keep(data).await?));
            progress.advance(1);
        }
        progress.finish();
        let ids = kept.iter().map(|(id, _)| *id).collect();
        self.write().objects.extend(kept);
        Ok(Staged {
            objects: vec![StagedObjects {
                datastore: self.clone(),
                ids,
            }],
            ..Staged::default()
        })
    }

    async fn stage_ingest(
        &self,
        _: Vec<FileDataset>,
        _: IngestOptions,
        _: &dyn Progress,
    ) -> Result<Staged> {
        Err(self.cannot_ingest())
    }

    async fn stage_ingest_zip(&self, _: &ResourcePath, _: Option<TransferMode>) -> Result<Staged> {
        Err(self.cannot_ingest())
    }

    async fn transfer_files(
        &self,
        _: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<TransferFile>>> {
        Ok(HashMap::new())
    }

    async fn stage_transfer(
        &self,
        _: Vec<(DatasetRef, Vec<TransferFile>)>,
        _: TransferMode,
        _: &dyn Progress,
    ) -> Result<Staged> {
        Err(self.cannot_ingest())
    }

    async fn import_records(
        &self,
        _: &mut RegistryTransaction,
        _: &IndexMap<String, DatastoreRecordData>,
    ) -> Result<()> {
        Ok(())
    }

    async fn get_file(&self, dataset: &DatasetRef) -> Result<LocalCopy> {
        let data = self.get_bytes(dataset).await?;
        temporary_file(&self.shared.resources, data, "").await
    }

    async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        match self.object(dataset)? {
            (PutData::Yaml(value), None) => Ok(value),
            (PutData::Json(value), None) => Ok(value.into()),
            (PutData::Table(table), Some(part)) if part == "rowcount" => {
                Ok(yaml::Value::Int(table.row_count() as i64))
            }
            (PutData::Table(table), Some(part)) if part == "columns" => {
                let fields = table.schema().fields();
                let names = fields
                    .iter()
                    .map(|f| f.name())
                    .filter(|n| !n.starts_with("__"));
                Ok(yaml::Value::Seq(
                    names.cloned().map(yaml::Value::Str).collect(),
                ))
            }
            (PutData::Bytes(data), None) => read_yaml(&data, "data in memory"),
            _ => Err(unreadable(dataset)),
        }
    }

    async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        match self.object(dataset)? {
            (PutData::Json(value), None) => Ok(value),
            _ => Ok(self.get_yaml(dataset).await?.to_json()),
        }
    }

    async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        match self.object(dataset)? {
            (PutData::Table(table), None) => match columns {
                Some(columns) => table.select(columns, &dataset.to_string()),
                None => Ok(table),
            },
            (PutData::Bytes(data), None) => read_table(data, columns, "data in memory"),
            _ => Err(unreadable(dataset)),
        }
    }

    async fn get_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef> {
        match self.object(dataset)? {
            (PutData::Table(table), part) if part.as_deref().is_none_or(|p| p == "schema") => {
                Ok(table.schema().clone())
            }
            (PutData::Bytes(data), None) => read_schema(data, "data in memory"),
            _ => Err(unreadable(dataset)),
        }
    }

    async fn retrieve_artifacts(
        &self,
        _: &[DatasetRef],
        _: &ResourcePath,
        _: RetrieveOptions,
        _: &dyn Progress,
    ) -> Result<IndexMap<ResourcePath, ArtifactIndexInfo>> {
        Err(Error::InvalidArgument(format!(
            "datastore '{}' is in memory and has no files to retrieve",
            self.shared.name
        )))
    }

    async fn trash(&self, _: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        let mut state = self.write();
        for id in ids {
            if let Some(object) = state.objects.remove(id) {
                state.trash.insert(*id, object);
            }
        }
        Ok(())
    }

    async fn forget(&self, _: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        let mut state = self.write();
        for id in ids {
            state.objects.remove(id);
        }
        Ok(())
    }

    fn faults(&self, _: &[Entity<'_>]) -> Vec<String> {
        Vec::new()
    }

    fn lookup_keys(&self) -> Vec<LookupKey> {
        self.shared.constraints.lookup_keys().cloned().collect()
    }
}

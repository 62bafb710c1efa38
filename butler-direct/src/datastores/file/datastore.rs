//! The datastore traits for files.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use butler_core::config::LookupKey;
use butler_core::datasets::{DatasetId, DatasetRef, DatastoreRecords, FileDataset};
use butler_core::datastore::{
    ArtifactIndexInfo, DatasetUris, Datastore, DatastoreRecordData, DatastoreWriter, Entity,
    StoredFile, StoredFileInfo,
};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::yaml;
use butler_formats::{SchemaRef, Table};
use bytes::Bytes;
use indexmap::IndexMap;

use super::FileDatastore;
use super::stage::StagedFiles;
use crate::datastores::put_data::PutData;
use crate::datastores::staged::Staged;
use crate::datastores::store::{DirectDatastore, IngestOptions, RetrieveOptions, TransferFile};
use crate::registry::locations::file_records_table;
use crate::registry::{RecordMode, RegistryTransaction};
use crate::resource::{LocalCopy, ResourcePath, TransferMode};

/// The fragment of URIs of datasets that are not there yet.
const PREDICTED: &str = "predicted";

impl From<StagedFiles> for Staged {
    fn from(files: StagedFiles) -> Self {
        Self {
            files: vec![files],
            ..Self::default()
        }
    }
}

impl FileDatastore {
    /// Takes datasets out of the cache. That it fails is no reason to keep the datasets.
    pub(super) async fn remove_from_cache(&self, ids: &[DatasetId]) {
        if let Err(error) = self.shared.cache.remove(ids.iter().copied()).await {
            tracing::warn!(%error, "removed datasets stay in the cache");
        }
    }

    fn uris_of(&self, records: &[StoredFileInfo], fragment: Option<&str>) -> Result<DatasetUris> {
        let mut uris = DatasetUris::default();
        for info in records {
            let mut uri = self.uri(info)?;
            if let Some(fragment) = fragment {
                uri = uri.with_fragment(fragment);
            }
            match &info.component {
                Some(component) => {
                    uris.components
                        .insert(component.to_string(), uri.to_string());
                }
                None => uris.primary = Some(uri.to_string()),
            }
        }
        // A single file is the dataset, as far as it is there.
        if uris.primary.is_none() && uris.components.len() == 1 {
            uris.primary = uris.components.pop_first().map(|(_, uri)| uri);
        }
        Ok(uris)
    }
}

#[async_trait]
impl Datastore for FileDatastore {
    fn names(&self) -> Vec<String> {
        vec![self.shared.name.clone()]
    }

    async fn knows(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        self.recorded_ids(ids).await
    }

    async fn exists(&self, datasets: &[DatasetRef]) -> Result<HashSet<DatasetId>> {
        let ids: Vec<DatasetId> = datasets.iter().map(DatasetRef::id).collect();
        let records = self.recorded(&ids).await?;
        let mut owners = Vec::new();
        let mut uris = Vec::new();
        for (id, infos) in &records {
            for info in infos {
                owners.push(*id);
                uris.push(self.uri(info)?.without_fragment());
            }
        }
        let mut present: HashSet<DatasetId> = records.keys().copied().collect();
        let found = self.shared.resources.exists_many(&uris).await;
        for (id, found) in owners.into_iter().zip(found) {
            if !found? {
                present.remove(&id);
            }
        }
        if self.shared.trust {
            let unknown: Vec<DatasetRef> = datasets
                .iter()
                .filter(|dataset| !records.contains_key(&dataset.id()))
                .cloned()
                .collect();
            let ids: Vec<DatasetId> = unknown.iter().map(DatasetRef::id).collect();
            present.extend(self.shared.cache.holds(&ids).await);
            present.extend(self.guessed(&unknown).await?.into_keys());
        }
        Ok(present)
    }

    async fn uris(
        &self,
        datasets: &[DatasetRef],
        predict: bool,
    ) -> Result<HashMap<DatasetId, DatasetUris>> {
        let mut records = self.stored(datasets).await?;
        if self.shared.trust {
            let missing: Vec<DatasetRef> = datasets
                .iter()
                .filter(|dataset| !records.contains_key(&dataset.id()))
                .cloned()
                .collect();
            records.extend(self.guessed(&missing).await?);
        }
        let mut uris = HashMap::with_capacity(records.len());
        for dataset in datasets {
            if let Some(records) = records.get(&dataset.id()) {
                let mut own = self.uris_of(records, None)?;
                if let Some(component) = dataset.dataset_type().component()
                    && let Some(uri) = own.components.remove(component)
                {
                    own = DatasetUris {
                        primary: Some(uri),
                        ..DatasetUris::default()
                    };
                }
                uris.insert(dataset.id(), own);
            } else if predict {
                let expected = self.expected(dataset)?;
                uris.insert(dataset.id(), self.uris_of(&expected, Some(PREDICTED))?);
            }
        }
        Ok(uris)
    }

    async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        self.read_bytes(dataset).await
    }

    async fn records(&self, ids: &[DatasetId]) -> Result<IndexMap<String, DatastoreRecordData>> {
        let mut found = self.recorded(ids).await?;
        let mut data = DatastoreRecordData::default();
        for id in ids {
            if let Some(records) = found.remove(id) {
                let tables: DatastoreRecords =
                    DatastoreRecords::from_iter([(self.table().into(), records)]);
                data.records.insert(*id, tables);
            }
        }
        Ok(IndexMap::from([(self.shared.name.clone(), data)]))
    }

    fn record_tables(&self) -> Vec<String> {
        vec![self.shared.table.clone()]
    }

    fn recorded_files(&self, records: &DatastoreRecords) -> Result<Vec<StoredFile>> {
        let own = records.get(self.table()).into_iter().flatten();
        own.map(|info| {
            Ok(StoredFile {
                uri: self.uri(info)?.to_string(),
                info: info.clone(),
            })
        })
        .collect()
    }
}

#[async_trait]
impl DatastoreWriter for FileDatastore {
    fn accepts(&self, dataset: &DatasetRef) -> bool {
        self.is_acceptable(dataset)
    }

    fn is_ephemeral(&self) -> bool {
        false
    }

    async fn empty_trash(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>> {
        self.empty_all(selected, dry_run).await
    }
}

#[async_trait]
impl DirectDatastore for FileDatastore {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn roots(&self) -> IndexMap<String, ResourcePath> {
        IndexMap::from([(self.shared.name.clone(), self.root().clone())])
    }

    async fn register_tables(&self, transaction: &mut RegistryTransaction) -> Result<()> {
        transaction
            .register_opaque_table(&file_records_table(self.table()))
            .await
    }

    fn can_ingest(&self) -> bool {
        true
    }

    fn needs_expanded_data_ids(&self, mode: Option<TransferMode>, _: &DatasetRef) -> bool {
        !matches!(mode, None | Some(TransferMode::Direct))
    }

    fn trusts_requests(&self) -> bool {
        self.shared.trust
    }

    async fn stage_puts(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        Ok(self.put_all(datasets, progress).await?.into())
    }

    async fn stage_ingest(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        Ok(self.ingest_all(files, options, progress).await?.into())
    }

    async fn stage_ingest_zip(
        &self,
        archive: &ResourcePath,
        mode: Option<TransferMode>,
    ) -> Result<Staged> {
        let (files, datasets) = self.ingest_zip(archive, mode).await?;
        Ok(Staged {
            datasets,
            ..files.into()
        })
    }

    async fn transfer_files(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<TransferFile>>> {
        self.files_for_transfer(datasets).await
    }

    async fn stage_transfer(
        &self,
        datasets: Vec<(DatasetRef, Vec<TransferFile>)>,
        mode: TransferMode,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        Ok(self.transfer_all(datasets, mode, progress).await?.into())
    }

    async fn import_records(
        &self,
        transaction: &mut RegistryTransaction,
        records: &IndexMap<String, DatastoreRecordData>,
    ) -> Result<()> {
        let Some(data) = records.get(&self.shared.name) else {
            return Ok(());
        };
        let mut ids = Vec::new();
        let mut rows = Vec::new();
        for (id, tables) in &data.records {
            for (table, infos) in tables {
                if **table != *self.shared.table {
                    return Err(Error::Configuration(format!(
                        "records of the table '{table}' cannot be imported into datastore '{}', \
                         which keeps its records in '{}'",
                        self.shared.name, self.shared.table
                    )));
                }
                ids.push(*id);
                rows.extend(infos.iter().map(|info| (*id, info.clone())));
            }
        }
        transaction
            .insert_locations(&self.shared.name, &ids, false)
            .await?;
        transaction
            .insert_file_records(&self.shared.table, &rows, RecordMode::Insert)
            .await
    }

    async fn get_file(&self, dataset: &DatasetRef) -> Result<LocalCopy> {
        self.read_file(dataset).await
    }

    async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        self.read_structured(dataset).await
    }

    async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        self.read_json(dataset).await
    }

    async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        self.read_as_table(dataset, columns).await
    }

    async fn get_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef> {
        self.read_table_schema(dataset).await
    }

    async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &ResourcePath,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<ResourcePath, ArtifactIndexInfo>> {
        self.retrieve(datasets, destination, options, progress)
            .await
    }

    async fn trash(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        self.remove_from_cache(ids).await;
        transaction.move_to_trash(&self.shared.name, ids).await
    }

    async fn forget(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        transaction.forget_locations(&self.shared.name, ids).await?;
        transaction
            .delete_file_records(&self.shared.table, ids)
            .await?;
        Ok(())
    }

    fn faults(&self, entities: &[Entity<'_>]) -> Vec<String> {
        let mut faults = Vec::new();
        for &entity in entities {
            if !self.shared.constraints.is_acceptable(entity) {
                continue;
            }
            if let Err(error) = self.shared.formatters.find(entity) {
                faults.push(error.to_string());
            }
            match self.shared.templates.find(entity) {
                Err(error) => faults.push(error.to_string()),
                Ok((key, template)) => {
                    if let Err(error) = template.validate(entity) {
                        faults.push(format!("{error} (through the key '{key}')"));
                    }
                }
            }
        }
        let name = &self.shared.name;
        for fault in &mut faults {
            *fault = format!("datastore '{name}': {fault}");
        }
        faults
    }

    fn lookup_keys(&self) -> Vec<LookupKey> {
        let templates = self.shared.templates.iter().map(|(key, _)| key);
        let formatters = self.shared.formatters.iter().map(|(key, _)| key);
        let constraints = self.shared.constraints.lookup_keys();
        let keys = templates.chain(formatters).chain(constraints);
        keys.cloned().collect()
    }
}

//! Several datastores as one.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use butler_core::config::LookupKey;
use butler_core::datasets::{DatasetId, DatasetRef, DatastoreRecords, FileDataset};
use butler_core::datastore::{
    ArtifactIndexInfo, Constraints, DatasetUris, Datastore, DatastoreRecordData, DatastoreWriter,
    Entity, StoredFile, ZIP_INDEX_NAME,
};
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::yaml;
use butler_formats::{SchemaRef, Table};
use bytes::Bytes;
use indexmap::IndexMap;

use super::put_data::PutData;
use super::staged::Staged;
use super::store::{
    DirectDatastore, IngestOptions, RetrieveOptions, SharedDatastore, TransferFile,
};
use super::zip_index::index_below;
use crate::registry::RegistryTransaction;
use crate::resource::{ResourcePath, Resources, TransferMode};

/// One datastore of a chain.
#[derive(Debug)]
pub struct Link {
    /// The datastore.
    pub datastore: SharedDatastore,
    /// What the chain lets through to it, beside what it accepts itself.
    pub constraints: Option<Constraints>,
}

impl Link {
    fn accepts(&self, dataset: &DatasetRef) -> bool {
        self.lets_through(dataset) && self.datastore.accepts(dataset)
    }

    fn lets_through(&self, dataset: &DatasetRef) -> bool {
        let own = self.constraints.as_ref();
        own.is_none_or(|constraints| constraints.is_acceptable(dataset))
    }
}

/// A chain of datastores: what is stored goes to all that accept it, what is read comes from the
/// first that has it.
#[derive(Debug)]
pub struct ChainedDatastore {
    name: String,
    links: Vec<Link>,
    constraints: Constraints,
    resources: Resources,
}

/// Asks one datastore after the other until one has the dataset.
macro_rules! first {
    ($self:ident, $dataset:ident, $($call:tt)+) => {{
        for link in &$self.links {
            match link.datastore.$($call)+.await {
                Err(Error::FileNotFound(_)) => {}
                other => return other,
            }
        }
        Err($self.not_found($dataset))
    }};
}

impl ChainedDatastore {
    /// Joins datastores.
    pub fn new(links: Vec<Link>, constraints: Constraints, resources: Resources) -> Self {
        let names: Vec<&str> = links.iter().map(|link| link.datastore.name()).collect();
        Self {
            name: format!("ChainedDatastore[{}]", names.join(",")),
            links,
            constraints,
            resources,
        }
    }

    /// The datastores.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Those that files can be ingested into.
    fn takers(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.datastore.can_ingest())
    }

    fn nobody_ingests(&self) -> Error {
        Error::DatasetTypeNotSupported(format!(
            "none of the datastores of '{}' can ingest files",
            self.name
        ))
    }

    fn not_found(&self, dataset: &DatasetRef) -> Error {
        Error::FileNotFound(format!(
            "{dataset} (none of the datastores of {} has it)",
            self.name
        ))
    }

    fn check(&self, dataset: &DatasetRef) -> Result<()> {
        if self.constraints.is_acceptable(dataset) {
            return Ok(());
        }
        Err(Error::DatasetTypeNotSupported(format!(
            "datastore '{}' is configured to reject {dataset}",
            self.name
        )))
    }

    async fn put_to_all(
        &self,
        datasets: &[(DatasetRef, PutData)],
        staged: &mut Staged,
        progress: &dyn Progress,
    ) -> Result<()> {
        for (dataset, _) in datasets {
            self.check(dataset)?;
        }
        let mut lasting: HashSet<DatasetId> = HashSet::new();
        for link in &self.links {
            let accepted: Vec<(DatasetRef, PutData)> = datasets
                .iter()
                .filter(|(dataset, _)| link.accepts(dataset))
                .cloned()
                .collect();
            if accepted.is_empty() {
                continue;
            }
            let all = link.datastore.stage_puts(accepted.clone(), progress).await;
            let done = match all {
                Ok(done) => vec![done],
                // One at a time tells which of them can be stored here.
                Err(Error::DatasetTypeNotSupported(_)) => {
                    let mut done = Vec::new();
                    for (dataset, data) in accepted {
                        match link.datastore.stage_put(&dataset, data).await {
                            Ok(one) => done.push(one),
                            Err(Error::DatasetTypeNotSupported(why)) => {
                                tracing::debug!(%dataset, why, "passed over by a datastore");
                            }
                            Err(error) => {
                                done.into_iter().for_each(|one| staged.merge(one));
                                return Err(error);
                            }
                        }
                    }
                    done
                }
                Err(error) => return Err(error),
            };
            for one in done {
                if !link.datastore.is_ephemeral() {
                    lasting.extend(one.ids());
                }
                staged.merge(one);
            }
        }
        let stored = staged.ids();
        let any_lasting = self.links.iter().any(|link| !link.datastore.is_ephemeral());
        for (dataset, _) in datasets {
            if !stored.contains(&dataset.id()) {
                return Err(Error::DatasetTypeNotSupported(format!(
                    "none of the datastores of '{}' can store {dataset}",
                    self.name
                )));
            }
            if any_lasting && !lasting.contains(&dataset.id()) {
                tracing::warn!(%dataset, "stored in memory only");
            }
        }
        Ok(())
    }

    async fn ingest_to_all(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        progress: &dyn Progress,
        staged: &mut Staged,
    ) -> Result<()> {
        let takers: Vec<&Link> = self.takers().collect();
        if takers.is_empty() {
            return Err(self.nobody_ingests());
        }
        let mut shares: Vec<(&Link, Vec<FileDataset>)> = Vec::new();
        for link in takers {
            let share: Vec<FileDataset> = files
                .iter()
                .filter_map(|file| {
                    let mut file = file.clone();
                    file.refs.retain(|dataset| {
                        self.constraints.is_acceptable(dataset) && link.accepts(dataset)
                    });
                    (!file.refs.is_empty()).then_some(file)
                })
                .collect();
            if !share.is_empty() {
                shares.push((link, share));
            }
        }
        let mut own = options;
        let copies = options.mode == Some(TransferMode::Move) && shares.len() > 1;
        if copies {
            own.mode = Some(TransferMode::Copy);
        }
        let mut sources: HashSet<ResourcePath> = HashSet::new();
        for (link, share) in shares {
            if copies {
                for file in &share {
                    sources.insert(ResourcePath::new(&file.path)?);
                }
            }
            staged.merge(link.datastore.stage_ingest(share, own, progress).await?);
        }
        let sources = sources
            .into_iter()
            .map(|source| (self.resources.clone(), source));
        staged.sources.extend(sources);
        Ok(())
    }
}

/// Takes back what was staged if something failed later.
async fn settle(staged: Staged, outcome: Result<()>) -> Result<Staged> {
    match outcome {
        Ok(()) => Ok(staged),
        Err(error) => {
            if let Err(undo) = staged.undo().await {
                tracing::warn!(error = %undo, "not everything could be taken back");
            }
            Err(error)
        }
    }
}

#[async_trait]
impl Datastore for ChainedDatastore {
    fn names(&self) -> Vec<String> {
        self.links
            .iter()
            .flat_map(|link| link.datastore.names())
            .collect()
    }

    async fn knows(&self, ids: &[DatasetId]) -> Result<HashSet<DatasetId>> {
        let mut known = HashSet::new();
        let mut rest = ids.to_vec();
        for link in &self.links {
            known.extend(link.datastore.knows(&rest).await?);
            rest.retain(|id| !known.contains(id));
            if rest.is_empty() {
                break;
            }
        }
        Ok(known)
    }

    async fn exists(&self, datasets: &[DatasetRef]) -> Result<HashSet<DatasetId>> {
        let mut present = HashSet::new();
        let mut rest = datasets.to_vec();
        for link in &self.links {
            present.extend(link.datastore.exists(&rest).await?);
            rest.retain(|dataset| !present.contains(&dataset.id()));
            if rest.is_empty() {
                break;
            }
        }
        Ok(present)
    }

    async fn uris(
        &self,
        datasets: &[DatasetRef],
        predict: bool,
    ) -> Result<HashMap<DatasetId, DatasetUris>> {
        let mut lasting: HashMap<DatasetId, DatasetUris> = HashMap::new();
        let mut passing: HashMap<DatasetId, DatasetUris> = HashMap::new();
        let mut rest = datasets.to_vec();
        // What is there in any of the datastores wins over what would be in one of them.
        let rounds: &[bool] = if predict { &[false, true] } else { &[false] };
        for predict in rounds {
            if *predict {
                rest.retain(|dataset| !passing.contains_key(&dataset.id()));
            }
            for link in &self.links {
                if rest.is_empty() {
                    break;
                }
                let found = link.datastore.uris(&rest, *predict).await?;
                if link.datastore.is_ephemeral() {
                    for (id, uris) in found {
                        passing.entry(id).or_insert(uris);
                    }
                } else {
                    lasting.extend(found);
                    rest.retain(|dataset| !lasting.contains_key(&dataset.id()));
                }
            }
        }
        for (id, uris) in passing {
            lasting.entry(id).or_insert(uris);
        }
        Ok(lasting)
    }

    async fn get_bytes(&self, dataset: &DatasetRef) -> Result<Bytes> {
        first!(self, dataset, get_bytes(dataset))
    }

    async fn records(&self, ids: &[DatasetId]) -> Result<IndexMap<String, DatastoreRecordData>> {
        let mut all: IndexMap<String, DatastoreRecordData> = IndexMap::new();
        for link in &self.links {
            for (name, records) in link.datastore.records(ids).await? {
                all.entry(name).or_default().update(&records);
            }
        }
        Ok(all)
    }

    fn record_tables(&self) -> Vec<String> {
        let mut tables: Vec<String> = Vec::new();
        for table in self.links.iter().flat_map(|l| l.datastore.record_tables()) {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }

    fn recorded_files(&self, records: &DatastoreRecords) -> Result<Vec<StoredFile>> {
        for link in &self.links {
            let files = link.datastore.recorded_files(records)?;
            if !files.is_empty() {
                return Ok(files);
            }
        }
        Ok(Vec::new())
    }
}

#[async_trait]
impl DatastoreWriter for ChainedDatastore {
    fn accepts(&self, dataset: &DatasetRef) -> bool {
        self.constraints.is_acceptable(dataset)
            && self.links.iter().any(|link| link.accepts(dataset))
    }

    fn is_ephemeral(&self) -> bool {
        self.links.iter().all(|link| link.datastore.is_ephemeral())
    }

    async fn empty_trash(
        &self,
        selected: Option<&[DatasetId]>,
        dry_run: bool,
    ) -> Result<Vec<String>> {
        let mut removed = Vec::new();
        for link in &self.links {
            removed.extend(link.datastore.empty_trash(selected, dry_run).await?);
        }
        Ok(removed)
    }
}

#[async_trait]
impl DirectDatastore for ChainedDatastore {
    fn name(&self) -> &str {
        &self.name
    }

    fn roots(&self) -> IndexMap<String, ResourcePath> {
        self.links
            .iter()
            .flat_map(|link| link.datastore.roots())
            .collect()
    }

    async fn register_tables(&self, transaction: &mut RegistryTransaction) -> Result<()> {
        for link in &self.links {
            link.datastore.register_tables(transaction).await?;
        }
        Ok(())
    }

    fn can_ingest(&self) -> bool {
        self.links.iter().any(|link| link.datastore.can_ingest())
    }

    fn needs_expanded_data_ids(&self, mode: Option<TransferMode>, dataset: &DatasetRef) -> bool {
        self.links
            .iter()
            .any(|link| link.datastore.needs_expanded_data_ids(mode, dataset))
    }

    fn trusts_requests(&self) -> bool {
        self.links
            .iter()
            .any(|link| link.datastore.trusts_requests())
    }

    async fn stage_puts(
        &self,
        datasets: Vec<(DatasetRef, PutData)>,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        let mut staged = Staged::new();
        let outcome = self.put_to_all(&datasets, &mut staged, progress).await;
        settle(staged, outcome).await
    }

    async fn stage_ingest(
        &self,
        files: Vec<FileDataset>,
        options: IngestOptions,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        let mut staged = Staged::new();
        let outcome = self
            .ingest_to_all(files, options, progress, &mut staged)
            .await;
        settle(staged, outcome).await
    }

    async fn stage_ingest_zip(
        &self,
        archive: &ResourcePath,
        mode: Option<TransferMode>,
    ) -> Result<Staged> {
        let takers: Vec<&Link> = self.takers().collect();
        let copies = mode == Some(TransferMode::Move) && takers.len() > 1;
        let own = if copies {
            Some(TransferMode::Copy)
        } else {
            mode
        };
        let mut staged = Staged::new();
        let mut refused = None;
        for link in takers {
            match link.datastore.stage_ingest_zip(archive, own).await {
                Ok(done) => {
                    staged.datasets.clear();
                    staged.merge(done);
                }
                Err(error @ Error::DatasetTypeNotSupported(_)) => refused = Some(error),
                Err(error) => return settle(staged, Err(error)).await,
            }
        }
        if staged.files.is_empty() {
            return Err(refused.unwrap_or_else(|| self.nobody_ingests()));
        }
        if copies {
            staged
                .sources
                .push((self.resources.clone(), archive.clone()));
        }
        Ok(staged)
    }

    async fn transfer_files(
        &self,
        datasets: &[DatasetRef],
    ) -> Result<HashMap<DatasetId, Vec<TransferFile>>> {
        let mut files = HashMap::new();
        let mut rest = datasets.to_vec();
        for link in &self.links {
            files.extend(link.datastore.transfer_files(&rest).await?);
            rest.retain(|dataset| !files.contains_key(&dataset.id()));
            if rest.is_empty() {
                break;
            }
        }
        Ok(files)
    }

    async fn stage_transfer(
        &self,
        datasets: Vec<(DatasetRef, Vec<TransferFile>)>,
        mode: TransferMode,
        progress: &dyn Progress,
    ) -> Result<Staged> {
        let mut staged = Staged::new();
        for link in self.takers() {
            let share: Vec<_> = datasets
                .iter()
                .filter(|(dataset, _)| {
                    self.constraints.is_acceptable(dataset) && link.accepts(dataset)
                })
                .cloned()
                .collect();
            match link.datastore.stage_transfer(share, mode, progress).await {
                Ok(done) => staged.merge(done),
                Err(error) => return settle(staged, Err(error)).await,
            }
        }
        Ok(staged)
    }

    async fn import_records(
        &self,
        transaction: &mut RegistryTransaction,
        records: &IndexMap<String, DatastoreRecordData>,
    ) -> Result<()> {
        for link in &self.links {
            link.datastore.import_records(transaction, records).await?;
        }
        Ok(())
    }

    async fn get_file(&self, dataset: &DatasetRef) -> Result<crate::resource::LocalCopy> {
        first!(self, dataset, get_file(dataset))
    }

    async fn get_yaml(&self, dataset: &DatasetRef) -> Result<yaml::Value> {
        first!(self, dataset, get_yaml(dataset))
    }

    async fn get_json(&self, dataset: &DatasetRef) -> Result<serde_json::Value> {
        first!(self, dataset, get_json(dataset))
    }

    async fn get_table(&self, dataset: &DatasetRef, columns: Option<&[&str]>) -> Result<Table> {
        first!(self, dataset, get_table(dataset, columns))
    }

    async fn get_schema(&self, dataset: &DatasetRef) -> Result<SchemaRef> {
        first!(self, dataset, get_schema(dataset))
    }

    async fn retrieve_artifacts(
        &self,
        datasets: &[DatasetRef],
        destination: &ResourcePath,
        options: RetrieveOptions,
        progress: &dyn Progress,
    ) -> Result<IndexMap<ResourcePath, ArtifactIndexInfo>> {
        let mut rest = datasets.to_vec();
        let mut artifacts = IndexMap::new();
        for link in self
            .links
            .iter()
            .filter(|link| !link.datastore.is_ephemeral())
        {
            let ids: Vec<DatasetId> = rest.iter().map(DatasetRef::id).collect();
            let mut known = link.datastore.knows(&ids).await?;
            if link.datastore.trusts_requests() {
                known.extend(link.datastore.exists(&rest).await?);
            }
            let (here, elsewhere): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|dataset| known.contains(&dataset.id()));
            rest = elsewhere;
            if here.is_empty() {
                continue;
            }
            let own = RetrieveOptions {
                write_index: false,
                ..options
            };
            let done = link
                .datastore
                .retrieve_artifacts(&here, destination, own, progress)
                .await?;
            artifacts.extend(done);
        }
        if let Some(dataset) = rest.first() {
            return Err(self.not_found(dataset));
        }
        if options.write_index {
            let destination = destination.as_directory()?;
            let index = index_below(&destination, datasets, &artifacts)?;
            let place = destination.join(ZIP_INDEX_NAME)?;
            self.resources.write(&place, index.to_json()?, true).await?;
        }
        Ok(artifacts)
    }

    async fn trash(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        for link in &self.links {
            link.datastore.trash(transaction, ids).await?;
        }
        Ok(())
    }

    async fn forget(&self, transaction: &mut RegistryTransaction, ids: &[DatasetId]) -> Result<()> {
        for link in &self.links {
            link.datastore.forget(transaction, ids).await?;
        }
        Ok(())
    }

    fn faults(&self, entities: &[Entity<'_>]) -> Vec<String> {
        let links = self.links.iter();
        links
            .flat_map(|link| link.datastore.faults(entities))
            .collect()
    }

    fn lookup_keys(&self) -> Vec<LookupKey> {
        let mut keys: Vec<LookupKey> = self.constraints.lookup_keys().cloned().collect();
        for link in &self.links {
            let own = link.constraints.iter().flat_map(Constraints::lookup_keys);
            keys.extend(own.cloned());
            keys.extend(link.datastore.lookup_keys());
        }
        keys
    }
}

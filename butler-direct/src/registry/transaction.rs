//! Several writes as one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DimensionElement, DimensionRecord};
use butler_core::error::Result;
use butler_core::registry::{InsertMode, SyncOutcome};
use butler_core::timespan::Timespan;
use uuid::Uuid;

use super::attributes;
use super::chains::ChainEdit;
use super::context::Context;
use crate::db::Session;
use crate::db::schema::TableSpec;
use crate::db::session::Savepoint;

/// A transaction on the registry: its writes become lasting together with
/// [`commit`](Self::commit), or not at all.
///
/// Dropping it undoes everything. After an error on PostgreSQL nothing but a rollback, to a
/// savepoint or of the whole, is possible.
#[derive(Debug)]
pub struct RegistryTransaction {
    context: Arc<Context>,
    session: Session,
    /// Datasets inserted since the start, as far as known; nothing has to be looked up for them.
    new: HashSet<Uuid>,
    /// Names of the datastores for which locations were inserted since the start.
    located: HashSet<String>,
}

impl RegistryTransaction {
    pub(super) fn new(context: Arc<Context>, session: Session) -> Self {
        Self {
            context,
            session,
            new: HashSet::new(),
            located: HashSet::new(),
        }
    }

    /// Whether SQLite checks no foreign keys in this transaction, which is for
    /// [inserting datasets](super::SqlRegistry::begin_inserting) alone.
    pub(crate) fn checks_by_set(&self) -> bool {
        self.session.is_unchecked()
    }

    /// Makes the writes lasting.
    ///
    /// # Errors
    /// Any database error; then nothing was written.
    pub async fn commit(self) -> Result<()> {
        self.session.commit().await
    }

    /// Undoes the writes.
    ///
    /// # Errors
    /// Any database error; the writes are undone all the same.
    pub async fn rollback(self) -> Result<()> {
        self.session.rollback().await
    }

    /// Sets a savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn savepoint(&mut self) -> Result<Savepoint> {
        self.session.savepoint().await
    }

    /// Keeps what was written since a savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release(&mut self, savepoint: Savepoint) -> Result<()> {
        self.session.release(savepoint).await
    }

    /// Undoes what was written since a savepoint.
    ///
    /// # Errors
    /// Any database error.
    pub async fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        self.new.clear();
        self.session.rollback_to(savepoint).await
    }

    /// The session, for what the registry has no words for.
    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// As [`RegistryWriter::register_collection`](butler_core::registry::RegistryWriter).
    ///
    /// # Errors
    /// As there.
    pub async fn register_collection(
        &mut self,
        name: &str,
        kind: CollectionType,
        doc: Option<&str>,
    ) -> Result<bool> {
        let (_, new) = self
            .context
            .register_collection(&mut self.session, name, kind, doc)
            .await?;
        Ok(new)
    }

    /// As [`RegistryWriter::remove_collection`](butler_core::registry::RegistryWriter).
    ///
    /// # Errors
    /// As there.
    pub async fn remove_collection(&mut self, name: &str) -> Result<()> {
        self.context
            .remove_collection(&mut self.session, name)
            .await
    }

    /// Sets or clears a collection's documentation.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](butler_core::Error::MissingCollection).
    pub async fn set_collection_doc(&mut self, name: &str, doc: Option<&str>) -> Result<()> {
        self.context
            .set_collection_doc(&mut self.session, name, doc)
            .await
    }

    /// Changes the children of a chain.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](butler_core::Error::MissingCollection),
    /// [`Error::CollectionType`](butler_core::Error::CollectionType) when the parent is no chain,
    /// [`Error::CollectionCycle`](butler_core::Error::CollectionCycle).
    pub async fn edit_chain<S: AsRef<str> + Sync>(
        &mut self,
        parent: &str,
        edit: ChainEdit,
        children: &[S],
    ) -> Result<()> {
        self.context
            .edit_chain(&mut self.session, parent, edit, children)
            .await
    }

    /// Names of the chains that hold a collection as a direct child.
    ///
    /// # Errors
    /// [`Error::MissingCollection`](butler_core::Error::MissingCollection).
    pub async fn parent_chains(&mut self, name: &str) -> Result<Vec<String>> {
        let record = self
            .context
            .find_collection(&mut self.session, name)
            .await?;
        self.context
            .parent_chains(&mut self.session, &record.key)
            .await
    }

    /// Registers a dataset type and says whether it is new.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) and others.
    pub async fn register_dataset_type(&mut self, dataset_type: &DatasetType) -> Result<bool> {
        self.context
            .register_dataset_type(&mut self.session, dataset_type)
            .await
    }

    /// Registers dataset types, and the tables that they need; those that are there and equal
    /// stay. Call it first in a transaction, lest two clients wait for each other.
    ///
    /// # Errors
    /// As for [`register_dataset_type`](Self::register_dataset_type).
    pub async fn register_dataset_types<T>(&mut self, dataset_types: &[T]) -> Result<()>
    where
        T: std::ops::Deref<Target = DatasetType> + Sync,
    {
        let dataset_types: Vec<&DatasetType> = dataset_types.iter().map(|t| &**t).collect();
        self.context
            .register_dataset_types(&mut self.session, &dataset_types)
            .await?;
        Ok(())
    }

    /// Removes a dataset type of which there are no datasets.
    ///
    /// # Errors
    /// [`Error::OrphanedRecord`](butler_core::Error::OrphanedRecord).
    pub async fn remove_dataset_type(&mut self, name: &str) -> Result<()> {
        self.context
            .remove_dataset_type(&mut self.session, name)
            .await
    }

    /// Inserts dimension records of one element.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) and others.
    pub async fn insert_dimension_records(
        &mut self,
        element: DimensionElement,
        records: &[DimensionRecord],
        mode: InsertMode,
    ) -> Result<()> {
        let context = Arc::clone(&self.context);
        context
            .insert_dimension_records(&mut self.session, element, records, mode)
            .await
    }

    /// Makes sure that an equal dimension record is there.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) when a
    /// different one is, unless `update`.
    pub async fn sync_dimension_record(
        &mut self,
        record: &DimensionRecord,
        update: bool,
    ) -> Result<SyncOutcome> {
        self.context
            .sync_dimension_record(&mut self.session, record, update)
            .await
    }

    /// Attaches their dimension records to data IDs, as the transaction sees them.
    ///
    /// # Errors
    /// As [`Registry::expand_data_ids`](butler_core::registry::Registry::expand_data_ids).
    pub async fn expand_data_ids(
        &mut self,
        data_ids: &[DataCoordinate],
    ) -> Result<Vec<DataCoordinate>> {
        self.context.expand_all(&mut self.session, data_ids).await
    }

    /// Makes new datasets in a RUN.
    ///
    /// # Errors
    /// As for [`import_datasets`](Self::import_datasets).
    pub async fn insert_datasets(
        &mut self,
        dataset_type: &str,
        data_ids: &[DataCoordinate],
        run: &str,
        mode: DatasetIdMode,
    ) -> Result<Vec<DatasetRef>> {
        let record = self
            .context
            .dataset_type(&mut self.session, dataset_type)
            .await?;
        let run: Arc<str> = run.into();
        let datasets: Vec<DatasetRef> = data_ids
            .iter()
            .map(|data_id| {
                let data_id = data_id.subset(record.dataset_type.dimensions())?;
                let dataset_type = Arc::clone(&record.dataset_type);
                DatasetRef::generate(dataset_type, data_id, Arc::clone(&run), mode)
            })
            .collect::<Result<_>>()?;
        self.import_datasets(&datasets).await?;
        Ok(datasets)
    }

    /// Inserts datasets with the IDs they carry; those that are there already stay.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) when a dataset
    /// contradicts one that is there.
    pub async fn import_datasets(&mut self, datasets: &[DatasetRef]) -> Result<()> {
        let context = Arc::clone(&self.context);
        if context.import_datasets(&mut self.session, datasets).await? {
            self.new.extend(datasets.iter().map(DatasetRef::id));
        }
        Ok(())
    }

    /// Removes datasets that no datastore stores, and returns how many there were.
    ///
    /// # Errors
    /// [`Error::OrphanedRecord`](butler_core::Error::OrphanedRecord).
    pub async fn remove_datasets(&mut self, ids: &[Uuid]) -> Result<u64> {
        self.new.clear();
        self.context.remove_datasets(&mut self.session, ids).await
    }

    /// Adds datasets to a TAGGED collection.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) and others.
    pub async fn associate(&mut self, collection: &str, datasets: &[DatasetRef]) -> Result<()> {
        self.context
            .associate(&mut self.session, collection, datasets)
            .await
    }

    /// Takes datasets out of a TAGGED collection.
    ///
    /// # Errors
    /// [`Error::CollectionType`](butler_core::Error::CollectionType).
    pub async fn disassociate(&mut self, collection: &str, datasets: &[DatasetRef]) -> Result<()> {
        self.context
            .disassociate(&mut self.session, collection, datasets)
            .await
    }

    /// Makes datasets valid for a timespan in a CALIBRATION collection.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) and others.
    pub async fn certify(
        &mut self,
        collection: &str,
        datasets: &[DatasetRef],
        timespan: Timespan,
    ) -> Result<()> {
        self.context
            .certify(&mut self.session, collection, datasets, timespan)
            .await
    }

    /// Ends the validity of datasets within a timespan.
    ///
    /// # Errors
    /// [`Error::CollectionType`](butler_core::Error::CollectionType) and others.
    pub async fn decertify(
        &mut self,
        collection: &str,
        dataset_type: &str,
        timespan: Timespan,
        data_ids: Option<&[DataCoordinate]>,
    ) -> Result<()> {
        let context = Arc::clone(&self.context);
        context
            .decertify(
                &mut self.session,
                collection,
                dataset_type,
                timespan,
                data_ids,
            )
            .await
    }

    /// Sets an attribute of the repository.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) when it is set
    /// already, unless `force`.
    pub async fn set_attribute(&mut self, name: &str, value: &str, force: bool) -> Result<()> {
        attributes::set(&mut self.session, name, value, force).await
    }

    /// The datasets with these IDs, as the transaction sees them.
    ///
    /// # Errors
    /// Any database error.
    pub async fn datasets(&mut self, ids: &[Uuid]) -> Result<Vec<DatasetRef>> {
        self.context.get_datasets(&mut self.session, ids).await
    }

    /// Makes sure that an opaque table (a datastore's records) exists.
    ///
    /// # Errors
    /// Any database error.
    pub async fn register_opaque_table(&mut self, spec: &TableSpec) -> Result<()> {
        self.context
            .register_opaque_table(&mut self.session, spec)
            .await
    }

    /// Notes that a datastore stores datasets.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`](butler_core::Error::ConflictingDefinition) when it is known
    /// to store one of them already, unless `ignore_known`.
    pub async fn insert_locations(
        &mut self,
        datastore: &str,
        ids: &[Uuid],
        ignore_known: bool,
    ) -> Result<()> {
        // Of what is new, nothing can be located yet.
        let new =
            self.located.insert(datastore.to_owned()) && ids.iter().all(|id| self.new.contains(id));
        self.context
            .insert_locations(&mut self.session, datastore, ids, ignore_known, new)
            .await
    }

    /// Which of the datasets a datastore stores.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stored_in(&mut self, datastore: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        self.context
            .stored_in(&mut self.session, datastore, ids)
            .await
    }

    /// The names of the datastores that store each of the datasets.
    ///
    /// # Errors
    /// Any database error.
    pub async fn locations(&mut self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<String>>> {
        self.context.locations(&mut self.session, ids).await
    }

    /// Forgets that a datastore stores datasets, without touching files or records.
    ///
    /// # Errors
    /// Any database error.
    pub async fn forget_locations(&mut self, datastore: &str, ids: &[Uuid]) -> Result<()> {
        self.context
            .forget_locations(&mut self.session, datastore, ids)
            .await
    }

    /// Deletes a datastore's rows about datasets from one of the two tables of locations.
    ///
    /// # Errors
    /// Any database error.
    pub(super) async fn delete_locations(
        &mut self,
        table: &str,
        datastore: &str,
        ids: &[Uuid],
    ) -> Result<()> {
        self.context
            .delete_location_rows(&mut self.session, table, datastore, ids)
            .await
    }
}

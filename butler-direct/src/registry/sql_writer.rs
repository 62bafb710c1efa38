//! [`RegistryWriter`] for [`SqlRegistry`]: each method is a transaction of its own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DimensionElement, DimensionRecord};
use butler_core::error::Result;
use butler_core::registry::{InsertMode, RegistryWriter, SyncOutcome};
use butler_core::timespan::Timespan;
use uuid::Uuid;

use super::chains::ChainEdit;
use super::{SqlRegistry, attributes};
use crate::db::gave_way;

/// How often a transaction is run anew that PostgreSQL undid in favour of another one.
const ATTEMPTS: u32 = 5;

/// Runs one operation in a transaction of its own, and anew if it had to give way to another.
macro_rules! in_transaction {
    ($self:ident, $transaction:ident => $operation:expr) => {{
        let mut attempt = 1;
        loop {
            let mut $transaction = $self.begin().await?;
            let done = match $operation.await {
                Ok(result) => $transaction.commit().await.map(|()| result),
                Err(error) => {
                    drop($transaction);
                    Err(error)
                }
            };
            match done {
                Err(error) if attempt < ATTEMPTS && gave_way(&error) => attempt += 1,
                done => return done,
            }
        }
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
        let mut count = datasets.len();
        loop {
            let mut transaction = self.begin_inserting(count).await?;
            match transaction.import_datasets(datasets).await {
                Ok(()) => return transaction.commit().await,
                Err(_) if transaction.checks_by_set() => transaction.rollback().await?,
                Err(error) => return Err(error),
            }
            count = 0;
        }
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
        let mut session = self.database().read().await?;
        attributes::fetch_all(&mut session).await
    }

    async fn set_attribute(&self, name: &str, value: &str, force: bool) -> Result<()> {
        in_transaction!(self, t => t.set_attribute(name, value, force))
    }
}

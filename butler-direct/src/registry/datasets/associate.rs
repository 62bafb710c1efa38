//! Membership in TAGGED collections.

use std::collections::BTreeMap;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};

use super::rows::{tags_columns, tags_row};
use crate::db::bulk::OnConflict;
use crate::db::{Param, Session, SqlErrorKind, references};
use crate::registry::collections;
use crate::registry::context::Context;
use crate::registry::summaries::SummaryUpdate;

/// Datasets by the name of their type, in order.
pub(super) fn by_type(datasets: &[DatasetRef]) -> BTreeMap<&str, Vec<&DatasetRef>> {
    let mut types: BTreeMap<&str, Vec<&DatasetRef>> = BTreeMap::new();
    for dataset in datasets {
        types
            .entry(dataset.dataset_type().name())
            .or_default()
            .push(dataset);
    }
    types
}

impl Context {
    /// Adds datasets to a TAGGED collection. The session must be a transaction.
    ///
    /// # Errors
    /// [`Error::CollectionType`] when the collection is not TAGGED;
    /// [`Error::ConflictingDefinition`] when it holds another dataset of the same type and data
    /// ID, or when a dataset does not exist.
    pub(in crate::registry) async fn associate(
        &self,
        session: &mut Session,
        collection: &str,
        datasets: &[DatasetRef],
    ) -> Result<()> {
        let record = self.find_collection(session, collection).await?;
        require_tagged(&record, "associate into")?;
        let mut groups = Vec::new();
        let mut update = SummaryUpdate::default();
        for (name, mut datasets) in by_type(datasets) {
            let dataset_type = self.dataset_type(session, name).await?;
            update.add_dataset_type(dataset_type.id);
            datasets.sort_by_key(|dataset| dataset.id());
            datasets.dedup_by_key(|dataset| dataset.id());
            for dataset in &datasets {
                update.add_data_id(dataset.data_id());
            }
            groups.push((name, dataset_type, datasets));
        }
        // Once for all types, in one order, lest two clients with several types each wait for each
        // other.
        self.update_summary(session, &record.key, &update).await?;
        for (name, dataset_type, datasets) in groups {
            let rows = datasets
                .iter()
                .map(|dataset| tags_row(dataset, dataset_type.id, &record.key));
            let columns = tags_columns(self.keys(), dataset_type.dataset_type.dimensions());
            let collection_column = self.keys().reference();
            let key = ["dataset_id", collection_column];
            let keys = OnConflict::Replace(&key);
            match references::upsert(session, &dataset_type.tags, &columns, &keys, rows).await {
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind, SqlErrorKind::Unique | SqlErrorKind::ForeignKey) =>
                {
                    return Err(Error::ConflictingDefinition(format!(
                        "Datasets of type '{name}' cannot be associated with collection \
                         '{collection}': a dataset with the same data ID is a member already, or \
                         a dataset does not exist ({}).",
                        error.source
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes datasets out of a TAGGED collection; those that are no members are passed over.
    ///
    /// # Errors
    /// [`Error::CollectionType`] when the collection is not TAGGED.
    pub(in crate::registry) async fn disassociate(
        &self,
        session: &mut Session,
        collection: &str,
        datasets: &[DatasetRef],
    ) -> Result<()> {
        let record = self.find_collection(session, collection).await?;
        require_tagged(&record, "disassociate from")?;
        for (name, datasets) in by_type(datasets) {
            let dataset_type = self.dataset_type(session, name).await?;
            let sql = format!(
                "DELETE FROM {} WHERE {} = {} AND {}",
                self.database.table(&dataset_type.tags),
                self.keys().reference(),
                self.database.dialect().placeholder(1),
                self.database.in_ids("dataset_id", 2)
            );
            let ids = datasets.iter().map(|dataset| dataset.id()).collect();
            session
                .execute(&sql, &[record.key.param(), Param::Uuids(ids)])
                .await?;
        }
        Ok(())
    }
}

fn require_tagged(record: &collections::CollectionRecord, action: &str) -> Result<()> {
    if record.kind == CollectionType::Tagged {
        return Ok(());
    }
    Err(Error::CollectionType(format!(
        "Cannot {action} collection '{}' of type {}; must be TAGGED.",
        record.name, record.kind
    )))
}

//! Collection summaries: which dataset types and which values of governor dimensions a collection
//! holds, or once held.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::error::Result;

use super::collection_keys::CollectionKey;
use super::context::Context;
use super::tables::governor_summary_name;
use crate::db::bulk::{self, BulkColumn, OnConflict};
use crate::db::schema::SqlType;
use crate::db::{Param, Session, SqlError};

/// What a batch of datasets adds to the summary of its collection.
#[derive(Debug, Default, Clone)]
pub(super) struct SummaryUpdate {
    dataset_type_ids: BTreeSet<i64>,
    governors: BTreeMap<&'static str, BTreeSet<Arc<str>>>,
}

impl SummaryUpdate {
    pub(super) fn add_dataset_type(&mut self, id: i64) {
        self.dataset_type_ids.insert(id);
    }

    pub(super) fn add_data_id(&mut self, data_id: &DataCoordinate) {
        for name in data_id.dimensions().governors() {
            if let Some(DataIdValue::Str(value)) = data_id.get(name) {
                let values = self.governors.entry(name).or_default();
                if !values.contains(value) {
                    values.insert(Arc::clone(value));
                }
            }
        }
    }
}

/// The summary of one collection, as the tables hold it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct SummaryRecord {
    /// IDs of the dataset types.
    pub dataset_type_ids: BTreeSet<i64>,
    /// Values per governor dimension.
    pub governors: BTreeMap<&'static str, BTreeSet<Arc<str>>>,
}

impl SummaryRecord {
    /// Adds another collection's summary.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.dataset_type_ids.extend(&other.dataset_type_ids);
        for (governor, values) in &other.governors {
            self.governors
                .entry(governor)
                .or_default()
                .extend(values.iter().cloned());
        }
    }
}

impl Context {
    /// Adds to the summary of a collection. Must come before the memberships, which refer to it.
    pub(super) async fn update_summary(
        &self,
        session: &mut Session,
        collection: &CollectionKey,
        update: &SummaryUpdate,
    ) -> std::result::Result<(), SqlError> {
        let key = BulkColumn::new(self.keys().reference(), self.keys().sql_type());
        let columns = [
            key.clone(),
            BulkColumn::new("dataset_type_id", SqlType::BigInt),
        ];
        let rows = update
            .dataset_type_ids
            .iter()
            .map(|id| [collection.param(), Param::Int(*id)]);
        let table = self.database.table("collection_summary_dataset_type");
        bulk::upsert(session, &table, &columns, &OnConflict::Ignore, rows).await?;
        for (governor, values) in &update.governors {
            let columns = [key.clone(), BulkColumn::new(*governor, SqlType::Text)];
            let rows = values
                .iter()
                .map(|value| [collection.param(), Param::from(value)]);
            let table = self.database.table(&governor_summary_name(governor));
            bulk::upsert(session, &table, &columns, &OnConflict::Ignore, rows).await?;
        }
        Ok(())
    }

    /// The summaries of collections, by key, in one round trip. Collections without any content
    /// get an empty summary.
    pub(super) async fn fetch_summaries(
        &self,
        session: &mut Session,
        collections: &[CollectionKey],
    ) -> Result<HashMap<CollectionKey, SummaryRecord>> {
        let mut summaries: HashMap<CollectionKey, SummaryRecord> = collections
            .iter()
            .map(|key| (key.clone(), SummaryRecord::default()))
            .collect();
        if collections.is_empty() {
            return Ok(summaries);
        }
        let database = &self.database;
        let keys = self.keys();
        let key = keys.reference();
        let filter = database.in_array(key, 1);
        let mut parts = vec![format!(
            "SELECT {key}, dataset_type_id, NULL AS governor, NULL AS value FROM {} WHERE {filter}",
            database.table("collection_summary_dataset_type")
        )];
        for governor in self.universe.governor_dimensions() {
            let name = governor.name();
            parts.push(format!(
                "SELECT {key}, NULL, '{name}', {} FROM {} WHERE {filter}",
                crate::db::dialect::quote(name),
                database.table(&governor_summary_name(name))
            ));
        }
        let sql = parts.join(" UNION ALL ");
        for row in session.fetch_all(&sql, &[keys.array(collections)]).await? {
            let summary = summaries.entry(keys.read(&row, 0)?).or_default();
            if let Some(id) = row.opt_int(1)? {
                summary.dataset_type_ids.insert(id);
            } else if let Some(governor) = self.universe.get(row.text(2)?) {
                let value = row.shared_text(3)?;
                summary
                    .governors
                    .entry(governor.name())
                    .or_default()
                    .insert(value);
            }
        }
        Ok(summaries)
    }
}

//! Fetching datasets: by ID, and all of a type.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionGroup};
use butler_core::error::Result;
use butler_core::timespan::Timespan;
use futures::TryStreamExt;
use uuid::Uuid;

use super::rows::dimension_columns;
use crate::db::bulk::BulkColumn;
use crate::db::dialect::quote;
use crate::db::{Param, Row, Session};
use crate::registry::collection_keys::CollectionKey;
use crate::registry::collections::CollectionRecord;
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::record_sql::key_value;

/// IDs looked up by one statement.
const BATCH: usize = 50_000;

/// A dataset's place in a collection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DatasetMembership {
    /// The dataset.
    pub dataset: DatasetRef,
    /// Key of the collection.
    pub collection: CollectionKey,
    /// Validity range, in a CALIBRATION collection.
    pub timespan: Option<Timespan>,
}

impl Context {
    /// The datasets with these IDs; IDs that are not known are absent from the result.
    pub(in crate::registry) async fn get_datasets(
        &self,
        session: &mut Session,
        ids: &[Uuid],
    ) -> Result<Vec<DatasetRef>> {
        let keys = self.keys();
        let (own, run_key) = (keys.column(), keys.run_reference());
        let member = format!("m.{}", keys.reference());
        let mut datasets = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let sql = format!(
                "SELECT d.id, d.dataset_type_id, d.{run_key}, r.name FROM {} AS d
                   JOIN {} AS r ON r.{own} = d.{run_key} WHERE {}",
                self.database.table("dataset"),
                self.database.table("collection"),
                self.database.in_ids("d.id", 1)
            );
            let rows = session
                .fetch_all(&sql, &[Param::Uuids(batch.to_vec())])
                .await?;
            let mut runs: HashMap<CollectionKey, Arc<str>> = HashMap::new();
            let mut by_group: BTreeMap<i64, (&Arc<DatasetTypeRecord>, Vec<Uuid>)> = BTreeMap::new();
            let type_ids = rows.iter().map(|row| row.int(1));
            let type_ids = type_ids.collect::<std::result::Result<_, _>>()?;
            let types = self.dataset_types_with_ids(session, type_ids).await?;
            for row in &rows {
                let record = &types[&row.int(1)?];
                let key = record.dimensions_key;
                by_group
                    .entry(key)
                    .or_insert_with(|| (record, Vec::new()))
                    .1
                    .push(row.uuid(0)?);
                if let std::collections::hash_map::Entry::Vacant(entry) =
                    runs.entry(keys.read(row, 2)?)
                {
                    entry.insert(row.shared_text(3)?);
                }
            }
            let run_keys = keys.array(runs.keys());
            for (record, ids) in by_group.into_values() {
                let dimensions = record.dataset_type.dimensions();
                let columns = dimension_columns(dimensions);
                // A dataset's row for its run carries its data ID.
                let sql = format!(
                    "SELECT m.dataset_id, m.dataset_type_id, {member}{} FROM {} AS m
                      WHERE {} AND {}",
                    key_list("m", &columns),
                    self.database.table(&record.tags),
                    self.database.in_ids("m.dataset_id", 1),
                    self.database.in_array(&member, 2)
                );
                let params = [Param::Uuids(ids), run_keys.clone()];
                for row in session.fetch_all(&sql, &params).await? {
                    let Some(dataset_type) = types.get(&row.int(1)?) else {
                        continue;
                    };
                    let data_id = data_id_from_row(dimensions, &columns, &row, 3)?;
                    let Some(run) = runs.get(&keys.read(&row, 2)?) else {
                        continue;
                    };
                    datasets.push(DatasetRef::new(
                        Arc::clone(&dataset_type.dataset_type),
                        data_id,
                        Arc::clone(run),
                        row.uuid(0)?,
                    )?);
                }
            }
        }
        Ok(datasets)
    }

    /// All datasets of a type in the given collections, with their places in them, sorted by
    /// collection and data ID. CHAINED collections must have been flattened.
    pub(in crate::registry) async fn memberships(
        &self,
        session: &mut Session,
        dataset_type: &DatasetTypeRecord,
        collections: &[&CollectionRecord],
    ) -> Result<Vec<DatasetMembership>> {
        let dimensions = dataset_type.dataset_type.dimensions();
        let columns = dimension_columns(dimensions);
        let (calibrations, plain): (Vec<&CollectionRecord>, Vec<&CollectionRecord>) = collections
            .iter()
            .copied()
            .partition(|c| c.kind == CollectionType::Calibration);
        let keys = self.keys();
        let (own, run_key) = (keys.column(), keys.run_reference());
        let member = format!("m.{}", keys.reference());
        let mut result = Vec::new();
        let mut searches = vec![(&dataset_type.tags, plain, false)];
        if let Some(table) = &dataset_type.calibs {
            searches.push((table, calibrations, true));
        }
        let mut runs: HashMap<String, Arc<str>> = HashMap::new();
        for (table, collections, with_timespan) in searches {
            if collections.is_empty() {
                continue;
            }
            let timespan = if with_timespan {
                let names = self
                    .database
                    .dialect()
                    .physical_columns("timespan", crate::db::schema::SqlType::Timespan);
                let quoted: Vec<_> = names.iter().map(|n| format!(", m.{}", quote(n))).collect();
                quoted.concat()
            } else {
                String::new()
            };
            let sql = format!(
                "SELECT m.dataset_id, {member}, r.name{}{timespan} FROM {} AS m
                   JOIN {} AS d ON d.id = m.dataset_id
                   JOIN {} AS r ON r.{own} = d.{run_key}
                  WHERE m.dataset_type_id = {} AND {}",
                key_list("m", &columns),
                self.database.table(table),
                self.database.table("dataset"),
                self.database.table("collection"),
                self.database.dialect().placeholder(1),
                self.database.in_array(&member, 2)
            );
            let params = [
                Param::Int(dataset_type.id),
                keys.array(collections.iter().map(|c| &c.key)),
            ];
            let mut rows = session.fetch(&sql, &params);
            while let Some(row) = rows.try_next().await? {
                let name = row.text(2)?;
                let run = match runs.get(name) {
                    Some(run) => Arc::clone(run),
                    None => {
                        let run: Arc<str> = name.into();
                        runs.insert(name.to_owned(), Arc::clone(&run));
                        run
                    }
                };
                let data_id = data_id_from_row(dimensions, &columns, &row, 3)?;
                let timespan = if with_timespan {
                    row.opt_timespan(3 + columns.len())?
                } else {
                    None
                };
                result.push(DatasetMembership {
                    dataset: DatasetRef::new(
                        Arc::clone(&dataset_type.dataset_type),
                        data_id,
                        run,
                        row.uuid(0)?,
                    )?,
                    collection: keys.read(&row, 1)?,
                    timespan,
                });
            }
        }
        result.sort_by(|a, b| {
            let begin = |m: &DatasetMembership| m.timespan.map(Timespan::begin_ns);
            let values = |m: &DatasetMembership| m.dataset.data_id().required_values().to_vec();
            a.collection
                .cmp(&b.collection)
                .then_with(|| values(a).cmp(&values(b)))
                .then_with(|| (begin(a), a.dataset.id()).cmp(&(begin(b), b.dataset.id())))
        });
        Ok(result)
    }

    /// The IDs of all datasets of a RUN.
    pub(in crate::registry) async fn run_dataset_ids(
        &self,
        session: &mut Session,
        run: &CollectionKey,
    ) -> Result<Vec<Uuid>> {
        let sql = format!(
            "SELECT id FROM {} WHERE {} = {}",
            self.database.table("dataset"),
            self.keys().run_reference(),
            self.database.dialect().placeholder(1)
        );
        let rows = session.fetch_all(&sql, &[run.param()]).await?;
        rows.iter().map(|row| Ok(row.uuid(0)?)).collect()
    }
}

pub(super) fn key_list(alias: &str, columns: &[BulkColumn]) -> String {
    columns
        .iter()
        .map(|c| format!(", {alias}.{}", quote(&c.name)))
        .collect()
}

pub(super) fn data_id_from_row(
    dimensions: &DimensionGroup,
    columns: &[BulkColumn],
    row: &Row,
    first: usize,
) -> Result<DataCoordinate> {
    let values: Vec<DataIdValue> = (first..)
        .zip(columns)
        .map(|(index, column)| key_value(row, index, column.ty))
        .collect::<Result<_>>()?;
    DataCoordinate::from_required_values(dimensions.clone(), values)
}

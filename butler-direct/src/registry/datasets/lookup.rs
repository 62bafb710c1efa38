//! Finding datasets: by data ID in collections, by ID, and all of a type.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionGroup};
use butler_core::error::{Error, Result};
use butler_core::timespan::Timespan;
use futures::TryStreamExt;
use uuid::Uuid;

use super::rows::dimension_columns;
use crate::db::bulk::BulkColumn;
use crate::db::dialect::quote;
use crate::db::{Dialect, Param, Row, Session};
use crate::registry::collection_keys::CollectionKey;
use crate::registry::collections::CollectionRecord;
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::record_sql::{key_param, key_value};

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

/// What a search for a dataset found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Search {
    /// A dataset.
    Found(DatasetRef),
    /// None.
    Nothing,
    /// The dataset type is no longer what it was when it was looked up.
    Outdated,
}

impl Context {
    /// The dataset of the given type and data ID in the first of the collections that has one.
    ///
    /// CHAINED collections must have been flattened. Without a timespan, CALIBRATION collections
    /// are passed over: nothing says which of their datasets is meant.
    ///
    /// # Errors
    /// [`Error::CalibrationLookup`] when the first collection that matches has several datasets
    /// valid in the timespan.
    pub(in crate::registry) async fn find_dataset(
        &self,
        session: &mut Session,
        dataset_type: &DatasetTypeRecord,
        data_id: &DataCoordinate,
        collections: &[&CollectionRecord],
        timespan: Option<Timespan>,
    ) -> Result<Search> {
        let dimensions = dataset_type.dataset_type.dimensions();
        let data_id = data_id.subset(dimensions)?;
        let (calibrations, plain): (Vec<&CollectionRecord>, Vec<&CollectionRecord>) = collections
            .iter()
            .copied()
            .partition(|c| c.kind == CollectionType::Calibration);
        let mut parts = Vec::new();
        let mut params: Vec<Param> = vec![Param::Int(dataset_type.id)];
        params.extend(data_id.required_values().iter().map(key_param));
        let dialect = self.database.dialect();
        let keys = self.keys();
        let key = keys.reference();
        let member = format!("m.{key}");
        let mut matches = format!("m.dataset_type_id = {}", dialect.placeholder(1));
        for (index, name) in (2..).zip(dimensions.required()) {
            matches.push_str(&format!(
                " AND m.{} = {}",
                quote(name),
                dialect.placeholder(index)
            ));
        }
        if !plain.is_empty() {
            params.push(keys.array(plain.iter().map(|c| &c.key)));
            parts.push(format!(
                "SELECT m.dataset_id, {member} FROM {} AS m WHERE {matches} AND {}",
                self.database.table(&dataset_type.tags),
                self.database.in_ids(&member, params.len())
            ));
        }
        if let (Some(timespan), Some(table), false) =
            (timespan, &dataset_type.calibs, calibrations.is_empty())
        {
            params.push(keys.array(calibrations.iter().map(|c| &c.key)));
            let in_collections = self.database.in_ids(&member, params.len());
            let overlaps = overlap_condition(dialect, "m", params.len() + 1);
            params.push(Param::Timespan(timespan));
            parts.push(format!(
                "SELECT m.dataset_id, {member} FROM {} AS m
                  WHERE {matches} AND {in_collections} AND {overlaps}",
                self.database.table(table)
            ));
        }
        if parts.is_empty() {
            return Ok(Search::Nothing);
        }
        // The run's name comes with the winner; there is one row per collection at most, but for
        // ambiguous calibrations. The dataset type comes with everything, found or not, so that
        // what was remembered of it is checked without another round trip.
        let name_index = match (dialect, params.last()) {
            // A timespan takes two parameters there.
            (Dialect::Sqlite, Some(Param::Timespan(_))) => params.len() + 2,
            _ => params.len() + 1,
        };
        params.push(Param::from(&dataset_type.stored_name));
        let sql = format!(
            "SELECT f.dataset_id, f.{key}, r.name, t.id, t.storage_class, t.dimensions_key,
                    t.calibration_association_table
               FROM {} AS t
               LEFT JOIN ({}) AS f ON 1 = 1
               LEFT JOIN {} AS d ON d.id = f.dataset_id
               LEFT JOIN {} AS r ON r.{} = d.{}
              WHERE t.name = {}",
            self.database.table("dataset_type"),
            parts.join(" UNION ALL "),
            self.database.table("dataset"),
            self.database.table("collection"),
            keys.column(),
            keys.run_reference(),
            dialect.placeholder(name_index)
        );
        let mut rows = session.fetch_all(&sql, &params).await?;
        let current = match rows.first() {
            Some(row) => {
                row.int(3)? == dataset_type.id
                    && row.text(4)? == &*dataset_type.stored_storage_class
                    && row.int(5)? == dataset_type.dimensions_key
                    && row.opt_text(6)? == dataset_type.calibs.as_deref()
            }
            None => false,
        };
        if !current {
            return Ok(Search::Outdated);
        }
        if rows.len() == 1 && keys.read_optional(&rows[0], 1)?.is_none() {
            rows.clear();
        }
        let rank: HashMap<&CollectionKey, usize> = collections
            .iter()
            .enumerate()
            .rev()
            .map(|(rank, c)| (&c.key, rank))
            .collect();
        let mut best: Option<(usize, &Row)> = None;
        let mut ambiguous = false;
        for row in &rows {
            let rank = rank.get(&keys.read(row, 1)?).copied().unwrap_or(usize::MAX);
            match best {
                Some((lowest, _)) if rank > lowest => {}
                Some((lowest, _)) if rank == lowest => ambiguous = true,
                _ => {
                    best = Some((rank, row));
                    ambiguous = false;
                }
            }
        }
        let Some((rank, row)) = best else {
            return Ok(Search::Nothing);
        };
        if ambiguous {
            return Err(Error::CalibrationLookup(format!(
                "Ambiguous calibration lookup for '{}' with data ID {data_id} in collection '{}': \
                 several datasets are valid in {}.",
                dataset_type.dataset_type.name(),
                collections[rank].name,
                timespan.unwrap_or(Timespan::UNBOUNDED)
            )));
        }
        let dataset_type = Arc::clone(&dataset_type.dataset_type);
        DatasetRef::new(dataset_type, data_id, row.text(2)?, row.uuid(0)?).map(Search::Found)
    }

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

/// The condition that a row's timespan overlaps the one bound from parameter `index` on.
pub(super) fn overlap_condition(dialect: Dialect, alias: &str, index: usize) -> String {
    match dialect {
        Dialect::Postgres => format!("{alias}.timespan && ${index}"),
        // An empty timespan is kept with its ends swapped; either comparison then fails.
        Dialect::Sqlite => format!(
            "({alias}.timespan_begin < ?{1} AND {alias}.timespan_end > ?{0})",
            index,
            index + 1
        ),
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

//! Searching collections for the dataset of a data ID, in one statement.
//!
//! This is what clients do most, so it is one round trip: the statement walks down the chains,
//! looks into the table of memberships once for each collection (by its unique index), and compares
//! what is remembered of the dataset type with what it is now. Which collection comes first is found
//! out here.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::DataCoordinate;
use butler_core::error::{Error, Result};
use butler_core::timespan::Timespan;
use uuid::Uuid;

use crate::db::dialect::quote;
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Session};
use crate::registry::collection_keys::CollectionKey;
use crate::registry::collections::CollectionTree;
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::datasets::implied::Implied;
use crate::registry::record_sql::key_param;

/// What a search for a dataset found.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::registry) enum Search {
    /// A dataset.
    Found(DatasetRef),
    /// None.
    Nothing,
    /// The dataset type is no longer what it was when it was looked up.
    Outdated,
}

/// Places of the statement's columns; the first five are those of a [`CollectionTree`].
const NAME: usize = 1;
const DATASET: usize = 5;
const RUN: usize = 6;
const IMPLIED: usize = 7;

/// A dataset in one of the collections.
struct Match<'r> {
    id: Uuid,
    /// Its run, unless that is the collection itself.
    run: Option<&'r str>,
}

impl Context {
    /// The dataset of the given type and data ID in the first of the collections that has one;
    /// chains are searched depth first.
    ///
    /// Without a timespan, CALIBRATION collections are passed over: nothing says which of their
    /// datasets is meant. In an empty timespan no calibration is found. The dataset's data ID has the
    /// values that its records imply, whatever implied values the given one has.
    ///
    /// # Errors
    /// [`Error::MissingCollection`]; [`Error::CalibrationLookup`] when the first collection that
    /// matches has several datasets valid in the timespan.
    pub(in crate::registry) async fn find_dataset(
        &self,
        session: &mut Session,
        dataset_type: &DatasetTypeRecord,
        data_id: &DataCoordinate,
        collections: &[String],
        timespan: Option<Timespan>,
    ) -> Result<Search> {
        let data_id = data_id.subset(dataset_type.dataset_type.dimensions())?;
        let (sql, params, implied) = self.search(dataset_type, &data_id, collections, timespan)?;
        let rows = session.fetch_all(&sql, &params).await?;
        let keys = self.keys();
        let mut matches: HashMap<CollectionKey, Vec<Match<'_>>> = HashMap::new();
        let mut in_tree = Vec::with_capacity(rows.len());
        let mut current = false;
        for row in &rows {
            let Some(key) = keys.read_optional(row, 0)? else {
                // None of the collections is there.
                current = true;
                continue;
            };
            let is_calibration = row.opt_text(NAME)?.is_none();
            if let Some(id) = row.opt_uuid(DATASET)? {
                let here = matches.entry(key).or_default();
                // A collection that is in several chains comes several times.
                if is_calibration || here.is_empty() {
                    let run = row.opt_text(RUN)?;
                    here.push(Match { id, run });
                }
            }
            if !is_calibration {
                current = true;
                in_tree.push(row);
            }
        }
        if !current {
            return Ok(Search::Outdated);
        }
        let first = in_tree.first().copied();
        let tree = CollectionTree::from_rows(keys, in_tree)?;
        let wanted = tree.flatten(collections, false)?;
        if dataset_type.calibs.is_some() && timespan.is_some_and(Timespan::is_empty) {
            // It overlaps nothing, not even what is valid always, as calibrations elsewhere than in
            // CALIBRATION collections are.
            return Ok(Search::Nothing);
        }
        for collection in wanted {
            let found = match matches.get(&collection.key).map(Vec::as_slice) {
                None | Some([]) => continue,
                Some([found]) => found,
                Some(_) => {
                    return Err(Error::CalibrationLookup(format!(
                        "Ambiguous calibration lookup for '{}' with data ID {data_id} in collection \
                         '{}': several datasets are valid in {}.",
                        dataset_type.dataset_type.name(),
                        collection.name,
                        timespan.unwrap_or(Timespan::UNBOUNDED)
                    )));
                }
            };
            let run = found
                .run
                .map_or_else(|| Arc::clone(&collection.name), Into::into);
            let dataset_type = Arc::clone(&dataset_type.dataset_type);
            let data_id = match (&implied, first) {
                (Some(implied), Some(row)) => implied.complete(&data_id, row, IMPLIED)?,
                _ => data_id,
            };
            return DatasetRef::new(dataset_type, data_id, run, found.id).map(Search::Found);
        }
        Ok(Search::Nothing)
    }

    /// The statement and what is bound to it. Its rows are those of a [`CollectionTree`], each with
    /// the collection's dataset; then the datasets that are valid in the timespan, with no name of
    /// a collection. There are none of the first kind if the dataset type is not what it was.
    fn search(
        &self,
        dataset_type: &DatasetTypeRecord,
        data_id: &DataCoordinate,
        collections: &[String],
        timespan: Option<Timespan>,
    ) -> Result<(String, Vec<Param>, Option<Implied>)> {
        let (database, keys) = (&self.database, self.keys());
        let dialect = database.dialect();
        let hole = |index| dialect.placeholder(index);
        let mut params = vec![
            Param::Texts(
                collections
                    .iter()
                    .map(|name| name.as_str().into())
                    .collect(),
            ),
            Param::Int(dataset_type.id),
            Param::from(&dataset_type.stored_name),
            Param::from(&dataset_type.stored_storage_class),
            Param::Int(dataset_type.dimensions_key),
            Param::or_null(dataset_type.calibs.as_ref(), SqlType::Text),
        ];
        let mut same = format!("m.dataset_type_id = {}", hole(2));
        let dimensions = data_id.dimensions();
        let mut required = Vec::with_capacity(dimensions.required().len());
        for (name, value) in dimensions.required().iter().zip(data_id.required_values()) {
            params.push(key_param(value));
            required.push(hole(params.len()));
            same.push_str(&format!(" AND m.{} = {}", quote(name), hole(params.len())));
        }
        let implied = self.implied(dimensions, &required)?;
        let columns = implied.as_ref().map_or(0, Implied::len);
        let values: String = (0..columns).map(|i| format!(", i.i{i}")).collect();
        let from = implied.as_ref().map_or_else(String::new, |implied| {
            format!(" LEFT JOIN ({}) AS i ON 1 = 1", implied.sql)
        });
        let member = format!("m.{}", keys.reference());
        let run_of = |id: &str| {
            format!(
                "(SELECT r.name FROM {} AS d JOIN {} AS r ON r.{} = d.{} WHERE d.id = {id})",
                database.table("dataset"),
                database.table("collection"),
                keys.column(),
                keys.run_reference()
            )
        };
        // A subquery for each collection is always a look-up in an index, whatever the planner
        // thinks of the tables. That a RUN's datasets have it for their run needs no look-up.
        let mut sql = format!(
            "WITH RECURSIVE {},
             found AS MATERIALIZED (
                 SELECT tree.*,
                        (SELECT m.dataset_id FROM {} AS m WHERE {same} AND {member} = tree.key) AS id
                   FROM tree
             )
             SELECT f.key, f.name, f.type, f.parent, f.position, f.id,
                    CASE WHEN f.id IS NOT NULL AND f.type <> {} THEN {} END{values}
               FROM {} AS t LEFT JOIN found AS f ON 1 = 1{from}
              WHERE t.id = {} AND t.name = {} AND t.storage_class = {} AND t.dimensions_key = {}
                AND t.calibration_association_table IS NOT DISTINCT FROM {}",
            self.collection_tree(1),
            database.table(&dataset_type.tags),
            CollectionType::Run.to_int(),
            run_of("f.id"),
            database.table("dataset_type"),
            hole(2),
            hole(3),
            hole(4),
            hole(5),
            hole(6),
        );
        if let (Some(timespan), Some(table)) = (timespan, &dataset_type.calibs) {
            let in_tree = match dialect {
                Dialect::Postgres => format!("{member} = ANY(ARRAY(SELECT key FROM tree))"),
                Dialect::Sqlite => format!("{member} IN (SELECT key FROM tree)"),
            };
            sql.push_str(&format!(
                " UNION ALL
                 SELECT {}, NULL, NULL, NULL, NULL, m.dataset_id, {}{} FROM {} AS m
                  WHERE {same} AND {in_tree} AND {}",
                keys.cast(&member),
                run_of("m.dataset_id"),
                ", NULL".repeat(columns),
                database.table(table),
                overlap_condition(dialect, "m", params.len() + 1)
            ));
            params.push(Param::Timespan(timespan));
        }
        Ok((sql, params, implied))
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

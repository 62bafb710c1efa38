//! What a query must know of the repository before it can be compiled, in one statement: the
//! collections it searches, with all that is below them, what they hold, and its dataset types.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::error::{Error, Result};
use butler_core::query::QueryTree;

use crate::db::dialect::quote;
use crate::db::{Dialect, Param, Row, Session};
use crate::registry::collection_keys::CollectionKey;
use crate::registry::collections::{CollectionRecord, CollectionTree};
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::summaries::SummaryRecord;
use crate::registry::tables::governor_summary_name;

/// Collections, summaries and dataset types, as they were at one moment.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) collections: CollectionTree,
    /// By key of the collection. With named dataset types, nothing is said of others.
    summaries: HashMap<CollectionKey, SummaryRecord>,
    /// Those that the query names.
    pub(super) named: BTreeMap<Arc<str>, Arc<DatasetTypeRecord>>,
    /// Those that are in the summaries, if the query is about any.
    pub(super) by_id: HashMap<i64, Arc<DatasetTypeRecord>>,
}

const COLLECTION: i64 = 0;
const HOLDS_TYPE: i64 = 1;
const HOLDS_GOVERNOR: i64 = 2;
const DATASET_TYPE: i64 = 3;

impl Catalogue {
    /// Fetches what a query needs; nothing if it searches for no datasets.
    ///
    /// # Errors
    /// [`Error::MissingCollection`] and [`Error::MissingDatasetType`] for names in the query that
    /// are not known.
    pub(super) async fn fetch(
        context: &Context,
        session: &mut Session,
        tree: &QueryTree,
    ) -> Result<Self> {
        let searches: Vec<_> = tree.all_dataset_searches().collect();
        if searches.is_empty() {
            return Ok(Self::default());
        }
        let mut names: Vec<Arc<str>> = Vec::new();
        for name in searches.iter().flat_map(|(_, s)| s.collections.iter()) {
            if !names.iter().any(|known| **known == **name) {
                names.push(name.as_str().into());
            }
        }
        let types: Vec<Arc<str>> = tree.datasets().keys().cloned().collect();
        let any = tree.any_dataset().is_some();
        let sql = statement(context, any);
        let stored = types
            .iter()
            .filter_map(|name| context.overrides.stored_name(name));
        let stored = stored.map(Into::into).collect();
        let params = [Param::Texts(names.clone()), Param::Texts(stored)];
        let rows = session.fetch_all(&sql, &params).await?;
        let mut collection_rows = Vec::new();
        let mut catalogue = Self::default();
        for row in rows {
            match row.int(5)? {
                COLLECTION => collection_rows.push(row),
                DATASET_TYPE => catalogue.add_dataset_type(context, &row)?,
                kind => catalogue.add_summary(context, kind, &row)?,
            }
        }
        catalogue.collections = CollectionTree::from_rows(context.keys(), &collection_rows)?;
        // Names that are not there are an error, all of them.
        catalogue.collections.flatten(&names, true)?;
        let unknown: BTreeSet<&Arc<str>> = types
            .iter()
            .filter(|name| !catalogue.named.contains_key(*name))
            .collect();
        for (name, record) in context.dataset_types_named(session, unknown).await? {
            catalogue.named.insert(Arc::clone(name), record);
        }
        if any {
            let ids: BTreeSet<i64> = catalogue
                .summaries
                .values()
                .flat_map(|summary| summary.dataset_type_ids.iter().copied())
                .collect();
            catalogue.by_id = context.dataset_types_with_ids(session, ids).await?;
        }
        Ok(catalogue)
    }

    /// Takes what is remembered of a dataset type if it is still true.
    fn add_dataset_type(&mut self, context: &Context, row: &Row) -> Result<()> {
        let stored = row.text(1)?;
        let name = context.overrides.client_name(stored);
        let Some(known) = context.dataset_type_by_name(name) else {
            return Ok(());
        };
        if known.id == row.int(6)?
            && known.dimensions_key == row.int(7)?
            && *known.stored_name == *stored
            && known.calibs.as_deref() == row.opt_text(8)?
            && *known.stored_storage_class == *row.text(9)?
        {
            let name = Arc::clone(known.dataset_type.name());
            self.named.insert(name, known);
        }
        Ok(())
    }

    fn add_summary(&mut self, context: &Context, kind: i64, row: &Row) -> Result<()> {
        let collection = context.keys().read(row, 0)?;
        let summary = self.summaries.entry(collection).or_default();
        match kind {
            HOLDS_TYPE => {
                summary.dataset_type_ids.insert(row.int(6)?);
            }
            HOLDS_GOVERNOR => {
                let governor = context.universe.get(row.text(8)?);
                let value = row.shared_text(1)?;
                if let Some(governor) = governor {
                    let values = summary.governors.entry(governor.name()).or_default();
                    values.insert(value);
                }
            }
            other => {
                return Err(Error::Internal(format!("a summary of kind {other}")));
            }
        }
        Ok(())
    }

    /// What a collection holds.
    pub(super) fn summary(&self, collection: &CollectionRecord) -> SummaryRecord {
        self.summaries
            .get(&collection.key)
            .cloned()
            .unwrap_or_default()
    }

    /// The collections to search, in order, without chains.
    ///
    /// # Errors
    /// [`Error::MissingCollection`].
    pub(super) fn search_path(&self, names: &[String]) -> Result<Vec<&CollectionRecord>> {
        let path = self.collections.flatten(names, false)?;
        debug_assert!(path.iter().all(|c| c.kind != CollectionType::Chained));
        Ok(path)
    }
}

/// The statement. Its columns are those of a look-up of collections, then the kind of the row, two
/// numbers and two texts.
fn statement(context: &Context, any: bool) -> String {
    let database = &context.database;
    let keys = context.keys();
    let table = |name: &str| database.table(name);
    let (big, small, text) = match database.dialect() {
        Dialect::Postgres => ("NULL::bigint", "NULL::smallint", "NULL::text"),
        Dialect::Sqlite => ("NULL", "NULL", "NULL"),
    };
    let none = keys.null(database.dialect());
    let of_collection = keys.cast(keys.reference());
    let in_tree = format!("{of_collection} IN (SELECT key FROM tree)");
    let mut parts = vec![format!(
        "SELECT key, name, type, parent, position, {COLLECTION} AS kind, {big} AS id,
                {big} AS dimensions, {text} AS word, {text} AS class
           FROM tree"
    )];
    let only_named = match any {
        true => String::new(),
        false => format!(
            " AND dataset_type_id IN (SELECT id FROM {} WHERE {})",
            table("dataset_type"),
            database.in_ids("name", 2)
        ),
    };
    parts.push(format!(
        "SELECT {of_collection}, {text}, {small}, {none}, {small}, {HOLDS_TYPE}, dataset_type_id,
                {big}, {text}, {text}
           FROM {} WHERE {in_tree}{only_named}",
        table("collection_summary_dataset_type")
    ));
    for governor in context.universe.governor_dimensions() {
        let name = governor.name();
        parts.push(format!(
            "SELECT {of_collection}, {}, {small}, {none}, {small}, {HOLDS_GOVERNOR}, {big}, {big},
                    '{name}', {text}
               FROM {} WHERE {in_tree}",
            quote(name),
            table(&governor_summary_name(name))
        ));
    }
    parts.push(format!(
        "SELECT {none}, name, {small}, {none}, {small}, {DATASET_TYPE}, id, dimensions_key,
                calibration_association_table, storage_class
           FROM {} WHERE {}",
        table("dataset_type"),
        database.in_ids("name", 2)
    ));
    format!(
        "WITH RECURSIVE {} {}",
        context.collection_tree(1),
        parts.join(" UNION ALL ")
    )
}

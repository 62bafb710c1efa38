//! What a query tree means in this repository: which collections each search looks into, which
//! overlaps there are, and why there may be no results.

use std::collections::BTreeMap;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::dimensions::{DataCoordinate, DimensionElement, DimensionGroup};
use butler_core::error::{Error, Result};
use butler_core::query::{
    ColumnSet, DatasetSearch, DatasetTypeKey, Predicate, PredicateConstraints, QueryTree,
};

use super::catalogue::Catalogue;
use super::overlaps::{self, Overlaps};
use crate::registry::collections::CollectionRecord;
use crate::registry::dataset_types::DatasetTypeRecord;

/// A search for datasets of one type, in the collections that may have some.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// By what name its columns are known.
    pub(super) key: DatasetTypeKey,
    /// The dataset type.
    pub(super) record: Arc<DatasetTypeRecord>,
    /// The collections, in order, without chains.
    pub(super) collections: Arc<[CollectionRecord]>,
    /// Whether one of the collections is a CALIBRATION collection.
    pub(super) is_calibration: bool,
}

impl Search {
    pub(super) fn dimensions(&self) -> &DimensionGroup {
        self.record.dataset_type.dimensions()
    }

    /// Whether all collections are RUNs, so that a dataset's run is the collection it is found in.
    pub(super) fn in_runs_only(&self) -> bool {
        let mut collections = self.collections.iter();
        collections.all(|c| c.kind == CollectionType::Run)
    }
}

/// A query tree, analysed.
#[derive(Debug)]
pub(super) struct Analysis {
    /// The conditions on rows, without overlaps in space.
    pub(super) predicate: Predicate,
    /// The values of dimensions that are the same in all rows.
    pub(super) constraints: PredicateConstraints,
    /// Pairs of elements whose regions overlap.
    pub(super) spatial_joins: Vec<(DimensionElement, DimensionElement)>,
    /// Elements whose regions overlap given ones.
    pub(super) spatial_constraints: Vec<(DimensionElement, butler_core::query::RegionLiteral)>,
    /// Searches for one dataset type each, by which rows are constrained.
    pub(super) searches: BTreeMap<Arc<str>, Search>,
    /// The searches of which each gives rows of its own.
    pub(super) union: Option<Vec<Search>>,
    /// Columns that the joins must provide.
    pub(super) columns: ColumnSet,
    /// Why there may be no results.
    pub(super) messages: Vec<String>,
}

impl Analysis {
    /// Analyses a query tree.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] and [`Error::UnimplementedQuery`] for what cannot be asked.
    pub(super) fn new(
        tree: &QueryTree,
        catalogue: &Catalogue,
        defaults: &DataCoordinate,
    ) -> Result<Self> {
        let mut constraints = PredicateConstraints::new(tree.predicate().clone());
        constraints.apply_default_data_id(
            defaults,
            tree.dimensions(),
            tree.validate_governor_constraints(),
        )?;
        let calibrations = calibration_searches(tree, catalogue)?;
        let overlaps = overlaps::find(tree, constraints.predicate(), calibrations)?;
        let mut messages: Vec<String> = constraints.messages().to_vec();
        let mut searches = BTreeMap::new();
        for (name, search) in tree.datasets() {
            let Some(record) = catalogue.named.get(name) else {
                return Err(Error::Internal(format!(
                    "dataset type '{name}' was not fetched"
                )));
            };
            if search.dimensions != *record.dataset_type.dimensions() {
                return Err(Error::InvalidQuery(format!(
                    "Incorrect dimensions {} for dataset '{name}' in query (vs. {}).",
                    search.dimensions,
                    record.dataset_type.dimensions()
                )));
            }
            let (collections, reasons) =
                resolve(name, record, search, catalogue, Some(&constraints))?;
            if collections.is_empty() {
                messages.push(format!(
                    "Search for dataset type '{name}' in [{}] is doomed to fail.",
                    quoted(&search.collections)
                ));
                messages.extend(reasons);
            }
            let key = DatasetTypeKey::Named(Arc::clone(name));
            let search = new_search(key, record, collections);
            searches.insert(Arc::clone(name), search);
        }
        let union = match tree.any_dataset() {
            Some(search) => Some(union_searches(search, catalogue)?),
            None => None,
        };
        let Overlaps {
            predicate,
            joins,
            constraints: spatial_constraints,
        } = overlaps;
        let mut columns = ColumnSet::new(tree.dimensions().clone());
        predicate.gather_required_columns(&mut columns);
        Ok(Self {
            predicate,
            constraints,
            spatial_joins: joins,
            spatial_constraints,
            searches,
            union,
            columns,
            messages,
        })
    }

    /// Whether a search has no collection to look into, so that there are no rows.
    pub(super) fn is_doomed(&self) -> bool {
        self.searches.values().any(|s| s.collections.is_empty())
    }

    /// The named search.
    pub(super) fn search(&self, name: &str) -> Result<&Search> {
        self.searches.get(name).ok_or_else(|| {
            Error::InvalidQuery(format!("Dataset type '{name}' is not part of the query."))
        })
    }
}

fn new_search(
    key: DatasetTypeKey,
    record: &Arc<DatasetTypeRecord>,
    collections: Vec<CollectionRecord>,
) -> Search {
    let mut kinds = collections.iter().map(|c| c.kind);
    let is_calibration = kinds.any(|kind| kind == CollectionType::Calibration);
    Search {
        key,
        record: Arc::clone(record),
        collections: collections.into(),
        is_calibration,
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

/// The searches that look into CALIBRATION collections, and so take part in overlaps in time.
fn calibration_searches(tree: &QueryTree, catalogue: &Catalogue) -> Result<Vec<DatasetTypeKey>> {
    let mut found = Vec::new();
    for (name, search) in tree.datasets() {
        let Some(record) = catalogue.named.get(name) else {
            continue;
        };
        let (collections, _) = resolve(name, record, search, catalogue, None)?;
        let key = DatasetTypeKey::Named(Arc::clone(name));
        if new_search(key.clone(), record, collections).is_calibration {
            found.push(key);
        }
    }
    if let Some(search) = tree.any_dataset() {
        let path = catalogue.search_path(&search.collections)?;
        if path.iter().any(|c| c.kind == CollectionType::Calibration) {
            found.push(DatasetTypeKey::Any);
        }
    }
    Ok(found)
}

/// The collections of a search that may have what it looks for, and why others have not.
fn resolve(
    name: &str,
    record: &DatasetTypeRecord,
    search: &DatasetSearch,
    catalogue: &Catalogue,
    constraints: Option<&PredicateConstraints>,
) -> Result<(Vec<CollectionRecord>, Vec<String>)> {
    let path = catalogue.search_path(&search.collections)?;
    let mut messages = Vec::new();
    if path.is_empty() {
        messages.push("No datasets can be found because collection list is empty.".to_owned());
    }
    let mut kept = Vec::new();
    for collection in path {
        let summary = catalogue.summary(collection);
        let mut rejected = false;
        if !summary.dataset_type_ids.contains(&record.id) {
            messages.push(format!(
                "No datasets of type '{name}' in collection '{}'.",
                collection.name
            ));
            rejected = true;
        }
        // A collection without any of the dataset types is rejected anyway, and for that reason.
        let governors = summary.governors.iter();
        for (governor, values) in governors.filter(|_| !summary.dataset_type_ids.is_empty()) {
            let wanted = constraints.and_then(|constraints| constraints.value(governor));
            let Some(wanted) = wanted.filter(|_| search.dimensions.contains(governor)) else {
                continue;
            };
            let is_there = matches!(
                &wanted,
                butler_core::dimensions::DataIdValue::Str(text) if values.contains(text)
            );
            if !is_there {
                messages.push(format!(
                    "No datasets with {governor}='{wanted}' in collection '{}'.",
                    collection.name
                ));
                rejected = true;
            }
        }
        if !rejected {
            kept.push(collection.clone());
        }
    }
    Ok((kept, messages))
}

/// A search for each dataset type of these dimensions that the collections hold. Types that are
/// found in the same collections come together.
fn union_searches(search: &DatasetSearch, catalogue: &Catalogue) -> Result<Vec<Search>> {
    let mut types: Vec<(i64, Vec<CollectionRecord>)> = Vec::new();
    for collection in catalogue.search_path(&search.collections)? {
        for id in &catalogue.summary(collection).dataset_type_ids {
            let Some(record) = catalogue.by_id.get(id) else {
                continue;
            };
            if *record.dataset_type.dimensions() != search.dimensions {
                continue;
            }
            match types.iter_mut().find(|(known, _)| known == id) {
                Some((_, collections)) => collections.push(collection.clone()),
                None => types.push((*id, vec![collection.clone()])),
            }
        }
    }
    Ok(types
        .into_iter()
        .map(|(id, collections)| {
            new_search(DatasetTypeKey::Any, &catalogue.by_id[&id], collections)
        })
        .collect())
}

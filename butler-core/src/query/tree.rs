//! Query trees: what a query joins, and which rows it keeps.

use std::sync::Arc;

use indexmap::IndexMap;
use uuid::Uuid;

use super::column_set::{ColumnSet, DatasetTypeKey};
use super::predicate::Predicate;
use crate::dimensions::{DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};

/// Identifies data IDs that have been uploaded to a [`QueryDriver`](super::QueryDriver).
pub type DataCoordinateUploadKey = Uuid;

/// Identifies rows that a [`QueryDriver`](super::QueryDriver) has stored temporarily.
pub type MaterializationKey = Uuid;

/// A search for datasets that is joined into a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatasetSearch {
    /// The collections to search, in order; no patterns.
    pub collections: Arc<[String]>,
    /// The dimensions of the dataset type; whoever answers the query checks them.
    pub dimensions: DimensionGroup,
}

impl DatasetSearch {
    /// A search of collections for a dataset type of these dimensions.
    pub fn new(collections: impl Into<Arc<[String]>>, dimensions: DimensionGroup) -> Self {
        Self {
            collections: collections.into(),
            dimensions,
        }
    }
}

/// What a query joins and which rows it keeps; not which columns come back.
///
/// Mirrors the reference's `QueryTree`. A tree has always joined the dimensions of all that is
/// joined into it, and all that its predicate needs.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTree {
    dimensions: DimensionGroup,
    datasets: IndexMap<Arc<str>, DatasetSearch>,
    any_dataset: Option<DatasetSearch>,
    data_coordinate_uploads: IndexMap<DataCoordinateUploadKey, DimensionGroup>,
    materializations: IndexMap<MaterializationKey, DimensionGroup>,
    predicate: Predicate,
    validate_governor_constraints: bool,
}

/// The parts of a tree that has not been checked; see [`QueryTree::from_parts`].
#[derive(Clone, Debug)]
pub struct QueryTreeParts {
    /// The dimensions that are joined.
    pub dimensions: DimensionGroup,
    /// Dataset searches by the name of the dataset type.
    pub datasets: IndexMap<Arc<str>, DatasetSearch>,
    /// A search for all dataset types of certain dimensions.
    pub any_dataset: Option<DatasetSearch>,
    /// The dimensions of uploaded data IDs.
    pub data_coordinate_uploads: IndexMap<DataCoordinateUploadKey, DimensionGroup>,
    /// The dimensions of temporarily stored rows.
    pub materializations: IndexMap<MaterializationKey, DimensionGroup>,
    /// Which rows are kept.
    pub predicate: Predicate,
    /// Whether the values of governor dimensions are checked.
    pub validate_governor_constraints: bool,
}

impl QueryTree {
    /// The tree without dimensions, whose result is one row without columns: what every other
    /// tree is made from by joining.
    #[must_use]
    pub fn identity(universe: DimensionUniverse) -> Self {
        Self {
            dimensions: universe.empty_group().clone(),
            datasets: IndexMap::new(),
            any_dataset: None,
            data_coordinate_uploads: IndexMap::new(),
            materializations: IndexMap::new(),
            predicate: Predicate::from_bool(true),
            validate_governor_constraints: true,
        }
    }

    /// Checks a tree that was put together elsewhere.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the tree lacks dimensions of what it joins, or dimensions or
    /// dataset searches that its predicate needs.
    pub fn from_parts(parts: QueryTreeParts) -> Result<Self> {
        let tree = Self {
            dimensions: parts.dimensions,
            datasets: parts.datasets,
            any_dataset: parts.any_dataset,
            data_coordinate_uploads: parts.data_coordinate_uploads,
            materializations: parts.materializations,
            predicate: parts.predicate,
            validate_governor_constraints: parts.validate_governor_constraints,
        };
        for operand in tree.joined_dimension_groups() {
            if !operand.is_subset(&tree.dimensions) {
                return Err(Error::InvalidQuery(format!(
                    "Dimensions {operand} of join operand are not a subset of the query tree's \
                     dimensions {}.",
                    tree.dimensions
                )));
            }
        }
        let mut columns = ColumnSet::new(tree.dimensions.clone());
        tree.predicate.gather_required_columns(&mut columns);
        if !columns.dimensions().is_subset(&tree.dimensions) {
            return Err(Error::InvalidQuery(format!(
                "Predicate requires dimensions beyond those in the query tree: it needs {}, the \
                 tree has {}.",
                columns.dimensions(),
                tree.dimensions
            )));
        }
        if let Some(missing) = tree.first_missing_dataset(&columns) {
            return Err(Error::InvalidQuery(format!(
                "Predicate requires dataset columns that are not in the query tree: no search for \
                 {missing} has been joined."
            )));
        }
        Ok(tree)
    }

    /// The universe.
    #[must_use]
    pub fn universe(&self) -> DimensionUniverse {
        self.dimensions.universe()
    }

    /// The dimensions that are joined.
    #[must_use]
    pub const fn dimensions(&self) -> &DimensionGroup {
        &self.dimensions
    }

    /// The dataset searches by the name of the dataset type.
    #[must_use]
    pub const fn datasets(&self) -> &IndexMap<Arc<str>, DatasetSearch> {
        &self.datasets
    }

    /// The search for all dataset types of certain dimensions.
    #[must_use]
    pub const fn any_dataset(&self) -> Option<&DatasetSearch> {
        self.any_dataset.as_ref()
    }

    /// The dimensions of uploaded data IDs.
    #[must_use]
    pub const fn data_coordinate_uploads(
        &self,
    ) -> &IndexMap<DataCoordinateUploadKey, DimensionGroup> {
        &self.data_coordinate_uploads
    }

    /// The dimensions of temporarily stored rows.
    #[must_use]
    pub const fn materializations(&self) -> &IndexMap<MaterializationKey, DimensionGroup> {
        &self.materializations
    }

    /// Which rows are kept.
    #[must_use]
    pub const fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// Whether it is an error if dimensions are constrained that mean little without the value of
    /// their governor dimension, and that value is not given.
    #[must_use]
    pub const fn validate_governor_constraints(&self) -> bool {
        self.validate_governor_constraints
    }

    /// All dataset searches, that for any dataset type last.
    pub fn all_dataset_searches(&self) -> impl Iterator<Item = (DatasetTypeKey, &DatasetSearch)> {
        let named = self.datasets.iter();
        let named = named.map(|(name, search)| (DatasetTypeKey::Named(Arc::clone(name)), search));
        let any = self.any_dataset.iter();
        named.chain(any.map(|search| (DatasetTypeKey::Any, search)))
    }

    /// The dimensions of all that is joined: uploads, stored rows and dataset searches; with
    /// repetitions.
    pub fn joined_dimension_groups(&self) -> impl Iterator<Item = &DimensionGroup> {
        let searches = self.datasets.values().chain(&self.any_dataset);
        self.data_coordinate_uploads
            .values()
            .chain(self.materializations.values())
            .chain(searches.map(|search| &search.dimensions))
    }

    /// Whether a search for this dataset type is joined.
    #[must_use]
    pub fn has_dataset(&self, dataset_type: &DatasetTypeKey) -> bool {
        match dataset_type {
            DatasetTypeKey::Any => self.any_dataset.is_some(),
            DatasetTypeKey::Named(name) => self.datasets.contains_key(&**name),
        }
    }

    /// The first dataset type whose columns are in the set but that is not joined.
    pub(super) fn first_missing_dataset<'a>(
        &self,
        columns: &'a ColumnSet,
    ) -> Option<&'a DatasetTypeKey> {
        let mut needed = columns.dataset_fields().keys();
        needed.find(|dataset_type| !self.has_dataset(dataset_type))
    }

    /// How deep queries are nested in the predicate.
    #[must_use]
    pub fn query_depth(&self) -> usize {
        self.predicate.query_depth()
    }

    /// The tree with further dimensions.
    #[must_use]
    pub fn join_dimensions(mut self, dimensions: &DimensionGroup) -> Self {
        self.dimensions = self.dimensions.union(dimensions);
        self
    }

    /// The tree joined with uploaded data IDs.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if they are joined already.
    pub fn join_data_coordinate_upload(
        mut self,
        key: DataCoordinateUploadKey,
        dimensions: &DimensionGroup,
    ) -> Result<Self> {
        let old = self.data_coordinate_uploads.insert(key, dimensions.clone());
        if old.is_some() {
            return Err(Error::InvalidQuery(format!(
                "uploaded data IDs {key} are joined into the query already"
            )));
        }
        Ok(self.join_dimensions(dimensions))
    }

    /// The tree joined with temporarily stored rows.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if they are joined already.
    pub fn join_materialization(
        mut self,
        key: MaterializationKey,
        dimensions: &DimensionGroup,
    ) -> Result<Self> {
        let old = self.materializations.insert(key, dimensions.clone());
        if old.is_some() {
            return Err(Error::InvalidQuery(format!(
                "materialized query {key} is joined into the query already"
            )));
        }
        Ok(self.join_dimensions(dimensions))
    }

    /// The tree joined with a dataset search; nothing changes if the same search is there.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if another search for the dataset type is there.
    pub fn join_dataset(
        mut self,
        dataset_type: impl Into<Arc<str>>,
        search: DatasetSearch,
    ) -> Result<Self> {
        let dataset_type = dataset_type.into();
        match self.datasets.get(&dataset_type) {
            Some(existing) if *existing == search => Ok(self),
            Some(_) => Err(Error::InvalidQuery(format!(
                "another search for dataset type '{dataset_type}' is joined into the query already"
            ))),
            None => {
                let result = self.dimensions.union(&search.dimensions);
                self.dimensions = result;
                self.datasets.insert(dataset_type, search);
                Ok(self)
            }
        }
    }

    /// The tree joined with a search for all dataset types of certain dimensions; nothing changes
    /// if the same search is there.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if another such search is there.
    pub fn join_any_dataset(mut self, search: DatasetSearch) -> Result<Self> {
        match &self.any_dataset {
            Some(existing) if *existing == search => Ok(self),
            Some(_) => Err(Error::InvalidQuery(
                "another search for any dataset type is joined into the query already".to_owned(),
            )),
            None => {
                self.dimensions = self.dimensions.union(&search.dimensions);
                self.any_dataset = Some(search);
                Ok(self)
            }
        }
    }

    /// The tree with a further condition on its rows. Dimensions that the condition needs are
    /// joined; dataset searches must be there.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the condition refers to datasets that have not been joined, or
    /// the whole condition becomes too large.
    pub fn where_(mut self, term: Predicate) -> Result<Self> {
        let mut columns = ColumnSet::new(self.dimensions.clone());
        term.gather_required_columns(&mut columns);
        if let Some(missing) = self.first_missing_dataset(&columns) {
            return Err(Error::InvalidQuery(format!(
                "Cannot reference dataset type(s) that have not been joined: {missing}."
            )));
        }
        self.predicate = self.predicate.and(term)?;
        self.dimensions = columns.dimensions().clone();
        Ok(self)
    }

    /// The same tree with another condition in place of its own.
    ///
    /// # Errors
    /// As [`where_`](Self::where_).
    pub fn with_predicate(mut self, predicate: Predicate) -> Result<Self> {
        self.predicate = Predicate::from_bool(true);
        self.where_(predicate)
    }

    /// The same tree, not checked for the values of governor dimensions.
    #[must_use]
    pub fn without_governor_validation(mut self) -> Self {
        self.validate_governor_constraints = false;
        self
    }
}

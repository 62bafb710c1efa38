//! The fluent interface to queries.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::arguments::{DatasetTypeArgument, Where};
use super::column_set::DatasetTypeKey;
use super::constraints::PredicateConstraints;
use super::driver::QueryDriver;
use super::tree::{DatasetSearch, QueryTree};
use crate::datasets::{DatasetType, split_dataset_type_name};
use crate::dimensions::{DataCoordinate, DataIdValue, DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};

/// A query in the making: what is joined, and which rows are kept.
///
/// The methods that change something give a new query; results are made of it at the end. What is
/// uploaded or materialized lives as long as the driver does, which all queries and results made
/// of one another share.
///
/// ```
/// # use butler_core::{Result, query::Query};
/// # use futures::TryStreamExt as _;
/// # async fn example(query: Query) -> Result<()> {
/// let collections = ["HSC/defaults".to_owned()];
/// let mut flats = query
///     .where_("instrument = 'HSC' AND detector < 10")?
///     .datasets("flat", Some(&collections))
///     .await?
///     .order_by(["-detector"])?
///     .stream();
/// while let Some(flat) = flats.try_next().await? {
///     println!("{flat}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Query {
    driver: Arc<dyn QueryDriver>,
    tree: QueryTree,
    allow_duplicate_overlaps: bool,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("tree", &self.tree)
            .field("allow_duplicate_overlaps", &self.allow_duplicate_overlaps)
            .finish_non_exhaustive()
    }
}

impl Query {
    /// A query that has joined nothing.
    #[must_use]
    pub fn new(driver: Arc<dyn QueryDriver>) -> Self {
        let tree = QueryTree::identity(driver.universe());
        Self::with_tree(driver, tree)
    }

    /// The query of a tree.
    #[must_use]
    pub fn with_tree(driver: Arc<dyn QueryDriver>, tree: QueryTree) -> Self {
        Self {
            driver,
            tree,
            allow_duplicate_overlaps: false,
        }
    }

    fn replaced(&self, tree: QueryTree) -> Self {
        Self {
            driver: Arc::clone(&self.driver),
            tree,
            allow_duplicate_overlaps: self.allow_duplicate_overlaps,
        }
    }

    /// What is joined, and which rows are kept.
    #[must_use]
    pub const fn tree(&self) -> &QueryTree {
        &self.tree
    }

    /// What answers the query.
    #[must_use]
    pub const fn driver(&self) -> &Arc<dyn QueryDriver> {
        &self.driver
    }

    /// The dimensions of the repository.
    #[must_use]
    pub fn universe(&self) -> DimensionUniverse {
        self.driver.universe()
    }

    /// The dimensions that are joined.
    #[must_use]
    pub const fn dimensions(&self) -> &DimensionGroup {
        self.tree.dimensions()
    }

    /// The dataset types whose columns names without a qualifier may mean.
    pub(super) fn datasets_in_scope(&self) -> BTreeSet<DatasetTypeKey> {
        let names = self.tree.datasets().keys();
        names.map(|name| Arc::clone(name).into()).collect()
    }

    /// Whether rows may come back several times where they overlap others in several ways, which
    /// saves work.
    #[must_use]
    pub const fn allow_duplicate_overlaps(mut self, allow: bool) -> Self {
        self.allow_duplicate_overlaps = allow;
        self
    }

    pub(super) const fn allows_duplicate_overlaps(&self) -> bool {
        self.allow_duplicate_overlaps
    }

    /// The query, not checked for the values of governor dimensions.
    #[must_use]
    pub fn without_governor_validation(mut self) -> Self {
        self.tree = self.tree.without_governor_validation();
        self
    }

    /// The query with further dimensions.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if one of them is unknown.
    pub fn join_dimensions<S: AsRef<str>>(
        mut self,
        dimensions: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let dimensions = self.universe().conform(dimensions)?;
        self.tree = self.tree.join_dimensions(&dimensions);
        Ok(self)
    }

    /// The query joined with a search for datasets in collections (the default ones if none are
    /// given): rows without such a dataset are left out, and its columns may be used.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the dataset type has been joined with other collections, or is
    /// given with another storage class than the registered one; [`Error::MissingDatasetType`];
    /// [`Error::ConflictingDefinition`] if it is given with other dimensions;
    /// [`Error::InvalidArgument`] without collections.
    pub async fn join_dataset_search(
        self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
    ) -> Result<Self> {
        let dataset_type = dataset_type.into();
        let (query, registered) = self.joined(&dataset_type, collections).await?;
        if let DatasetTypeArgument::Definition(given) = &dataset_type
            && given.storage_class_name() != registered.storage_class_name()
        {
            return Err(Error::InvalidQuery(format!(
                "Storage class '{}' for dataset type '{}' differs from repository definition '{}'. \
                 A join does not read datasets; pass the override to Query::datasets instead.",
                given.storage_class_name(),
                given.name(),
                registered.storage_class_name()
            )));
        }
        Ok(query)
    }

    /// Joins a dataset search, and gives the registered dataset type too.
    pub(super) async fn joined(
        &self,
        dataset_type: &DatasetTypeArgument,
        collections: Option<&[String]>,
    ) -> Result<(Self, Arc<DatasetType>)> {
        let name = dataset_type.name();
        let search = match (self.tree.datasets().get(name), collections) {
            (Some(existing), None) => Arc::clone(&existing.collections),
            (Some(existing), Some(given)) if *existing.collections == *given => {
                Arc::clone(&existing.collections)
            }
            (Some(existing), Some(given)) => {
                return Err(Error::InvalidQuery(format!(
                    "Dataset type '{name}' was already joined into this query with a different \
                     collection search path (previously [{}], now [{}]).",
                    existing.collections.join(", "),
                    given.join(", ")
                )));
            }
            (None, Some(given)) => given.into(),
            (None, None) => match self.driver.default_collections() {
                [] => {
                    return Err(Error::InvalidArgument(
                        "No collections provided and no default collections: name them, or open \
                         the repository with default collections."
                            .to_owned(),
                    ));
                }
                defaults => defaults.into(),
            },
        };
        if let (parent, Some(_)) = split_dataset_type_name(name) {
            return Err(Error::MissingDatasetType(format!(
                "'{name}' is a component, which cannot be searched for; search for '{parent}'"
            )));
        }
        let registered = self.driver.dataset_type(name).await?;
        if let DatasetTypeArgument::Definition(given) = dataset_type
            && given.dimensions() != registered.dimensions()
        {
            return Err(Error::ConflictingDefinition(format!(
                "Given dimensions {} for dataset type '{name}' do not match the registered \
                 dimensions {}.",
                given.dimensions(),
                registered.dimensions()
            )));
        }
        let search = DatasetSearch::new(search, registered.dimensions().clone());
        let tree = self.tree.clone().join_dataset(Arc::clone(name), search)?;
        Ok((self.replaced(tree), registered))
    }

    /// The query joined with data IDs, which must all be of the same dimensions: rows that agree
    /// with none of them are left out.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if there are none, or their dimensions differ; errors as of
    /// [`QueryDriver::upload_data_coordinates`].
    pub async fn join_data_coordinates(
        &self,
        data_ids: impl IntoIterator<Item = DataCoordinate>,
    ) -> Result<Self> {
        let mut dimensions: Option<DimensionGroup> = None;
        let mut seen = HashSet::new();
        let mut rows = Vec::new();
        for data_id in data_ids {
            let expected = dimensions.get_or_insert_with(|| data_id.dimensions().clone());
            if expected != data_id.dimensions() {
                return Err(Error::InvalidQuery(format!(
                    "Inconsistent dimensions: {expected} != {}.",
                    data_id.dimensions()
                )));
            }
            if seen.insert(data_id.required_values().to_vec()) {
                rows.push(data_id.required_values().to_vec());
            }
        }
        let dimensions = dimensions.ok_or_else(empty_upload)?;
        self.with_upload(dimensions, rows).await
    }

    /// The query joined with a table of values of dimensions, a row for each data ID.
    ///
    /// Required dimensions that are not among the columns take the value that the conditions given
    /// so far demand.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if there are no rows, one has too few or too many values, or a
    /// required dimension has no value; [`Error::DimensionName`] if a column is no dimension;
    /// errors as of [`QueryDriver::upload_data_coordinates`].
    pub async fn join_data_coordinate_table<S: AsRef<str>>(
        &self,
        columns: &[S],
        rows: &[Vec<DataIdValue>],
    ) -> Result<Self> {
        if rows.is_empty() {
            return Err(empty_upload());
        }
        let dimensions = self.universe().conform(columns)?;
        let fixed = PredicateConstraints::new(self.tree.predicate().clone());
        /// Where a required value comes from.
        enum Source {
            Column(usize),
            Fixed(DataIdValue),
        }
        let mut sources = Vec::new();
        let mut missing = Vec::new();
        for name in dimensions.required() {
            let column = columns.iter().position(|column| column.as_ref() == *name);
            match (column, fixed.value(name)) {
                (Some(column), _) => sources.push(Source::Column(column)),
                (None, Some(value)) => sources.push(Source::Fixed(value)),
                (None, None) => missing.push(*name),
            }
        }
        if !missing.is_empty() {
            return Err(Error::InvalidQuery(format!(
                "Data coordinate table is missing required dimension(s) {}.",
                missing.join(", ")
            )));
        }
        let mut required = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != columns.len() {
                return Err(Error::InvalidQuery(format!(
                    "a row of the data coordinate table has {} values for {} columns",
                    row.len(),
                    columns.len()
                )));
            }
            let values = sources.iter().map(|source| match source {
                Source::Column(column) => row[*column].clone(),
                Source::Fixed(value) => value.clone(),
            });
            required.push(values.collect());
        }
        self.with_upload(dimensions, required).await
    }

    async fn with_upload(
        &self,
        dimensions: DimensionGroup,
        rows: Vec<Vec<DataIdValue>>,
    ) -> Result<Self> {
        let key = self
            .driver
            .upload_data_coordinates(&dimensions, rows)
            .await?;
        let tree = self.tree.clone();
        Ok(self.replaced(tree.join_data_coordinate_upload(key, &dimensions)?))
    }

    /// The query with a further condition on its rows. Dimensions it needs are joined; datasets it
    /// refers to must have been joined.
    ///
    /// # Errors
    /// As [`Where::to_predicate`] and [`QueryTree::where_`].
    pub fn where_(mut self, condition: impl Into<Where>) -> Result<Self> {
        let datasets = self.datasets_in_scope();
        let predicate = condition
            .into()
            .to_predicate(self.dimensions(), &datasets)?;
        self.tree = self.tree.where_(predicate)?;
        Ok(self)
    }

    /// The query whose rows are those that this one has now, stored temporarily: the keys of
    /// `dimensions` (all that are joined, if not given) and the searches for `datasets` (all, if
    /// not given). It pays when several results are made of an expensive query.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if a dataset type has not been joined, or its dimensions are not
    /// kept; [`Error::DimensionName`] if a dimension is unknown; errors as of
    /// [`QueryDriver::materialize`].
    pub async fn materialize(
        &self,
        dimensions: Option<&[&str]>,
        datasets: Option<&[&str]>,
    ) -> Result<Self> {
        let joined = self.tree.datasets();
        let datasets: BTreeSet<Arc<str>> = match datasets {
            None => joined.keys().cloned().collect(),
            Some(names) => names.iter().map(|name| Arc::from(*name)).collect(),
        };
        let dimensions = match dimensions {
            None => self.dimensions().clone(),
            Some(names) => self.universe().conform(names)?,
        };
        let mut searches = Vec::new();
        for name in &datasets {
            let search = joined.get(name).ok_or_else(|| {
                Error::InvalidQuery(format!(
                    "Dataset type '{name}' cannot be materialized: it is not part of the query."
                ))
            })?;
            if !search.dimensions.is_subset(&dimensions) {
                return Err(Error::InvalidQuery(format!(
                    "Materialization-backed query has dimensions {dimensions}, which do not cover \
                     the dimensions {} of dataset '{name}'. Keep more dimensions or fewer dataset \
                     types.",
                    search.dimensions
                )));
            }
            searches.push((Arc::clone(name), search.clone()));
        }
        let key = self
            .driver
            .materialize(
                &self.tree,
                &dimensions,
                &datasets,
                self.allow_duplicate_overlaps,
            )
            .await?;
        let mut tree =
            QueryTree::identity(self.universe()).join_materialization(key, &dimensions)?;
        for (name, search) in searches {
            tree = tree.join_dataset(name, search)?;
        }
        Ok(Self::with_tree(Arc::clone(&self.driver), tree))
    }

    /// Whether there are any rows.
    ///
    /// # Errors
    /// As [`QueryDriver::any`].
    pub async fn any(&self, execute: bool, exact: bool) -> Result<bool> {
        self.driver.any(&self.tree, execute, exact).await
    }

    /// Why there are no rows, for people; empty if there may be some.
    ///
    /// # Errors
    /// As [`QueryDriver::explain_no_results`].
    pub async fn explain_no_results(&self, execute: bool) -> Result<Vec<String>> {
        self.driver.explain_no_results(&self.tree, execute).await
    }
}

fn empty_upload() -> Error {
    Error::InvalidQuery("Cannot upload an empty data coordinate set.".to_owned())
}

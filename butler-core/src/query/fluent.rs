//! The fluent interface to queries.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::arguments::{DatasetTypeArgument, Where};
use super::column_set::{DatasetField, DatasetTypeKey};
use super::constraints::PredicateConstraints;
use super::driver::QueryDriver;
use super::general::GeneralColumns;
use super::language::{ParseContext, interpret_identifier};
use super::reference::ColumnReference;
use super::result_spec::ResultSpec;
use super::results::{DataIds, Datasets, DimensionRecords, GeneralRows};
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
    fn datasets_in_scope(&self) -> BTreeSet<DatasetTypeKey> {
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
    async fn joined(
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

    fn spec(&self, mut spec: ResultSpec) -> ResultSpec {
        spec.allow_duplicate_overlaps = self.allow_duplicate_overlaps;
        spec
    }

    /// The data IDs of the rows, over all dimensions that are joined.
    ///
    /// # Errors
    /// None in practice.
    pub fn data_ids(&self) -> Result<DataIds> {
        let spec = ResultSpec::data_coordinates(self.dimensions().clone());
        DataIds::new(Arc::clone(&self.driver), self.tree.clone(), self.spec(spec))
    }

    /// The data IDs of the rows, over some dimensions; those not joined yet are.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if a dimension is unknown.
    pub fn data_ids_of<S: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = S>,
    ) -> Result<DataIds> {
        let dimensions = self.universe().conform(dimensions)?;
        let tree = self.tree.clone().join_dimensions(&dimensions);
        let spec = self.spec(ResultSpec::data_coordinates(dimensions));
        DataIds::new(Arc::clone(&self.driver), tree, spec)
    }

    /// The datasets of a type in collections: those of the join, if the type has been joined, or
    /// else the default ones, if none are given. Of each data ID, the first dataset comes back, in
    /// the order of the collections.
    ///
    /// A dataset type given with another storage class makes datasets come back with that.
    ///
    /// # Errors
    /// As [`join_dataset_search`](Self::join_dataset_search), but [`Error::InvalidArgument`] if the
    /// registered storage class cannot be converted to the given one.
    pub async fn datasets(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
    ) -> Result<Datasets> {
        self.datasets_with(dataset_type, collections, true).await
    }

    /// The datasets of a type in all of the collections, even if several have the same data ID.
    ///
    /// # Errors
    /// As [`datasets`](Self::datasets).
    pub async fn all_datasets(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
    ) -> Result<Datasets> {
        self.datasets_with(dataset_type, collections, false).await
    }

    /// The datasets of a type in collections; with `find_first`, the first of each data ID.
    ///
    /// # Errors
    /// As [`datasets`](Self::datasets).
    pub async fn datasets_with(
        &self,
        dataset_type: impl Into<DatasetTypeArgument>,
        collections: Option<&[String]>,
        find_first: bool,
    ) -> Result<Datasets> {
        let dataset_type = dataset_type.into();
        let (query, registered) = self.joined(&dataset_type, collections).await?;
        let storage_class = match &dataset_type {
            DatasetTypeArgument::Name(_) => registered.storage_class_name(),
            DatasetTypeArgument::Definition(given) => {
                let wanted = given.storage_class_name();
                if wanted != registered.storage_class_name() {
                    let classes = self.driver.storage_classes();
                    let own = registered.storage_class(classes)?;
                    if !classes.get(wanted)?.can_convert(&own) {
                        return Err(Error::InvalidArgument(format!(
                            "Given storage class '{wanted}' for '{}' is not compatible with \
                             repository storage class '{}'.",
                            registered.name(),
                            registered.storage_class_name()
                        )));
                    }
                }
                wanted
            }
        };
        let spec = ResultSpec::dataset_refs(
            Arc::clone(registered.name()),
            registered.dimensions().clone(),
            Arc::clone(storage_class),
            find_first,
        );
        Datasets::new(query.driver, query.tree, self.spec(spec))
    }

    /// The records of an element that belong to the rows; its dimensions are joined.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if there is no such element.
    pub fn dimension_records(&self, element: &str) -> Result<DimensionRecords> {
        let element = self.universe().element(element)?;
        let mut tree = self.tree.clone();
        if !tree.dimensions().contains_element(element.name()) {
            tree = tree.join_dimensions(element.minimal_group());
        }
        let spec = self.spec(ResultSpec::dimension_records(element));
        DimensionRecords::new(Arc::clone(&self.driver), tree, spec)
    }

    /// Rows of values: the keys of these dimensions, and further columns. Dimensions that the
    /// columns need are added; dataset types must have been joined.
    ///
    /// `find_first` says whether only the first dataset of each data ID counts, in the order of the
    /// collections. It must be given if there are columns of datasets.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if a name means nothing; if a dataset type has not been joined; if
    /// `find_first` is missing, set for other than one dataset type, or not off for a validity
    /// range. [`Error::DimensionName`] if a dimension or element is unknown.
    pub fn general<S: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = S>,
        columns: GeneralColumns,
        find_first: Option<bool>,
    ) -> Result<GeneralRows> {
        let universe = self.universe();
        let GeneralColumns {
            names,
            mut dimension_fields,
            mut dataset_fields,
        } = columns;
        let mut dimensions = universe.conform(dimensions)?;
        let datasets = self.datasets_in_scope();
        let mut extra = Vec::new();
        for name in &names {
            let context = ParseContext::new(&dimensions).with_datasets(&datasets);
            let found = interpret_identifier(&context, name)?;
            match found.as_reference() {
                Some(ColumnReference::DimensionKey { dimension, .. }) => {
                    extra.push(dimension.minimal_group().clone());
                }
                Some(ColumnReference::DimensionField { element, column }) => {
                    let fields = dimension_fields.entry(element.name().to_owned());
                    fields.or_default().insert(column.name.to_string());
                }
                Some(ColumnReference::DatasetField {
                    dataset_type: DatasetTypeKey::Named(dataset_type),
                    field,
                }) => {
                    let fields = dataset_fields.entry(Arc::clone(dataset_type));
                    fields.or_default().insert(*field);
                }
                Some(ColumnReference::DatasetField { .. }) => {
                    return Err(Error::InvalidQuery(
                        "Dataset wildcard fields are not supported by Query::general.".to_owned(),
                    ));
                }
                None => {
                    return Err(Error::InvalidQuery(format!(
                        "'{name}' is not a column of its own; ask for the timespan it is a bound of"
                    )));
                }
            }
        }
        for element in dimension_fields.keys() {
            extra.push(universe.element(element)?.minimal_group().clone());
        }
        extra.extend(self.searched_dimensions(&dataset_fields, find_first)?);
        let find_first = match find_first {
            Some(find_first) => find_first,
            None if dataset_fields.is_empty() => false,
            None => {
                return Err(Error::InvalidQuery(
                    "find_first must be given if dataset fields are included in query results."
                        .to_owned(),
                ));
            }
        };
        for group in &extra {
            dimensions = dimensions.union(group);
        }
        let tree = self.tree.clone().join_dimensions(&dimensions);
        let spec = ResultSpec::general(dimensions, dimension_fields, dataset_fields, find_first)?;
        GeneralRows::new(Arc::clone(&self.driver), tree, self.spec(spec))
    }

    /// The dimensions of the dataset types whose columns are asked for.
    fn searched_dimensions(
        &self,
        fields: &BTreeMap<Arc<str>, BTreeSet<DatasetField>>,
        find_first: Option<bool>,
    ) -> Result<Vec<DimensionGroup>> {
        let check = |(name, fields): (&Arc<str>, &BTreeSet<DatasetField>)| {
            if fields.contains(&DatasetField::Timespan) && find_first != Some(false) {
                return Err(Error::InvalidQuery(format!(
                    "find_first=false must be given explicitly if {name}.timespan is included in \
                     query results."
                )));
            }
            let search = self.tree.datasets().get(name).ok_or_else(|| {
                Error::InvalidQuery(format!(
                    "A search for dataset type '{name}' must be explicitly joined into the query \
                     before including its fields in query results."
                ))
            })?;
            Ok(search.dimensions.clone())
        };
        fields.iter().map(check).collect()
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

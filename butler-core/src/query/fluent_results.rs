//! What the fluent interface makes of a query at the end: its results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::arguments::DatasetTypeArgument;
use super::column_set::{DatasetField, DatasetTypeKey};
use super::fluent::Query;
use super::general::GeneralColumns;
use super::language::{ParseContext, interpret_identifier};
use super::reference::ColumnReference;
use super::result_spec::ResultSpec;
use super::results::{DataIds, Datasets, DimensionRecords, GeneralRows};
use crate::dimensions::DimensionGroup;
use crate::error::{Error, Result};

impl Query {
    fn spec(&self, mut spec: ResultSpec) -> ResultSpec {
        spec.allow_duplicate_overlaps = self.allows_duplicate_overlaps();
        spec
    }

    /// The data IDs of the rows, over all dimensions that are joined.
    ///
    /// # Errors
    /// None in practice.
    pub fn data_ids(&self) -> Result<DataIds> {
        let spec = ResultSpec::data_coordinates(self.dimensions().clone());
        DataIds::new(
            Arc::clone(self.driver()),
            self.tree().clone(),
            self.spec(spec),
        )
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
        let tree = self.tree().clone().join_dimensions(&dimensions);
        let spec = self.spec(ResultSpec::data_coordinates(dimensions));
        DataIds::new(Arc::clone(self.driver()), tree, spec)
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
                    let classes = self.driver().storage_classes();
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
        Datasets::new(
            Arc::clone(query.driver()),
            query.tree().clone(),
            self.spec(spec),
        )
    }

    /// The records of an element that belong to the rows; its dimensions are joined.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if there is no such element.
    pub fn dimension_records(&self, element: &str) -> Result<DimensionRecords> {
        let element = self.universe().element(element)?;
        let mut tree = self.tree().clone();
        if !tree.dimensions().contains_element(element.name()) {
            tree = tree.join_dimensions(element.minimal_group());
        }
        let spec = self.spec(ResultSpec::dimension_records(element));
        DimensionRecords::new(Arc::clone(self.driver()), tree, spec)
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
        let tree = self.tree().clone().join_dimensions(&dimensions);
        let spec = ResultSpec::general(dimensions, dimension_fields, dataset_fields, find_first)?;
        GeneralRows::new(Arc::clone(self.driver()), tree, self.spec(spec))
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
            let search = self.tree().datasets().get(name).ok_or_else(|| {
                Error::InvalidQuery(format!(
                    "A search for dataset type '{name}' must be explicitly joined into the query \
                     before including its fields in query results."
                ))
            })?;
            Ok(search.dimensions.clone())
        };
        fields.iter().map(check).collect()
    }
}

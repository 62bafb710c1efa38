//! Result specifications: what comes back of the rows of a query.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::column_set::{ColumnSet, DatasetField, DatasetTypeKey};
use super::expression::OrderExpression;
use super::tree::QueryTree;
use crate::dimensions::{DimensionElement, DimensionGroup};
use crate::error::{Error, Result};

/// What comes back of the rows of a query, how many of them, and in which order.
///
/// Mirrors the reference's `ResultSpec`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultSpec {
    /// What each row becomes.
    pub kind: ResultKind,
    /// What rows are sorted by; the first counts most.
    pub order_by: Vec<OrderExpression>,
    /// The largest number of rows; `None` for all.
    pub limit: Option<u64>,
    /// Whether a row may come back several times where it overlaps others in several ways.
    pub allow_duplicate_overlaps: bool,
}

/// What each row of a query becomes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ResultKind {
    /// A [`DataCoordinate`](crate::dimensions::DataCoordinate).
    DataCoordinate {
        /// Its dimensions.
        dimensions: DimensionGroup,
        /// Whether records are attached.
        include_dimension_records: bool,
    },
    /// A [`DimensionRecord`](crate::dimensions::DimensionRecord).
    DimensionRecord {
        /// Of which element.
        element: DimensionElement,
    },
    /// A [`DatasetRef`](crate::datasets::DatasetRef).
    DatasetRef {
        /// The name of the dataset type.
        dataset_type_name: Arc<str>,
        /// The dimensions of the dataset type.
        dimensions: DimensionGroup,
        /// The storage class that datasets come back with.
        storage_class_name: Arc<str>,
        /// Whether records are attached to data IDs.
        include_dimension_records: bool,
        /// Whether only the first dataset of a data ID counts, in the order of collections.
        find_first: bool,
    },
    /// A row of values; [`ResultSpec::general`] makes it.
    #[non_exhaustive]
    General {
        /// The dimensions whose keys are in the row.
        dimensions: DimensionGroup,
        /// Fields of dimension records by element, none of them empty.
        dimension_fields: BTreeMap<&'static str, BTreeSet<&'static str>>,
        /// Columns of dataset searches by dataset type, none of them empty.
        dataset_fields: BTreeMap<Arc<str>, BTreeSet<DatasetField>>,
        /// Whether all dimension records come along.
        include_dimension_records: bool,
        /// Whether only the first dataset of a data ID counts; there is one dataset type then.
        find_first: bool,
    },
}

impl ResultSpec {
    /// All results of a kind, in no particular order.
    #[must_use]
    pub const fn new(kind: ResultKind) -> Self {
        Self {
            kind,
            order_by: Vec::new(),
            limit: None,
            allow_duplicate_overlaps: false,
        }
    }

    /// Data IDs of these dimensions, without records.
    #[must_use]
    pub const fn data_coordinates(dimensions: DimensionGroup) -> Self {
        Self::new(ResultKind::DataCoordinate {
            dimensions,
            include_dimension_records: false,
        })
    }

    /// Records of an element.
    #[must_use]
    pub const fn dimension_records(element: DimensionElement) -> Self {
        Self::new(ResultKind::DimensionRecord { element })
    }

    /// Datasets of a type, without records.
    pub fn dataset_refs(
        dataset_type_name: impl Into<Arc<str>>,
        dimensions: DimensionGroup,
        storage_class_name: impl Into<Arc<str>>,
        find_first: bool,
    ) -> Self {
        Self::new(ResultKind::DatasetRef {
            dataset_type_name: dataset_type_name.into(),
            dimensions,
            storage_class_name: storage_class_name.into(),
            include_dimension_records: false,
            find_first,
        })
    }

    /// Rows of values, without records.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if `find_first` is set and there is not just one dataset type; if an
    /// element is not in the dimensions, is a skypix dimension, or has no such field; if a set of
    /// fields is empty.
    pub fn general<E: AsRef<str>, F: AsRef<str>>(
        dimensions: DimensionGroup,
        dimension_fields: impl IntoIterator<Item = (E, impl IntoIterator<Item = F>)>,
        dataset_fields: BTreeMap<Arc<str>, BTreeSet<DatasetField>>,
        find_first: bool,
    ) -> Result<Self> {
        if find_first && dataset_fields.len() != 1 {
            return Err(Error::InvalidQuery(
                "find_first=True requires exactly one result dataset type.".to_owned(),
            ));
        }
        let mut checked: BTreeMap<&'static str, BTreeSet<&'static str>> = BTreeMap::new();
        for (name, fields) in dimension_fields {
            let name = name.as_ref();
            let element = dimensions.universe().get(name);
            let element = element.filter(|element| dimensions.contains_element(element.name()));
            let element = element.ok_or_else(|| {
                Error::InvalidQuery(format!("Dimension element {name} is not in {dimensions}."))
            })?;
            let fields: Vec<F> = fields.into_iter().collect();
            if fields.is_empty() {
                return Err(Error::InvalidQuery(format!(
                    "Empty dimension element field set for '{name}' is not permitted."
                )));
            }
            if element.is_skypix() {
                return Err(Error::InvalidQuery(format!(
                    "Regions for skypix dimension '{name}' are not stored; compute them from the \
                     pixelization instead."
                )));
            }
            let known = checked.entry(element.name()).or_default();
            for field in fields {
                known.insert(&super::reference::remainder_field(element, field.as_ref())?.name);
            }
        }
        let empty = dataset_fields.iter().find(|(_, fields)| fields.is_empty());
        if let Some((dataset_type, _)) = empty {
            return Err(Error::InvalidQuery(format!(
                "Empty dataset field set for '{dataset_type}' is not permitted."
            )));
        }
        Ok(Self::new(ResultKind::General {
            dimensions,
            dimension_fields: checked,
            dataset_fields,
            include_dimension_records: false,
            find_first,
        }))
    }

    /// The name of the kind on the wire.
    #[must_use]
    pub const fn result_type(&self) -> &'static str {
        match &self.kind {
            ResultKind::DataCoordinate { .. } => "data_coordinate",
            ResultKind::DimensionRecord { .. } => "dimension_record",
            ResultKind::DatasetRef { .. } => "dataset_ref",
            ResultKind::General { .. } => "general",
        }
    }

    /// The dimensions of the results.
    #[must_use]
    pub fn dimensions(&self) -> &DimensionGroup {
        match &self.kind {
            ResultKind::DataCoordinate { dimensions, .. }
            | ResultKind::DatasetRef { dimensions, .. }
            | ResultKind::General { dimensions, .. } => dimensions,
            ResultKind::DimensionRecord { element } => element.minimal_group(),
        }
    }

    /// Whether dimension records come along; never for results that are records themselves.
    #[must_use]
    pub const fn include_dimension_records(&self) -> bool {
        match &self.kind {
            ResultKind::DataCoordinate {
                include_dimension_records,
                ..
            }
            | ResultKind::DatasetRef {
                include_dimension_records,
                ..
            }
            | ResultKind::General {
                include_dimension_records,
                ..
            } => *include_dimension_records,
            ResultKind::DimensionRecord { .. } => false,
        }
    }

    /// The same with or without dimension records; nothing changes if the results are records.
    #[must_use]
    pub const fn with_dimension_records(mut self, include: bool) -> Self {
        match &mut self.kind {
            ResultKind::DataCoordinate {
                include_dimension_records,
                ..
            }
            | ResultKind::DatasetRef {
                include_dimension_records,
                ..
            }
            | ResultKind::General {
                include_dimension_records,
                ..
            } => *include_dimension_records = include,
            ResultKind::DimensionRecord { .. } => {}
        }
        self
    }

    /// The dataset type of which only the first dataset of a data ID counts, if any.
    #[must_use]
    pub fn find_first_dataset(&self) -> Option<&Arc<str>> {
        match &self.kind {
            ResultKind::DatasetRef {
                dataset_type_name,
                find_first: true,
                ..
            } => Some(dataset_type_name),
            ResultKind::General {
                dataset_fields,
                find_first: true,
                ..
            } => dataset_fields.keys().next(),
            _ => None,
        }
    }

    /// The columns of the rows; those that are only sorted by need not be among them.
    ///
    /// With dimension records, the fields of those elements are included whose records are not
    /// cached; the others are added when rows become results.
    #[must_use]
    pub fn result_columns(&self) -> ColumnSet {
        let mut columns = ColumnSet::new(self.dimensions().clone());
        match &self.kind {
            ResultKind::DataCoordinate { .. } => {}
            ResultKind::DimensionRecord { element } => {
                if !element.is_skypix() {
                    columns.add_all_dimension_fields(*element);
                }
                let own: Vec<_> = element.dimensions().collect();
                let others = element.minimal_group().names().iter().copied();
                columns.drop_dimension_keys(others.filter(|name| !own.contains(name)));
            }
            ResultKind::DatasetRef {
                dataset_type_name, ..
            } => {
                for field in [DatasetField::DatasetId, DatasetField::Run] {
                    columns.add_dataset_field(Arc::clone(dataset_type_name).into(), field);
                }
            }
            ResultKind::General {
                dimensions,
                dimension_fields,
                dataset_fields,
                ..
            } => {
                for (name, fields) in dimension_fields {
                    if let Some(element) = dimensions.universe().get(name) {
                        for field in fields {
                            columns.insert_dimension_field(element, field);
                        }
                    }
                }
                for (dataset_type, fields) in dataset_fields {
                    for field in fields {
                        columns.add_dataset_field(Arc::clone(dataset_type).into(), *field);
                    }
                }
            }
        }
        if self.include_dimension_records() {
            let universe = self.dimensions().universe();
            for element in self.dimensions().elements() {
                if let Some(element) = universe.get(element)
                    && !element.is_cached()
                    && !element.is_skypix()
                {
                    columns.add_all_dimension_fields(element);
                }
            }
        }
        columns
    }

    /// Checks that a tree provides what the results and their order need.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] that names what is missing.
    pub fn validate_tree(&self, tree: &QueryTree) -> Result<()> {
        let dimensions = self.dimensions();
        if !dimensions.is_subset(tree.dimensions()) {
            return Err(Error::InvalidQuery(format!(
                "Query result specification has dimensions {dimensions} that are not a subset of \
                 the query's dimensions {}.",
                tree.dimensions()
            )));
        }
        if let Some(missing) = tree.first_missing_dataset(&self.result_columns()) {
            return Err(Error::InvalidQuery(format!(
                "Dataset '{missing}' is not available from this query."
            )));
        }
        let mut columns = ColumnSet::new(dimensions.clone());
        for term in &self.order_by {
            term.gather_required_columns(&mut columns);
        }
        if !columns.dimensions().is_subset(dimensions) {
            let invalid: Vec<_> = columns
                .dimensions()
                .names()
                .iter()
                .copied()
                .filter(|name| !dimensions.contains(name))
                .collect();
            return Err(Error::InvalidQuery(format!(
                "Order-by expression may not reference columns that are not in the result \
                 dimensions.\nInvalid columns: {{{}}}\nAvailable columns: {dimensions}",
                invalid.join(", ")
            )));
        }
        if let Some(missing) = tree.first_missing_dataset(&columns) {
            return Err(Error::InvalidQuery(match missing {
                DatasetTypeKey::Any => "An order-by expression refers to columns of any dataset \
                                        type, but no such search is part of the query."
                    .to_owned(),
                DatasetTypeKey::Named(name) => format!(
                    "Dataset type '{name}' in order-by expression is not part of the query."
                ),
            }));
        }
        Ok(())
    }
}

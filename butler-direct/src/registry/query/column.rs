//! The columns of a query under construction.

use std::collections::BTreeSet;
use std::sync::Arc;

use butler_core::query::{ColumnSet, DatasetField, DatasetTypeKey, ResultColumn};
use sea_query::Expr;

/// What a column of a `SELECT` holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Column {
    /// The key of a dimension.
    Key(&'static str),
    /// A field of a dimension element's records.
    Element(&'static str, &'static str),
    /// A field of a dataset.
    Dataset(DatasetTypeKey, DatasetField),
    /// The key of the collection in which a dataset was found.
    CollectionKey(DatasetTypeKey),
    /// How many validity ranges match; more than one is an ambiguity.
    ValidityMatches,
    /// Encoded pairs of regions, any of which must overlap.
    Overlaps(&'static str, &'static str),
    /// The place of a row among those that differ in the collection only.
    RowNumber,
    /// The name of the dataset type, where there are several.
    DatasetTypeName,
}

impl From<ResultColumn> for Column {
    fn from(column: ResultColumn) -> Self {
        match column {
            ResultColumn::DimensionKey(dimension) => Self::Key(dimension.name()),
            ResultColumn::DimensionField(element, field) => Self::Element(element.name(), field),
            ResultColumn::DatasetField(dataset_type, field) => Self::Dataset(dataset_type, field),
        }
    }
}

/// The SQL of a column's value.
#[derive(Debug, Clone)]
pub(super) enum SqlValue {
    /// Any one value.
    Scalar(Expr),
    /// A timespan on PostgreSQL.
    Range(Expr),
    /// Begin and end of a timespan on SQLite.
    Ends(Expr, Expr),
    /// The name of one of these collections. Rows carry its key, of which the name is made when
    /// the row is read; only expressions need the name itself.
    Collection(Expr, Arc<CollectionNames>),
}

/// The names of some collections, by key.
pub(super) type CollectionNames = Vec<(i64, Arc<str>)>;

impl SqlValue {
    /// The SQL expressions, as many as the value has columns in a row.
    pub(super) fn parts(&self) -> Vec<Expr> {
        match self {
            Self::Scalar(expr) | Self::Range(expr) | Self::Collection(expr, _) => {
                vec![expr.clone()]
            }
            Self::Ends(begin, end) => vec![begin.clone(), end.clone()],
        }
    }

    /// The number of columns in a row.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Ends(..) => 2,
            _ => 1,
        }
    }

    /// The same kind of value made of other expressions, which come from `next`.
    pub(super) fn map(&self, mut next: impl FnMut(&Expr) -> Expr) -> Self {
        match self {
            Self::Scalar(expr) => Self::Scalar(next(expr)),
            Self::Range(expr) => Self::Range(next(expr)),
            Self::Ends(begin, end) => {
                let begin = next(begin);
                Self::Ends(begin, next(end))
            }
            Self::Collection(expr, names) => Self::Collection(next(expr), Arc::clone(names)),
        }
    }
}

/// The columns at one stage of a query: those that users know of, and collection keys.
#[derive(Debug, Clone)]
pub(super) struct StageColumns {
    pub(super) set: ColumnSet,
    pub(super) collection_keys: BTreeSet<DatasetTypeKey>,
}

impl StageColumns {
    pub(super) fn new(set: ColumnSet) -> Self {
        Self {
            set,
            collection_keys: BTreeSet::new(),
        }
    }

    /// The columns in order.
    pub(super) fn columns(&self) -> Vec<Column> {
        let keys = self.collection_keys.iter().cloned();
        let all = self.set.columns().map(Column::from);
        all.chain(keys.map(Column::CollectionKey)).collect()
    }

    /// Whether it has a field of a dimension element.
    pub(super) fn has_element_field(&self, element: &str, field: &str) -> bool {
        let fields = self.set.dimension_fields().get(element);
        fields.is_some_and(|fields| fields.contains(field))
    }
}

//! What conditions and orders may be given as: text, values that are ready, data IDs.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::column_set::DatasetTypeKey;
use super::expression::{ColumnExpression, OrderExpression};
use super::language::{BindValue, BindValues, ParseContext, parse_order_by, parse_where};
use super::leaf::ComparisonOperator;
use super::literal::ColumnLiteral;
use super::predicate::Predicate;
use crate::datasets::DatasetType;
use crate::dimensions::{DataCoordinate, DataId, DimensionGroup};
use crate::error::Result;

/// A condition on the rows of a query, as a caller gives it: all of its parts must be true.
///
/// ```
/// use butler_core::query::Where;
///
/// let condition = Where::expression("visit IN (v) AND exposure_time > 30")
///     .bind("v", vec![903_334, 903_336])
///     .value("instrument", "HSC");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Where {
    terms: Vec<Term>,
    data_id: IndexMap<String, ColumnLiteral>,
    bind: BindValues,
}

#[derive(Clone, Debug)]
enum Term {
    Expression(String),
    Predicate(Predicate),
}

impl Where {
    /// No condition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A condition in the expression language.
    pub fn expression(text: impl Into<String>) -> Self {
        Self::new().and_expression(text)
    }

    /// The same, and a condition in the expression language.
    #[must_use]
    pub fn and_expression(mut self, text: impl Into<String>) -> Self {
        self.terms.push(Term::Expression(text.into()));
        self
    }

    /// The same, and a predicate.
    #[must_use]
    pub fn and_predicate(mut self, predicate: Predicate) -> Self {
        self.terms.push(Term::Predicate(predicate));
        self
    }

    /// The same, and the keys and values of a data ID. Of two values for one dimension, the later
    /// counts.
    #[must_use]
    pub fn and_data_id(self, data_id: &DataCoordinate) -> Self {
        let known = data_id.mapping();
        known.fold(self, |found, (name, value)| {
            found.value(name, value.clone())
        })
    }

    /// The same, and a value for a dimension. Of two values for one dimension, the later counts.
    #[must_use]
    pub fn value(mut self, dimension: impl Into<String>, value: impl Into<ColumnLiteral>) -> Self {
        self.data_id.insert(dimension.into(), value.into());
        self
    }

    /// The same with a value bound to a name in all expressions.
    #[must_use]
    pub fn bind(mut self, name: impl Into<String>, value: impl Into<BindValue>) -> Self {
        self.bind.insert(name.into(), value.into());
        self
    }

    /// The same with values bound to names in all expressions.
    #[must_use]
    pub fn bind_all(mut self, values: BindValues) -> Self {
        self.bind.extend(values);
        self
    }

    /// The predicate that this is for a query of these dimensions that searches for these
    /// datasets, which decide what names without a qualifier mean.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`](crate::Error::InvalidQuery) if an expression is wrong, or a value is
    /// not of its dimension's type; [`Error::DimensionName`](crate::Error::DimensionName) if a key
    /// of a data ID is no dimension.
    pub fn to_predicate(
        &self,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<DatasetTypeKey>,
    ) -> Result<Predicate> {
        let context = ParseContext::new(dimensions)
            .with_datasets(datasets)
            .with_bind(&self.bind);
        let mut found = Predicate::from_bool(true);
        for term in &self.terms {
            found = found.and(match term {
                Term::Expression(text) => parse_where(text, &context)?,
                Term::Predicate(predicate) => predicate.clone(),
            })?;
        }
        for (name, value) in &self.data_id {
            let key = ColumnExpression::dimension_key(dimensions.universe().dimension(name)?)?;
            let value = ColumnExpression::Literal(value.clone());
            found = found.and(Predicate::compare(key, ComparisonOperator::Equal, value)?)?;
        }
        Ok(found)
    }
}

impl From<&str> for Where {
    fn from(text: &str) -> Self {
        Self::expression(text)
    }
}

impl From<String> for Where {
    fn from(text: String) -> Self {
        Self::expression(text)
    }
}

impl From<Predicate> for Where {
    fn from(predicate: Predicate) -> Self {
        Self::new().and_predicate(predicate)
    }
}

impl From<&DataCoordinate> for Where {
    fn from(data_id: &DataCoordinate) -> Self {
        Self::new().and_data_id(data_id)
    }
}

impl From<DataId> for Where {
    fn from(data_id: DataId) -> Self {
        let values = data_id.0.into_iter();
        values.fold(Self::new(), |found, (name, value)| found.value(name, value))
    }
}

/// What results are sorted by, as a caller gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderBy {
    /// An identifier, after a minus to sort in descending order.
    Name(String),
    /// An expression that is ready.
    Expression(OrderExpression),
}

impl OrderBy {
    /// The expression that this is for results of these dimensions and datasets.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`](crate::Error::InvalidQuery) if the name means nothing, or something
    /// that has no order.
    pub fn to_expression(
        &self,
        dimensions: &DimensionGroup,
        datasets: &BTreeSet<DatasetTypeKey>,
    ) -> Result<OrderExpression> {
        match self {
            Self::Name(term) => {
                parse_order_by(term, &ParseContext::new(dimensions).with_datasets(datasets))
            }
            Self::Expression(expression) => Ok(expression.clone()),
        }
    }
}

impl From<&str> for OrderBy {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for OrderBy {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<OrderExpression> for OrderBy {
    fn from(expression: OrderExpression) -> Self {
        Self::Expression(expression)
    }
}

/// A dataset type, as a caller gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum DatasetTypeArgument {
    /// By its name.
    Name(Arc<str>),
    /// By its definition, which may have another storage class than the registered one.
    Definition(Arc<DatasetType>),
}

impl DatasetTypeArgument {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Name(name) => name,
            Self::Definition(dataset_type) => dataset_type.name(),
        }
    }
}

impl From<&str> for DatasetTypeArgument {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<&String> for DatasetTypeArgument {
    fn from(name: &String) -> Self {
        Self::Name(name.as_str().into())
    }
}

impl From<Arc<str>> for DatasetTypeArgument {
    fn from(name: Arc<str>) -> Self {
        Self::Name(name)
    }
}

impl From<Arc<DatasetType>> for DatasetTypeArgument {
    fn from(dataset_type: Arc<DatasetType>) -> Self {
        Self::Definition(dataset_type)
    }
}

impl From<DatasetType> for DatasetTypeArgument {
    fn from(dataset_type: DatasetType) -> Self {
        Self::Definition(Arc::new(dataset_type))
    }
}

//! Column expressions: what can be computed for every row.

use std::collections::BTreeSet;
use std::fmt;

use super::column_set::{ColumnSet, DatasetField};
use super::limits::MAX_EXPRESSION_DEPTH;
use super::literal::ColumnLiteral;
use super::reference::ColumnReference;
use super::value_type::ValueType;
use crate::dimensions::DimensionElement;
use crate::error::{Error, Result};

/// An operator on one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    /// The negative of a number.
    Negate,
    /// The lower bound of a timespan.
    BeginOf,
    /// The upper bound of a timespan.
    EndOf,
}

impl UnaryOperator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Negate, Self::BeginOf, Self::EndOf];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negate => "-",
            Self::BeginOf => "begin_of",
            Self::EndOf => "end_of",
        }
    }

    /// The operator of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// An arithmetic operator. Integer `/` and `%` are those of SQL: they round towards zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`, of integers
    Modulo,
}

impl BinaryOperator {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Modulo,
    ];

    /// The sign on the wire and in SQL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// The operator of a sign.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// A value that is computed for every row; never a truth value, which is a
/// [`Predicate`](super::Predicate).
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnExpression {
    /// A value written into the query.
    Literal(ColumnLiteral),
    /// A column.
    Reference(ColumnReference),
    /// An operator on one operand.
    #[non_exhaustive]
    Unary {
        /// The operator.
        operator: UnaryOperator,
        /// What it is applied to.
        operand: Box<ColumnExpression>,
        /// How deep operators are nested.
        depth: usize,
    },
    /// An arithmetic operation.
    #[non_exhaustive]
    Binary {
        /// The left operand.
        a: Box<ColumnExpression>,
        /// The operator.
        operator: BinaryOperator,
        /// The right operand.
        b: Box<ColumnExpression>,
        /// How deep operators are nested.
        depth: usize,
    },
}

impl ColumnExpression {
    /// The key of a dimension.
    ///
    /// # Errors
    /// As [`ColumnReference::dimension_key`].
    pub fn dimension_key(dimension: DimensionElement) -> Result<Self> {
        ColumnReference::dimension_key(dimension).map(Self::Reference)
    }

    /// A field of an element's records.
    ///
    /// # Errors
    /// As [`ColumnReference::dimension_field`].
    pub fn dimension_field(element: DimensionElement, field: &str) -> Result<Self> {
        ColumnReference::dimension_field(element, field).map(Self::Reference)
    }

    /// A column of a dataset search.
    pub fn dataset_field(
        dataset_type: impl Into<super::column_set::DatasetTypeKey>,
        field: DatasetField,
    ) -> Self {
        Self::Reference(ColumnReference::dataset_field(dataset_type, field))
    }

    /// An operator on one operand.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the operator does not take the operand's type, or operators are
    /// nested too deep.
    pub fn unary(operator: UnaryOperator, operand: Self) -> Result<Self> {
        let operand_type = operand.value_type();
        let fits = match operator {
            UnaryOperator::Negate => operand_type.is_numeric(),
            UnaryOperator::BeginOf | UnaryOperator::EndOf => operand_type == ValueType::Timespan,
        };
        if !fits {
            return Err(Error::InvalidQuery(format!(
                "Invalid column type {operand_type} for operator '{}'.",
                operator.name()
            )));
        }
        let depth = nested(operand.depth())?;
        Ok(Self::Unary {
            operator,
            operand: Box::new(operand),
            depth,
        })
    }

    /// An arithmetic operation.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the types differ or the operator does not take them, or operators
    /// are nested too deep.
    pub fn binary(a: Self, operator: BinaryOperator, b: Self) -> Result<Self> {
        let (a_type, b_type) = (a.value_type(), b.value_type());
        let name = operator.name();
        if a_type != b_type {
            return Err(Error::InvalidQuery(format!(
                "Column types for operator {name} do not agree ({a_type}, {b_type})."
            )));
        }
        let fits = match operator {
            BinaryOperator::Modulo => a_type == ValueType::Int,
            _ => a_type.is_numeric(),
        };
        if !fits {
            return Err(Error::InvalidQuery(format!(
                "Invalid column type {a_type} for operator '{name}'."
            )));
        }
        let depth = nested(a.depth().max(b.depth()))?;
        Ok(Self::Binary {
            a: Box::new(a),
            operator,
            b: Box::new(b),
            depth,
        })
    }

    /// The type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Literal(literal) => literal.value_type(),
            Self::Reference(reference) => reference.value_type(),
            Self::Unary {
                operator: UnaryOperator::BeginOf | UnaryOperator::EndOf,
                ..
            } => ValueType::DateTime,
            Self::Unary { operand, .. } => operand.value_type(),
            Self::Binary { a, .. } => a.value_type(),
        }
    }

    /// How deep operators are nested: 0 for literals and references.
    #[must_use]
    pub const fn depth(&self) -> usize {
        match self {
            Self::Literal(_) | Self::Reference(_) => 0,
            Self::Unary { depth, .. } | Self::Binary { depth, .. } => *depth,
        }
    }

    /// The value, if the expression is a literal.
    #[must_use]
    pub const fn as_literal(&self) -> Option<&ColumnLiteral> {
        match self {
            Self::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// The column, if the expression is nothing but one.
    #[must_use]
    pub const fn as_reference(&self) -> Option<&ColumnReference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// Adds the columns that are needed to compute the expression to `columns`.
    pub fn gather_required_columns(&self, columns: &mut ColumnSet) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(reference) => reference.gather_required_columns(columns),
            Self::Unary { operand, .. } => operand.gather_required_columns(columns),
            Self::Binary { a, b, .. } => {
                a.gather_required_columns(columns);
                b.gather_required_columns(columns);
            }
        }
    }

    /// Adds the governor dimensions that must have values for the expression to make sense.
    pub fn gather_governors(&self, governors: &mut BTreeSet<&'static str>) {
        match self {
            Self::Literal(_) => {}
            Self::Reference(reference) => reference.gather_governors(governors),
            Self::Unary { operand, .. } => operand.gather_governors(governors),
            Self::Binary { a, b, .. } => {
                a.gather_governors(governors);
                b.gather_governors(governors);
            }
        }
    }

    /// Writes the expression as an operand: in parentheses if it is an operation.
    fn fmt_operand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) | Self::Reference(_) => fmt::Display::fmt(self, f),
            Self::Unary { .. } | Self::Binary { .. } => write!(f, "({self})"),
        }
    }
}

/// One level more, if that is allowed.
fn nested(depth: usize) -> Result<usize> {
    if depth >= MAX_EXPRESSION_DEPTH {
        return Err(Error::InvalidQuery(format!(
            "a column expression may not nest more than {MAX_EXPRESSION_DEPTH} operators"
        )));
    }
    Ok(depth + 1)
}

impl fmt::Display for ColumnExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Reference(reference) => reference.fmt(f),
            Self::Unary {
                operator, operand, ..
            } => {
                if *operator == UnaryOperator::Negate {
                    f.write_str("-")?;
                }
                operand.fmt_operand(f)?;
                match operator {
                    UnaryOperator::Negate => Ok(()),
                    UnaryOperator::BeginOf => f.write_str(".begin"),
                    UnaryOperator::EndOf => f.write_str(".end"),
                }
            }
            Self::Binary { a, operator, b, .. } => {
                a.fmt_operand(f)?;
                write!(f, " {} ", operator.name())?;
                b.fmt_operand(f)
            }
        }
    }
}

impl<T: Into<ColumnLiteral>> From<T> for ColumnExpression {
    fn from(value: T) -> Self {
        Self::Literal(value.into())
    }
}

impl From<ColumnReference> for ColumnExpression {
    fn from(reference: ColumnReference) -> Self {
        Self::Reference(reference)
    }
}

/// What results are sorted by: an expression, and in which direction.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderExpression {
    expression: ColumnExpression,
    descending: bool,
}

impl OrderExpression {
    /// Sorts by `expression`.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if values of its type have no order.
    pub fn new(expression: ColumnExpression, descending: bool) -> Result<Self> {
        let value_type = expression.value_type();
        let result = Self {
            expression,
            descending,
        };
        if value_type.is_ordered() {
            Ok(result)
        } else {
            Err(Error::InvalidQuery(format!(
                "Column type {value_type} of {result} is not ordered."
            )))
        }
    }

    /// What is sorted by.
    #[must_use]
    pub const fn expression(&self) -> &ColumnExpression {
        &self.expression
    }

    /// Whether the largest come first.
    #[must_use]
    pub const fn is_descending(&self) -> bool {
        self.descending
    }

    /// Adds the columns that are needed to compute the expression to `columns`.
    pub fn gather_required_columns(&self, columns: &mut ColumnSet) {
        self.expression.gather_required_columns(columns);
    }
}

impl fmt::Display for OrderExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)?;
        if self.descending {
            f.write_str(" DESC")?;
        }
        Ok(())
    }
}

//! The tests that predicates are made of.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::column_set::ColumnSet;
use super::expression::ColumnExpression;
use super::limits::MAX_QUERY_DEPTH;
use super::reference::ColumnReference;
use super::tree::QueryTree;
use super::value_type::ValueType;
use crate::error::{Error, Result};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComparisonOperator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<=`
    LessEqual,
    /// Two regions, two timespans, or a timespan and an instant have something in common.
    Overlaps,
    /// Text matches a shell-like pattern.
    Glob,
}

impl ComparisonOperator {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::Greater,
        Self::GreaterEqual,
        Self::LessEqual,
        Self::Overlaps,
        Self::Glob,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::LessEqual => "<=",
            Self::Overlaps => "overlaps",
            Self::Glob => "glob",
        }
    }

    /// The operator of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether it is one of `==`, `!=`, `<`, `>`, `>=`, `<=`.
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        !matches!(self, Self::Overlaps | Self::Glob)
    }
}

/// One test of a predicate.
///
/// Mirrors the union `PredicateLeaf` of the reference's query trees.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PredicateLeaf {
    /// The negation of a leaf that is not a negation itself.
    #[non_exhaustive]
    Not {
        /// What is negated.
        operand: Arc<PredicateLeaf>,
    },
    /// A column that is true or false.
    #[non_exhaustive]
    BooleanWrapper {
        /// The column.
        operand: ColumnReference,
    },
    /// Whether a value is missing.
    #[non_exhaustive]
    IsNull {
        /// The value.
        operand: ColumnExpression,
    },
    /// A comparison of two values.
    #[non_exhaustive]
    Comparison {
        /// The left operand.
        a: ColumnExpression,
        /// The operator.
        operator: ComparisonOperator,
        /// The right operand.
        b: ColumnExpression,
    },
    /// Whether a value is one of several.
    #[non_exhaustive]
    InContainer {
        /// The value.
        member: ColumnExpression,
        /// Those it may be; of the same type.
        container: Vec<ColumnExpression>,
    },
    /// Whether an integer is one of `start, start + step, …`, below `stop`.
    #[non_exhaustive]
    InRange {
        /// The integer.
        member: ColumnExpression,
        /// The first of the range.
        start: i64,
        /// The end of the range, itself not in it; `None` if there is none.
        stop: Option<i64>,
        /// The difference between neighbours; at least 1.
        step: i64,
    },
    /// Whether a value is one of those that a column of another query takes.
    #[non_exhaustive]
    InQuery {
        /// The value.
        member: ColumnExpression,
        /// The column of the other query; of the same type.
        column: ColumnExpression,
        /// The other query.
        query_tree: Arc<QueryTree>,
    },
}

impl PredicateLeaf {
    /// A column that is true or false.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the column is of another type.
    pub fn boolean(operand: ColumnReference) -> Result<Self> {
        match operand.value_type() {
            ValueType::Bool => Ok(Self::BooleanWrapper { operand }),
            other => Err(Error::InvalidQuery(format!(
                "Column {operand} of type {other} is neither true nor false."
            ))),
        }
    }

    /// Whether a value is missing.
    #[must_use]
    pub fn is_null(operand: ColumnExpression) -> Self {
        Self::IsNull { operand }
    }

    /// A comparison of two values.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the operator does not take operands of these types.
    pub fn comparison(
        a: ColumnExpression,
        operator: ComparisonOperator,
        b: ColumnExpression,
    ) -> Result<Self> {
        use ComparisonOperator as Op;
        use ValueType as Type;

        let (a_type, b_type) = (a.value_type(), b.value_type());
        let leaf = Self::Comparison { a, operator, b };
        let is_pair =
            |one, other| (a_type, b_type) == (one, other) || (b_type, a_type) == (one, other);
        let mixed = match operator {
            Op::Overlaps => {
                is_pair(Type::Timespan, Type::DateTime) || is_pair(Type::Timespan, Type::IngestDate)
            }
            Op::Glob => false,
            _ => {
                is_pair(Type::DateTime, Type::IngestDate)
                    || (a_type.is_numeric() && b_type.is_numeric())
            }
        };
        if mixed {
            return Ok(leaf);
        }
        if a_type != b_type {
            return Err(Error::InvalidQuery(format!(
                "Column types for comparison {leaf} do not agree ({a_type}, {b_type})."
            )));
        }
        match (operator, a_type) {
            (Op::Equal | Op::NotEqual, _)
            | (
                Op::Less | Op::Greater | Op::GreaterEqual | Op::LessEqual,
                Type::Int | Type::String | Type::Float | Type::DateTime,
            )
            | (Op::Overlaps, Type::Timespan)
            | (Op::Glob, Type::String) => Ok(leaf),
            (Op::Overlaps, Type::Region) => leaf.with_region_column(),
            _ => Err(Error::InvalidQuery(format!(
                "Invalid column type {a_type} for operator '{}'.",
                operator.name()
            ))),
        }
    }

    /// Checks that one side of a spatial overlap is a column.
    fn with_region_column(self) -> Result<Self> {
        if let Self::Comparison { a, b, .. } = &self
            && a.as_reference().is_none()
            && b.as_reference().is_none()
        {
            return Err(Error::InvalidQuery(
                "Spatial overlap comparison requires at least one dimension region column."
                    .to_owned(),
            ));
        }
        Ok(self)
    }

    /// Whether a value is one of several.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the types differ, or are timespans or regions.
    pub fn in_container(
        member: ColumnExpression,
        container: impl IntoIterator<Item = ColumnExpression>,
    ) -> Result<Self> {
        let member_type = member_type(&member)?;
        let container: Vec<_> = container.into_iter().collect();
        let odd = container
            .iter()
            .find(|item| item.value_type() != member_type);
        if let Some(odd) = odd {
            return Err(Error::InvalidQuery(format!(
                "Column types for membership test of {member} do not agree: {member} is of type \
                 {member_type}, {odd} of type {}.",
                odd.value_type()
            )));
        }
        Ok(Self::InContainer { member, container })
    }

    /// Whether an integer is one of `start, start + step, …`, below `stop`.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the value is not an integer, `step` is not positive, or `stop` is
    /// less than `start`.
    pub fn in_range(
        member: ColumnExpression,
        start: i64,
        stop: Option<i64>,
        step: i64,
    ) -> Result<Self> {
        let error = if member.value_type() != ValueType::Int {
            format!("Column {member} is not an integer.")
        } else if step < 1 {
            format!("Range step must be >= 1, not {step}.")
        } else if let Some(stop) = stop.filter(|stop| *stop < start) {
            format!("Range stop must be >= start; {stop} is less than {start}.")
        } else {
            return Ok(Self::InRange {
                member,
                start,
                stop,
                step,
            });
        };
        Err(Error::InvalidQuery(error))
    }

    /// Whether a value is one of those that a column of another query takes.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the types differ, or are timespans or regions; if the other query
    /// does not provide the column; or if queries are nested too deep.
    pub fn in_query(
        member: ColumnExpression,
        column: ColumnExpression,
        query_tree: impl Into<Arc<QueryTree>>,
    ) -> Result<Self> {
        let query_tree = query_tree.into();
        let member_type = member_type(&member)?;
        let column_type = column.value_type();
        if column_type != member_type {
            return Err(Error::InvalidQuery(format!(
                "Column types for membership test {member} IN (query).{column} do not agree \
                 ({member_type}, {column_type})."
            )));
        }
        if query_tree.query_depth() >= MAX_QUERY_DEPTH {
            return Err(Error::InvalidQuery(format!(
                "queries may not be nested more than {MAX_QUERY_DEPTH} deep"
            )));
        }
        let mut columns = ColumnSet::new(query_tree.dimensions().clone());
        column.gather_required_columns(&mut columns);
        if columns.dimensions() != query_tree.dimensions() {
            return Err(Error::InvalidQuery(format!(
                "Column {column} requires dimensions {}, but query tree only has {}.",
                columns.dimensions(),
                query_tree.dimensions()
            )));
        }
        if let Some(missing) = query_tree.first_missing_dataset(&columns) {
            return Err(Error::InvalidQuery(format!(
                "Column {column} requires dataset type {missing}, which is not present in query \
                 tree."
            )));
        }
        Ok(Self::InQuery {
            member,
            column,
            query_tree,
        })
    }

    /// The negation of a leaf that is not a negation itself.
    pub(super) fn negation(operand: Arc<Self>) -> Self {
        Self::Not { operand }
    }

    /// The negation: of a negation, what it negates.
    #[must_use]
    pub fn inverted(self: &Arc<Self>) -> Arc<Self> {
        match &**self {
            Self::Not { operand } => Arc::clone(operand),
            _ => Arc::new(Self::negation(Arc::clone(self))),
        }
    }

    /// How deep queries are nested in this leaf: 0 unless it tests membership in a query.
    #[must_use]
    pub fn query_depth(&self) -> usize {
        match self {
            Self::Not { operand } => operand.query_depth(),
            Self::InQuery { query_tree, .. } => query_tree.query_depth() + 1,
            _ => 0,
        }
    }

    /// The expressions in the leaf, except those of another query.
    fn for_each_expression(&self, mut visit: impl FnMut(&ColumnExpression)) {
        match self {
            // Handled by the callers.
            Self::Not { .. } | Self::BooleanWrapper { .. } => {}
            Self::IsNull { operand } => visit(operand),
            Self::Comparison { a, b, .. } => {
                visit(a);
                visit(b);
            }
            Self::InContainer { member, container } => {
                visit(member);
                container.iter().for_each(visit);
            }
            Self::InRange { member, .. } | Self::InQuery { member, .. } => visit(member),
        }
    }

    /// Adds the columns that are needed to do the test to `columns`.
    pub fn gather_required_columns(&self, columns: &mut ColumnSet) {
        match self {
            Self::Not { operand } => operand.gather_required_columns(columns),
            Self::BooleanWrapper { operand } => operand.gather_required_columns(columns),
            _ => self.for_each_expression(|expression| expression.gather_required_columns(columns)),
        }
    }

    /// Adds the governor dimensions that must have values for the test to make sense.
    pub fn gather_governors(&self, governors: &mut BTreeSet<&'static str>) {
        match self {
            Self::Not { operand } => operand.gather_governors(governors),
            Self::BooleanWrapper { operand } => operand.gather_governors(governors),
            _ => self.for_each_expression(|expression| expression.gather_governors(governors)),
        }
    }
}

/// The type of the value in a test of membership.
fn member_type(member: &ColumnExpression) -> Result<ValueType> {
    match member.value_type() {
        ValueType::Timespan | ValueType::Region => Err(Error::InvalidQuery(format!(
            "Timespan or region column {member} may not be used in IN expressions."
        ))),
        other => Ok(other),
    }
}

impl fmt::Display for PredicateLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not { operand } => write!(f, "NOT {operand}"),
            Self::BooleanWrapper { operand } => operand.fmt(f),
            Self::IsNull { operand } => write!(f, "{operand} IS NULL"),
            Self::Comparison { a, operator, b } => {
                write!(f, "{a} {} {b}", operator.name().to_uppercase())
            }
            Self::InContainer { member, container } => {
                let items: Vec<_> = container.iter().map(ToString::to_string).collect();
                write!(f, "{member} IN [{}]", items.join(", "))
            }
            Self::InRange {
                member,
                start,
                stop,
                step,
            } => {
                write!(f, "{member} IN ")?;
                if *start != 0 {
                    start.fmt(f)?;
                }
                f.write_str(":")?;
                if let Some(stop) = stop {
                    stop.fmt(f)?;
                }
                if *step != 1 {
                    write!(f, ":{step}")?;
                }
                Ok(())
            }
            Self::InQuery { member, column, .. } => write!(f, "{member} IN (query).{column}"),
        }
    }
}

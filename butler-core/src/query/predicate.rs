//! Predicates: which rows a query keeps.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::column_set::ColumnSet;
use super::expression::ColumnExpression;
use super::leaf::{ComparisonOperator, PredicateLeaf};
use super::limits::MAX_PREDICATE_LEAVES;
use super::reference::ColumnReference;
use super::tree::QueryTree;
use crate::error::{Error, Result};

/// A condition on rows, in conjunctive normal form: a list of groups that must all be true, where
/// a group is true if any of its leaves is.
///
/// No groups at all are true; an empty group is false.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    operands: Vec<Vec<Arc<PredicateLeaf>>>,
}

impl Predicate {
    /// The predicate that is always true, or always false.
    #[must_use]
    pub fn from_bool(value: bool) -> Self {
        Self {
            operands: if value { Vec::new() } else { vec![Vec::new()] },
        }
    }

    /// The predicate of these groups.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if there are too many leaves.
    pub fn from_operands(operands: Vec<Vec<Arc<PredicateLeaf>>>) -> Result<Self> {
        let result = Self { operands };
        check_size(result.size())?;
        Ok(result)
    }

    /// A column that is true or false.
    ///
    /// # Errors
    /// As [`PredicateLeaf::boolean`].
    pub fn from_bool_column(column: ColumnReference) -> Result<Self> {
        PredicateLeaf::boolean(column).map(Self::from)
    }

    /// A comparison of two values.
    ///
    /// # Errors
    /// As [`PredicateLeaf::comparison`].
    pub fn compare(
        a: ColumnExpression,
        operator: ComparisonOperator,
        b: ColumnExpression,
    ) -> Result<Self> {
        PredicateLeaf::comparison(a, operator, b).map(Self::from)
    }

    /// Whether a value is missing.
    #[must_use]
    pub fn is_null(operand: ColumnExpression) -> Self {
        PredicateLeaf::is_null(operand).into()
    }

    /// Whether a value is one of several.
    ///
    /// # Errors
    /// As [`PredicateLeaf::in_container`].
    pub fn in_container(
        member: ColumnExpression,
        container: impl IntoIterator<Item = ColumnExpression>,
    ) -> Result<Self> {
        PredicateLeaf::in_container(member, container).map(Self::from)
    }

    /// Whether an integer is one of `start, start + step, …`, below `stop`.
    ///
    /// # Errors
    /// As [`PredicateLeaf::in_range`].
    pub fn in_range(
        member: ColumnExpression,
        start: i64,
        stop: Option<i64>,
        step: i64,
    ) -> Result<Self> {
        PredicateLeaf::in_range(member, start, stop, step).map(Self::from)
    }

    /// Whether a value is one of those that a column of another query takes.
    ///
    /// # Errors
    /// As [`PredicateLeaf::in_query`].
    pub fn in_query(
        member: ColumnExpression,
        column: ColumnExpression,
        query_tree: impl Into<Arc<QueryTree>>,
    ) -> Result<Self> {
        PredicateLeaf::in_query(member, column, query_tree).map(Self::from)
    }

    /// The groups.
    #[must_use]
    pub fn operands(&self) -> &[Vec<Arc<PredicateLeaf>>] {
        &self.operands
    }

    /// Whether it is true without looking at any row.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.operands.is_empty()
    }

    /// Whether it is false without looking at any row.
    #[must_use]
    pub fn is_false(&self) -> bool {
        self.operands.iter().any(Vec::is_empty)
    }

    /// Both this and the other.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the result has too many leaves.
    pub fn and(mut self, other: Self) -> Result<Self> {
        if self.is_false() || other.is_false() {
            return Ok(Self::from_bool(false));
        }
        check_size(self.size().saturating_add(other.size()))?;
        self.operands.extend(other.operands);
        Ok(self)
    }

    /// All of these; true if there are none. The time is linear in the size of the result.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the result has too many leaves.
    pub fn all(terms: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut result = Self::from_bool(true);
        let mut size = 0_usize;
        for term in terms {
            if term.is_false() {
                return Ok(Self::from_bool(false));
            }
            size = size.saturating_add(term.size());
            check_size(size)?;
            result.operands.extend(term.operands);
        }
        Ok(result)
    }

    /// Any of these; false if there are none.
    ///
    /// # Errors
    /// As [`Predicate::or`].
    pub fn any(terms: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut result = Self::from_bool(false);
        // Rows of single groups, the usual case, are joined first: their number may be large, and
        // the result so far is copied for every other term only, of which there can be but few.
        let mut row = Vec::new();
        for mut term in terms {
            if let [group] = term.operands.as_mut_slice() {
                row.append(group);
                check_size(row.len())?;
            } else {
                let joined = Self::from_operands(vec![std::mem::take(&mut row)])?;
                result = result.or(joined)?.or(term)?;
            }
        }
        result.or(Self::from_operands(vec![row])?)
    }

    /// This or the other.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the result has too many leaves: its size is the product of both
    /// sizes.
    pub fn or(self, other: Self) -> Result<Self> {
        match (self.operands.as_slice(), other.operands.as_slice()) {
            ([], _) | (_, []) => return Ok(Self::from_bool(true)),
            ([group], _) if group.is_empty() => return Ok(other),
            (_, [group]) if group.is_empty() => return Ok(self),
            _ => {}
        }
        let (ours, theirs) = (self.operands.len(), other.operands.len());
        let leaves = (self.leaves().saturating_mul(theirs))
            .saturating_add(other.leaves().saturating_mul(ours));
        check_size(leaves.saturating_add(ours.saturating_mul(theirs)))?;
        let mut operands = Vec::with_capacity(ours * theirs);
        for a in &self.operands {
            for b in &other.operands {
                operands.push(a.iter().chain(b).cloned().collect());
            }
        }
        Ok(Self { operands })
    }

    /// The opposite.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the result has too many leaves: its size is the product of the
    /// sizes of all groups.
    #[allow(clippy::should_implement_trait)]
    pub fn not(&self) -> Result<Self> {
        Self::any(self.operands.iter().map(|group| Self {
            operands: group.iter().map(|leaf| vec![leaf.inverted()]).collect(),
        }))
    }

    /// The number of leaves, repetitions counted.
    fn leaves(&self) -> usize {
        self.operands.iter().map(Vec::len).sum()
    }

    /// The number of leaves and groups.
    fn size(&self) -> usize {
        self.leaves() + self.operands.len()
    }

    /// How deep queries are nested in this predicate.
    #[must_use]
    pub fn query_depth(&self) -> usize {
        let leaves = self.operands.iter().flatten();
        leaves.map(|leaf| leaf.query_depth()).max().unwrap_or(0)
    }

    /// Adds the columns that are needed to compute the predicate to `columns`.
    pub fn gather_required_columns(&self, columns: &mut ColumnSet) {
        for leaf in self.operands.iter().flatten() {
            leaf.gather_required_columns(columns);
        }
    }

    /// Adds the governor dimensions that must have values for the predicate to make sense.
    pub fn gather_governors(&self, governors: &mut BTreeSet<&'static str>) {
        for leaf in self.operands.iter().flatten() {
            leaf.gather_governors(governors);
        }
    }
}

fn check_size(size: usize) -> Result<()> {
    if size > MAX_PREDICATE_LEAVES {
        return Err(Error::InvalidQuery(format!(
            "the query's condition is too complex: in conjunctive normal form it has more than \
             {MAX_PREDICATE_LEAVES} parts. Combine fewer conditions with OR and NOT, or use IN \
             with a list"
        )));
    }
    Ok(())
}

impl Default for Predicate {
    /// True.
    fn default() -> Self {
        Self::from_bool(true)
    }
}

impl From<PredicateLeaf> for Predicate {
    fn from(leaf: PredicateLeaf) -> Self {
        Self {
            operands: vec![vec![Arc::new(leaf)]],
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operands.is_empty() {
            return f.write_str("True");
        }
        for (index, group) in self.operands.iter().enumerate() {
            if index > 0 {
                f.write_str(" AND ")?;
            }
            let texts: Vec<_> = group.iter().map(ToString::to_string).collect();
            match texts.as_slice() {
                [] => f.write_str("False")?,
                [text] => f.write_str(text)?,
                texts if self.operands.len() > 1 => write!(f, "({})", texts.join(" OR "))?,
                texts => f.write_str(&texts.join(" OR "))?,
            }
        }
        Ok(())
    }
}

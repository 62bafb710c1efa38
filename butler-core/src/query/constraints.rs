//! What a predicate says about data IDs, and what defaults add to it.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::expression::ColumnExpression;
use super::leaf::{ComparisonOperator, PredicateLeaf};
use super::literal::ColumnLiteral;
use super::predicate::Predicate;
use super::reference::ColumnReference;
use crate::dimensions::{DataCoordinate, DataIdValue, DimensionElement, DimensionGroup};
use crate::error::{Error, Result};

/// The values of dimensions that every row must have for a predicate to be true.
///
/// Mirrors the reference's `PredicateConstraintsSummary`, with its rules: only comparisons count
/// that must all be true, so neither alternatives nor `IN` fix a value; and a governor dimension
/// gets its default value unless a comparison, wherever it is in the predicate, refers to it.
#[derive(Clone, Debug, PartialEq)]
pub struct PredicateConstraints {
    predicate: Predicate,
    data_id: IndexMap<&'static str, ColumnLiteral>,
    messages: Vec<String>,
    governors_referenced: BTreeSet<&'static str>,
}

impl PredicateConstraints {
    /// What `predicate` says.
    #[must_use]
    pub fn new(predicate: Predicate) -> Self {
        let mut found = Self {
            predicate: Predicate::from_bool(true),
            data_id: IndexMap::new(),
            messages: Vec::new(),
            governors_referenced: BTreeSet::new(),
        };
        for group in predicate.operands() {
            for leaf in group {
                match &**leaf {
                    PredicateLeaf::Comparison { a, operator, b } => {
                        let fixes = group.len() == 1 && *operator == ComparisonOperator::Equal;
                        found.visit(a, b, fixes);
                    }
                    PredicateLeaf::Not { operand } => {
                        if let PredicateLeaf::Comparison { a, operator, b } = &**operand {
                            let fixes =
                                group.len() == 1 && *operator == ComparisonOperator::NotEqual;
                            found.visit(a, b, fixes);
                        }
                    }
                    _ => {}
                }
            }
        }
        found.predicate = predicate;
        found
    }

    /// Takes note of a comparison, which may fix the value of a dimension.
    fn visit(&mut self, a: &ColumnExpression, b: &ColumnExpression, fixes: bool) {
        self.note_governors(a);
        self.note_governors(b);
        let key = |expression: &ColumnExpression| match expression {
            ColumnExpression::Reference(ColumnReference::DimensionKey { dimension, .. }) => {
                Some(dimension.name())
            }
            _ => None,
        };
        let (name, value) = match (key(a), b.as_literal(), key(b), a.as_literal()) {
            (Some(name), Some(value), _, _) | (_, _, Some(name), Some(value)) => (name, value),
            _ => return,
        };
        if !fixes {
            return;
        }
        let old = self.data_id.entry(name).or_insert_with(|| value.clone());
        if !same_value(old, value) {
            let message =
                format!("'where' expression requires both {name}={value} and {name}={old}.");
            self.messages.push(message);
        }
    }

    /// Notes the governor dimensions that an operand of a comparison refers to.
    fn note_governors(&mut self, expression: &ColumnExpression) {
        match expression {
            ColumnExpression::Literal(_) => {}
            ColumnExpression::Reference(ColumnReference::DimensionKey { dimension, .. }) => {
                if dimension.is_governor() {
                    self.governors_referenced.insert(dimension.name());
                }
            }
            ColumnExpression::Reference(ColumnReference::DimensionField { element, column }) => {
                let keys = element.alternate_keys();
                if element.is_governor() && keys.iter().any(|key| key.name == column.name) {
                    self.governors_referenced.insert(element.name());
                }
            }
            ColumnExpression::Reference(ColumnReference::DatasetField { .. }) => {}
            ColumnExpression::Unary { operand, .. } => self.note_governors(operand),
            ColumnExpression::Binary { a, b, .. } => {
                self.note_governors(a);
                self.note_governors(b);
            }
        }
    }

    /// The predicate, with the defaults that have been applied.
    #[must_use]
    pub const fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The predicate, with the defaults that have been applied.
    #[must_use]
    pub fn into_predicate(self) -> Predicate {
        self.predicate
    }

    /// The values of dimensions that every row must have, in the order in which the predicate
    /// states them. Where it contradicts itself, the first value counts.
    #[must_use]
    pub const fn data_id(&self) -> &IndexMap<&'static str, ColumnLiteral> {
        &self.data_id
    }

    /// The value every row must have for a dimension, if it is an integer or text, as those of
    /// data IDs are.
    #[must_use]
    pub fn value(&self, dimension: &str) -> Option<DataIdValue> {
        self.data_id.get(dimension)?.to_data_id_value()
    }

    /// Why no row can satisfy the predicate, if it contradicts itself; for people.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// Adds the default values of governor dimensions that the query uses and that no comparison
    /// refers to, whether `query_dimensions` or the predicate bring them in.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the predicate constrains dimensions that mean little without a
    /// governor's value, there is neither a value nor a default, and `validate` is set.
    pub fn apply_default_data_id(
        &mut self,
        defaults: &DataCoordinate,
        query_dimensions: &DimensionGroup,
        validate: bool,
    ) -> Result<()> {
        let mut in_where = BTreeSet::new();
        self.predicate.gather_governors(&mut in_where);
        let universe = query_dimensions.universe();
        let used: Vec<DimensionElement> = universe
            .governor_dimensions()
            .filter(|governor| {
                let name = governor.name();
                in_where.contains(name) || query_dimensions.contains(name)
            })
            .collect();
        for governor in used {
            let name = governor.name();
            if self.data_id.contains_key(name) || self.governors_referenced.contains(name) {
                continue;
            }
            if let Some(value) = defaults.get(name) {
                let value = ColumnLiteral::from(value.clone());
                let term = Predicate::compare(
                    ColumnExpression::dimension_key(governor)?,
                    ComparisonOperator::Equal,
                    value.clone().into(),
                )?;
                self.predicate = std::mem::take(&mut self.predicate).and(term)?;
                self.data_id.insert(name, value);
                self.governors_referenced.insert(name);
            } else if validate && in_where.contains(name) {
                return Err(Error::InvalidQuery(format!(
                    "Query 'where' expression references a dimension dependent on {name} without \
                     constraining it directly. Add a condition such as {name} = '…', or open the \
                     repository with a default value for {name}."
                )));
            }
        }
        Ok(())
    }
}

/// Whether two literals are the same value, be one an integer and the other a float.
fn same_value(a: &ColumnLiteral, b: &ColumnLiteral) -> bool {
    match (a, b) {
        #[allow(clippy::cast_precision_loss, clippy::float_cmp)]
        (ColumnLiteral::Int(int), ColumnLiteral::Float(float))
        | (ColumnLiteral::Float(float), ColumnLiteral::Int(int)) => *int as f64 == *float,
        _ => a == b,
    }
}

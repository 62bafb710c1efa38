//! Column expressions and predicates as SQL.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use butler_core::error::{Error, Result};
use butler_core::query::{
    BinaryOperator, ColumnExpression, ColumnLiteral, ColumnReference, ComparisonOperator,
    OrderExpression, Predicate, PredicateLeaf, QueryTree, UnaryOperator, ValueType,
};
use butler_core::time::TimeScale;
use sea_query::{CaseStatement, Expr, ExprTrait, SelectStatement};

use super::column::{Column, SqlValue};
use super::scope::{Scope, Statement, all_of, any_of};
use crate::db::{Dialect, Param};

/// The `SELECT` of a subquery in a predicate, compiled before the predicate is written.
pub(super) type Subqueries = Vec<(Arc<QueryTree>, ColumnExpression, SelectStatement)>;

/// Writes expressions over the columns of a scope.
pub(super) struct ExpressionWriter<'s, 'd> {
    pub(super) statement: &'s mut Statement<'d>,
    pub(super) scope: &'s Scope,
    /// Whether ingest dates are times in TAI nanoseconds, as all other times are.
    pub(super) ingest_date_is_tai: bool,
    pub(super) subqueries: &'s Subqueries,
}

impl ExpressionWriter<'_, '_> {
    /// A predicate.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] for comparisons that this database's schema cannot make.
    pub(super) fn predicate(&mut self, predicate: &Predicate) -> Result<Expr> {
        let mut groups = Vec::with_capacity(predicate.operands().len());
        for group in predicate.operands() {
            let leaves: Vec<Expr> = group
                .iter()
                .map(|leaf| self.leaf(leaf))
                .collect::<Result<_>>()?;
            groups.push(any_of(leaves));
        }
        Ok(all_of(groups))
    }

    fn leaf(&mut self, leaf: &PredicateLeaf) -> Result<Expr> {
        Ok(match leaf {
            PredicateLeaf::Not { operand, .. } => self.leaf(operand)?.not(),
            PredicateLeaf::BooleanWrapper { operand, .. } => {
                let value = self.reference(operand)?;
                self.single(value)?
            }
            PredicateLeaf::IsNull { operand, .. } => match self.value(operand)? {
                SqlValue::Range(expr) | SqlValue::Ends(expr, _) => expr.is_null(),
                value => self.single(value)?.is_null(),
            },
            PredicateLeaf::Comparison { a, operator, b, .. } => self.comparison(a, *operator, b)?,
            PredicateLeaf::InContainer {
                member, container, ..
            } => {
                let member = self.scalar(member)?;
                let items: Vec<Expr> = container
                    .iter()
                    .map(|item| self.scalar(item))
                    .collect::<Result<_>>()?;
                match items.is_empty() {
                    // Nothing is in an empty set, not even NULL.
                    true => Expr::cust("1 = 0"),
                    false => member.is_in(items),
                }
            }
            PredicateLeaf::InRange {
                member,
                start,
                stop,
                step,
                ..
            } => self.in_range(member, *start, *stop, *step)?,
            PredicateLeaf::InQuery {
                member,
                column,
                query_tree,
                ..
            } => {
                let member = self.scalar(member)?;
                let found = self.subqueries.iter().find(|(tree, selected, _)| {
                    Arc::ptr_eq(tree, query_tree) && selected == column
                });
                let Some((_, _, select)) = found else {
                    return Err(Error::Internal("a subquery was not compiled".to_owned()));
                };
                member.in_subquery(select.clone())
            }
            other => {
                return Err(Error::UnimplementedQuery(format!(
                    "The test {other} is not supported."
                )));
            }
        })
    }

    fn in_range(
        &mut self,
        member: &ColumnExpression,
        start: i64,
        stop: Option<i64>,
        step: i64,
    ) -> Result<Expr> {
        let member = self.scalar(member)?;
        let first = self.statement.param(start);
        let within = match stop {
            None => member.clone().gte(first),
            // Nothing is in an empty range.
            Some(stop) if stop <= start => Expr::cust("1 = 0"),
            Some(stop) if stop - 1 == start => return Ok(member.eq(first)),
            Some(stop) => {
                let last = self.statement.param(stop - 1);
                member.clone().between(first, last)
            }
        };
        if step == 1 {
            return Ok(within);
        }
        let divisor = self.statement.param(step);
        let remainder = self.statement.param(start.rem_euclid(step));
        Ok(within.and(member.modulo(divisor).eq(remainder)))
    }

    fn comparison(
        &mut self,
        a: &ColumnExpression,
        operator: ComparisonOperator,
        b: &ColumnExpression,
    ) -> Result<Expr> {
        match operator {
            ComparisonOperator::Overlaps => self.temporal_overlap(a, b),
            ComparisonOperator::Glob => self.glob(a, b),
            _ => {
                let (a_type, b_type) = (a.value_type(), b.value_type());
                let a = self.comparable(a, b_type)?;
                let b = self.comparable(b, a_type)?;
                Ok(match operator {
                    ComparisonOperator::Equal => a.eq(b),
                    ComparisonOperator::NotEqual => a.ne(b),
                    ComparisonOperator::Less => a.lt(b),
                    ComparisonOperator::Greater => a.gt(b),
                    ComparisonOperator::GreaterEqual => a.gte(b),
                    _ => a.lte(b),
                })
            }
        }
    }

    /// An operand of a comparison with a value of another type. A timespan compares as a whole.
    fn comparable(&mut self, operand: &ColumnExpression, other: ValueType) -> Result<Expr> {
        if operand.value_type() == ValueType::DateTime
            && other == ValueType::IngestDate
            && !self.ingest_date_is_tai
        {
            let Some(ColumnLiteral::DateTime(ns)) = operand.as_literal() else {
                return Err(Error::InvalidQuery(
                    "Only literal date-time values can be compared with ingest date.".to_owned(),
                ));
            };
            return Ok(self.ingest_timestamp(*ns));
        }
        match self.value(operand)? {
            SqlValue::Range(expr) => Ok(expr),
            SqlValue::Ends(begin, end) => Ok(Expr::Tuple(vec![begin, end])),
            value => self.single(value),
        }
    }

    /// A time as an ingest date of dataset manager 1.x, which is a UTC timestamp.
    fn ingest_timestamp(&mut self, tai_ns: i64) -> Expr {
        let (day, ns) = TimeScale::Utc.tai_to_calendar(tai_ns);
        let micros = day * 86_400_000_000 + ns / 1_000;
        let param = self.statement.param(Param::Timestamp(micros));
        match self.statement.dialect() {
            Dialect::Postgres => param.cast_as("timestamp"),
            Dialect::Sqlite => param,
        }
    }

    fn temporal_overlap(&mut self, a: &ColumnExpression, b: &ColumnExpression) -> Result<Expr> {
        let (timespan, other) = match (a.value_type(), b.value_type()) {
            (ValueType::Timespan, _) => (a, b),
            _ => (b, a),
        };
        if other.value_type() == ValueType::IngestDate && !self.ingest_date_is_tai {
            return Err(Error::InvalidQuery(
                "Expressions involving ingest date are not supported by this database schema."
                    .to_owned(),
            ));
        }
        let span = self.value(timespan)?;
        if other.value_type() != ValueType::Timespan {
            let time = self.scalar(other)?;
            return Ok(match span {
                SqlValue::Ends(begin, end) => begin.lte(time.clone()).and(end.gt(time)),
                SqlValue::Range(range) => {
                    let time = time.cast_as("bigint");
                    self.statement.sql("{} @> {}", [range, time])
                }
                _ => return Err(unexpected(timespan)),
            });
        }
        match (span, self.value(other)?) {
            (SqlValue::Range(a), SqlValue::Range(b)) => Ok(self.statement.sql("{} && {}", [a, b])),
            (SqlValue::Ends(a_begin, a_end), SqlValue::Ends(b_begin, b_end)) => {
                Ok(a_end.gt(b_begin).and(b_end.gt(a_begin)))
            }
            _ => Err(unexpected(other)),
        }
    }

    fn glob(&mut self, a: &ColumnExpression, b: &ColumnExpression) -> Result<Expr> {
        let Some(ColumnLiteral::String(pattern)) = b.as_literal() else {
            return Err(Error::InvalidQuery(format!(
                "The pattern of a glob must be a literal string, not {b}."
            )));
        };
        if &**pattern == "*" {
            return Ok(Expr::cust("1 = 1"));
        }
        let text = self.scalar(a)?;
        Ok(match self.statement.dialect() {
            Dialect::Postgres => {
                let pattern = self.statement.param(like_pattern(pattern).as_str());
                self.statement.sql("{} LIKE {}", [text, pattern])
            }
            Dialect::Sqlite => {
                let pattern = self.statement.param(glob_pattern(pattern).as_str());
                self.statement.sql("{} GLOB {}", [text, pattern])
            }
        })
    }

    /// A term to order by.
    pub(super) fn order_term(&mut self, term: &OrderExpression) -> Result<Expr> {
        self.scalar(term.expression())
    }

    /// The SQL of an expression whose value is a single one.
    pub(super) fn scalar(&mut self, expression: &ColumnExpression) -> Result<Expr> {
        let value = self.value(expression)?;
        self.single(value)
    }

    fn single(&mut self, value: SqlValue) -> Result<Expr> {
        match value {
            SqlValue::Scalar(expr) => Ok(expr),
            SqlValue::Collection(key, names) => {
                let mut case = CaseStatement::new();
                for (number, name) in names.iter() {
                    let number = self.statement.param(*number);
                    let name = self.statement.param(name);
                    case = case.case(key.clone().eq(number), name);
                }
                // A CASE must have a branch.
                Ok(match names.is_empty() {
                    true => Expr::cust("NULL").cast_as("text"),
                    false => case.into(),
                })
            }
            SqlValue::Range(_) | SqlValue::Ends(..) => Err(Error::InvalidQuery(
                "A timespan cannot be used where a single value is needed.".to_owned(),
            )),
        }
    }

    fn value(&mut self, expression: &ColumnExpression) -> Result<SqlValue> {
        Ok(match expression {
            ColumnExpression::Literal(literal) => self.literal(literal),
            ColumnExpression::Reference(reference) => self.reference(reference)?,
            ColumnExpression::Unary {
                operator, operand, ..
            } => match operator {
                UnaryOperator::Negate => {
                    let operand = self.scalar(operand)?;
                    SqlValue::Scalar(self.statement.sql("(- {})", [operand]))
                }
                end => {
                    let is_begin = *end == UnaryOperator::BeginOf;
                    let value = self.value(operand)?;
                    SqlValue::Scalar(self.end_of(value, is_begin)?)
                }
            },
            ColumnExpression::Binary { a, operator, b, .. } => {
                // Integers divide to what is no integer.
                let exact = b.value_type() == ValueType::Int;
                let (a, b) = (self.scalar(a)?, self.scalar(b)?);
                let template = match operator {
                    BinaryOperator::Add => "({} + {})",
                    BinaryOperator::Subtract => "({} - {})",
                    BinaryOperator::Multiply => "({} * {})",
                    BinaryOperator::Divide if exact => match self.statement.dialect() {
                        Dialect::Postgres => "({} / CAST({} AS numeric))",
                        Dialect::Sqlite => "({} / ({} + 0.0))",
                    },
                    BinaryOperator::Divide => "({} / {})",
                    BinaryOperator::Modulo => "({} % {})",
                };
                SqlValue::Scalar(self.statement.sql(template, [a, b]))
            }
        })
    }

    /// The begin or end of a timespan; 0 if there is none.
    fn end_of(&mut self, timespan: SqlValue, begin: bool) -> Result<Expr> {
        let end = match timespan {
            SqlValue::Ends(first, last) => {
                if begin {
                    first
                } else {
                    last
                }
            }
            SqlValue::Range(range) => {
                let template = if begin { "lower({})" } else { "upper({})" };
                self.statement.sql(template, [range])
            }
            _ => {
                return Err(Error::Internal(
                    "the begin of what is no timespan".to_owned(),
                ));
            }
        };
        Ok(self.statement.sql("coalesce({}, 0)", [end]))
    }

    fn literal(&mut self, literal: &ColumnLiteral) -> SqlValue {
        SqlValue::Scalar(match literal {
            ColumnLiteral::Int(number) | ColumnLiteral::DateTime(number) => {
                self.statement.param(*number)
            }
            ColumnLiteral::String(text) => self.statement.param(text),
            ColumnLiteral::Float(number) => self.statement.param(Param::Float(*number)),
            ColumnLiteral::Hash(bytes) => self.statement.param(BASE64.encode(bytes).as_str()),
            ColumnLiteral::Uuid(id) => self.statement.param(Param::Uuid(*id)),
            ColumnLiteral::Timespan(timespan) => return self.statement.timespan(*timespan),
            ColumnLiteral::Region(region) => {
                let text = BASE64.encode(region.encoded().as_bytes());
                self.statement.param(text.as_str())
            }
        })
    }

    fn reference(&mut self, reference: &ColumnReference) -> Result<SqlValue> {
        self.scope.value(&column_of(reference))
    }
}

/// The column that a reference names.
pub(super) fn column_of(reference: &ColumnReference) -> Column {
    match reference {
        ColumnReference::DimensionKey { dimension, .. } => Column::Key(dimension.name()),
        ColumnReference::DimensionField {
            element, column, ..
        } => Column::Element(element.name(), &column.name),
        ColumnReference::DatasetField {
            dataset_type,
            field,
            ..
        } => Column::Dataset(dataset_type.clone(), *field),
    }
}

fn unexpected(expression: &ColumnExpression) -> Error {
    Error::Internal(format!("{expression} is no timespan"))
}

/// What a backslash does in a glob pattern: it makes a wildcard, or itself, an ordinary character,
/// and stays in front of any other.
enum GlobPart {
    Any,
    One,
    Plain(char),
}

fn glob_parts(pattern: &str) -> Vec<GlobPart> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' => parts.push(GlobPart::Any),
            '?' => parts.push(GlobPart::One),
            '\\' => match chars.next() {
                Some(escaped @ ('*' | '?' | '\\')) => parts.push(GlobPart::Plain(escaped)),
                Some(other) => parts.extend([GlobPart::Plain('\\'), GlobPart::Plain(other)]),
                None => parts.push(GlobPart::Plain('\\')),
            },
            other => parts.push(GlobPart::Plain(other)),
        }
    }
    parts
}

/// The `LIKE` pattern that matches the same strings.
fn like_pattern(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len());
    for part in glob_parts(glob) {
        match part {
            GlobPart::Any => pattern.push('%'),
            GlobPart::One => pattern.push('_'),
            GlobPart::Plain(char @ ('%' | '_' | '\\')) => pattern.extend(['\\', char]),
            GlobPart::Plain(char) => pattern.push(char),
        }
    }
    pattern
}

/// The pattern of SQLite's `GLOB`, which knows brackets, that matches the same strings.
fn glob_pattern(glob: &str) -> String {
    let mut pattern = String::with_capacity(glob.len());
    for part in glob_parts(glob) {
        match part {
            GlobPart::Any => pattern.push('*'),
            GlobPart::One => pattern.push('?'),
            GlobPart::Plain(char @ ('*' | '?' | '[' | ']')) => pattern.extend(['[', char, ']']),
            GlobPart::Plain(char) => pattern.push(char),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_become_patterns() {
        for (glob, like, sqlite) in [
            ("abc*", "abc%", "abc*"),
            ("a?c", "a_c", "a?c"),
            ("50%_a", "50\\%\\_a", "50%_a"),
            ("\\*\\?", "*?", "[*][?]"),
            ("a\\b\\\\", "a\\\\b\\\\", "a\\b\\"),
            ("[x]\\", "[x]\\\\", "[[]x[]]\\"),
        ] {
            assert_eq!(like_pattern(glob), like);
            assert_eq!(glob_pattern(glob), sqlite);
        }
    }
}

//! The tree of an expression to a predicate.

use super::ast::{ArithmeticSign, ComparisonSign, Node, NodeKind};
use super::bind::BindValue;
use super::context::ParseContext;
use super::error::Problem;
use super::identifiers::interpret_identifier;
use super::parser::parse;
use super::regions;
use super::token::{Span, clipped};
use crate::error::Result;
use crate::query::expression::{BinaryOperator, ColumnExpression, UnaryOperator};
use crate::query::leaf::{ComparisonOperator, PredicateLeaf};
use crate::query::literal::ColumnLiteral;
use crate::query::predicate::Predicate;
use crate::query::reference::ColumnReference;
use crate::query::value_type::ValueType;
use crate::timespan::Timespan;

/// Parses a `where` expression and converts it to a predicate. An empty expression is true.
///
/// Mirrors the reference's `convert_expression_string_to_predicate`.
///
/// # Errors
/// [`Error::InvalidQuery`](crate::Error::InvalidQuery) that shows the place in the expression and says what is wrong there.
pub fn parse_where(text: &str, context: &ParseContext<'_>) -> Result<Predicate> {
    let converted = parse(text).and_then(|root| match root {
        None => Ok(Predicate::from_bool(true)),
        Some(root) => to_condition(&root, context),
    });
    converted.map_err(|problem| problem.into_error(text))
}

/// What a part of an expression stands for.
pub(super) enum Value {
    /// A condition.
    Condition(Predicate),
    /// Something that has a value for every row.
    Expression(ColumnExpression),
    /// `NULL`.
    Null,
    /// A range of integers, both ends inclusive.
    Range { start: i64, stop: i64, stride: i64 },
    /// Several bound values of one type.
    Sequence(Vec<ColumnExpression>),
}

impl Value {
    /// What it is, for messages.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Condition(_) => "condition",
            Self::Expression(expression) => expression.value_type().name(),
            Self::Null => "NULL",
            Self::Range { .. } => "range",
            Self::Sequence(_) => "sequence",
        }
    }
}

type Converted<T = Value> = std::result::Result<T, Problem>;

/// Puts the place into what the constructors of predicates object to.
pub(super) fn at<T, E: std::fmt::Display>(
    span: Span,
    result: std::result::Result<T, E>,
) -> Converted<T> {
    result.map_err(|error| Problem::new(span, error.to_string()))
}

fn to_condition(node: &Node<'_>, context: &ParseContext<'_>) -> Converted<Predicate> {
    match convert(node, context)? {
        Value::Condition(predicate) => Ok(predicate),
        other => Err(Problem::new(
            node.span,
            format!(
                "expected a condition, which is true or false, but this is of type {}",
                other.type_name()
            ),
        )),
    }
}

fn to_expression(node: &Node<'_>, context: &ParseContext<'_>) -> Converted<ColumnExpression> {
    match convert(node, context)? {
        Value::Expression(expression) => Ok(expression),
        other => Err(Problem::new(
            node.span,
            format!(
                "expected a column or a value, but this is of type {}",
                other.type_name()
            ),
        )),
    }
}

/// What `node` stands for.
pub(super) fn convert(node: &Node<'_>, context: &ParseContext<'_>) -> Converted {
    let literal = |literal: ColumnLiteral| Ok(Value::Expression(literal.into()));
    match &node.kind {
        NodeKind::Or(nodes) => {
            let terms = conditions(nodes, context)?;
            at(node.span, Predicate::any(terms)).map(Value::Condition)
        }
        NodeKind::And(nodes) => {
            let terms = conditions(nodes, context)?;
            at(node.span, Predicate::all(terms)).map(Value::Condition)
        }
        NodeKind::Not(operand) => {
            let operand = to_condition(operand, context)?;
            at(node.span, operand.not()).map(Value::Condition)
        }
        NodeKind::Comparison { lhs, operator, rhs } => {
            comparison(node.span, lhs, *operator, rhs, context)
        }
        NodeKind::In {
            member,
            values,
            negated,
        } => membership(node.span, member, values, *negated, context),
        NodeKind::Arithmetic { lhs, operator, rhs } => {
            arithmetic(node.span, lhs, *operator, rhs, context)
        }
        NodeKind::Signed { negative, operand } => signed(node.span, *negative, operand, context),
        NodeKind::Parens(inner) => convert(inner, context),
        NodeKind::Tuple(bounds) => timespan(node.span, bounds, context),
        NodeKind::Call {
            function,
            arguments,
        } => regions::call(node.span, *function, arguments, context),
        NodeKind::Identifier(name) => identifier(node.span, name, context),
        NodeKind::Bind(name) => bind(node.span, name, context),
        NodeKind::Int(value) => literal(ColumnLiteral::Int(*value)),
        NodeKind::Float(value) => literal(ColumnLiteral::Float(*value)),
        NodeKind::Str(text) => literal(ColumnLiteral::from(*text)),
        NodeKind::Time(ns) => literal(ColumnLiteral::DateTime(*ns)),
        NodeKind::Uuid(id) => literal(ColumnLiteral::Uuid(*id)),
        NodeKind::Range {
            start,
            stop,
            stride,
        } => Ok(Value::Range {
            start: *start,
            stop: *stop,
            stride: *stride,
        }),
    }
}

fn conditions(nodes: &[Node<'_>], context: &ParseContext<'_>) -> Converted<Vec<Predicate>> {
    let terms = nodes.iter().map(|node| to_condition(node, context));
    terms.collect()
}

fn comparison(
    span: Span,
    lhs: &Node<'_>,
    operator: ComparisonSign,
    rhs: &Node<'_>,
    context: &ParseContext<'_>,
) -> Converted {
    let (a, b) = (convert(lhs, context)?, convert(rhs, context)?);
    let types = (a.type_name(), b.type_name());
    let is_null = match (a, b) {
        (Value::Expression(a), Value::Expression(b)) => {
            let operator = comparison_operator(operator);
            return at(span, Predicate::compare(a, operator, b)).map(Value::Condition);
        }
        (Value::Expression(operand), Value::Null) | (Value::Null, Value::Expression(operand)) => {
            Some(operand)
        }
        // A column that is true or false has become a condition, but it may be missing as well.
        (Value::Condition(condition), Value::Null) | (Value::Null, Value::Condition(condition)) => {
            boolean_column(&condition).map(ColumnExpression::from)
        }
        _ => None,
    };
    let is_null = is_null.map(Predicate::is_null);
    match (operator, is_null) {
        (ComparisonSign::Equal, Some(is_null)) => Ok(Value::Condition(is_null)),
        (ComparisonSign::NotEqual, Some(is_null)) => at(span, is_null.not()).map(Value::Condition),
        _ => Err(Problem::new(
            span,
            format!("{} and {} cannot be compared in this way", types.0, types.1),
        )),
    }
}

const fn comparison_operator(sign: ComparisonSign) -> ComparisonOperator {
    match sign {
        ComparisonSign::Equal => ComparisonOperator::Equal,
        ComparisonSign::NotEqual => ComparisonOperator::NotEqual,
        ComparisonSign::Less => ComparisonOperator::Less,
        ComparisonSign::LessOrEqual => ComparisonOperator::LessEqual,
        ComparisonSign::Greater => ComparisonOperator::Greater,
        ComparisonSign::GreaterOrEqual => ComparisonOperator::GreaterEqual,
        ComparisonSign::Overlaps => ComparisonOperator::Overlaps,
    }
}

/// The column, if the condition is nothing but a column that is true or false.
fn boolean_column(condition: &Predicate) -> Option<ColumnReference> {
    if let [group] = condition.operands()
        && let [leaf] = group.as_slice()
        && let PredicateLeaf::BooleanWrapper { operand, .. } = &**leaf
    {
        Some(operand.clone())
    } else {
        None
    }
}

fn membership(
    span: Span,
    member: &Node<'_>,
    values: &[Node<'_>],
    negated: bool,
    context: &ParseContext<'_>,
) -> Converted {
    let member = to_expression(member, context)?;
    let mut leaves = Vec::with_capacity(values.len());
    for node in values {
        let member = member.clone();
        let leaf = match convert(node, context)? {
            Value::Expression(value) => {
                PredicateLeaf::comparison(member, ComparisonOperator::Equal, value)
            }
            Value::Null => Ok(PredicateLeaf::is_null(member)),
            Value::Sequence(container) => PredicateLeaf::in_container(member, container),
            Value::Range {
                start,
                stop,
                stride,
            } => {
                // The range of a predicate ends before its stop; one that includes the largest
                // integer has no end.
                PredicateLeaf::in_range(member, start, stop.checked_add(1), stride)
            }
            Value::Condition(_) => {
                let message = "a condition cannot be in the list of IN";
                return Err(Problem::new(node.span, message));
            }
        };
        leaves.push(at(node.span, leaf)?.into());
    }
    let found = at(span, Predicate::from_operands(vec![leaves]))?;
    let found = if negated {
        at(span, found.not())?
    } else {
        found
    };
    Ok(Value::Condition(found))
}

fn arithmetic(
    span: Span,
    lhs: &Node<'_>,
    operator: ArithmeticSign,
    rhs: &Node<'_>,
    context: &ParseContext<'_>,
) -> Converted {
    let (a, b) = (to_expression(lhs, context)?, to_expression(rhs, context)?);
    let operator = match operator {
        ArithmeticSign::Add => BinaryOperator::Add,
        ArithmeticSign::Subtract => BinaryOperator::Subtract,
        ArithmeticSign::Multiply => BinaryOperator::Multiply,
        ArithmeticSign::Divide => BinaryOperator::Divide,
        ArithmeticSign::Modulo => BinaryOperator::Modulo,
    };
    at(span, ColumnExpression::binary(a, operator, b)).map(Value::Expression)
}

fn signed(span: Span, negative: bool, operand: &Node<'_>, context: &ParseContext<'_>) -> Converted {
    let operand = to_expression(operand, context)?;
    if !matches!(operand.value_type(), ValueType::Int | ValueType::Float) {
        return Err(Problem::new(
            span,
            format!(
                "only numbers can have a sign, and this is of type {}",
                operand.value_type()
            ),
        ));
    }
    if !negative {
        return Ok(Value::Expression(operand));
    }
    at(
        span,
        ColumnExpression::unary(UnaryOperator::Negate, operand),
    )
    .map(Value::Expression)
}

fn timespan(span: Span, bounds: &[Node<'_>; 2], context: &ParseContext<'_>) -> Converted {
    let bound = |node: &Node<'_>| match convert(node, context)? {
        Value::Null => Ok(None),
        Value::Expression(ColumnExpression::Literal(ColumnLiteral::DateTime(ns))) => Ok(Some(ns)),
        other => Err(Problem::new(
            node.span,
            format!(
                "the bounds of a timespan are time literals, bound times or NULL, and this is of \
                 type {}; time literals begin with a T, as in T'2020-01-01'",
                other.type_name()
            ),
        )),
    };
    let [begin, end] = bounds;
    let timespan = at(span, Timespan::new(bound(begin)?, bound(end)?))?;
    Ok(Value::Expression(timespan.into()))
}

fn bind(span: Span, name: &str, context: &ParseContext<'_>) -> Converted {
    if context.bind().contains_key(name) {
        return identifier(span, name, context);
    }
    let known: Vec<&str> = context.bind().keys().map(String::as_str).take(10).collect();
    let known = match known.as_slice() {
        [] => "nothing is bound".to_owned(),
        known => format!("bound are {}", known.join(", ")),
    };
    Err(Problem::new(
        span,
        format!("no value is bound to the name '{}'; {known}", clipped(name)),
    ))
}

fn identifier(span: Span, name: &str, context: &ParseContext<'_>) -> Converted {
    if let Some(BindValue::Sequence(values)) = context.bind().get(name) {
        return sequence(span, name, values);
    }
    if name.eq_ignore_ascii_case("null") {
        return Ok(Value::Null);
    }
    let expression = at(span, interpret_identifier(context, name))?;
    match expression {
        ColumnExpression::Reference(column) if column.value_type() == ValueType::Bool => {
            at(span, Predicate::from_bool_column(column)).map(Value::Condition)
        }
        other => Ok(Value::Expression(other)),
    }
}

fn sequence(span: Span, name: &str, values: &[BindValue]) -> Converted {
    let literals = values.iter().map(BindValue::to_literal);
    let literals: Option<Vec<ColumnLiteral>> = literals.collect();
    let problem = |why: &str| Problem::new(span, format!("'{}' {why}", clipped(name)));
    let literals =
        literals.ok_or_else(|| problem("is bound to a sequence of sequences of values"))?;
    let mut types = literals.iter().map(ColumnLiteral::value_type);
    if let Some(first) = types.next()
        && let Some(other) = types.find(|other| *other != first)
    {
        return Err(problem(&format!(
            "is bound to a sequence of values of different types, {first} and {other}"
        )));
    }
    let expressions = literals.into_iter().map(ColumnExpression::from);
    Ok(Value::Sequence(expressions.collect()))
}

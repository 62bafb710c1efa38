//! Calls of functions: regions on the sky, and patterns of text.

use butler_sphgeom::{Angle, Box, Circle, ConvexPolygon, LonLat, Region, UnitVector3d};

use super::ast::{Function, Node};
use super::context::ParseContext;
use super::convert::{Value, at, convert};
use super::error::Problem;
use super::token::Span;
use crate::query::expression::{ColumnExpression, UnaryOperator};
use crate::query::leaf::ComparisonOperator;
use crate::query::limits::MAX_POLYGON_VERTICES;
use crate::query::literal::ColumnLiteral;
use crate::query::predicate::Predicate;
use crate::query::value_type::ValueType;

type Converted<T = Value> = std::result::Result<T, Problem>;

/// What a call of `function` stands for.
///
/// The parser has made sure that there are as many arguments as the function takes.
pub(super) fn call(
    span: Span,
    function: Function,
    arguments: &[Node<'_>],
    context: &ParseContext<'_>,
) -> Converted {
    let region = match (function, arguments) {
        (Function::Glob, [column, pattern]) => return glob(span, column, pattern, context),
        (Function::Region, [pos]) => {
            let text = text(pos, context)?;
            check_vertices(pos.span, text.split_whitespace().count() / 2)?;
            at(pos.span, Region::from_ivoa_pos(&text))?
        }
        (Function::Point, [ra, dec]) => {
            let center = position(ra, dec, context)?;
            Region::Circle(Circle::point(UnitVector3d::from_lonlat(&center)))
        }
        (Function::Circle, [ra, dec, radius]) => {
            let center = UnitVector3d::from_lonlat(&position(ra, dec, context)?);
            // The reference takes the opening angle of a circle, which is its radius, for its
            // diameter: regions are twice as large as asked for. Queries must give the same rows.
            let opening_angle = Angle::from_degrees(number(radius, context)? * 2.0);
            Region::Circle(Circle::new(center, opening_angle))
        }
        (Function::Box, [ra, dec, width, height]) => {
            let center = position(ra, dec, context)?;
            let half = |size: &Node<'_>| Ok(Angle::from_degrees(number(size, context)? / 2.0));
            Region::Box(Box::around(&center, half(width)?, half(height)?))
        }
        (Function::Polygon, arguments) => {
            check_vertices(span, arguments.len() / 2)?;
            let vertices = arguments.chunks_exact(2).map(|vertex| {
                let position = position(&vertex[0], &vertex[1], context)?;
                Ok(UnitVector3d::from_lonlat(&position))
            });
            let vertices = vertices.collect::<Converted<Vec<_>>>()?;
            Region::ConvexPolygon(at(span, ConvexPolygon::convex_hull(&vertices))?)
        }
        _ => {
            let message = format!("wrong number of arguments of {}", function.name());
            return Err(Problem::new(span, message));
        }
    };
    Ok(Value::Expression(region.into()))
}

fn check_vertices(span: Span, count: usize) -> Converted<()> {
    if count > MAX_POLYGON_VERTICES {
        let message = format!("a polygon may have at most {MAX_POLYGON_VERTICES} vertices");
        return Err(Problem::new(span, message));
    }
    Ok(())
}

/// The position of a right ascension and a declination in degrees.
fn position(ra: &Node<'_>, dec: &Node<'_>, context: &ParseContext<'_>) -> Converted<LonLat> {
    let position = LonLat::from_degrees(number(ra, context)?, number(dec, context)?);
    at(ra.span.to(dec.span), position)
}

/// The number that an argument is: a literal or a bound value, with signs.
fn number(node: &Node<'_>, context: &ParseContext<'_>) -> Converted<f64> {
    let value = match convert(node, context)? {
        Value::Expression(expression) => literal_number(&expression),
        _ => None,
    };
    value.filter(|value| value.is_finite()).ok_or_else(|| {
        Problem::new(
            node.span,
            "this is not a literal number, nor a name bound to one; columns and arithmetic are not \
             possible here",
        )
    })
}

#[allow(clippy::cast_precision_loss)]
fn literal_number(expression: &ColumnExpression) -> Option<f64> {
    match expression {
        ColumnExpression::Literal(ColumnLiteral::Float(value)) => Some(*value),
        ColumnExpression::Literal(ColumnLiteral::Int(value)) => Some(*value as f64),
        ColumnExpression::Unary {
            operator: UnaryOperator::Negate,
            operand,
            ..
        } => literal_number(operand).map(|value| -value),
        _ => None,
    }
}

/// The text that an argument is: a literal or a bound value.
fn text(node: &Node<'_>, context: &ParseContext<'_>) -> Converted<std::sync::Arc<str>> {
    match convert(node, context)? {
        Value::Expression(ColumnExpression::Literal(ColumnLiteral::String(text))) => Ok(text),
        _ => Err(Problem::new(
            node.span,
            "expected text, written here in quotes or bound to a name",
        )),
    }
}

fn glob(
    span: Span,
    column: &Node<'_>,
    pattern: &Node<'_>,
    context: &ParseContext<'_>,
) -> Converted {
    let operand = match convert(column, context)? {
        Value::Expression(operand)
            if operand.as_reference().is_some() && operand.value_type() == ValueType::String =>
        {
            operand
        }
        _ => {
            let message = "GLOB: first argument must be a string column";
            return Err(Problem::new(column.span, message));
        }
    };
    let pattern = ColumnLiteral::String(text(pattern, context)?);
    let matches = Predicate::compare(operand, ComparisonOperator::Glob, pattern.into());
    at(span, matches).map(Value::Condition)
}

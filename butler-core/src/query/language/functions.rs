//! Which functions there are, and what arguments they take.

use super::ast::{Function, Node, NodeKind};
use super::error::Problem;
use super::literals;
use super::token::{Span, clipped};

/// The call of the function `name`, or the literal it stands for.
pub(super) fn call<'a>(
    name: &str,
    name_span: Span,
    arguments: Vec<Node<'a>>,
    span: Span,
) -> Result<NodeKind<'a>, Problem> {
    let takes = |wanted: bool, what: &str| {
        let found = arguments.len();
        let message = || format!("{} takes {what}, not {found}", name.to_ascii_uppercase());
        (wanted.then_some(())).ok_or_else(|| Problem::new(span, message()))
    };
    let n = arguments.len();
    let function = match name.to_ascii_uppercase().as_str() {
        "POINT" => {
            takes(n == 2, "two arguments (ra, dec)")?;
            Function::Point
        }
        "CIRCLE" => {
            takes(n == 3, "three arguments (ra, dec, radius)")?;
            Function::Circle
        }
        "BOX" => {
            takes(n == 4, "four arguments (ra, dec, width, height)")?;
            Function::Box
        }
        "POLYGON" => {
            takes(
                n >= 6 && n.is_multiple_of(2),
                "pairs of arguments (ra, dec) for at least three vertices",
            )?;
            Function::Polygon
        }
        "REGION" => {
            takes(n == 1, "one argument (a string)")?;
            Function::Region
        }
        "GLOB" => {
            takes(n == 2, "two arguments (column, pattern)")?;
            Function::Glob
        }
        "UUID" => {
            takes(n == 1, "one argument (a string)")?;
            let argument = arguments[0].without_parens();
            let NodeKind::Str(text) = argument.kind else {
                return Err(Problem::new(
                    argument.span,
                    "UUID takes a string literal; a UUID that is bound needs no function",
                ));
            };
            return Ok(NodeKind::Uuid(literals::uuid(text, argument.span)?));
        }
        _ => {
            return Err(Problem::new(
                name_span,
                format!(
                    "there is no function '{}'; the functions are POINT, CIRCLE, BOX, POLYGON, \
                     REGION, GLOB and UUID",
                    clipped(name)
                ),
            ));
        }
    };
    for (index, argument) in arguments.iter().enumerate() {
        check(function, index, argument)?;
    }
    Ok(NodeKind::Call {
        function,
        arguments,
    })
}

/// Whether an argument can be what the function takes there, as far as its form tells.
fn check(function: Function, index: usize, argument: &Node<'_>) -> Result<(), Problem> {
    let bare = &argument.without_parens().kind;
    let name = function.name();
    let (fits, wanted) = match (function, index) {
        (Function::Point, _) => (true, "a number"),
        (Function::Circle | Function::Box | Function::Polygon, _) => (
            matches!(
                argument.kind,
                NodeKind::Int(_)
                    | NodeKind::Float(_)
                    | NodeKind::Signed { .. }
                    | NodeKind::Bind(_)
                    | NodeKind::Identifier(_)
            ),
            "a number or a :bind name, without parentheses",
        ),
        (Function::Region, _) => (
            matches!(
                argument.kind,
                NodeKind::Str(_) | NodeKind::Bind(_) | NodeKind::Identifier(_)
            ),
            "a string or a :bind name, without parentheses",
        ),
        (Function::Glob, 0) => (matches!(bare, NodeKind::Identifier(_)), "a column"),
        (Function::Glob, _) => (
            matches!(bare, NodeKind::Str(_) | NodeKind::Bind(_)),
            "a string or a :bind name",
        ),
    };
    if fits {
        return Ok(());
    }
    Err(Problem::new(
        argument.span,
        format!("argument {} of {name} must be {wanted}", index + 1),
    ))
}

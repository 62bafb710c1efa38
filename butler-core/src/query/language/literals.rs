//! Numbers, times and UUIDs in expressions.

use uuid::Uuid;

use super::ast::NodeKind;
use super::error::Problem;
use super::times::parse_time_literal;
use super::token::{Span, clipped};

/// The number that `digits` with a sign before them mean.
pub(super) fn number<'a>(
    digits: &str,
    negative: bool,
    span: Span,
) -> Result<NodeKind<'a>, Problem> {
    let signed = |digits: &str| match negative {
        true => format!("-{digits}"),
        false => digits.to_owned(),
    };
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = signed(digits).parse();
        return value.map(NodeKind::Int).map_err(|_| {
            let message = "this integer is too large: 64 bits with a sign is what a database holds";
            Problem::new(span, message)
        });
    }
    match signed(digits).parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(NodeKind::Float(value)),
        _ => Err(Problem::new(
            span,
            "this number is too large for double precision",
        )),
    }
}

/// The time (TAI ns) that the text in `T'...'` means.
pub(super) fn time(text: &str, span: Span) -> Result<i64, Problem> {
    parse_time_literal(text).map_err(|error| Problem::new(span, error.to_string()))
}

/// The UUID that a text means, in any of the forms of Python's `uuid.UUID`.
pub(super) fn uuid(text: &str, span: Span) -> Result<Uuid, Problem> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    let digits = bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = digits.then(|| u128::from_str_radix(&bare, 16).ok());
    value.flatten().map(Uuid::from_u128).ok_or_else(|| {
        Problem::new(
            span,
            format!(
                "'{}' is not a UUID: 32 hexadecimal digits are expected, with or without hyphens",
                clipped(text)
            ),
        )
    })
}

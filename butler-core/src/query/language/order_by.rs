//! Terms that results are sorted by.

use super::context::ParseContext;
use super::identifiers::interpret_identifier;
use crate::error::{Error, Result};
use crate::query::expression::OrderExpression;

/// Converts a term of `order_by`: an identifier, after a minus to sort in descending order.
///
/// Values bound in the context are not considered.
///
/// # Errors
/// [`Error::InvalidQuery`] if the identifier means nothing, or something that has no order.
pub fn parse_order_by(term: &str, context: &ParseContext<'_>) -> Result<OrderExpression> {
    let (name, descending) = match term.strip_prefix('-') {
        Some(name) => (name, true),
        None => (term, false),
    };
    if name.is_empty() {
        return Err(Error::InvalidQuery(format!(
            "Empty dimension name in ORDER BY term '{term}'"
        )));
    }
    OrderExpression::new(
        interpret_identifier(&context.without_bind(), name)?,
        descending,
    )
}

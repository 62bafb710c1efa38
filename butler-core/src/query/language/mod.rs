//! The expression language of `where` and `order_by` strings.
//!
//! [`parse_where`] gives a [`Predicate`](super::Predicate), [`parse_order_by`] an
//! [`OrderExpression`](super::OrderExpression); a [`ParseContext`] says what names mean. In between
//! are [`tokenize`] and [`parse`], which know nothing of columns.
//!
//! An expression compares columns and values (`=`, `!=`, `<`, `<=`, `>`, `>=`, `OVERLAPS`), looks
//! for them in lists (`IN`, `NOT IN`) or matches them (`GLOB(column, 'pattern')`), and joins such
//! conditions with `AND`, `OR` and `NOT`. Reserved words and functions may be in any case. Values
//! are numbers, `'text'`, `T'times'`, `UUID('...')`, ranges `first..last:stride` in lists,
//! timespans `(begin, end)`, regions (`POINT`, `CIRCLE`, `BOX`, `POLYGON`, `REGION`), `NULL` (with
//! `=` and `!=` only), and values bound to names, with (`:name`) or without a colon. There is
//! arithmetic on numbers of the same type.
//!
//! # Limits
//!
//! Expressions may come from anybody. The time to parse one is linear in its length; it is refused
//! if parts are nested deeper than [`MAX_DEPTH`], or if its predicate would be larger than the
//! [limits](super::limits) of predicates. Errors are [`InvalidQuery`](crate::Error::InvalidQuery),
//! and show the place.
//!
//! # Where this differs from the reference
//!
//! Predicates are those that `lsst-daf-butler` makes, down to the order of their parts; tests
//! compare thousands. On purpose, these are refused:
//!
//! - integers that do not fit into 64 bits, and numbers that are infinite;
//! - a comma before the first argument of a function, as in `POINT(, 1, 2)`, which a slip of the
//!   reference's grammar allows;
//! - digits and spaces beyond ASCII in numbers and ranges, and `UUID` of texts that are no UUIDs
//!   but that Python's `int` reads as hexadecimal numbers (`0x…`, `1_0…`);
//! - times that do not exist: a 61st second before the last minute of a day, or the 366th day of a
//!   year with 365;
//! - the scale `ut1`, whose relation to others is not known in advance, and the formats `stardate`
//!   and `unix_tai_fast`;
//! - nesting beyond the limit above, and sizes beyond the others. The reference ends with a
//!   `RecursionError` beyond a thousand nested parts, for which it takes rows of `AND` and `OR` as
//!   well; these may be long here.
//!
//! These are accepted: an integer after a numeric format, as in `T'mjd/58938'`.
//!
//! Errors that are accidents there (`ValueError`, `AssertionError`, …) are `InvalidQuery` here.
//!
//! `CIRCLE(ra, dec, radius)` is a circle of *twice* that radius, as in the reference, which takes
//! the radius for half of an opening angle; queries must give the same rows. The circle of
//! `REGION('CIRCLE ra dec radius')` has the radius given. A range that ends at the largest integer
//! has no end in the predicate, where the reference has one that no database can hold.

pub mod ast;
mod bind;
mod context;
mod convert;
mod error;
mod functions;
mod identifiers;
mod lexer;
mod literals;
mod order_by;
mod parser;
mod regions;
mod times;
pub mod token;

pub use bind::{BindValue, BindValues};
pub use context::ParseContext;
pub use convert::parse_where;
pub use error::Problem;
pub use identifiers::interpret_identifier;
pub use lexer::tokenize;
pub use order_by::parse_order_by;
pub use parser::{MAX_DEPTH, parse};
pub use times::parse_time_literal;

#[cfg(test)]
mod tests;

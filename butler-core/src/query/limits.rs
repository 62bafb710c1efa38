//! Bounds on the size of queries, so that none can exhaust the stack or the memory of a server.

/// How deep operators may be nested in a column expression. The reference reads no more than that.
pub const MAX_EXPRESSION_DEPTH: usize = 250;

/// How many leaves a predicate in conjunctive normal form may have, repetitions counted.
///
/// Negation and `OR` multiply; without a bound, a short expression could fill the memory.
pub const MAX_PREDICATE_LEAVES: usize = 100_000;

/// How deep queries may be nested in predicates of other queries.
pub const MAX_QUERY_DEPTH: usize = 8;

/// How deep arrays and objects may be nested in the JSON form of a query. It leaves room for the
/// deepest expression within the deepest query.
pub const MAX_JSON_DEPTH: usize = 400;

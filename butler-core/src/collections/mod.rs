//! Collections: their types, what is known of them, and the expressions that choose among them.
//!
//! # Order of results
//!
//! Explicitly named collections keep the order in which they are named. Collections found by a
//! pattern follow in no guaranteed order; those who need one sort by name. An expression that must
//! be ordered, as a search path, must not hold patterns.

mod glob;
mod kind;
mod summary;
mod wildcard;

pub use glob::{Glob, GlobExpression, has_globs};
pub use kind::CollectionType;
pub use summary::{CollectionInfo, CollectionSummary, SerializedCollectionSummary};
pub use wildcard::{CollectionWildcard, DatasetTypeWildcard, Patterns};

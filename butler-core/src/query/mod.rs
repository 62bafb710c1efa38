//! Queries as values: column expressions, predicates, query trees and result specifications.
//!
//! A [`QueryTree`] says what is joined and which rows are kept, a [`ResultSpec`] which columns of
//! them come back, in which order. Both have the JSON forms of the reference's protocol. Nothing
//! here knows SQL: a [`QueryDriver`] answers queries. People write conditions in the expression
//! language of [`language`], and put queries together with [`Query`].
//!
//! All constructors check what they are given, so whoever holds one of these values may rely on
//! its types: a comparison compares comparable things, a tree has joined what its predicate needs.
//! Sizes are bounded too (see [`limits`]), so that walking any value by recursion is safe.

mod arguments;
mod column_set;
mod constraints;
mod driver;
mod expression;
mod fluent;
mod fluent_results;
mod general;
pub mod language;
mod leaf;
pub mod limits;
mod literal;
mod predicate;
mod reference;
mod result_spec;
mod results;
mod simple;
mod tree;
mod value_type;
pub mod wire;

pub use arguments::{DatasetTypeArgument, OrderBy, Where};
pub use column_set::{ColumnSet, DatasetField, DatasetTypeKey, ResultColumn};
pub use constraints::PredicateConstraints;
pub use driver::{PageStream, QueryDriver, QuerySource, ResultPage};
pub use expression::{BinaryOperator, ColumnExpression, OrderExpression, UnaryOperator};
pub use fluent::Query;
pub use general::{GeneralColumns, GeneralRow};
pub use leaf::{ComparisonOperator, PredicateLeaf};
pub use literal::{ColumnLiteral, RegionLiteral};
pub use predicate::Predicate;
pub use reference::ColumnReference;
pub use result_spec::{ResultKind, ResultSpec};
pub use results::{
    DataIds, Datasets, DimensionRecords, GeneralRows, QueryResults, QueryRow, RowPages,
};
pub use simple::{ResultLimit, SimpleQuery};
pub use tree::{
    DataCoordinateUploadKey, DatasetSearch, MaterializationKey, QueryTree, QueryTreeParts,
};
pub use value_type::ValueType;

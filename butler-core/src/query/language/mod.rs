//! The expression language of `where` and `order_by` strings.

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

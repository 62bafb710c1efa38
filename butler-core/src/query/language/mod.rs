//! The expression language of `where` and `order_by` strings.

pub mod ast;
mod error;
mod functions;
mod lexer;
mod literals;
mod parser;
mod times;
pub mod token;

pub use error::Problem;
pub use lexer::tokenize;
pub use parser::{MAX_DEPTH, parse};
pub use times::parse_time_literal;

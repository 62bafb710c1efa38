//! The JSON forms of queries in the protocol, both ways.
//!
//! Writing gives what the reference's client sends. Reading takes that, ignores keys it does not
//! know (as the reference does, so that newer clients may add some), and fills in what may be left
//! out. Numbers are read as JSON means them, so `5.0` is an integer and `5` a float; unlike the
//! reference, text and truth values are not taken for numbers, nor bad base64 for bytes.
//!
//! All mistakes are [`Error::InvalidQuery`](crate::Error::InvalidQuery), with the place in the
//! document, or [`Error::DimensionName`](crate::Error::DimensionName). Documents may come from
//! anybody: they may be as deep, long or wrong as they like.

mod inputs;
mod json;
mod read;
mod read_predicate;
mod write;

pub use inputs::{AdditionalQueryInput, QueryInputs};
pub use json::parse_json;

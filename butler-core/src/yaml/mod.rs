//! YAML as the reference implementation reads and writes it.
//!
//! Butler configurations and export files are written by PyYAML, which follows YAML 1.1: `yes` is
//! a boolean, `1e5` is a string, `0777` is octal, and tags such as `!include`, `!uuid` or
//! `!<lsst.sphgeom.ConvexPolygon>` carry meaning. A YAML 1.2 reader changes values silently, so
//! the scalars are resolved here with the 1.1 rules and every application tag is kept.

mod emit;
mod parse;
mod resolve;
mod value;

pub use emit::{Emitter, scalar_text, to_string, to_string_sorted};
pub use parse::{EventReader, YamlError, parse};
pub use value::{Map, Tagged, Value};

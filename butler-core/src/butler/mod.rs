//! The convenience layer over a registry and a datastore.

mod defaults;
mod layer;
mod rewrite;

pub use defaults::{ButlerDefaults, DefaultsOptions};
pub use layer::Butler;

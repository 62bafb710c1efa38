//! The convenience layer over a registry and a datastore.

mod defaults;
mod existence;
mod layer;
mod rewrite;

pub use defaults::{ButlerDefaults, DefaultsOptions};
pub use existence::Existence;
pub use layer::Butler;

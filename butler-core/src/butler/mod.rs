//! The convenience layer over a registry and a datastore.

mod defaults;
mod layer;

pub use defaults::{ButlerDefaults, DefaultsOptions};
pub use layer::Butler;

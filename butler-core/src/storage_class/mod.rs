//! Storage classes: what kind of object a dataset is, which components and parameters it has, and
//! what it can be converted to.

mod definition;
mod python_types;
mod registry;

pub use definition::StorageClass;
pub use registry::StorageClassRegistry;

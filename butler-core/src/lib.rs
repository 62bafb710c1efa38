//! The vocabulary of a data butler: what datasets, collections, dimensions and stored files are
//! called and look like, shared by every implementation. Nothing here opens a socket, a file or a
//! database.

pub mod butler;
pub mod collections;
pub mod config;
pub mod datasets;
pub mod datastore;
pub mod dimensions;
pub mod environment;
pub mod error;
pub mod export_yaml;
#[cfg(feature = "openapi")]
mod openapi;
pub mod progress;
mod pyfmt;
pub mod query;
pub mod registry;
pub mod storage_class;
pub mod time;
pub mod timespan;
pub mod transfer;
pub mod wire;
pub mod yaml;

pub use error::{Error, Result};
pub use timespan::Timespan;

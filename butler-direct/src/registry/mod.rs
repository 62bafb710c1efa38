//! The registry over PostgreSQL and SQLite.
//!
//! [`SqlRegistry`] opens or creates a repository's tables and implements the registry traits;
//! [`RegistryTransaction`] groups writes. Each other module is one part of the schema.

pub mod attributes;
pub mod chains;
mod collection_keys;
pub mod collections;
pub mod compatibility;
mod context;
mod dataset_types;
mod datasets;
mod dimension_groups;
mod dimension_records;
mod expand;
mod file_records;
pub mod locations;
mod overrides;
pub mod query;
mod record_sql;
mod skypix;
mod sql_registry;
mod sql_writer;
mod summaries;
pub mod tables;
mod transaction;
pub mod trash;
pub mod versions;

pub use collection_keys::{CollectionKey, CollectionKeys};
pub use file_records::RecordMode;
pub use overrides::DatasetTypeOverrides;
pub use sql_registry::SqlRegistry;
pub use transaction::RegistryTransaction;

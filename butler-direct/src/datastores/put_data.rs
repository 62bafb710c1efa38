//! What can be stored as a dataset.

use std::collections::BTreeMap;

use butler_core::yaml;
use butler_formats::Table;
use bytes::Bytes;

use crate::resource::ResourcePath;

/// A dataset to be stored.
#[derive(Debug, Clone)]
pub enum PutData {
    /// The finished contents of a file, in the format that the configured formatter reads.
    Bytes(Bytes),
    /// A file in the format that the configured formatter reads. It is copied.
    File(ResourcePath),
    /// Structured data, written as JSON or YAML, whichever is configured.
    Json(serde_json::Value),
    /// Structured data, written as YAML or JSON, whichever is configured.
    Yaml(yaml::Value),
    /// A table, written as Parquet.
    Table(Table),
    /// A composite that has been taken apart; each component becomes a file of its own.
    Components(BTreeMap<String, PutData>),
}

impl From<Bytes> for PutData {
    fn from(data: Bytes) -> Self {
        Self::Bytes(data)
    }
}

impl From<Vec<u8>> for PutData {
    fn from(data: Vec<u8>) -> Self {
        Self::Bytes(data.into())
    }
}

impl From<serde_json::Value> for PutData {
    fn from(data: serde_json::Value) -> Self {
        Self::Json(data)
    }
}

impl From<yaml::Value> for PutData {
    fn from(data: yaml::Value) -> Self {
        Self::Yaml(data)
    }
}

impl From<Table> for PutData {
    fn from(data: Table) -> Self {
        Self::Table(data)
    }
}

impl From<ResourcePath> for PutData {
    fn from(file: ResourcePath) -> Self {
        Self::File(file)
    }
}

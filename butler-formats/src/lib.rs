//! The formats of stored files that can be read and written here: JSON, YAML and Parquet, and zip
//! archives of files.
//!
//! Knows neither where files are nor how they are fetched: direct and remote access share it.

mod content;
mod parquet;
mod structured;
mod zip;

pub use arrow::datatypes::SchemaRef;
pub use content::FileContent;
pub use parquet::{Table, read_columns, read_row_count, read_schema, read_table, write_table};
pub use structured::{json_bytes, read_json, read_yaml, yaml_bytes};
pub use zip::{RangeSource, ZipError, read_zip_member};

/// A format that is understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON in UTF-8.
    Json,
    /// YAML 1.1 in UTF-8.
    Yaml,
    /// Parquet with an Arrow schema.
    Parquet,
}

impl Format {
    /// The format of files of a formatter class, by the class's full name in the reference.
    #[must_use]
    pub fn of_formatter(class: &str) -> Option<Self> {
        let name = class.strip_prefix("lsst.daf.butler.formatters.")?;
        Some(match name {
            "json.JsonFormatter" => Self::Json,
            "yaml.YamlFormatter" => Self::Yaml,
            "parquet.ParquetFormatter" => Self::Parquet,
            _ => return None,
        })
    }
}

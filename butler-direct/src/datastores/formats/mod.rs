//! Formats of files that can be written and read here: JSON, YAML and Parquet.

mod parquet;
mod structured;

use butler_core::error::{Error, Result};
use bytes::Bytes;

pub use arrow::datatypes::SchemaRef;
pub use parquet::Table;
pub(super) use parquet::{read_columns, read_row_count, read_schema, read_table};
pub(super) use structured::{read_json, read_yaml};

use super::put_data::PutData;

/// A format that is understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON in UTF-8.
    Json,
    /// YAML 1.1 in UTF-8.
    Yaml,
    /// Parquet with an Arrow schema.
    Parquet,
}

impl Format {
    /// The format of files of a formatter class.
    pub(super) fn of_formatter(class: &str) -> Option<Self> {
        let name = class.strip_prefix("lsst.daf.butler.formatters.")?;
        Some(match name {
            "json.JsonFormatter" => Self::Json,
            "yaml.YamlFormatter" => Self::Yaml,
            "parquet.ParquetFormatter" => Self::Parquet,
            _ => return None,
        })
    }
}

/// The bytes of a file with structured data, or none if `data` is no such data.
///
/// # Errors
/// [`Error::DatasetTypeNotSupported`] if the formatter writes something else.
pub(super) fn encode(data: PutData, formatter: &str, dataset: &str) -> Result<Bytes> {
    let format = Format::of_formatter(formatter);
    Ok(match (data, format) {
        (PutData::Bytes(bytes), _) => bytes,
        (PutData::Json(value), Some(Format::Json)) => structured::json_bytes(&value)?,
        (PutData::Json(value), Some(Format::Yaml)) => structured::yaml_bytes(&value.into()),
        (PutData::Yaml(value), Some(Format::Yaml)) => structured::yaml_bytes(&value),
        (PutData::Yaml(value), Some(Format::Json)) => structured::json_bytes(&value.to_json())?,
        (PutData::Table(table), Some(Format::Parquet)) => parquet::write_table(&table)?,
        (data, format) => {
            let kind = match data {
                PutData::Json(_) | PutData::Yaml(_) => "structured data",
                PutData::Table(_) => "a table",
                _ => "this kind of data",
            };
            let writes = match format {
                Some(Format::Json) => "writes JSON",
                Some(Format::Yaml) => "writes YAML",
                Some(Format::Parquet) => "writes Parquet tables",
                None => "writes a format that is not available here",
            };
            return Err(Error::DatasetTypeNotSupported(format!(
                "{dataset} cannot be stored from {kind}: its formatter {formatter} {writes}; put \
                 the finished file or its bytes instead"
            )));
        }
    })
}

/// The bytes of a file that data would become by their own nature; none if they are no single
/// file.
pub(super) fn natural_bytes(data: PutData) -> Option<Result<Bytes>> {
    Some(match data {
        PutData::Bytes(bytes) => Ok(bytes),
        PutData::Json(value) => structured::json_bytes(&value),
        PutData::Yaml(value) => Ok(structured::yaml_bytes(&value)),
        PutData::Table(table) => parquet::write_table(&table),
        PutData::File(_) | PutData::Components(_) => return None,
    })
}

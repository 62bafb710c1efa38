//! The bytes of files that datasets become.

use butler_core::error::{Error, Result};
use butler_formats::{Format, json_bytes, write_table, yaml_bytes};
use bytes::Bytes;

use super::put_data::PutData;

/// The bytes of a file with structured data, or none if `data` is no such data.
///
/// # Errors
/// [`Error::DatasetTypeNotSupported`] if the formatter writes something else.
pub(super) fn encode(data: PutData, formatter: &str, dataset: &str) -> Result<Bytes> {
    let format = Format::of_formatter(formatter);
    Ok(match (data, format) {
        (PutData::Bytes(bytes), _) => bytes,
        (PutData::Json(value), Some(Format::Json)) => json_bytes(&value)?,
        (PutData::Json(value), Some(Format::Yaml)) => yaml_bytes(&value.into()),
        (PutData::Yaml(value), Some(Format::Yaml)) => yaml_bytes(&value),
        (PutData::Yaml(value), Some(Format::Json)) => json_bytes(&value.to_json())?,
        (PutData::Table(table), Some(Format::Parquet)) => write_table(&table)?,
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
        PutData::Json(value) => json_bytes(&value),
        PutData::Yaml(value) => Ok(yaml_bytes(&value)),
        PutData::Table(table) => write_table(&table),
        PutData::File(_) | PutData::Components(_) => return None,
    })
}

//! What the file of a dataset holds.

use butler_core::datasets::DatasetRef;
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use butler_core::yaml;
use bytes::Bytes;

use crate::{
    Format, SchemaRef, Table, read_columns, read_json, read_row_count, read_schema, read_table,
    read_yaml,
};

/// The contents of the file of a dataset, to be understood.
#[derive(Debug, Clone)]
pub struct FileContent<'a> {
    dataset: &'a DatasetRef,
    info: &'a StoredFileInfo,
    part: Option<&'a str>,
    uri: &'a str,
    format: Format,
}

impl<'a> FileContent<'a> {
    /// Prepares to read a file of a dataset; `part` is the component to take out of it, if the
    /// file holds more than was asked for.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if the format is not available here, before anything is
    /// fetched.
    pub fn new(
        dataset: &'a DatasetRef,
        info: &'a StoredFileInfo,
        part: Option<&'a str>,
        uri: &'a str,
    ) -> Result<Self> {
        let format = Format::of_formatter(&info.formatter)
            .ok_or_else(|| unreadable(dataset, info, uri, "this format is not available here"))?;
        Ok(Self {
            dataset,
            info,
            part,
            uri,
            format,
        })
    }

    /// Structured data. Tables give their components `columns` (a list of names) and `rowcount`
    /// this way.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if it is something else; [`Error::CorruptRecord`].
    pub fn yaml(&self, data: Bytes) -> Result<yaml::Value> {
        match (self.format, self.part) {
            (Format::Json, None) => Ok(read_json(&data, self.uri)?.into()),
            (Format::Yaml, None) => read_yaml(&data, self.uri),
            (Format::Parquet, Some("rowcount")) => {
                Ok(yaml::Value::Int(read_row_count(data, self.uri)?))
            }
            (Format::Parquet, Some("columns")) => {
                let columns = read_columns(data, self.uri)?;
                Ok(yaml::Value::Seq(
                    columns.into_iter().map(yaml::Value::Str).collect(),
                ))
            }
            _ => Err(self.unreadable()),
        }
    }

    /// As [`yaml`](Self::yaml), as JSON, which keeps large integers that YAML values cannot hold.
    ///
    /// # Errors
    /// As there.
    pub fn json(&self, data: Bytes) -> Result<serde_json::Value> {
        match (self.format, self.part) {
            (Format::Json, None) => read_json(&data, self.uri),
            _ => Ok(self.yaml(data)?.to_json()),
        }
    }

    /// A table, or with `columns` a part of it.
    ///
    /// # Errors
    /// As for [`yaml`](Self::yaml); [`Error::InvalidArgument`] for an unknown column.
    pub fn table(&self, data: Bytes, columns: Option<&[&str]>) -> Result<Table> {
        match (self.format, self.part) {
            (Format::Parquet, None) => read_table(data, columns, self.uri),
            _ => Err(self.unreadable()),
        }
    }

    /// The schema of a table, with its metadata.
    ///
    /// # Errors
    /// As for [`yaml`](Self::yaml).
    pub fn schema(&self, data: Bytes) -> Result<SchemaRef> {
        match (self.format, self.part) {
            (Format::Parquet, None | Some("schema")) => read_schema(data, self.uri),
            _ => Err(self.unreadable()),
        }
    }

    fn unreadable(&self) -> Error {
        let what = match (self.part, self.format) {
            (Some(part), _) => format!("the component '{part}' cannot be taken out of it"),
            (None, Format::Parquet) => "it is a table".to_owned(),
            (None, Format::Json | Format::Yaml) => "it is structured data".to_owned(),
        };
        unreadable(self.dataset, self.info, self.uri, &what)
    }
}

fn unreadable(dataset: &DatasetRef, info: &StoredFileInfo, uri: &str, what: &str) -> Error {
    Error::DatasetTypeNotSupported(format!(
        "{dataset} cannot be read this way from {uri} (formatter {}): {what}; read the file or its \
         bytes instead",
        info.formatter
    ))
}

//! The record that a file datastore keeps of each stored file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::datasets::DatasetRef;
use crate::error::{Error, Result};

/// What the database has in the `component` column of a file that holds no component; it cannot
/// be NULL because the column is part of the primary key.
pub const NULL_COMPONENT: &str = "__NULL_STRING__";

/// A file datastore's record of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredFileInfo {
    /// The full name of the class that reads the file.
    pub formatter: Arc<str>,
    /// The path below the datastore's root, or an absolute URI. A fragment after `#` tells where
    /// in the file the dataset is, as the member of a zip file.
    pub path: String,
    /// The name of the storage class that was written.
    pub storage_class: Arc<str>,
    /// The component that the file holds, if a composite was taken apart.
    pub component: Option<Arc<str>>,
    /// The checksum in hexadecimal, if it was computed.
    pub checksum: Option<String>,
    /// The size in bytes; −1 if it is not known.
    pub file_size: i64,
}

impl StoredFileInfo {
    /// The `component` column of the database row.
    pub fn component_column(&self) -> &str {
        self.component.as_deref().unwrap_or(NULL_COMPONENT)
    }

    /// The component that a `component` column stands for.
    pub fn component_from_column(column: Option<&str>) -> Option<Arc<str>> {
        column
            .filter(|text| !text.is_empty() && *text != NULL_COMPONENT)
            .map(Arc::from)
    }

    /// The path of the file itself, without the fragment.
    pub fn artifact_path(&self) -> &str {
        self.path
            .rfind('#')
            .map_or(&self.path, |at| &self.path[..at])
    }

    /// The size in bytes, if it is known.
    pub fn known_size(&self) -> Option<u64> {
        u64::try_from(self.file_size).ok()
    }

    /// The same record for a dataset: with the component that it refers to, if it does.
    #[must_use]
    pub fn rebase(&self, dataset: &DatasetRef) -> Self {
        let component = dataset.dataset_type().component().map(Arc::from);
        Self {
            component: component.or_else(|| self.component.clone()),
            ..self.clone()
        }
    }

    /// Of the records of a dataset's files, the one to read for a dataset or component, and the
    /// component to take out of that file if it holds more than was asked for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the dataset was taken apart and is asked for as a whole;
    /// [`Error::UnknownComponent`] if none of the files has the component.
    pub fn choose(
        dataset: &DatasetRef,
        records: impl IntoIterator<Item = Self>,
    ) -> Result<(Self, Option<String>)> {
        let wanted = dataset.dataset_type().component();
        let mut components: Vec<Arc<str>> = Vec::new();
        let mut whole = None;
        for info in records {
            match (&info.component, wanted) {
                (Some(own), Some(wanted)) if **own == *wanted => return Ok((info, None)),
                (Some(own), _) => components.push(Arc::clone(own)),
                (None, _) => whole = Some(info),
            }
        }
        match (whole, wanted) {
            (Some(info), wanted) => Ok((info, wanted.map(str::to_owned))),
            (None, None) => Err(Error::InvalidArgument(format!(
                "{dataset} was taken apart when it was stored; ask for one of its components \
                 {components:?}"
            ))),
            (None, Some(wanted)) => Err(Error::UnknownComponent(format!(
                "the component '{wanted}' of {dataset} has no file of its own; those that have are \
                 {components:?}"
            ))),
        }
    }

    /// The JSON model, in which a missing component is null.
    pub fn to_simple(&self) -> SerializedStoredFileInfo {
        SerializedStoredFileInfo {
            formatter: self.formatter.to_string(),
            path: self.path.clone(),
            storage_class: self.storage_class.to_string(),
            component: self.component.as_ref().map(ToString::to_string),
            checksum: self.checksum.clone(),
            file_size: self.file_size,
        }
    }

    /// Reads the JSON model.
    pub fn from_simple(simple: SerializedStoredFileInfo) -> Self {
        Self {
            formatter: simple.formatter.into(),
            path: simple.path,
            storage_class: simple.storage_class.into(),
            component: Self::component_from_column(simple.component.as_deref()),
            checksum: simple.checksum,
            file_size: simple.file_size,
        }
    }
}

/// A [`StoredFileInfo`] in JSON. Fields keep the order of the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedStoredFileInfo {
    /// The full name of the class that reads the file.
    pub formatter: String,
    /// The path below the datastore's root, or an absolute URI.
    pub path: String,
    /// The name of the storage class.
    pub storage_class: String,
    /// The component, if a composite was taken apart.
    #[serde(default)]
    pub component: Option<String>,
    /// The checksum in hexadecimal.
    #[serde(default)]
    pub checksum: Option<String>,
    /// The size in bytes; −1 if it is not known.
    pub file_size: i64,
}

/// Makes a path relative that may be an absolute one or a URI, so that it means nothing outside
/// of the datastore it is given to. A fragment is kept.
///
/// # Errors
/// [`Error::CorruptRecord`] if the path looks like a URI and is none.
pub fn make_datastore_path_relative(path: &str) -> Result<String> {
    if path.contains("://") {
        let url = url::Url::parse(path)
            .map_err(|error| Error::corrupt(format!("path '{path}' of a stored file"), error))?;
        let decoded = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
        let relative = decoded.trim_start_matches('/');
        return Ok(match url.fragment() {
            Some(fragment) if !fragment.is_empty() => format!("{relative}#{fragment}"),
            _ => relative.to_owned(),
        });
    }
    Ok(path.trim_start_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn info(path: &str, component: Option<&str>) -> StoredFileInfo {
        StoredFileInfo {
            formatter: "lsst.daf.butler.formatters.json.JsonFormatter".into(),
            path: path.into(),
            storage_class: "StructuredDataDict".into(),
            component: component.map(Arc::from),
            checksum: None,
            file_size: -1,
        }
    }

    #[test]
    fn a_missing_component_has_a_column_value() {
        assert_eq!(info("a", None).component_column(), NULL_COMPONENT);
        assert_eq!(info("a", Some("wcs")).component_column(), "wcs");
        assert_eq!(
            StoredFileInfo::component_from_column(Some(NULL_COMPONENT)),
            None
        );
        assert_eq!(StoredFileInfo::component_from_column(Some("")), None);
        assert_eq!(
            StoredFileInfo::component_from_column(Some("wcs")).as_deref(),
            Some("wcs")
        );
    }

    #[test]
    fn fragments_are_not_part_of_the_file() {
        assert_eq!(info("a/b.zip#unzip=x/y", None).artifact_path(), "a/b.zip");
        assert_eq!(info("a/b.fits", None).artifact_path(), "a/b.fits");
        assert_eq!(info("a", None).known_size(), None);
    }

    #[test]
    fn paths_become_relative() {
        let cases = [
            ("a/b.fits", "a/b.fits"),
            ("/abs/b.fits", "abs/b.fits"),
            ("s3://bucket/k/b%20c.fits", "k/b c.fits"),
            ("file:///d/b.zip#unzip=x", "d/b.zip#unzip=x"),
        ];
        for (path, expected) in cases {
            assert_eq!(make_datastore_path_relative(path).unwrap(), expected);
        }
    }
}

//! The index in zip files of datasets.

use std::collections::BTreeSet;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SerializedStoredFileInfo, StoredFileInfo};
use crate::datasets::{DATASET_ID_NAMESPACE, DatasetId, DatasetRef, SerializedDatasetRefContainer};
use crate::error::{Error, Result};

/// The name of the index among the members of a zip file, and beside retrieved artifacts.
pub const ZIP_INDEX_NAME: &str = "_butler_zip_index.json";

/// The only version of the model.
const VERSION: &str = "V1";

/// Which datasets lie where in a zip file (or directory) of datasets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZipIndex {
    /// The version of this model: `V1`.
    #[serde(default = "version")]
    pub index_version: String,
    /// The datasets.
    pub refs: SerializedDatasetRefContainer,
    /// Files by their path in the archive.
    pub artifact_map: IndexMap<String, ZipIndexEntry>,
}

/// A file in a zip file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZipIndexEntry {
    /// The record that the file had in its datastore.
    pub info: SerializedStoredFileInfo,
    /// The datasets in it.
    pub ids: Vec<Uuid>,
}

/// What a retrieved file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactIndexInfo {
    /// The record of the file, as the datastore had it.
    pub info: StoredFileInfo,
    /// The datasets in the file that were asked for.
    pub ids: BTreeSet<DatasetId>,
}

fn version() -> String {
    VERSION.to_owned()
}

impl ZipIndex {
    /// The index of files by their paths below the place of the index.
    pub fn new<'a>(
        datasets: impl IntoIterator<Item = &'a DatasetRef>,
        artifacts: impl IntoIterator<Item = (String, &'a ArtifactIndexInfo)>,
    ) -> Self {
        let artifact_map = artifacts.into_iter().map(|(path, artifact)| {
            let entry = ZipIndexEntry {
                info: artifact.info.to_simple(),
                ids: artifact.ids.iter().copied().collect(),
            };
            (path, entry)
        });
        Self {
            index_version: version(),
            artifact_map: artifact_map.collect(),
            refs: SerializedDatasetRefContainer::from_refs(datasets),
        }
    }

    /// Reads an index from JSON; `source` tells errors where it came from.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`], [`Error::UnsupportedVersion`].
    pub fn parse(data: &[u8], source: &str) -> Result<Self> {
        let index: Self = serde_json::from_slice(data)
            .map_err(|error| Error::corrupt(format!("{ZIP_INDEX_NAME} of {source}"), error))?;
        if index.index_version != VERSION {
            return Err(Error::unsupported_version(
                format!("{ZIP_INDEX_NAME} of {source}"),
                index.index_version,
                VERSION,
            ));
        }
        Ok(index)
    }

    /// The JSON of the index.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be written, which has no known cause.
    pub fn to_json(&self) -> Result<Bytes> {
        let mut text = serde_json::to_vec(self)
            .map_err(|error| Error::Internal(format!("writing {ZIP_INDEX_NAME}: {error}")))?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// The name of a zip file with these contents: a UUID of version 5 made from the paths in it.
    pub fn file_name(&self) -> String {
        let mut paths: Vec<&str> = self.artifact_map.keys().map(String::as_str).collect();
        paths.sort_unstable();
        let id = Uuid::new_v5(&DATASET_ID_NAMESPACE, paths.join(",").as_bytes());
        format!("{id}.zip")
    }

    /// Where a file datastore keeps such a zip file, relative to its root.
    pub fn path_in_store(&self) -> String {
        let name = self.file_name();
        format!("zips/{}/{name}", &name[..4])
    }
}

//! The index in zip files of datasets.

use butler_core::datasets::{DATASET_ID_NAMESPACE, DatasetRef, SerializedDatasetRefContainer};
use butler_core::datastore::SerializedStoredFileInfo;
use butler_core::error::{Error, Result};
use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::ArtifactIndexInfo;
use crate::resource::{ResourcePath, Resources};

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

fn version() -> String {
    VERSION.to_owned()
}

impl ZipIndex {
    /// The index of files below a root.
    ///
    /// # Errors
    /// [`Error::Internal`] if a file does not lie below the root.
    pub fn new<'a>(
        datasets: impl IntoIterator<Item = &'a DatasetRef>,
        artifacts: &IndexMap<ResourcePath, ArtifactIndexInfo>,
        root: &ResourcePath,
    ) -> Result<Self> {
        let artifact_map = artifacts
            .iter()
            .map(|(path, artifact)| {
                let relative = path.relative_to(root).ok_or_else(|| {
                    Error::Internal(format!("{path} was retrieved to outside of {root}"))
                })?;
                let entry = ZipIndexEntry {
                    info: artifact.info.to_simple(),
                    ids: artifact.ids.iter().copied().collect(),
                };
                Ok((relative, entry))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            index_version: version(),
            refs: SerializedDatasetRefContainer::from_refs(datasets),
            artifact_map,
        })
    }

    /// Reads the index of a zip file; only the needed parts of it are fetched.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], or [`Error::FileIntegrity`] if it is not a zip file with an index;
    /// [`Error::CorruptRecord`] or [`Error::UnsupportedVersion`] if the index is not readable.
    pub async fn read(resources: &Resources, archive: &ResourcePath) -> Result<Self> {
        let data = resources.read_zip_member(archive, ZIP_INDEX_NAME).await?;
        Self::parse(&data, &archive.to_string())
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

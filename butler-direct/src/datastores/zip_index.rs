//! The index in zip files and beside retrieved files.

use butler_core::datasets::DatasetRef;
use butler_core::datastore::{ArtifactIndexInfo, ZIP_INDEX_NAME, ZipIndex};
use butler_core::error::{Error, Result};
use indexmap::IndexMap;

use crate::resource::{ResourcePath, Resources};

/// The index of files below a root.
///
/// # Errors
/// [`Error::Internal`] if a file does not lie below the root.
pub(crate) fn index_below<'a>(
    root: &ResourcePath,
    datasets: &'a [DatasetRef],
    artifacts: &'a IndexMap<ResourcePath, ArtifactIndexInfo>,
) -> Result<ZipIndex> {
    let relative = artifacts.iter().map(|(path, artifact)| {
        let relative = path
            .relative_to(root)
            .ok_or_else(|| Error::Internal(format!("{path} was retrieved to outside of {root}")))?;
        Ok((relative, artifact))
    });
    let relative: Vec<_> = relative.collect::<Result<_>>()?;
    Ok(ZipIndex::new(datasets, relative))
}

/// Reads the index of a zip file; only the needed parts of it are fetched.
///
/// # Errors
/// [`Error::FileNotFound`], or [`Error::FileIntegrity`] if it is not a zip file with an index;
/// [`Error::CorruptRecord`] or [`Error::UnsupportedVersion`] if the index is not readable.
pub(crate) async fn read_zip_index(
    resources: &Resources,
    archive: &ResourcePath,
) -> Result<ZipIndex> {
    let data = resources.read_zip_member(archive, ZIP_INDEX_NAME).await?;
    ZipIndex::parse(&data, &archive.to_string())
}

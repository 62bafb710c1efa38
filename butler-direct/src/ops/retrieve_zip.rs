//! Putting the files of datasets into one zip file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use butler_core::datasets::DatasetRef;
use butler_core::datastore::ZIP_INDEX_NAME;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::butler::DirectButler;
use crate::datastores::{RetrieveOptions, index_below};
use crate::resource::{ResourcePath, TransferMode, blocking};

impl DirectButler {
    /// Puts the files of datasets into one zip file in a directory, with an index, and returns where
    /// it is: its name comes from the names of the files in it.
    /// [`ingest_zip`](Self::ingest_zip) takes such a file in; with dimension records attached to all
    /// datasets, the file brings these along.
    ///
    /// Files are gathered in a directory beside the destination, or in the temporary one if that is
    /// not local; it is removed again in any case. The zip file appears whole or not at all.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] without datasets; [`Error::FileExists`] if the file is there
    /// already, unless `overwrite`; others as for [`retrieve_artifacts`](Self::retrieve_artifacts).
    pub async fn retrieve_artifacts_zip(
        &self,
        datasets: &[DatasetRef],
        directory: &ResourcePath,
        overwrite: bool,
        progress: &dyn Progress,
    ) -> Result<ResourcePath> {
        if datasets.is_empty() {
            return Err(Error::InvalidArgument(
                "a zip file needs at least one dataset".to_owned(),
            ));
        }
        let resources = self.resources();
        let directory = directory.as_directory()?;
        let beside = match directory.local_path() {
            Some(path) => {
                resources.make_directory(&directory).await?;
                path
            }
            None => resources.temporary_directory(),
        };
        let failed = |error| Error::io(&beside, error);
        let staging = tempfile::tempdir_in(&beside).map_err(failed)?;
        let files = staging.path().join("files");
        std::fs::create_dir(&files).map_err(failed)?;
        let root = ResourcePath::from_local_directory(&files)?;
        let options = RetrieveOptions {
            mode: TransferMode::Auto,
            preserve_path: false,
            overwrite: false,
            write_index: true,
            add_prefix: true,
        };
        let artifacts = self
            .retrieve_artifacts(datasets, &root, options, progress)
            .await?;
        let index = index_below(&root, datasets, &artifacts)?;
        let destination = directory.join(&index.file_name())?;
        if !overwrite && resources.exists(&destination).await? {
            return Err(Error::FileExists(destination.to_string()));
        }
        let mut members = vec![(ZIP_INDEX_NAME.to_owned(), files.join(ZIP_INDEX_NAME))];
        for name in index.artifact_map.into_keys() {
            let file = root.join(&name)?;
            let path = file.local_path().ok_or_else(|| {
                Error::Internal(format!("{file} was retrieved to a place that is not local"))
            })?;
            members.push((name, path));
        }
        let archive = staging.path().join("archive.zip");
        let made = archive.clone();
        blocking(move || pack(&made, &members)).await??;
        resources
            .transfer(
                &ResourcePath::from_local(&archive)?,
                &destination,
                TransferMode::Move,
                overwrite,
            )
            .await?;
        Ok(destination)
    }
}

/// Writes a zip file. Members are stored as they are, so that parts of the archive can be read where
/// they lie.
fn pack(archive: &Path, members: &[(String, PathBuf)]) -> Result<()> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| Error::io(path, error)
    };
    let zip_error = |error: zip::result::ZipError| Error::io(archive, error.into());
    let file = File::create_new(archive).map_err(io_error(archive))?;
    let mut writer = ZipWriter::new(file);
    for (name, path) in members {
        let mut source = File::open(path).map_err(io_error(path))?;
        let size = source.metadata().map_err(io_error(path))?.len();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size >= u64::from(u32::MAX));
        writer
            .start_file(name.as_str(), options)
            .map_err(zip_error)?;
        io::copy(&mut source, &mut writer).map_err(io_error(path))?;
    }
    let file = writer.finish().map_err(zip_error)?;
    file.sync_all().map_err(io_error(archive))
}

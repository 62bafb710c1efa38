//! Datasets that share a zip archive.

use std::ops::Range;

use butler_core::datastore::{ZIP_INDEX_NAME, ZipIndex};
use butler_core::{Error, Result};
use butler_formats::{RangeSource, ZipError, read_zip_member};
use bytes::Bytes;

use crate::connection::Connection;
use crate::download;
use crate::files::RemoteFile;

/// An archive on a server.
struct Archive {
    connection: Connection,
    file: RemoteFile,
}

impl RangeSource for Archive {
    type Error = Error;

    async fn read_range(&mut self, range: Range<u64>) -> Result<Bytes> {
        let (data, _) = download::part(&self.connection, &mut self.file, range).await?;
        Ok(data)
    }
}

/// A member of an archive; only the needed parts of the archive are fetched.
///
/// # Errors
/// [`Error::FileNotFound`] if the archive is not there; [`Error::FileIntegrity`] if it has no such
/// member; [`Error::Storage`] if it cannot be fetched.
pub(crate) async fn read_member(
    connection: &Connection,
    mut file: RemoteFile,
    member: &str,
) -> Result<Bytes> {
    let (_, length) = download::part(connection, &mut file, 0..1).await?;
    let shown = file.shown();
    let archive = Archive {
        connection: connection.clone(),
        file,
    };
    read_zip_member(archive, length, member)
        .await
        .map_err(|error| match error {
            ZipError::Source(error) => error,
            ZipError::Archive(reason) => Error::FileIntegrity {
                path: shown,
                detail: format!("member {member}: {reason}"),
            },
        })
}

/// The index of an archive.
///
/// # Errors
/// As for [`read_member`]; [`Error::CorruptRecord`] or [`Error::UnsupportedVersion`] if the index is
/// not readable.
pub(crate) async fn read_index(connection: &Connection, file: RemoteFile) -> Result<ZipIndex> {
    let shown = file.shown();
    let data = read_member(connection, file, ZIP_INDEX_NAME).await?;
    ZipIndex::parse(&data, &shown)
}

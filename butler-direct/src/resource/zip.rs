//! Members of zip archives, wherever the archive lies.

use std::ops::Range;
use std::sync::Arc;

use butler_formats::{RangeSource, ZipError, read_zip_member};
use bytes::Bytes;

use super::error::Result;
use super::store::ResourceStore;
use super::{ResourceError, ResourcePath};

/// Reads a member of an archive, fetching only the parts of the archive that are needed.
pub(super) async fn read_member(
    store: Arc<dyn ResourceStore>,
    archive: &ResourcePath,
    member: &str,
) -> Result<Bytes> {
    let uri = archive.without_fragment();
    let length = store.size(&uri).await?;
    let source = Archive {
        store,
        uri: uri.clone(),
    };
    read_zip_member(source, length, member)
        .await
        .map_err(|error| match error {
            ZipError::Source(error) => error,
            ZipError::Archive(reason) => ResourceError::Zip {
                uri: uri.to_string(),
                member: member.to_owned(),
                reason,
            },
        })
}

struct Archive {
    store: Arc<dyn ResourceStore>,
    uri: ResourcePath,
}

impl RangeSource for Archive {
    type Error = ResourceError;

    async fn read_range(&mut self, range: Range<u64>) -> Result<Bytes> {
        self.store.read_range(&self.uri, range).await
    }
}

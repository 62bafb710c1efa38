//! Members of zip archives, wherever the archive lies.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::error::Result;
use super::store::ResourceStore;
use super::{ResourceError, ResourcePath, blocking};

/// Bytes fetched at a time. Most members and the directory of most archives fit.
const BLOCK: u64 = 256 << 10;

/// Reads a member of an archive, fetching only the parts of the archive that are needed.
pub(super) async fn read_member(
    store: Arc<dyn ResourceStore>,
    archive: &ResourcePath,
    member: &str,
) -> Result<Bytes> {
    let uri = archive.without_fragment();
    let length = store.size(&uri).await?;
    let (runtime, member) = (Handle::current(), member.to_owned());
    blocking(move || {
        let failed = |error: zip::result::ZipError| match error {
            zip::result::ZipError::Io(error) => match error.downcast::<ResourceError>() {
                Ok(error) => error,
                Err(error) => broken(&uri, &member, &error),
            },
            zip::result::ZipError::FileNotFound => ResourceError::Zip {
                uri: uri.to_string(),
                member: member.clone(),
                reason: "the archive has no such member".to_owned(),
            },
            other => broken(&uri, &member, &other),
        };
        let source = Source {
            store,
            uri: uri.clone(),
            runtime,
            length,
            at: 0,
            block: (0, Bytes::new()),
        };
        let mut archive = zip::ZipArchive::new(source).map_err(failed)?;
        let mut entry = archive.by_name(&member).map_err(failed)?;
        let mut data = Vec::new();
        entry
            .read_to_end(&mut data)
            .map_err(|error| failed(error.into()))?;
        Ok(Bytes::from(data))
    })
    .await?
}

fn broken(uri: &ResourcePath, member: &str, error: &dyn std::error::Error) -> ResourceError {
    ResourceError::Zip {
        uri: uri.to_string(),
        member: member.to_owned(),
        reason: error.to_string(),
    }
}

/// A seekable reader over a resource, fetching it block by block.
struct Source {
    store: Arc<dyn ResourceStore>,
    uri: ResourcePath,
    runtime: Handle,
    length: u64,
    at: u64,
    block: (u64, Bytes),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        let (start, block) = &self.block;
        if self.at < *start || self.at >= start + block.len() as u64 {
            let start = self.at - self.at % BLOCK;
            let wanted = start..self.length.min(start + BLOCK.max(buffer.len() as u64));
            let fetched = self
                .runtime
                .block_on(self.store.read_range(&self.uri, wanted))
                .map_err(io::Error::other)?;
            self.block = (start, fetched);
        }
        let (start, block) = &self.block;
        let rest = usize::try_from(self.at - start)
            .ok()
            .and_then(|from| block.get(from..))
            .filter(|rest| !rest.is_empty())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

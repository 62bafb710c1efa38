//! Members of zip archives that lie somewhere else.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use tokio::runtime::Handle;

/// Bytes fetched at a time. Most members and the directory of most archives fit.
const BLOCK: u64 = 256 << 10;

/// A file that can be read in parts.
pub trait RangeSource: Send + 'static {
    /// What keeps a part from being read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// A part of the file, all of it.
    fn read_range(
        &mut self,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
}

/// Why a member cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ZipError<E> {
    /// The archive cannot be read.
    #[error(transparent)]
    Source(E),
    /// It is no archive, has no such member, or is damaged.
    #[error("{0}")]
    Archive(String),
}

/// Reads a member of an archive of this size in bytes, fetching only the parts of the archive that
/// are needed.
///
/// # Errors
/// The source's own, or what is wrong with the archive.
pub async fn read_zip_member<S: RangeSource>(
    source: S,
    length: u64,
    member: &str,
) -> Result<Bytes, ZipError<S::Error>> {
    let member = member.to_owned();
    let source = Blocks {
        source,
        runtime: Handle::current(),
        length,
        at: 0,
        block: (0, Bytes::new()),
    };
    match tokio::task::spawn_blocking(move || extract(source, &member)).await {
        Ok(outcome) => outcome,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(ZipError::Archive(cancelled.to_string())),
        },
    }
}

fn extract<S: RangeSource>(source: Blocks<S>, member: &str) -> Result<Bytes, ZipError<S::Error>> {
    let failed = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => match error.downcast::<S::Error>() {
            Ok(error) => ZipError::Source(error),
            Err(error) => ZipError::Archive(error.to_string()),
        },
        zip::result::ZipError::FileNotFound => {
            ZipError::Archive("the archive has no such member".to_owned())
        }
        other => ZipError::Archive(other.to_string()),
    };
    let mut archive = zip::ZipArchive::new(source).map_err(failed)?;
    let mut entry = archive.by_name(member).map_err(failed)?;
    let mut data = Vec::new();
    entry
        .read_to_end(&mut data)
        .map_err(|error| failed(error.into()))?;
    Ok(Bytes::from(data))
}

/// A seekable reader over a source, fetching it block by block.
struct Blocks<S> {
    source: S,
    runtime: Handle,
    length: u64,
    at: u64,
    block: (u64, Bytes),
}

impl<S: RangeSource> Read for Blocks<S> {
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
                .block_on(self.source.read_range(wanted))
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

impl<S> Seek for Blocks<S> {
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

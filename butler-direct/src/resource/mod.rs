//! Files and objects by address: local files, S3 objects, what web servers have, members of zip
//! archives.
//!
//! [`ResourcePath`] is the address, a value. [`Resources`] acts on addresses whatever their
//! storage; it sends each to the [`ResourceStore`] for its scheme.

mod checksum;
mod error;
mod http;
mod local_copy;
mod memory;
mod mode;
mod parse;
mod path;
mod posix;
mod quoting;
mod resources;
mod s3;
mod store;
mod zip;

#[cfg(test)]
mod tests;

pub use checksum::ChecksumAlgorithm;
pub use error::{ResourceError, Result};
pub use http::HttpStore;
pub use local_copy::LocalCopy;
pub use memory::MemoryStore;
pub use mode::{TransferMode, Transferred};
pub use parse::ParseOptions;
pub use path::{ResourcePath, Scheme};
pub use posix::PosixStore;
pub(crate) use quoting::quote_component;
pub use resources::{Resources, ResourcesBuilder};
pub use s3::{S3Settings, S3Store, SignatureVersion};
pub use store::{ByteStream, ResourceInfo, ResourceStore, Signer};

/// Operations under way at once in bulk calls.
pub(crate) const WORKERS: usize = 16;

/// Runs work that blocks away from the async workers.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Ok(value),
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(ResourceError::Io {
                uri: "the file system".to_owned(),
                operation: "use",
                source: std::io::Error::other(cancelled),
            }),
        },
    }
}

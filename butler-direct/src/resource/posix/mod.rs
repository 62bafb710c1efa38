//! The local file system.
//!
//! Files are written beside their destination under a temporary name and renamed into place, so
//! a reader never sees a part of a file and a crash leaves at most a stray `.butler-*` file, which
//! goes when the same file is written again.
//! New files get the permissions the umask leaves; copies get those of their source.
//!
//! By default data are not forced to the disk before the rename: like the Python
//! implementation we leave that to the operating system, and a power cut shortly after a write
//! may lose it. [`PosixStore::durable`] forces file and directory to the disk for every write.

mod store;
mod transfer;
mod write;

pub use store::PosixStore;
pub(super) use transfer::LocalTransfer;

//! A local cache of dataset files.
//!
//! The directory may be shared by any number of processes, Python's `lsst.daf.butler` among
//! them: files are named `<dataset id>[_<component>]<extension>`, arrive by renaming, and are
//! read through a hard link in `exempt/`, so that another process may remove a file that is just
//! being read. A file's change time says when it was last used, since making and removing links
//! sets it; what was not used for longest goes first.

mod directory;
mod entries;
mod fetch;
mod settings;
mod store;

#[cfg(test)]
mod tests;

pub use settings::{CacheSettings, Expiry};
pub use store::DatasetCache;

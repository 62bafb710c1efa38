//! Where datasets are kept: in files, in memory, or in several such places at once.
//!
//! Writing takes two steps, so that a crash leaves no record without a file. First files are
//! *staged*: they are brought to their final places, each atomically. Then the [`Staged`] value is
//! *recorded* in the registry's transaction that also makes the datasets known. If that fails,
//! staged files are undone; if the process dies in between, orphaned files stay, which the next
//! attempt overwrites.

mod chained;
mod encode;
mod factory;
mod file;
mod memory;
mod put_data;
mod staged;
mod store;
mod zip_index;

pub use butler_core::datastore::{ArtifactIndexInfo, ZIP_INDEX_NAME, ZipIndex};
pub use butler_formats::{SchemaRef, Table};
pub use chained::{ChainedDatastore, Link};
pub use factory::open_datastore;
pub use file::FileDatastore;
pub use memory::InMemoryDatastore;
pub use put_data::PutData;
pub use staged::Staged;
pub use store::{DirectDatastore, IngestOptions, RetrieveOptions, SharedDatastore, TransferFile};
pub(crate) use zip_index::{index_below, read_zip_index};

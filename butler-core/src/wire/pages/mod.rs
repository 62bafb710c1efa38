//! Pages of query results as the protocol streams them: one JSON object to a line.
//!
//! Writing goes straight into a buffer, reading straight into values; there is no tree of JSON in
//! between. Mirrors the models of `query/execute` and `query/all_datasets`.

mod read;
mod write;

pub use read::PageReader;
pub use write::{write_dataset_ref, write_page};

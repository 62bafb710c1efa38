//! A file that holds datasets.

use std::sync::Arc;

use super::DatasetRef;

/// A file and the datasets in it, as they are ingested, exported and imported.
#[derive(Debug, Clone, PartialEq)]
pub struct FileDataset {
    /// The path or URI; relative paths count from a directory that the context knows.
    pub path: String,
    /// The datasets in the file, one or more, all of one run.
    pub refs: Vec<DatasetRef>,
    /// The full name of the class that reads the file; none to take the configured one.
    pub formatter: Option<Arc<str>>,
}

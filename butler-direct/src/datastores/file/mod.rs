//! Datasets in files, on disk or in an object store.

mod config;
mod datastore;
mod ingest;
mod locate;
mod put;
mod read;
mod retrieve;
mod stage;
mod transfer;
mod trash;
mod zip;

pub(super) use stage::StagedFiles;

use std::sync::Arc;

use butler_core::datastore::{CompositesMap, Constraints, FileTemplates, FormatterTable};
use butler_core::storage_class::StorageClassRegistry;

use crate::cache::DatasetCache;
use crate::registry::SqlRegistry;
use crate::resource::{ChecksumAlgorithm, ResourcePath, Resources};

/// A datastore of files below one root. Clones share everything.
#[derive(Debug, Clone)]
pub struct FileDatastore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    root: ResourcePath,
    table: String,
    templates: FileTemplates,
    formatters: FormatterTable,
    constraints: Constraints,
    composites: CompositesMap,
    checksum: Option<ChecksumAlgorithm>,
    trust: bool,
    cache: DatasetCache,
    registry: SqlRegistry,
    resources: Resources,
}

impl FileDatastore {
    /// The root directory.
    pub fn root(&self) -> &ResourcePath {
        &self.shared.root
    }

    /// The name of the table of records.
    pub fn table(&self) -> &str {
        &self.shared.table
    }

    /// Where the files are accessed through.
    pub fn resources(&self) -> &Resources {
        &self.shared.resources
    }

    fn registry(&self) -> &SqlRegistry {
        &self.shared.registry
    }

    fn classes(&self) -> &StorageClassRegistry {
        self.shared.registry.storage_classes()
    }
}

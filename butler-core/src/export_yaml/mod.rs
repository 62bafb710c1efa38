//! The YAML files in which parts of a repository are exported: dimension records, collections,
//! dataset types, datasets and their associations.
//!
//! [`ExportWriter`] writes such a file piece by piece; [`ExportReader`] reads one section by
//! section; [`ImportData`] holds what a whole file says, brought into a repository's universe.

mod import;
mod migrate;
mod reader;
mod scalar;
mod section;
mod writer;

pub use import::{DatasetGroup, ImportData, RunInfo};
pub use reader::{ExportHeader, ExportReader};
pub use section::{AssociationData, DatasetFile, ExportSection, RawRecord};
pub use writer::{CollectionExport, ExportWriter};

/// The version of files that are written. Files of the same major version and the same or an
/// older minor version can be read.
pub const EXPORT_FORMAT_VERSION: (u64, u64, u64) = (1, 0, 2);

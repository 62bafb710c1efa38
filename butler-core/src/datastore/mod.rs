//! What datastores know without touching a file: records of stored files, file templates, and the
//! tables of their configuration.

mod cacheable;
mod composites;
mod constraints;
mod entity;
mod formatters;
mod records;
mod stored_file_info;
mod template;
pub mod traits;
mod zip_index;

pub use cacheable::CacheableTable;
pub use composites::CompositesMap;
pub use constraints::Constraints;
pub use entity::Entity;
pub use formatters::{FormatterEntry, FormatterTable, default_extension};
pub use records::{DatastoreRecordData, SerializedDatastoreRecordData};
pub use stored_file_info::{
    NULL_COMPONENT, SerializedStoredFileInfo, StoredFileInfo, make_datastore_path_relative,
};
pub use template::{FileTemplate, FileTemplates};
pub use traits::{DatasetUris, Datastore, DatastoreWriter, Signer, StoredFile};
pub use zip_index::{ArtifactIndexInfo, ZIP_INDEX_NAME, ZipIndex, ZipIndexEntry};

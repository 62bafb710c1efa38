//! Dataset types, references to datasets, their identifiers, and their JSON forms.

mod container;
mod dataset_ref;
mod dataset_type;
mod dataset_uri;
mod file_dataset;
mod id;
mod serialized;

pub use container::{MinimalDatasetRef, SerializedDatasetRefContainer};
pub use dataset_ref::{DatasetRef, DatastoreRecords};
pub use dataset_type::{DatasetType, split_dataset_type_name, validate_dataset_type_name};
pub use dataset_uri::DatasetUri;
pub use file_dataset::FileDataset;
pub use id::{DATASET_ID_NAMESPACE, DatasetId, DatasetIdMode};
pub use serialized::{SerializedDatasetRef, SerializedDatasetType};

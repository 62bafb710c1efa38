//! What can be looked up in a datastore's configuration.

use std::fmt;

use crate::config::LookupKey;
use crate::datasets::{DatasetRef, DatasetType};
use crate::error::Result;
use crate::storage_class::{StorageClass, StorageClassRegistry};

/// A dataset, a dataset type or a storage class, of which a configuration says something.
#[derive(Debug, Clone, Copy)]
pub enum Entity<'a> {
    /// One dataset.
    Dataset(&'a DatasetRef),
    /// A dataset type.
    DatasetType(&'a DatasetType),
    /// A storage class.
    StorageClass(&'a StorageClass),
}

impl Entity<'_> {
    /// The keys to look this up with, best match first.
    pub fn lookup_keys(&self) -> Vec<LookupKey> {
        match self {
            Self::Dataset(dataset) => dataset.lookup_keys(),
            Self::DatasetType(dataset_type) => dataset_type.lookup_keys(),
            Self::StorageClass(class) => class.lookup_keys(),
        }
    }

    /// Whether the storage class has components.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the storage class is unknown.
    pub fn is_composite(&self, classes: &StorageClassRegistry) -> Result<bool> {
        match self {
            Self::Dataset(dataset) => dataset.is_composite(classes),
            Self::DatasetType(dataset_type) => dataset_type.is_composite(classes),
            Self::StorageClass(class) => Ok(class.is_composite()),
        }
    }

    /// The dataset type, unless this is a storage class.
    pub fn dataset_type(&self) -> Option<&DatasetType> {
        match self {
            Self::Dataset(dataset) => Some(dataset.dataset_type()),
            Self::DatasetType(dataset_type) => Some(dataset_type),
            Self::StorageClass(_) => None,
        }
    }
}

impl<'a> From<&'a DatasetRef> for Entity<'a> {
    fn from(dataset: &'a DatasetRef) -> Self {
        Self::Dataset(dataset)
    }
}

impl<'a> From<&'a DatasetType> for Entity<'a> {
    fn from(dataset_type: &'a DatasetType) -> Self {
        Self::DatasetType(dataset_type)
    }
}

impl<'a> From<&'a StorageClass> for Entity<'a> {
    fn from(class: &'a StorageClass) -> Self {
        Self::StorageClass(class)
    }
}

impl fmt::Display for Entity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(dataset) => dataset.fmt(f),
            Self::DatasetType(dataset_type) => dataset_type.fmt(f),
            Self::StorageClass(class) => class.fmt(f),
        }
    }
}

//! Identifiers of datasets.

use std::fmt::Write as _;

use uuid::Uuid;

use super::DatasetType;
use crate::dimensions::DataCoordinate;

/// The identifier of a dataset.
pub type DatasetId = Uuid;

/// The namespace of identifiers that are computed; it must never change.
pub const DATASET_ID_NAMESPACE: Uuid = Uuid::from_u128(0x840b31d9_05cd_5161_b2c8_00d32b280d0f);

/// How the identifier of a new dataset is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DatasetIdMode {
    /// A fresh identifier: a version 7 UUID, so that those made together lie together in an index.
    #[default]
    Unique,
    /// A version 5 UUID of dataset type and data ID: the same in every run.
    DataIdType,
    /// A version 5 UUID of dataset type, run and data ID.
    DataIdTypeRun,
}

impl DatasetIdMode {
    /// Makes an identifier.
    pub fn make_id(self, run: &str, dataset_type: &DatasetType, data_id: &DataCoordinate) -> Uuid {
        let run = match self {
            Self::Unique => return Uuid::now_v7(),
            Self::DataIdType => None,
            Self::DataIdTypeRun => Some(run),
        };
        Uuid::new_v5(
            &DATASET_ID_NAMESPACE,
            hashed_text(run, dataset_type, data_id).as_bytes(),
        )
    }
}

/// The text that is hashed: dataset type, run, then the required values in the order of their
/// dimensions' names.
fn hashed_text(run: Option<&str>, dataset_type: &DatasetType, data_id: &DataCoordinate) -> String {
    let mut text = format!("dataset_type={}", dataset_type.name());
    if let Some(run) = run {
        let _ = write!(text, ",run={run}");
    }
    let mut values: Vec<_> = data_id.required().collect();
    values.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in values {
        let _ = write!(text, ",{name}={value}");
    }
    text
}

//! JSON models of dataset types and dataset references.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::dimensions::SerializedDataCoordinate;
use crate::error::{Error, Result};

/// A dataset type in JSON. Every field is written; fields that are missing get their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedDatasetType {
    /// The name, with the component after a dot.
    pub name: String,
    /// The name of the storage class; none in the minimal form.
    #[serde(rename = "storageClass", default)]
    pub storage_class: Option<String>,
    /// The required dimensions; none in the minimal form.
    #[serde(default)]
    pub dimensions: Option<Vec<String>>,
    /// The name of the composite's storage class, if this is a component.
    #[serde(rename = "parentStorageClass", default)]
    pub parent_storage_class: Option<String>,
    /// Whether datasets may be in CALIBRATION collections.
    #[serde(rename = "isCalibration", default)]
    pub is_calibration: bool,
}

impl SerializedDatasetType {
    /// The minimal form, which has to be looked up in a registry.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            storage_class: None,
            dimensions: None,
            parent_storage_class: None,
            is_calibration: false,
        }
    }

    /// JSON without the fields that have their default value, as the reference writes dataset
    /// types on their own.
    pub fn to_compact_json(&self) -> Value {
        let mut json = serde_json::json!(self);
        drop_defaults(&mut json);
        json
    }
}

/// A dataset reference in JSON. Every field is written; fields that are missing are none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SerializedDatasetRef {
    /// The dataset's identifier.
    pub id: Uuid,
    /// The dataset type; none in the minimal form.
    #[serde(rename = "datasetType", default)]
    pub dataset_type: Option<SerializedDatasetType>,
    /// The data ID; none in the minimal form.
    #[serde(rename = "dataId", default)]
    pub data_id: Option<SerializedDataCoordinate>,
    /// The RUN collection; none in the minimal form.
    #[serde(default)]
    pub run: Option<String>,
    /// The component, in the minimal form of one.
    #[serde(default)]
    pub component: Option<String>,
}

impl SerializedDatasetRef {
    /// Checks that the fields agree with each other.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is only one of dataset type and data ID, or both a
    /// dataset type and a component.
    pub fn validate(&self) -> Result<()> {
        if self.dataset_type.is_some() != self.data_id.is_some() {
            return Err(Error::InvalidArgument(format!(
                "the serialized dataset {} needs both dataset type and data ID, or neither",
                self.id
            )));
        }
        if self.component.is_some() && self.dataset_type.is_some() {
            return Err(Error::InvalidArgument(format!(
                "the serialized dataset {} names a component beside its dataset type; give the \
                 component as part of the dataset type",
                self.id
            )));
        }
        Ok(())
    }

    /// JSON without the fields that have their default value, as the reference writes references
    /// on their own.
    pub fn to_compact_json(&self) -> Value {
        let mut json = serde_json::json!(self);
        drop_defaults(&mut json);
        for key in ["datasetType", "dataId"] {
            if let Some(inner) = json.get_mut(key) {
                drop_defaults(inner);
            }
        }
        json
    }
}

fn drop_defaults(json: &mut Value) {
    if let Value::Object(map) = json {
        map.retain(|key, value| {
            !value.is_null() && (key != "isCalibration" || *value != Value::Bool(false))
        });
    }
}

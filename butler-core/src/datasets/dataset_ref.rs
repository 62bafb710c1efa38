//! References to datasets.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use indexmap::IndexMap;
use uuid::Uuid;

use super::{DatasetIdMode, DatasetType, SerializedDatasetRef};
use crate::config::LookupKey;
use crate::datastore::StoredFileInfo;
use crate::dimensions::{DataCoordinate, DimensionUniverse};
use crate::error::{Error, Result};
use crate::storage_class::StorageClassRegistry;

/// A dataset's file records, by the name of the table that holds them.
pub type DatastoreRecords = IndexMap<Arc<str>, Vec<StoredFileInfo>>;

/// A reference to one dataset: type, data ID, run and identifier. Cloning costs a few reference
/// counts.
///
/// References are equal if dataset type, data ID and identifier are; attached records do not
/// count.
#[derive(Clone)]
pub struct DatasetRef {
    id: Uuid,
    dataset_type: Arc<DatasetType>,
    run: Arc<str>,
    data_id: DataCoordinate,
    datastore_records: Option<Arc<DatastoreRecords>>,
}

impl DatasetRef {
    /// A reference to a dataset with a known identifier. The data ID may have more dimensions
    /// than the dataset type; it is reduced to those.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if the data ID lacks a dimension.
    pub fn new(
        dataset_type: Arc<DatasetType>,
        data_id: DataCoordinate,
        run: impl Into<Arc<str>>,
        id: Uuid,
    ) -> Result<Self> {
        let data_id = if data_id.dimensions() == dataset_type.dimensions() {
            data_id
        } else {
            data_id.subset(dataset_type.dimensions())?
        };
        Ok(Self {
            id,
            dataset_type,
            run: run.into(),
            data_id,
            datastore_records: None,
        })
    }

    /// A reference to a new dataset, whose identifier is made here.
    ///
    /// # Errors
    /// As [`DatasetRef::new`].
    pub fn generate(
        dataset_type: Arc<DatasetType>,
        data_id: DataCoordinate,
        run: impl Into<Arc<str>>,
        mode: DatasetIdMode,
    ) -> Result<Self> {
        let mut new = Self::new(dataset_type, data_id, run, Uuid::nil())?;
        new.id = mode.make_id(&new.run, &new.dataset_type, &new.data_id);
        Ok(new)
    }

    /// The dataset's identifier; components have that of their composite.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The dataset type.
    pub fn dataset_type(&self) -> &Arc<DatasetType> {
        &self.dataset_type
    }

    /// The RUN collection that the dataset belongs to.
    pub fn run(&self) -> &Arc<str> {
        &self.run
    }

    /// The data ID.
    pub fn data_id(&self) -> &DataCoordinate {
        &self.data_id
    }

    /// The file records, if they are attached.
    pub fn datastore_records(&self) -> Option<&Arc<DatastoreRecords>> {
        self.datastore_records.as_ref()
    }

    /// The same reference with other file records, or none.
    #[must_use]
    pub fn with_datastore_records(mut self, records: Option<Arc<DatastoreRecords>>) -> Self {
        self.datastore_records = records;
        self
    }

    /// The same reference with an equal data ID that knows more.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the data ID is a different one.
    pub fn expanded(&self, data_id: DataCoordinate) -> Result<Self> {
        if data_id != self.data_id {
            return Err(Error::InvalidArgument(format!(
                "cannot expand the dataset {self} with the data ID {data_id} of another one"
            )));
        }
        Ok(Self {
            data_id,
            ..self.clone()
        })
    }

    /// The same dataset under another dataset type that differs in storage class or component.
    #[must_use]
    pub fn with_dataset_type(&self, dataset_type: Arc<DatasetType>) -> Self {
        Self {
            dataset_type,
            ..self.clone()
        }
    }

    /// The dataset under another run, with a fresh identifier unless one is given.
    #[must_use]
    pub fn with_run(&self, run: impl Into<Arc<str>>, id: Option<Uuid>) -> Self {
        let run = run.into();
        let id = id.unwrap_or_else(|| {
            if run == self.run {
                self.id
            } else {
                DatasetIdMode::Unique.make_id(&run, &self.dataset_type, &self.data_id)
            }
        });
        Self {
            id,
            run,
            ..self.clone()
        }
    }

    /// Whether this refers to a component.
    pub fn is_component(&self) -> bool {
        self.dataset_type.is_component()
    }

    /// Whether the storage class has components.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn is_composite(&self, classes: &StorageClassRegistry) -> Result<bool> {
        self.dataset_type.is_composite(classes)
    }

    /// The reference to the composite of this component.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if this is no component.
    pub fn make_composite(&self) -> Result<Self> {
        Ok(self.with_dataset_type(Arc::new(self.dataset_type.make_composite()?)))
    }

    /// The reference to a component.
    ///
    /// # Errors
    /// As [`DatasetType::make_component`].
    pub fn make_component(&self, name: &str, classes: &StorageClassRegistry) -> Result<Self> {
        Ok(self.with_dataset_type(Arc::new(self.dataset_type.make_component(name, classes)?)))
    }

    /// The same dataset with another storage class.
    ///
    /// # Errors
    /// As [`DatasetType::override_storage_class`].
    pub fn override_storage_class(
        &self,
        storage_class: &str,
        classes: &StorageClassRegistry,
    ) -> Result<Self> {
        let new = self
            .dataset_type
            .override_storage_class(storage_class, classes)?;
        Ok(self.with_dataset_type(Arc::new(new)))
    }

    /// Whether another reference is to the same dataset, of a compatible type.
    ///
    /// # Errors
    /// As [`DatasetType::is_compatible_with`].
    pub fn is_compatible_with(&self, other: &Self, classes: &StorageClassRegistry) -> Result<bool> {
        Ok(self.id == other.id
            && self.data_id == other.data_id
            && self.run == other.run
            && self
                .dataset_type
                .is_compatible_with(&other.dataset_type, classes)?)
    }

    /// The same dataset in another universe. Only the required values of its data ID survive.
    ///
    /// # Errors
    /// As [`DatasetType::conform_to`].
    pub fn conform_to(&self, universe: DimensionUniverse) -> Result<Self> {
        if self.data_id.universe() == universe {
            return Ok(self.clone());
        }
        let dataset_type = self.dataset_type.conform_to(universe)?;
        let values: Vec<_> = dataset_type
            .dimensions()
            .required()
            .iter()
            .map(|name| self.data_id.value(name).cloned())
            .collect::<Result<_>>()?;
        let data_id =
            DataCoordinate::from_required_values(dataset_type.dimensions().clone(), values)?;
        Ok(Self {
            dataset_type: Arc::new(dataset_type),
            data_id,
            ..self.clone()
        })
    }

    /// The keys to look this dataset up with in configuration tables, best match first: all keys
    /// of the dataset type for the instrument, then without.
    pub fn lookup_keys(&self) -> Vec<LookupKey> {
        let keys = self.dataset_type.lookup_keys();
        let Some(instrument) = self.data_id.get("instrument") else {
            return keys;
        };
        let instrument: Arc<str> = instrument.to_string().into();
        let dimension: Arc<str> = "instrument".into();
        let own = keys.iter().map(|key| {
            key.clone()
                .with_data_id(Arc::clone(&dimension), Arc::clone(&instrument))
        });
        own.chain(keys.iter().cloned()).collect()
    }

    /// The order in which the reference sorts: run, dataset type, data ID.
    pub fn sort_order(&self, other: &Self) -> Ordering {
        self.run
            .cmp(&other.run)
            .then_with(|| self.dataset_type.cmp(&other.dataset_type))
            .then_with(|| self.data_id.cmp_values(&other.data_id))
    }

    /// The JSON model; `minimal` has the identifier and the component only.
    pub fn to_simple(&self, minimal: bool) -> SerializedDatasetRef {
        if minimal {
            return SerializedDatasetRef {
                id: self.id,
                dataset_type: None,
                data_id: None,
                run: None,
                component: self.dataset_type.component().map(str::to_owned),
            };
        }
        SerializedDatasetRef {
            id: self.id,
            dataset_type: Some(self.dataset_type.to_simple(false)),
            data_id: Some(self.data_id.to_simple(false)),
            run: Some(self.run.to_string()),
            component: None,
        }
    }

    /// Reads the JSON model. With `dataset_type`, that one is used instead of the model's.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the model is minimal, [`Error::DimensionName`] and
    /// [`Error::DimensionValue`] if the data ID is not valid.
    pub fn from_simple(
        simple: &SerializedDatasetRef,
        universe: DimensionUniverse,
        dataset_type: Option<Arc<DatasetType>>,
    ) -> Result<Self> {
        simple.validate()?;
        let missing = |what: &str| {
            Error::InvalidArgument(format!(
                "the serialized dataset {} has no {what}; look it up in a registry",
                simple.id
            ))
        };
        let dataset_type = match (dataset_type, &simple.dataset_type) {
            (Some(dataset_type), _) => dataset_type,
            (None, Some(model)) => Arc::new(DatasetType::from_simple(model, universe)?),
            (None, None) => return Err(missing("dataset type")),
        };
        let data_id = simple.data_id.as_ref().ok_or_else(|| missing("data ID"))?;
        let run = simple.run.as_deref().ok_or_else(|| missing("run"))?;
        Self::new(
            dataset_type,
            DataCoordinate::from_simple(data_id, universe)?,
            run,
            simple.id,
        )
    }
}

impl PartialEq for DatasetRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && (Arc::ptr_eq(&self.dataset_type, &other.dataset_type)
                || self.dataset_type == other.dataset_type)
            && self.data_id == other.data_id
    }
}

impl Eq for DatasetRef {}

impl Hash for DatasetRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.dataset_type.hash(state);
        self.data_id.hash(state);
    }
}

impl fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}@{} [sc={}] (run={} id={})",
            self.dataset_type.name(),
            self.data_id,
            self.dataset_type.storage_class_name(),
            self.run,
            self.id
        )
    }
}

impl fmt::Debug for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DatasetRef({:?}, {}, run='{}', id={})",
            self.dataset_type, self.data_id, self.run, self.id
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bias(detector: i64) -> DatasetRef {
        let universe = DimensionUniverse::default_universe();
        let group = universe.conform(["detector"]).unwrap();
        let dataset_type = Arc::new(DatasetType::new("bias", group, "ExposureF", true).unwrap());
        let data_id = DataCoordinate::standardize(
            universe,
            [
                ("instrument", "Cam1".into()),
                ("detector", crate::dimensions::DataIdValue::Int(detector)),
            ],
            None,
            None,
        )
        .unwrap();
        DatasetRef::generate(dataset_type, data_id, "run1", DatasetIdMode::DataIdTypeRun).unwrap()
    }

    #[test]
    fn references_stay_small() {
        assert!(
            size_of::<DatasetRef>() <= 96,
            "{} bytes",
            size_of::<DatasetRef>()
        );
    }

    #[test]
    fn computed_identifiers_are_stable() {
        assert_eq!(bias(1).id(), bias(1).id());
        assert_ne!(bias(1).id(), bias(2).id());
        assert_eq!(bias(1).id().get_version_num(), 5);
    }

    #[test]
    fn json_goes_both_ways() {
        let original = bias(1);
        let json = serde_json::to_string(&original.to_simple(false)).unwrap();
        let simple: SerializedDatasetRef = serde_json::from_str(&json).unwrap();
        let read =
            DatasetRef::from_simple(&simple, DimensionUniverse::default_universe(), None).unwrap();
        assert_eq!(read, original);
        assert_eq!(read.run(), original.run());
        let minimal = original.to_simple(true);
        assert!(
            DatasetRef::from_simple(&minimal, DimensionUniverse::default_universe(), None).is_err()
        );
        assert_eq!(
            minimal.to_compact_json(),
            serde_json::json!({"id": original.id().to_string()})
        );
    }

    #[test]
    fn instrument_keys_come_first() {
        let keys: Vec<String> = bias(1)
            .lookup_keys()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(keys.len(), 6);
        assert_eq!(keys[0], "bias (instrument=Cam1)");
        assert_eq!(keys[3], "bias");
    }
}

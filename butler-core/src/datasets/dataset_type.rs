//! Named categories of datasets.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::SerializedDatasetType;
use crate::config::LookupKey;
use crate::dimensions::{DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};
use crate::storage_class::{StorageClass, StorageClassRegistry};

/// A named category of datasets: its dimensions and the storage class of its datasets.
///
/// Storage classes are held by name and looked up in a [`StorageClassRegistry`] when their
/// definition matters, so a dataset type can be read without knowing its storage class.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DatasetType {
    name: Arc<str>,
    dimensions: DimensionGroup,
    storage_class: Arc<str>,
    parent_storage_class: Option<Arc<str>>,
    is_calibration: bool,
}

impl DatasetType {
    /// A dataset type that is not a component.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the name is not valid, names a component, or is the name of
    /// a governor dimension.
    pub fn new(
        name: impl Into<Arc<str>>,
        dimensions: DimensionGroup,
        storage_class: impl Into<Arc<str>>,
        is_calibration: bool,
    ) -> Result<Self> {
        Self::with_parent(name, dimensions, storage_class, None, is_calibration)
    }

    /// A dataset type that is a component if it has a parent storage class.
    ///
    /// # Errors
    /// As [`DatasetType::new`], and if the name and the parent disagree on whether this is a
    /// component.
    pub fn with_parent(
        name: impl Into<Arc<str>>,
        dimensions: DimensionGroup,
        storage_class: impl Into<Arc<str>>,
        parent_storage_class: Option<Arc<str>>,
        is_calibration: bool,
    ) -> Result<Self> {
        let name = name.into();
        if !is_valid_name(&name) {
            return Err(Error::InvalidArgument(invalid_name(&name)));
        }
        if dimensions
            .universe()
            .governor_dimensions()
            .any(|governor| governor.name() == &*name)
        {
            return Err(Error::InvalidArgument(format!(
                "'{name}' is the name of a governor dimension, so it cannot name a dataset type"
            )));
        }
        match (split_dataset_type_name(&name).1, &parent_storage_class) {
            (Some(_), None) => {
                return Err(Error::InvalidArgument(format!(
                    "component dataset type '{name}' needs the storage class of its parent"
                )));
            }
            (None, Some(parent)) => {
                return Err(Error::InvalidArgument(format!(
                    "dataset type '{name}' is no component, so it has no parent storage class \
                     '{parent}'"
                )));
            }
            _ => {}
        }
        let storage_class = storage_class.into();
        Ok(Self {
            name,
            dimensions,
            storage_class,
            parent_storage_class,
            is_calibration,
        })
    }

    /// The name, with the component after a dot.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The dimensions of the data IDs.
    pub fn dimensions(&self) -> &DimensionGroup {
        &self.dimensions
    }

    /// The name of the storage class.
    pub fn storage_class_name(&self) -> &Arc<str> {
        &self.storage_class
    }

    /// The name of the composite's storage class, if this is a component.
    pub fn parent_storage_class_name(&self) -> Option<&Arc<str>> {
        self.parent_storage_class.as_ref()
    }

    /// Whether datasets may be in CALIBRATION collections.
    pub fn is_calibration(&self) -> bool {
        self.is_calibration
    }

    /// The definition of the storage class.
    ///
    /// # Errors
    /// [`Error::Configuration`] if it is unknown.
    pub fn storage_class(&self, classes: &StorageClassRegistry) -> Result<Arc<StorageClass>> {
        classes.get(&self.storage_class)
    }

    /// The name of the composite and of the component: `a.b.c` is component `b.c` of `a`.
    pub fn name_and_component(&self) -> (&str, Option<&str>) {
        split_dataset_type_name(&self.name)
    }

    /// The component's name, if this is one.
    pub fn component(&self) -> Option<&str> {
        self.name_and_component().1
    }

    /// Whether this is a component of a composite.
    pub fn is_component(&self) -> bool {
        self.component().is_some()
    }

    /// Whether the storage class has components.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn is_composite(&self, classes: &StorageClassRegistry) -> Result<bool> {
        Ok(self.storage_class(classes)?.is_composite())
    }

    /// The dataset type of a component.
    ///
    /// # Errors
    /// [`Error::UnknownComponent`] if the storage class has none of this name,
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn make_component(
        &self,
        component: &str,
        classes: &StorageClassRegistry,
    ) -> Result<DatasetType> {
        let class = self.storage_class(classes)?;
        let Some(component_class) = class.component(component) else {
            let known: Vec<&str> = class.all_components().map(|(name, _)| name).collect();
            return Err(Error::UnknownComponent(format!(
                "dataset type {self} has no component '{component}'; its storage class has {known:?}"
            )));
        };
        Self::with_parent(
            format!("{}.{component}", self.name),
            self.dimensions.clone(),
            Arc::clone(component_class.name()),
            Some(Arc::clone(&self.storage_class)),
            self.is_calibration,
        )
    }

    /// The dataset types of all components.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn make_all_components(&self, classes: &StorageClassRegistry) -> Result<Vec<DatasetType>> {
        let class = self.storage_class(classes)?;
        class
            .all_components()
            .map(|(name, _)| self.make_component(name, classes))
            .collect()
    }

    /// The dataset type of the composite that this is a component of.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if this is no component.
    pub fn make_composite(&self) -> Result<DatasetType> {
        let (composite, _) = self.name_and_component();
        let Some(parent) = &self.parent_storage_class else {
            return Err(Error::InvalidArgument(format!(
                "dataset type '{}' is no component, so it has no composite",
                self.name
            )));
        };
        Self::new(
            composite,
            self.dimensions.clone(),
            Arc::clone(parent),
            self.is_calibration,
        )
    }

    /// The same dataset type with another storage class.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if neither storage class can be converted to the other,
    /// [`Error::Configuration`] if one is unknown.
    pub fn override_storage_class(
        &self,
        storage_class: &str,
        classes: &StorageClassRegistry,
    ) -> Result<DatasetType> {
        if *self.storage_class == *storage_class {
            return Ok(self.clone());
        }
        let new = Self {
            storage_class: storage_class.into(),
            ..self.clone()
        };
        if new.is_compatible_with(self, classes)? || self.is_compatible_with(&new, classes)? {
            return Ok(new);
        }
        Err(Error::InvalidArgument(format!(
            "dataset type '{}' has storage class {}, which cannot be converted to or from {}",
            self.name, self.storage_class, storage_class
        )))
    }

    /// Whether everything but the storage classes is equal.
    pub fn equal_ignoring_storage_class(&self, other: &Self) -> bool {
        self.name == other.name
            && self.dimensions == other.dimensions
            && self.is_calibration == other.is_calibration
    }

    /// Whether datasets of another dataset type can be used as of this one: everything but the
    /// storage class is equal, and the other's storage class can be converted to this one's.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage classes differ and one is unknown.
    pub fn is_compatible_with(&self, other: &Self, classes: &StorageClassRegistry) -> Result<bool> {
        if !self.equal_ignoring_storage_class(other) {
            return Ok(false);
        }
        if self.storage_class == other.storage_class {
            return Ok(true);
        }
        Ok(self
            .storage_class(classes)?
            .can_convert(&*other.storage_class(classes)?))
    }

    /// The same dataset type in another universe.
    ///
    /// # Errors
    /// [`Error::InconsistentUniverse`] if the namespaces differ, or the dimensions or their split
    /// into required and implied ones are not the same there.
    pub fn conform_to(&self, universe: DimensionUniverse) -> Result<DatasetType> {
        let own = self.dimensions.universe();
        if own == universe {
            return Ok(self.clone());
        }
        let refuse = |why: String| {
            Error::InconsistentUniverse(format!(
                "dataset type '{}' with dimensions {} of universe {} v{} cannot be used in universe \
                 {} v{}: {why}",
                self.name,
                self.dimensions,
                own.namespace(),
                own.version(),
                universe.namespace(),
                universe.version(),
            ))
        };
        if own.namespace() != universe.namespace() {
            return Err(refuse("the namespaces differ".into()));
        }
        let dimensions = universe
            .conform(self.dimensions.names())
            .map_err(|error| refuse(error.to_string()))?;
        let sorted = |names: &[&'static str]| {
            let mut names = names.to_vec();
            names.sort_unstable();
            names
        };
        if dimensions.names() != self.dimensions.names()
            || sorted(dimensions.required()) != sorted(self.dimensions.required())
        {
            return Err(refuse(format!("the dimensions would become {dimensions}")));
        }
        Ok(Self {
            dimensions,
            ..self.clone()
        })
    }

    /// The keys to look this dataset type up with in configuration tables, best match first.
    pub fn lookup_keys(&self) -> Vec<LookupKey> {
        let (composite, component) = self.name_and_component();
        let mut keys = vec![LookupKey::name(Arc::clone(&self.name))];
        if component.is_some() {
            keys.push(LookupKey::name(composite));
        }
        if !self.dimensions.is_empty() {
            keys.push(LookupKey::dimensions(self.dimensions.clone()));
        }
        keys.push(LookupKey::name(Arc::clone(&self.storage_class)));
        keys.extend(self.parent_storage_class.clone().map(LookupKey::name));
        keys
    }

    /// The JSON model; `minimal` has the name only.
    pub fn to_simple(&self, minimal: bool) -> SerializedDatasetType {
        if minimal {
            return SerializedDatasetType::named(&*self.name);
        }
        SerializedDatasetType {
            name: self.name.to_string(),
            storage_class: Some(self.storage_class.to_string()),
            dimensions: Some(
                self.dimensions
                    .required()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            parent_storage_class: self.parent_storage_class.as_ref().map(ToString::to_string),
            is_calibration: self.is_calibration,
        }
    }

    /// Reads the JSON model.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the model is minimal or the definition is not valid,
    /// [`Error::DimensionName`] if a dimension is unknown.
    pub fn from_simple(
        simple: &SerializedDatasetType,
        universe: DimensionUniverse,
    ) -> Result<DatasetType> {
        let (Some(storage_class), Some(dimensions)) = (&simple.storage_class, &simple.dimensions)
        else {
            return Err(Error::InvalidArgument(format!(
                "the serialized dataset type '{}' has no storage class and dimensions; look it up \
                 in a registry",
                simple.name
            )));
        };
        Self::with_parent(
            simple.name.as_str(),
            universe.conform(dimensions)?,
            storage_class.as_str(),
            simple.parent_storage_class.as_deref().map(Arc::from),
            simple.is_calibration,
        )
    }
}

/// Dataset types sort by name first, as in the reference; the rest only breaks ties.
impl Ord for DatasetType {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name
            .cmp(&other.name)
            .then_with(|| self.dimensions.names().cmp(other.dimensions.names()))
            .then_with(|| self.storage_class.cmp(&other.storage_class))
            .then_with(|| self.parent_storage_class.cmp(&other.parent_storage_class))
            .then_with(|| self.is_calibration.cmp(&other.is_calibration))
    }
}

impl PartialOrd for DatasetType {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for DatasetType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DatasetType('{}', {}, {}",
            self.name, self.dimensions, self.storage_class
        )?;
        if let Some(parent) = &self.parent_storage_class {
            write!(f, ", parentStorageClass={parent}")?;
        }
        if self.is_calibration {
            f.write_str(", isCalibration=True")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for DatasetType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The name of the composite and of the component: `a.b.c` is component `b.c` of `a`.
pub fn split_dataset_type_name(name: &str) -> (&str, Option<&str>) {
    match name.split_once('.') {
        Some((composite, component)) => (composite, Some(component)),
        None => (name, None),
    }
}

/// Checks that a text could be the name of a dataset type, perhaps of a component.
///
/// # Errors
/// [`Error::DatasetTypeExpression`] if not.
pub fn validate_dataset_type_name(name: &str) -> Result<()> {
    if is_valid_name(name) {
        return Ok(());
    }
    Err(Error::DatasetTypeExpression(invalid_name(name)))
}

fn invalid_name(name: &str) -> String {
    format!(
        "'{name}' does not look like a valid dataset type name: expected letters, digits and underscores, not \
         starting with a digit, and a dot before each component"
    )
}

fn is_valid_name(name: &str) -> bool {
    name.split('.').all(|part| {
        part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && part.bytes().next().is_some_and(|b| !b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn universe() -> DimensionUniverse {
        DimensionUniverse::default_universe()
    }

    fn dataset_type(name: &str, dimensions: &[&str], storage_class: &str) -> DatasetType {
        DatasetType::new(
            name,
            universe().conform(dimensions).unwrap(),
            storage_class,
            false,
        )
        .unwrap()
    }

    #[test]
    fn names_are_checked() {
        for name in ["raw", "_x", "a1_b", "calexp.wcs", "a.b.c"] {
            assert!(validate_dataset_type_name(name).is_ok(), "{name}");
        }
        for name in ["", "1a", "a-b", "a.", ".a", "a..b", "a b", "é"] {
            assert!(validate_dataset_type_name(name).is_err(), "{name}");
        }
        let group = universe().conform(["visit"]).unwrap();
        assert!(DatasetType::new("instrument", group.clone(), "int", false).is_err());
        assert!(DatasetType::new("a.b", group.clone(), "int", false).is_err());
        assert!(
            DatasetType::with_parent("a", group, "int", Some("Exposure".into()), false).is_err()
        );
    }

    #[test]
    fn components_come_from_the_storage_class() {
        let classes = StorageClassRegistry::with_defaults();
        let calexp = dataset_type("calexp", &["visit", "detector"], "ExposureF");
        let wcs = calexp.make_component("wcs", &classes).unwrap();
        assert_eq!(&**wcs.name(), "calexp.wcs");
        assert_eq!(&**wcs.storage_class_name(), "Wcs");
        assert_eq!(wcs.name_and_component(), ("calexp", Some("wcs")));
        assert_eq!(wcs.make_composite().unwrap(), calexp);
        let error = calexp.make_component("nope", &classes).unwrap_err();
        assert_eq!(error.error_type(), Some("unknown_component"));
        assert!(calexp.make_all_components(&classes).unwrap().len() > 10);
        assert!(calexp.make_composite().is_err());
    }

    #[test]
    fn storage_classes_can_be_overridden_where_conversion_is_possible() {
        let classes = StorageClassRegistry::with_defaults();
        let table = dataset_type("t", &["visit"], "DataFrame");
        let arrow = table
            .override_storage_class("ArrowTable", &classes)
            .unwrap();
        assert_eq!(&**arrow.storage_class_name(), "ArrowTable");
        assert!(table.is_compatible_with(&arrow, &classes).unwrap());
        assert!(table.override_storage_class("Wcs", &classes).is_err());
        assert!(table.override_storage_class("Unknown", &classes).is_err());
    }

    #[test]
    fn lookups_go_from_name_to_storage_class() {
        let classes = StorageClassRegistry::with_defaults();
        let calexp = dataset_type("calexp", &["visit", "detector"], "ExposureF");
        let wcs = calexp.make_component("wcs", &classes).unwrap();
        let keys: Vec<String> = wcs.lookup_keys().iter().map(ToString::to_string).collect();
        assert_eq!(keys[0], "calexp.wcs");
        assert_eq!(keys[1], "calexp");
        assert!(keys[2].contains("visit"), "{}", keys[2]);
        assert_eq!(&keys[3..], ["Wcs", "ExposureF"]);
        assert_eq!(dataset_type("skyMap", &[], "SkyMap").lookup_keys().len(), 2);
    }

    #[test]
    fn universes_must_agree_on_the_dimensions() {
        let old = DimensionUniverse::builtin(7).unwrap();
        let bias = dataset_type("bias", &["instrument", "detector"], "ExposureF");
        assert_eq!(bias.conform_to(old).unwrap().dimensions().universe(), old);
        let older = DimensionUniverse::builtin(3).unwrap();
        let raw = dataset_type("raw", &["exposure", "detector"], "ExposureF");
        let error = raw.conform_to(older).unwrap_err();
        assert!(matches!(error, Error::InconsistentUniverse(_)));
    }
}

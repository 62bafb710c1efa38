//! One storage class.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::python_types::is_subclass;
use crate::config::LookupKey;
use crate::error::{Error, Result};

/// The delegate that composites have when their definition names none.
const DEFAULT_DELEGATE: &str = "lsst.daf.butler.StorageClassDelegate";

/// How a label maps to a Python type, its components, parameters and converters.
///
/// Python types are names here: nothing is imported, so conversions are judged by names and by
/// the subclass relations that this library knows.
#[derive(Clone)]
pub struct StorageClass {
    pub(super) name: Arc<str>,
    pub(super) pytype: String,
    pub(super) components: IndexMap<String, Arc<StorageClass>>,
    pub(super) derived_components: IndexMap<String, Arc<StorageClass>>,
    pub(super) parameters: BTreeSet<String>,
    pub(super) delegate: Option<String>,
    pub(super) converters: IndexMap<String, String>,
}

impl StorageClass {
    /// A storage class without components, for a Python type.
    pub fn simple(name: impl Into<Arc<str>>, pytype: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pytype: pytype.into(),
            components: IndexMap::new(),
            derived_components: IndexMap::new(),
            parameters: BTreeSet::new(),
            delegate: None,
            converters: IndexMap::new(),
        }
    }

    /// A storage class with all its parts.
    ///
    /// # Errors
    /// There is exactly one component: that is a derived component by rights.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        name: impl Into<Arc<str>>,
        pytype: impl Into<String>,
        components: IndexMap<String, Arc<StorageClass>>,
        derived_components: IndexMap<String, Arc<StorageClass>>,
        parameters: BTreeSet<String>,
        delegate: Option<String>,
        converters: IndexMap<String, String>,
    ) -> Result<Self> {
        let name = name.into();
        if let [only] = components.keys().collect::<Vec<_>>().as_slice() {
            return Err(Error::Configuration(format!(
                "storage class '{name}' has the single component '{only}'; a composite needs at \
                 least two, a single one must be a derived component"
            )));
        }
        Ok(Self {
            name,
            pytype: pytype.into(),
            components,
            derived_components,
            parameters,
            delegate: delegate.or_else(|| Some(DEFAULT_DELEGATE.to_owned())),
            converters,
        })
    }

    /// The name by which dataset types refer to this storage class.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The full name of the Python type.
    pub fn pytype(&self) -> &str {
        &self.pytype
    }

    /// Components that can be read and written on their own.
    pub fn components(&self) -> &IndexMap<String, Arc<StorageClass>> {
        &self.components
    }

    /// Components that can only be read.
    pub fn derived_components(&self) -> &IndexMap<String, Arc<StorageClass>> {
        &self.derived_components
    }

    /// The storage class of a component of either kind.
    pub fn component(&self, name: &str) -> Option<&Arc<StorageClass>> {
        self.components
            .get(name)
            .or_else(|| self.derived_components.get(name))
    }

    /// All components of either kind, derived ones first.
    pub fn all_components(&self) -> impl Iterator<Item = (&str, &Arc<StorageClass>)> {
        let derived = self
            .derived_components
            .iter()
            .map(|(name, class)| (name.as_str(), self.components.get(name).unwrap_or(class)));
        let own = self
            .components
            .iter()
            .filter(|(name, _)| !self.derived_components.contains_key(*name))
            .map(|(name, class)| (name.as_str(), class));
        derived.chain(own)
    }

    /// The parameters understood when reading.
    pub fn parameters(&self) -> &BTreeSet<String> {
        &self.parameters
    }

    /// The parameters understood by this storage class or any of its components.
    pub fn known_parameters(&self) -> BTreeSet<String> {
        let mut known = self.parameters.clone();
        for component in self.components.values() {
            known.extend(component.known_parameters());
        }
        known
    }

    /// Checks that parameters are known.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names those that are not.
    pub fn validate_parameters<'a>(
        &self,
        parameters: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        let known = self.known_parameters();
        let unknown: Vec<&str> = parameters
            .into_iter()
            .filter(|name| !known.contains(*name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "storage class {} does not understand the parameters {unknown:?}; it knows {known:?}",
            self.name
        )))
    }

    /// The class that takes composites apart and puts them together.
    pub fn delegate(&self) -> Option<&str> {
        self.delegate.as_deref()
    }

    /// Python types that can be converted to this one, with the function that does it.
    pub fn converters(&self) -> &IndexMap<String, String> {
        &self.converters
    }

    /// Whether there are components that can be written on their own.
    pub fn is_composite(&self) -> bool {
        !self.components.is_empty()
    }

    /// Whether objects of another storage class can be turned into this one.
    pub fn can_convert(&self, other: &StorageClass) -> bool {
        self.name == other.name
            || is_subclass(&other.pytype, &self.pytype)
            || self
                .converters
                .keys()
                .any(|candidate| is_subclass(&other.pytype, candidate))
    }

    /// The keys to look this storage class up with in configuration tables.
    pub fn lookup_keys(&self) -> Vec<LookupKey> {
        vec![LookupKey::name(Arc::clone(&self.name))]
    }
}

/// Storage classes are equal if name, Python type, delegate, parameters and components are;
/// converters and derived components may differ.
impl PartialEq for StorageClass {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.delegate == other.delegate
            && self.pytype == other.pytype
            && self.parameters == other.parameters
            && self.components.len() == other.components.len()
            && self
                .components
                .iter()
                .all(|(key, own)| other.components.get(key) == Some(own))
    }
}

impl Eq for StorageClass {}

impl fmt::Debug for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<_> = self.components.iter().map(|(k, c)| (k, c.name())).collect();
        f.debug_struct("StorageClass")
            .field("name", &self.name)
            .field("pytype", &self.pytype)
            .field("delegate", &self.delegate)
            .field("parameters", &self.parameters)
            .field("components", &components)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

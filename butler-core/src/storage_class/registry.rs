//! All storage classes that are known.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;

use super::StorageClass;
use crate::config::{Config, DefaultFile};
use crate::error::{Error, Result};
use crate::yaml::{Map, Value};

/// The storage classes that are known, by name. Cloning is cheap: definitions are shared.
#[derive(Debug, Clone)]
pub struct StorageClassRegistry {
    classes: IndexMap<Arc<str>, Arc<StorageClass>>,
}

/// The keys that a definition may have.
const KEYS: [&str; 7] = [
    "pytype",
    "inheritsFrom",
    "components",
    "derivedComponents",
    "parameters",
    "delegate",
    "converters",
];

impl StorageClassRegistry {
    /// No storage classes at all.
    pub fn empty() -> Self {
        Self {
            classes: IndexMap::new(),
        }
    }

    /// The storage classes of the default configuration.
    pub fn with_defaults() -> Self {
        static DEFAULTS: LazyLock<StorageClassRegistry> = LazyLock::new(|| {
            let mut registry = StorageClassRegistry::empty();
            let config = DefaultFile::StorageClasses
                .embedded()
                .cloned()
                .unwrap_or_default();
            registry
                .add_from_config(&config)
                .expect("the embedded definitions are valid, a test reads them all");
            registry
        });
        DEFAULTS.clone()
    }

    /// A storage class by name.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is none of this name.
    pub fn get(&self, name: &str) -> Result<Arc<StorageClass>> {
        self.find(name).cloned().ok_or_else(|| {
            Error::Configuration(format!(
                "unknown storage class '{name}': define it in the `storageClasses` section of the \
                 repository's configuration"
            ))
        })
    }

    /// A storage class by name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Arc<StorageClass>> {
        self.classes.get(name)
    }

    /// The first storage class with a Python type of this full name.
    pub fn find_by_pytype(&self, pytype: &str) -> Option<&Arc<StorageClass>> {
        self.classes.values().find(|class| class.pytype() == pytype)
    }

    /// All storage classes in the order of their registration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<StorageClass>> {
        self.classes.values()
    }

    /// How many storage classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are no storage classes.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Adds a storage class. Adding an equal one again changes nothing.
    ///
    /// # Errors
    /// A different storage class has this name already.
    pub fn register(&mut self, class: StorageClass) -> Result<Arc<StorageClass>> {
        if let Some(existing) = self.classes.get(class.name()) {
            if **existing == class {
                return Ok(Arc::clone(existing));
            }
            return Err(Error::Configuration(format!(
                "storage class '{}' is defined already, and differently: {existing:?} is known, \
                 {class:?} is new",
                class.name()
            )));
        }
        let class = Arc::new(class);
        self.classes
            .insert(Arc::clone(class.name()), Arc::clone(&class));
        Ok(class)
    }

    /// Adds the definitions of a configuration: its `storageClasses` section, or all of it.
    ///
    /// Definitions may refer to each other in any order, and to those that are known already.
    ///
    /// # Errors
    /// A definition is malformed, refers to an unknown storage class or to itself, or conflicts
    /// with a known one. Definitions that came before it stay.
    pub fn add_from_config(&mut self, config: &Config) -> Result<()> {
        let config = config.component("storageClasses")?;
        let mut pending = config.as_map().clone();
        while let Some(name) = pending.keys().next().cloned() {
            self.define(&name, &mut pending, &mut Vec::new())?;
        }
        Ok(())
    }

    fn define(
        &mut self,
        name: &str,
        pending: &mut Map,
        trail: &mut Vec<String>,
    ) -> Result<Arc<StorageClass>> {
        let Some(definition) = pending.shift_remove(name) else {
            if trail.iter().any(|other| other == name) {
                return Err(fault(
                    trail,
                    format!("storage class '{name}' refers to itself"),
                ));
            }
            return self
                .find(name)
                .cloned()
                .ok_or_else(|| fault(trail, format!("unknown storage class '{name}'")));
        };
        trail.push(name.to_owned());
        let Value::Map(definition) = definition else {
            return Err(fault(trail, "a definition must be a mapping".into()));
        };
        if let Some(key) = definition.keys().find(|key| !KEYS.contains(&key.as_str())) {
            tracing::debug!(
                storage_class = name,
                key,
                "unknown key in definition is ignored"
            );
        }
        let base = match optional_text(&definition, "inheritsFrom", trail)? {
            Some(base) => Some(self.define(&base, pending, trail)?),
            None => None,
        };
        let pytype = match optional_text(&definition, "pytype", trail)? {
            Some(pytype) => pytype,
            None => match &base {
                Some(base) => base.pytype.clone(),
                None => return Err(fault(trail, "the key 'pytype' is missing".into())),
            },
        };
        let mut components = base
            .as_ref()
            .map(|b| b.components.clone())
            .unwrap_or_default();
        let mut derived = base
            .as_ref()
            .map(|b| b.derived_components.clone())
            .unwrap_or_default();
        let mut parameters = base
            .as_ref()
            .map(|b| b.parameters.clone())
            .unwrap_or_default();
        let mut converters = base
            .as_ref()
            .map(|b| b.converters.clone())
            .unwrap_or_default();
        for (component, class) in text_map(&definition, "components", trail)? {
            let class = self.define(&class, pending, trail)?;
            components.insert(component, class);
        }
        for (component, class) in text_map(&definition, "derivedComponents", trail)? {
            let class = self.define(&class, pending, trail)?;
            derived.insert(component, class);
        }
        parameters.extend(text_list(&definition, "parameters", trail)?);
        converters.extend(text_map(&definition, "converters", trail)?);
        let delegate = match optional_text(&definition, "delegate", trail)? {
            Some(delegate) => Some(delegate),
            None => base.as_ref().and_then(|b| b.delegate.clone()),
        };
        let class = StorageClass::new(
            name, pytype, components, derived, parameters, delegate, converters,
        )?;
        trail.pop();
        self.register(class)
    }
}

fn fault(trail: &[String], message: String) -> Error {
    match trail.split_first() {
        None => Error::Configuration(message),
        Some((first, rest)) => {
            let through: String = rest.iter().map(|name| format!(" via '{name}'")).collect();
            Error::Configuration(format!(
                "in the definition of storage class '{first}'{through}: {message}"
            ))
        }
    }
}

fn optional_text(definition: &Map, key: &str, trail: &[String]) -> Result<Option<String>> {
    match definition.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Str(text)) => Ok(Some(text.clone())),
        Some(other) => Err(fault(
            trail,
            format!("'{key}' must be a string, but it is {}", other.kind()),
        )),
    }
}

fn text_map(definition: &Map, key: &str, trail: &[String]) -> Result<IndexMap<String, String>> {
    let wrong = || fault(trail, format!("'{key}' must map names to names"));
    match definition.get(key) {
        None => Ok(IndexMap::new()),
        Some(Value::Map(map)) => map
            .iter()
            .map(|(k, v)| Ok((k.clone(), v.as_str().ok_or_else(wrong)?.to_owned())))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

fn text_list(definition: &Map, key: &str, trail: &[String]) -> Result<BTreeSet<String>> {
    let wrong = || fault(trail, format!("'{key}' must be a list of names"));
    match definition.get(key) {
        None => Ok(BTreeSet::new()),
        Some(Value::Seq(items)) => items
            .iter()
            .map(|item| Ok(item.as_str().ok_or_else(wrong)?.to_owned()))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_hold_the_reference_definitions() {
        let registry = StorageClassRegistry::with_defaults();
        let exposure = registry.get("ExposureF").unwrap();
        assert!(exposure.is_composite());
        assert_eq!(exposure.pytype(), "lsst.afw.image.ExposureF");
        assert_eq!(
            exposure.component("image").unwrap().name().as_ref(),
            "ImageF"
        );
        assert_eq!(exposure.component("wcs").unwrap().name().as_ref(), "Wcs");
        assert_eq!(exposure.component("bbox").unwrap().name().as_ref(), "Box2I");
        assert!(exposure.known_parameters().contains("origin"));
        let error = registry.get("Nonsense").unwrap_err().to_string();
        assert!(
            error.contains("unknown storage class 'Nonsense'"),
            "{error}"
        );
    }

    #[test]
    fn conversions_follow_types_and_converters() {
        let registry = StorageClassRegistry::with_defaults();
        let can = |to: &str, from: &str| {
            registry
                .get(to)
                .unwrap()
                .can_convert(&registry.get(from).unwrap())
        };
        assert!(can("DataFrame", "ArrowTable"));
        assert!(can("ArrowTable", "DataFrame"));
        assert!(can("ArrowAstropy", "DataFrame"));
        assert!(can("Exposure", "ExposureF"));
        assert!(can("AstropyTable", "AstropyQTable"));
        assert!(can("StructuredDataDict", "TaskMetadata"));
        assert!(can("DataFrame", "StructuredDataDict"));
        assert!(!can("StructuredDataDict", "DataFrame"));
        assert!(!can("ExposureF", "Wcs"));
    }

    #[test]
    fn repositories_add_definitions_in_any_order() {
        let mut registry = StorageClassRegistry::with_defaults();
        let config = Config::from_yaml(concat!(
            "storageClasses:\n",
            "  B: {inheritsFrom: A, parameters: [q]}\n",
            "  A: {pytype: m.A, components: {x: C, y: int}, parameters: [p]}\n",
            "  C: {pytype: m.C}\n",
        ))
        .unwrap();
        registry.add_from_config(&config).unwrap();
        registry.add_from_config(&config).unwrap();
        let b = registry.get("B").unwrap();
        assert_eq!(b.pytype(), "m.A");
        assert_eq!(b.parameters().len(), 2);
        assert!(b.is_composite());
    }

    #[test]
    fn conflicting_and_broken_definitions_are_refused() {
        let refuse = |text: &str| {
            StorageClassRegistry::with_defaults()
                .add_from_config(&Config::from_yaml(text).unwrap())
                .unwrap_err()
                .to_string()
        };
        assert!(refuse("int: {pytype: other.Int}").contains("defined already"));
        assert!(refuse("A: {pytype: a, components: {x: int}}").contains("derived component"));
        assert!(refuse("A: {pytype: a, derivedComponents: {x: Nope}}").contains("'Nope'"));
        assert!(refuse("A: {inheritsFrom: B}\nB: {inheritsFrom: A}").contains("itself"));
        assert!(refuse("A: {parameters: [p]}").contains("pytype"));
    }
}

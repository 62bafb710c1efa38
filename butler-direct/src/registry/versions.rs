//! Versions of the parts ("managers") of a repository's schema, and which of them this library
//! handles.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use butler_core::config::Config;
use butler_core::error::{Error, Result};

use super::collection_keys::CollectionKeys;

/// A schema version: `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Versions with different major numbers cannot read one another's tables.
    pub major: u32,
    /// A client can read, but not write, tables of an older minor version.
    pub minor: u32,
    /// Differences in the patch number concern no client.
    pub patch: u32,
}

impl Version {
    /// A version.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self {
                major,
                minor,
                patch,
            }),
            _ => Err(Error::corrupt(
                format!("the schema version '{text}'"),
                "expected three numbers separated by dots",
            )),
        }
    }
}

/// A part of the schema.
#[derive(Debug)]
struct Manager {
    /// Key in the configuration and in `butler_attributes`.
    name: &'static str,
    /// Full class name by which repositories record the implementation.
    class: &'static str,
    /// Class name in the configuration, where it is re-exported from a shorter module path.
    configured: &'static str,
    /// Versions that are handled, the newest (which new repositories get) last.
    versions: &'static [Version],
}

static MANAGERS: [Manager; 6] = [
    Manager {
        name: "attributes",
        class: "lsst.daf.butler.registry.attributes.DefaultButlerAttributeManager",
        configured: "lsst.daf.butler.registry.attributes.DefaultButlerAttributeManager",
        versions: &[Version::new(1, 0, 1)],
    },
    Manager {
        name: "dimensions",
        class: "lsst.daf.butler.registry.dimensions.static.StaticDimensionRecordStorageManager",
        configured: "lsst.daf.butler.registry.dimensions.static.StaticDimensionRecordStorageManager",
        versions: &[Version::new(6, 0, 2)],
    },
    Manager {
        name: "collections",
        class: "lsst.daf.butler.registry.collections.synthIntKey.SynthIntKeyCollectionManager",
        configured: "lsst.daf.butler.registry.collections.synthIntKey.SynthIntKeyCollectionManager",
        versions: &[Version::new(2, 0, 0)],
    },
    Manager {
        name: "datasets",
        class: "lsst.daf.butler.registry.datasets.byDimensions._manager.ByDimensionsDatasetRecordStorageManagerUUID",
        configured: "lsst.daf.butler.registry.datasets.byDimensions.ByDimensionsDatasetRecordStorageManagerUUID",
        versions: &[Version::new(1, 0, 0), Version::new(2, 0, 0)],
    },
    Manager {
        name: "opaque",
        class: "lsst.daf.butler.registry.opaque.ByNameOpaqueTableStorageManager",
        configured: "lsst.daf.butler.registry.opaque.ByNameOpaqueTableStorageManager",
        versions: &[Version::new(0, 2, 0)],
    },
    Manager {
        name: "datastores",
        class: "lsst.daf.butler.registry.bridge.monolithic.MonolithicDatastoreRegistryBridgeManager",
        configured: "lsst.daf.butler.registry.bridge.monolithic.MonolithicDatastoreRegistryBridgeManager",
        versions: &[Version::new(0, 2, 0), Version::new(0, 2, 1)],
    },
];

/// The collection manager that knows collections by their names.
static NAME_KEYS: Manager = Manager {
    name: "collections",
    class: "lsst.daf.butler.registry.collections.nameKey.NameKeyCollectionManager",
    configured: "lsst.daf.butler.registry.collections.nameKey.NameKeyCollectionManager",
    versions: &[Version::new(2, 0, 0)],
};

/// The parts of a schema that refers to collections in the given way.
fn managers(keys: CollectionKeys) -> impl Iterator<Item = &'static Manager> {
    MANAGERS.iter().map(move |manager| match keys {
        CollectionKeys::Names if manager.name == NAME_KEYS.name => &NAME_KEYS,
        _ => manager,
    })
}

/// A part of the schema, with the classes that handle it, the best first, and their versions.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) classes: Vec<(&'static str, &'static [Version])>,
}

/// All parts that every repository has.
pub(super) fn parts() -> impl Iterator<Item = Part> {
    MANAGERS.iter().map(|manager| {
        let others = [&NAME_KEYS]
            .into_iter()
            .filter(|other| other.name == manager.name);
        let all = [manager].into_iter().chain(others);
        Part {
            name: manager.name,
            classes: all.map(|one| (one.class, one.versions)).collect(),
        }
    })
}

const CLASS_KEY_PREFIX: &str = "config:registry.managers.";
const VERSION_KEY_PREFIX: &str = "version:";

/// The versions of all parts of one repository's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaVersions {
    versions: BTreeMap<&'static str, Version>,
    keys: CollectionKeys,
}

impl SchemaVersions {
    /// The newest version of everything: what new repositories get.
    pub fn newest() -> Self {
        let newest = |m: &Manager| m.versions.last().copied().unwrap_or(Version::new(0, 0, 0));
        Self {
            versions: MANAGERS.iter().map(|m| (m.name, newest(m))).collect(),
            keys: CollectionKeys::Numbers,
        }
    }

    /// The same with another way to refer to collections.
    #[must_use]
    pub fn with_collection_keys(self, keys: CollectionKeys) -> Self {
        // Both managers' newest versions have the same number.
        Self { keys, ..self }
    }

    /// What the tables refer to collections by.
    pub fn collection_keys(&self) -> CollectionKeys {
        self.keys
    }

    /// The same with another version of the dataset tables.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] when that version is not handled.
    pub fn with_datasets(mut self, version: Version) -> Result<Self> {
        let manager = MANAGERS.iter().find(|m| m.name == "datasets");
        if let Some(manager) = manager.filter(|m| !m.versions.contains(&version)) {
            return Err(unsupported(manager, &version.to_string()));
        }
        self.versions.insert("datasets", version);
        Ok(self)
    }

    /// The versions that the `registry.managers` section of a new repository's configuration asks
    /// for; the newest of each part that it does not mention.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`], naming the manager, when an implementation or version is not
    /// handled; [`Error::Configuration`] when the section is malformed.
    pub fn from_config(config: &Config) -> Result<Self> {
        let section = config.subset(".registry.managers")?.unwrap_or_default();
        let mut found = Self::newest();
        for name in section.as_map().keys() {
            let (class, version) = match section.subset(name) {
                Ok(Some(settings)) => (
                    Some(settings.require_str("cls")?.to_owned()),
                    settings.get_str("schema_version")?.map(str::to_owned),
                ),
                _ => (section.get_str(name)?.map(str::to_owned), None),
            };
            let Some(class) = class else {
                continue;
            };
            let mut known = MANAGERS.iter().chain([&NAME_KEYS]);
            let Some(manager) =
                known.find(|m| m.name == name && (m.configured == class || m.class == class))
            else {
                let expected = MANAGERS.iter().find(|m| m.name == name);
                return Err(Error::unsupported_version(
                    format!("the manager '{name}' of a new repository"),
                    class,
                    expected.map_or("repositories without it", |m| m.configured),
                ));
            };
            if manager.class == NAME_KEYS.class {
                found.keys = CollectionKeys::Names;
            }
            if let Some(text) = version {
                let version: Version = text.parse()?;
                if !manager.versions.contains(&version) {
                    return Err(unsupported(manager, &text));
                }
                found.versions.insert(manager.name, version);
            }
        }
        Ok(found)
    }

    /// The version of one part.
    pub fn get(&self, manager: &str) -> Option<Version> {
        self.versions.get(manager).copied()
    }

    /// Names and versions of all parts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Version)> {
        self.versions
            .iter()
            .map(|(name, version)| (*name, *version))
    }

    /// Whether ingest dates are TAI nanoseconds rather than database timestamps.
    pub fn ingest_date_is_tai(&self) -> bool {
        self.get("datasets")
            .is_some_and(|version| version.major > 1)
    }

    /// Whether the trash table's primary key begins with the dataset ID.
    pub fn trash_leads_with_dataset(&self) -> bool {
        self.get("datastores")
            .is_some_and(|version| version >= Version::new(0, 2, 1))
    }

    /// Reads the versions from the repository's attributes.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`], naming the version found and those supported, when a part is
    /// of an unknown implementation or of a version that cannot be read or (when `writeable`)
    /// written.
    pub fn from_attributes(attributes: &BTreeMap<String, String>, writeable: bool) -> Result<Self> {
        let mut versions = BTreeMap::new();
        let keys = match attributes.get(&format!("{CLASS_KEY_PREFIX}{}", NAME_KEYS.name)) {
            Some(class) if class == NAME_KEYS.class => CollectionKeys::Names,
            _ => CollectionKeys::Numbers,
        };
        for manager in managers(keys) {
            let class = attributes.get(&format!("{CLASS_KEY_PREFIX}{}", manager.name));
            let Some(class) = class else {
                return Err(Error::Configuration(format!(
                    "the database records no '{}' manager; it is not a Butler repository, or a \
                     damaged one",
                    manager.name
                )));
            };
            if class != manager.class {
                return Err(unsupported(manager, class));
            }
            let Some(text) = attributes.get(&format!("{VERSION_KEY_PREFIX}{class}")) else {
                return Err(Error::Configuration(format!(
                    "the database records no version of its '{}' manager",
                    manager.name
                )));
            };
            let found: Version = text.parse()?;
            let handled = manager
                .versions
                .iter()
                .any(|&known| compatible(found, known, writeable));
            if !handled {
                return Err(unsupported(manager, text));
            }
            versions.insert(manager.name, found);
        }
        Ok(Self { versions, keys })
    }

    /// The attributes that record the versions in a new repository.
    pub fn to_attributes(&self) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        for manager in managers(self.keys) {
            attributes.push((
                format!("{CLASS_KEY_PREFIX}{}", manager.name),
                manager.class.to_owned(),
            ));
            if let Some(version) = self.get(manager.name) {
                attributes.push((
                    format!("{VERSION_KEY_PREFIX}{}", manager.class),
                    version.to_string(),
                ));
            }
        }
        attributes
    }
}

/// Whether a client that knows version `known` can handle tables of version `found`.
pub(super) fn compatible(found: Version, known: Version, writeable: bool) -> bool {
    found.major == known.major
        && (found.minor == known.minor || (known.minor > found.minor && !writeable))
}

fn unsupported(manager: &Manager, found: &str) -> Error {
    let known: Vec<String> = manager.versions.iter().map(ToString::to_string).collect();
    Error::unsupported_version(
        format!("the '{}' manager of the repository's schema", manager.name),
        found,
        format!("{} {}", manager.class, known.join(" or ")),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn own_attributes_are_read_back() {
        for keys in [CollectionKeys::Numbers, CollectionKeys::Names] {
            let newest = SchemaVersions::newest().with_collection_keys(keys);
            let attributes = newest.to_attributes().into_iter().collect();
            let read = SchemaVersions::from_attributes(&attributes, true).unwrap();
            assert_eq!(read, newest);
        }
    }

    #[test]
    fn an_unknown_version_is_refused_and_both_versions_are_named() {
        let mut attributes: BTreeMap<String, String> = SchemaVersions::newest()
            .to_attributes()
            .into_iter()
            .collect();
        let key = format!("{VERSION_KEY_PREFIX}{}", MANAGERS[3].class);
        attributes.insert(key, "3.0.0".to_owned());
        let message = SchemaVersions::from_attributes(&attributes, false)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("3.0.0") && message.contains("2.0.0"),
            "{message}"
        );
    }
}

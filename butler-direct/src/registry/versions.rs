//! Versions of the parts ("managers") of a repository's schema, and which of them this library
//! handles.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use butler_core::error::{Error, Result};

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

const MANAGERS: [Manager; 6] = [
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

const CLASS_KEY_PREFIX: &str = "config:registry.managers.";
const VERSION_KEY_PREFIX: &str = "version:";

/// The versions of all parts of one repository's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaVersions {
    versions: BTreeMap<&'static str, Version>,
}

impl SchemaVersions {
    /// The newest version of everything: what new repositories get.
    pub fn newest() -> Self {
        let newest = |m: &Manager| m.versions.last().copied().unwrap_or(Version::new(0, 0, 0));
        Self {
            versions: MANAGERS.iter().map(|m| (m.name, newest(m))).collect(),
        }
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
        for manager in &MANAGERS {
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
        Ok(Self { versions })
    }

    /// The attributes that record the versions in a new repository.
    pub fn to_attributes(&self) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        for manager in &MANAGERS {
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

/// The `registry.managers` section of a repository's configuration.
pub fn configured_managers() -> impl Iterator<Item = (&'static str, &'static str)> {
    MANAGERS.iter().map(|m| (m.name, m.configured))
}

/// Whether a client that knows version `known` can handle tables of version `found`.
fn compatible(found: Version, known: Version, writeable: bool) -> bool {
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
        let newest = SchemaVersions::newest();
        let attributes = newest.to_attributes().into_iter().collect();
        assert_eq!(
            SchemaVersions::from_attributes(&attributes, true).unwrap(),
            newest
        );
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

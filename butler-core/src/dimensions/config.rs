//! The configuration of a dimension universe, as stored in a repository or given in a file.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::column::{ColumnSpec, ColumnType};
use crate::error::{Error, Result};

/// The namespace of universes whose configuration names none.
pub(super) const DEFAULT_NAMESPACE: &str = "daf_butler";

/// A universe's configuration, checked for its form but not for its relations.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UniverseConfig {
    /// The version within the namespace.
    #[serde(default)]
    pub version: i64,
    /// The namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The name of the skypix dimension that relates all other spatial elements.
    #[serde(skip)]
    pub common_skypix: String,
    /// Hierarchical pixelizations of the sky, by name.
    #[serde(skip)]
    pub skypix: IndexMap<String, SkyPixSystemConfig>,
    /// All other elements, by name.
    #[serde(default)]
    pub elements: IndexMap<String, ElementConfig>,
    /// The spatial and temporal families.
    #[serde(default)]
    pub topology: TopologyConfig,
    #[serde(rename = "skypix")]
    skypix_section: IndexMap<String, Value>,
}

fn default_namespace() -> String {
    DEFAULT_NAMESPACE.to_owned()
}

/// A hierarchical pixelization of the sky.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkyPixSystemConfig {
    /// The fully qualified name of the pixelization's class in the reference.
    #[serde(rename = "class")]
    pub class_name: String,
    /// The coarsest level that is a dimension.
    #[serde(default = "default_min_level")]
    pub min_level: u32,
    /// The finest level that is a dimension.
    pub max_level: Option<u32>,
}

fn default_min_level() -> u32 {
    1
}

/// The families of elements whose regions or timespans contain each other, finest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopologyConfig {
    /// Families of regions.
    pub spatial: IndexMap<String, Vec<String>>,
    /// Families of timespans.
    pub temporal: IndexMap<String, Vec<String>>,
}

/// A dimension or a relationship between dimensions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ElementConfig {
    /// What it is, for people.
    pub doc: String,
    /// The primary key and any alternate keys; none for a relationship.
    pub keys: Vec<ColumnSpec>,
    /// Dimensions whose keys are part of this element's primary key.
    pub requires: Vec<String>,
    /// Dimensions whose keys are foreign keys of this element.
    pub implies: Vec<String>,
    /// Further columns.
    pub metadata: Vec<ColumnSpec>,
    /// Whether clients keep all records in memory.
    pub is_cached: bool,
    /// The element whose implied values are this dimension's allowed values.
    pub implied_union_target: Option<String>,
    /// Whether this is a governor dimension.
    pub governor: bool,
    /// Whether this relationship always joins where its dimensions appear.
    pub always_join: bool,
    /// The dimension this relationship's records are inserted with.
    pub populated_by: Option<String>,
    storage: Option<StorageConfig>,
}

/// The older way to say how records are stored.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "cls")]
enum StorageConfig {
    #[serde(
        rename = "lsst.daf.butler.registry.dimensions.governor.BasicGovernorDimensionRecordStorage"
    )]
    Governor {},
    #[serde(rename = "lsst.daf.butler.registry.dimensions.table.TableDimensionRecordStorage")]
    Table {},
    #[serde(rename = "lsst.daf.butler.registry.dimensions.query.QueryDimensionRecordStorage")]
    View { view_of: String },
    #[serde(rename = "lsst.daf.butler.registry.dimensions.caching.CachingDimensionRecordStorage")]
    Caching { nested: Box<Self> },
}

impl StorageConfig {
    fn view_of(&self) -> Option<&str> {
        match self {
            Self::Governor {} | Self::Table {} => None,
            Self::View { view_of } => Some(view_of),
            Self::Caching { nested } => nested.view_of(),
        }
    }

    fn is_cached(&self) -> bool {
        matches!(self, Self::Governor {} | Self::Caching { .. })
    }
}

impl UniverseConfig {
    /// Reads a configuration from JSON or YAML text.
    ///
    /// # Errors
    /// [`Error::Configuration`] saying what is wrong, and in which element.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| {
            Error::Configuration(format!("dimension universe cannot be read: {error}"))
        };
        let mut config: Self = if Self::is_json(text) {
            serde_json::from_str(text).map_err(|error| bad(&error))?
        } else {
            let document = crate::yaml::parse(text).map_err(|error| bad(&error))?;
            serde_json::from_value(document.to_json()).map_err(|error| bad(&error))?
        };
        config.finish()?;
        Ok(config)
    }

    /// The configuration in the normal form of the reference's wire protocol: every key present,
    /// skypix systems under `systems`, older storage sections resolved.
    #[must_use]
    pub fn to_simple(&self) -> Value {
        let elements: Map<String, Value> = self
            .elements
            .iter()
            .map(|(name, element)| (name.clone(), element.to_simple()))
            .collect();
        json!({
            "version": self.version,
            "namespace": self.namespace,
            "skypix": {"common": self.common_skypix, "systems": self.skypix},
            "elements": elements,
            "topology": self.topology,
        })
    }

    /// Whether both configure the same facts; only documentation may differ.
    #[must_use]
    pub fn has_same_facts(&self, other: &Self) -> bool {
        self.clone().facts() == other.clone().facts()
    }

    fn facts(mut self) -> Self {
        for element in self.elements.values_mut() {
            element.doc.clear();
            for names in [&mut element.requires, &mut element.implies] {
                names.sort_unstable();
                names.dedup();
            }
            for column in element.keys.iter_mut().chain(&mut element.metadata) {
                column.doc = "".into();
            }
        }
        self
    }

    /// Whether a document is JSON; else it is YAML.
    pub(super) fn is_json(text: &str) -> bool {
        text.trim_start().starts_with('{')
    }

    fn finish(&mut self) -> Result<()> {
        for (name, value) in std::mem::take(&mut self.skypix_section) {
            if name == "common" {
                value
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut self.common_skypix);
            } else if name == "systems" {
                let systems: IndexMap<String, SkyPixSystemConfig> = serde_json::from_value(value)
                    .map_err(|error| {
                    Error::Configuration(format!("skypix systems cannot be read: {error}"))
                })?;
                self.skypix.extend(systems);
            } else {
                let system = serde_json::from_value(value).map_err(|error| {
                    Error::Configuration(format!("skypix system '{name}' cannot be read: {error}"))
                })?;
                self.skypix.insert(name, system);
            }
        }
        if self.common_skypix.is_empty() {
            return Err(Error::Configuration(
                "dimension universe names no common skypix dimension (key 'skypix.common')"
                    .to_owned(),
            ));
        }
        for (name, element) in &mut self.elements {
            element.finish(name)?;
        }
        Ok(())
    }
}

impl ElementConfig {
    fn to_simple(&self) -> Value {
        json!({
            "doc": self.doc,
            "keys": self.keys,
            "requires": self.requires,
            "implies": self.implies,
            "metadata": self.metadata,
            "is_cached": self.is_cached,
            "implied_union_target": self.implied_union_target,
            "governor": self.governor,
            "always_join": self.always_join,
            "populated_by": self.populated_by,
            "storage": null,
        })
    }

    fn finish(&mut self, name: &str) -> Result<()> {
        let refuse = |what: &str| {
            Err(Error::Configuration(format!(
                "dimension element '{name}': {what}"
            )))
        };
        if let Some(storage) = self.storage.take() {
            self.is_cached = storage.is_cached();
            self.implied_union_target = storage.view_of().map(str::to_owned);
        }
        if self.governor {
            self.is_cached = true;
        }
        for key in &mut self.keys {
            key.nullable = false;
        }
        match self.keys.first().map(|key| key.column_type) {
            None if self.requires.is_empty() => {
                return refuse("it has no keys, so it must require at least one dimension");
            }
            None => {}
            Some(_) if self.always_join || self.populated_by.is_some() => {
                return refuse("'always_join' and 'populated_by' are for elements without keys");
            }
            Some(ColumnType::String { length }) if self.governor && length > 128 => {
                return refuse("a governor's primary key has at most 128 characters");
            }
            Some(ColumnType::String { .. }) => {}
            Some(ColumnType::Int) if !self.governor => {}
            Some(_) => {
                return refuse("the primary key must be an integer or text (text for a governor)");
            }
        }
        let valid_key = |key: &ColumnSpec| {
            matches!(
                key.column_type,
                ColumnType::Int | ColumnType::String { .. } | ColumnType::Hash { .. }
            )
        };
        if !self.keys.iter().all(valid_key) {
            return refuse("keys must be of type int, string or hash");
        }
        let valid_metadata = |column: &ColumnSpec| {
            valid_key(column) || matches!(column.column_type, ColumnType::Float | ColumnType::Bool)
        };
        if !self.metadata.iter().all(valid_metadata) {
            return refuse("metadata must be of type int, string, hash, float or bool");
        }
        if self.implied_union_target.is_some()
            && !(self.requires.is_empty()
                && self.implies.is_empty()
                && self.keys.len() < 2
                && self.metadata.is_empty())
        {
            return refuse("a view on another element has one key and nothing else");
        }
        Ok(())
    }
}

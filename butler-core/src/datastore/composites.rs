//! Which composites are taken apart when they are written.

use super::Entity;
use crate::config::{Config, EmbeddedDefaults, LookupTable, Section};
use crate::dimensions::DimensionUniverse;
use crate::error::{Error, Result};
use crate::storage_class::StorageClassRegistry;
use crate::yaml::Value;

/// Which composites are written component by component.
#[derive(Debug, Clone)]
pub struct CompositesMap {
    default: bool,
    table: LookupTable<bool>,
}

impl CompositesMap {
    /// Reads the `composites` section of a datastore, laid over the embedded defaults.
    ///
    /// # Errors
    /// [`Error::Configuration`] if an entry is not a boolean.
    pub fn from_config(config: &Config, universe: DimensionUniverse) -> Result<Self> {
        let config = Section::Composites.expand(config, &EmbeddedDefaults)?;
        let not_boolean = |key: &str, value: &Value| {
            Error::Configuration(format!(
                "'composites.disassembled.{key}' must be true or false, but it is {}",
                value.kind()
            ))
        };
        let default = config.get_bool("default")?.unwrap_or(false);
        let mut entries = config.require_subset("disassembled")?.as_map().clone();
        // Place holders only keep the section from being empty.
        entries.retain(|key, _| !key.starts_with("__"));
        if let Some((key, value)) = entries.iter().find(|(_, value)| value.as_bool().is_none()) {
            return Err(not_boolean(key, value));
        }
        let table = LookupTable::from_config(&entries, universe, false)?
            .try_map(|_, value| Ok(value == Value::Bool(true)))?;
        Ok(Self { default, table })
    }

    /// Whether a dataset is to be taken apart; never if it is no composite.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the storage class is unknown.
    pub fn should_be_disassembled<'a>(
        &self,
        entity: impl Into<Entity<'a>>,
        classes: &StorageClassRegistry,
    ) -> Result<bool> {
        let entity = entity.into();
        if !self.default && self.table.is_empty() {
            return Ok(false);
        }
        if !entity.is_composite(classes)? {
            return Ok(false);
        }
        Ok(self
            .table
            .find(&entity.lookup_keys())
            .map_or(self.default, |(_, flag)| *flag))
    }
}

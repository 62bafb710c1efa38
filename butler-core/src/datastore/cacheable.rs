//! Which datasets are worth a place in a local cache.

use super::Entity;
use crate::config::{Config, LookupTable};
use crate::dimensions::DimensionUniverse;
use crate::error::Result;
use crate::yaml::Value;

/// Which datasets are worth it, where there is a cache; whether there is one is not said here.
#[derive(Debug, Clone, Default)]
pub struct CacheableTable {
    default: bool,
    table: LookupTable<bool>,
}

impl CacheableTable {
    /// Reads the `cached` section of a datastore.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if the section is malformed.
    pub fn from_config(config: &Config, universe: DimensionUniverse) -> Result<Self> {
        let default = config.get_bool("default")?.unwrap_or(false);
        let entries = config.require_subset("cacheable")?;
        let table = LookupTable::from_config(entries.as_map(), universe, false)?
            .try_map(|_, value| Ok(is_truthy(&value)))?;
        Ok(Self { default, table })
    }

    /// Whether a dataset is to be cached.
    pub fn should_be_cached<'a>(&self, entity: impl Into<Entity<'a>>) -> bool {
        self.table
            .find(&entity.into().lookup_keys())
            .map_or(self.default, |(_, flag)| *flag)
    }
}

/// Whether the reference would take a value for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::Seq(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Timestamp(_) | Value::Tagged(_) => true,
    }
}

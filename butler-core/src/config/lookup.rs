//! Keys by which configuration tables are searched for a dataset: its dataset type's name, its
//! dimensions or its storage class, each perhaps for one instrument only.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::tree::wrong_kind;
use crate::dimensions::{DimensionGroup, DimensionUniverse};
use crate::error::{Error, Result};
use crate::yaml::{Map, Value};

/// What a key matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookupTarget {
    /// A dataset type, component or storage class of this name.
    Name(Arc<str>),
    /// A dataset type with exactly these dimensions.
    Dimensions(DimensionGroup),
}

/// One entry's key in a lookup table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupKey {
    target: LookupTarget,
    data_id: Option<(Arc<str>, Arc<str>)>,
}

impl LookupKey {
    /// A key that matches a name.
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self {
            target: LookupTarget::Name(name.into()),
            data_id: None,
        }
    }

    /// A key that matches dimensions.
    pub fn dimensions(dimensions: DimensionGroup) -> Self {
        Self {
            target: LookupTarget::Dimensions(dimensions),
            data_id: None,
        }
    }

    /// Reads a key as configurations write it: `a+b` (or `a+` for a single one) are dimensions,
    /// anything else is a name. Dimensions that the universe lacks make the whole text a name.
    pub fn parse(text: &str, universe: DimensionUniverse) -> Self {
        if text.contains('+') {
            let names: Vec<&str> = text.split('+').filter(|name| !name.is_empty()).collect();
            if let Ok(group) = universe.conform(names) {
                return Self::dimensions(group);
            }
            tracing::debug!(
                key = text,
                "lookup key names unknown dimensions; taken as a name"
            );
        }
        Self::name(text)
    }

    /// The same key for one value of a data ID only.
    pub fn with_data_id(
        mut self,
        dimension: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
    ) -> Self {
        self.data_id = Some((dimension.into(), value.into()));
        self
    }

    /// The same data ID with a name to match.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.target = LookupTarget::Name(name.into());
        self
    }

    /// What the key matches.
    pub fn target(&self) -> &LookupTarget {
        &self.target
    }

    /// The data ID key and value that must match too.
    pub fn data_id(&self) -> Option<(&str, &str)> {
        self.data_id
            .as_ref()
            .map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether the key matches this name, for any data ID.
    pub fn is_name(&self, name: &str) -> bool {
        matches!(&self.target, LookupTarget::Name(own) if own.as_ref() == name)
    }
}

impl fmt::Display for LookupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            LookupTarget::Name(name) => f.write_str(name)?,
            LookupTarget::Dimensions(group) => {
                for (i, name) in group.names().iter().enumerate() {
                    if i > 0 {
                        f.write_str("+")?;
                    }
                    f.write_str(name)?;
                }
            }
        }
        match &self.data_id {
            Some((key, value)) => write!(f, " ({key}={value})"),
            None => Ok(()),
        }
    }
}

/// A table searched by [`LookupKey`].
#[derive(Debug, Clone)]
pub struct LookupTable<V> {
    entries: HashMap<LookupKey, V>,
    order: Vec<LookupKey>,
}

impl<V> Default for LookupTable<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: Vec::new(),
        }
    }
}

impl<V> LookupTable<V> {
    /// The entry of the first key that has one, with that key.
    pub fn find<'k>(&self, keys: &'k [LookupKey]) -> Option<(&'k LookupKey, &V)> {
        keys.iter()
            .find_map(|key| self.entries.get(key).map(|value| (key, value)))
    }

    /// The entry of a key.
    pub fn get(&self, key: &LookupKey) -> Option<&V> {
        self.entries.get(key)
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, key: LookupKey, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push(key);
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &LookupKey) -> Option<V> {
        let value = self.entries.remove(key)?;
        self.order.retain(|other| other != key);
        Some(value)
    }

    /// All entries in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&LookupKey, &V)> {
        self.order
            .iter()
            .filter_map(|key| Some((key, self.entries.get(key)?)))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The table with each value turned into another.
    ///
    /// # Errors
    /// The first one of the conversion.
    pub fn try_map<W>(
        self,
        mut convert: impl FnMut(&LookupKey, V) -> Result<W>,
    ) -> Result<LookupTable<W>> {
        let mut entries = self.entries;
        let mut table = LookupTable::default();
        for key in self.order {
            if let Some(value) = entries.remove(&key) {
                let value = convert(&key, value)?;
                table.insert(key, value);
            }
        }
        Ok(table)
    }
}

impl LookupTable<Value> {
    /// Reads a table. A key of the form `instrument<NAME>` holds entries for that instrument.
    ///
    /// # Errors
    /// A mapping stands under another key, unless `allow_mappings`.
    pub fn from_config(
        config: &Map,
        universe: DimensionUniverse,
        allow_mappings: bool,
    ) -> Result<Self> {
        let mut table = Self::default();
        for (name, value) in config {
            let Value::Map(entries) = value else {
                table.insert(LookupKey::parse(name, universe), value.clone());
                continue;
            };
            if let Some((dimension, wanted)) = split_data_id(name) {
                for (sub_key, sub_value) in entries {
                    let key = LookupKey::parse(sub_key, universe).with_data_id(dimension, wanted);
                    table.insert(key, sub_value.clone());
                }
            } else if allow_mappings {
                table.insert(LookupKey::parse(name, universe), value.clone());
            } else {
                return Err(not_data_id(name));
            }
        }
        Ok(table)
    }
}

/// A set of [`LookupKey`]s.
#[derive(Debug, Clone, Default)]
pub struct LookupSet {
    keys: HashSet<LookupKey>,
}

impl LookupSet {
    /// Reads a list of keys. An item that is a mapping `{instrument<NAME>: [keys…]}` holds keys
    /// for that instrument.
    ///
    /// # Errors
    /// An item is neither text nor such a mapping.
    pub fn from_config(items: &Value, universe: DimensionUniverse) -> Result<Self> {
        let single;
        let items = match items {
            Value::Seq(items) => items.as_slice(),
            Value::Str(_) => {
                single = [items.clone()];
                &single
            }
            // A mapping is taken as the list of its keys.
            Value::Map(map) => {
                let keys = map
                    .keys()
                    .map(|key| LookupKey::parse(key, universe))
                    .collect();
                return Ok(Self { keys });
            }
            Value::Null => return Ok(Self::default()),
            other => return Err(wrong_kind("lookup keys", "a list", other)),
        };
        let mut keys = HashSet::new();
        for item in items {
            match item {
                Value::Str(text) => {
                    keys.insert(LookupKey::parse(text, universe));
                }
                Value::Map(map) if map.len() == 1 => {
                    for (name, sub_keys) in map {
                        let (dimension, wanted) =
                            split_data_id(name).ok_or_else(|| not_data_id(name))?;
                        let Value::Seq(sub_keys) = sub_keys else {
                            return Err(wrong_kind(name, "a list of lookup keys", sub_keys));
                        };
                        for sub_key in sub_keys {
                            let text = sub_key
                                .as_str()
                                .ok_or_else(|| wrong_kind(name, "a list of names", sub_key))?;
                            keys.insert(
                                LookupKey::parse(text, universe).with_data_id(dimension, wanted),
                            );
                        }
                    }
                }
                other => {
                    return Err(wrong_kind(
                        "lookup key",
                        "a name or a mapping with one `key<value>` entry",
                        other,
                    ));
                }
            }
        }
        Ok(Self { keys })
    }

    /// Whether the set holds a key.
    pub fn contains(&self, key: &LookupKey) -> bool {
        self.keys.contains(key)
    }

    /// Whether the set holds any of these keys.
    pub fn contains_any(&self, keys: &[LookupKey]) -> bool {
        keys.iter().any(|key| self.keys.contains(key))
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All keys, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &LookupKey> {
        self.keys.iter()
    }
}

/// Splits `dimension<value>`.
fn split_data_id(key: &str) -> Option<(&str, &str)> {
    let (dimension, rest) = key.split_once('<')?;
    let value = rest.strip_suffix('>')?;
    let valid = !dimension.is_empty()
        && dimension
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_');
    valid.then_some((dimension, value))
}

fn not_data_id(key: &str) -> Error {
    Error::Configuration(format!(
        "the key '{key}' holds a mapping, so it must have the form 'dimension<value>'"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn data_id_keys_are_split_at_the_brackets() {
        assert_eq!(
            split_data_id("instrument<HSC>"),
            Some(("instrument", "HSC"))
        );
        assert_eq!(
            split_data_id("instrument<A<B>>"),
            Some(("instrument", "A<B>"))
        );
        assert_eq!(split_data_id("Instrument<HSC>"), None);
        assert_eq!(split_data_id("instrument"), None);
    }

    #[test]
    fn displays_name_their_data_id() {
        let key = LookupKey::name("raw").with_data_id("instrument", "HSC");
        assert_eq!(key.to_string(), "raw (instrument=HSC)");
        assert!(key.is_name("raw"));
    }
}

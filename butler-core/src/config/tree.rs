//! The configuration tree: lookup, merging, text.

use super::key::{Segment, split_key};
use crate::error::{Error, Result};
use crate::yaml::{self, Map, Value, YamlError};

/// A tree of configuration values.
///
/// Keys come in two forms: delimited text (see [`split_key`]), or a slice of [`Segment`]s. A text
/// that is a key of the top level is taken whole, whatever its first character.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    data: Map,
}

impl Config {
    /// An empty configuration.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a YAML document; an empty one is an empty configuration. Nodes tagged `!include` are
    /// kept as they are, see [`Config::tag_sites`].
    ///
    /// # Errors
    /// The text is not YAML, or not a mapping.
    pub fn from_yaml(text: &str) -> Result<Self> {
        let fault = |error: YamlError| Error::Configuration(format!("not valid YAML: {error}"));
        Self::try_from(yaml::parse(text).map_err(fault)?)
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// The text is not JSON, or not an object.
    pub fn from_json(text: &str) -> Result<Self> {
        let json: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| Error::Configuration(format!("not valid JSON: {error}")))?;
        Self::try_from(Value::from(json))
    }

    /// The top level.
    pub fn as_map(&self) -> &Map {
        &self.data
    }

    /// The top level, to change.
    pub fn as_map_mut(&mut self) -> &mut Map {
        &mut self.data
    }

    /// Whether there is nothing at the top level.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The value under a delimited key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        if let Some(value) = self.data.get(key) {
            return Some(value);
        }
        self.get_path(&split_key(key).ok()?)
    }

    /// The value at the end of a path.
    pub fn get_path(&self, path: &[Segment]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.data.get(first.key().as_ref())?, child)
    }

    /// Whether a delimited key exists; its value may be null.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text under a key, or none if there is nothing or null.
    ///
    /// # Errors
    /// The value is not a string.
    pub fn get_str(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_kind(key, "a string", other)),
        }
    }

    /// The flag under a key, or none if there is nothing or null.
    ///
    /// # Errors
    /// The value is not a boolean.
    pub fn get_bool(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong_kind(key, "true or false", other)),
        }
    }

    /// The integer under a key, or none if there is nothing or null.
    ///
    /// # Errors
    /// The value is not an integer.
    pub fn get_i64(&self, key: &str) -> Result<Option<i64>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(other) => Err(wrong_kind(key, "an integer", other)),
        }
    }

    /// The mapping under a key as a configuration of its own, or none if there is nothing or null.
    ///
    /// # Errors
    /// The value is not a mapping.
    pub fn subset(&self, key: &str) -> Result<Option<Config>> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(Self { data: map.clone() })),
            Some(other) => Err(wrong_kind(key, "a mapping", other)),
        }
    }

    /// The text under a key that must be there.
    ///
    /// # Errors
    /// There is no value, or it is not a string.
    pub fn require_str(&self, key: &str) -> Result<&str> {
        self.get_str(key)?.ok_or_else(|| missing(key))
    }

    /// The mapping under a key that must be there.
    ///
    /// # Errors
    /// There is no value, or it is not a mapping.
    pub fn require_subset(&self, key: &str) -> Result<Config> {
        self.subset(key)?.ok_or_else(|| missing(key))
    }

    /// The part of a larger configuration that belongs to a component: `name.name`, else `name`,
    /// else all of it. An included file may repeat the component's name, hence the doubling.
    ///
    /// # Errors
    /// What stands under the name is not a mapping.
    pub fn component(&self, name: &str) -> Result<Config> {
        let Some(outer) = self.subset(name)? else {
            return if self.contains(name) {
                Ok(Self::new())
            } else {
                Ok(self.clone())
            };
        };
        Ok(outer.subset(name).ok().flatten().unwrap_or(outer))
    }

    /// Puts a value under a delimited key, making mappings on the way where there is nothing.
    ///
    /// # Errors
    /// The way leads through a scalar, or past the end of a list.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> Result<()> {
        if self.data.contains_key(key) {
            self.data.insert(key.to_owned(), value.into());
            return Ok(());
        }
        self.set_path(&split_key(key)?, value)
    }

    /// Puts a value at the end of a path, making mappings on the way where there is nothing.
    ///
    /// # Errors
    /// The path is empty, leads through a scalar, or past the end of a list.
    pub fn set_path(&mut self, path: &[Segment], value: impl Into<Value>) -> Result<()> {
        let Some((first, rest)) = path.split_first() else {
            return Err(Error::Configuration(
                "a configuration key must not be empty".into(),
            ));
        };
        let mut node = self
            .data
            .entry(first.key().into_owned())
            .or_insert(Value::Null);
        for (depth, segment) in rest.iter().enumerate() {
            if node.is_null() {
                *node = Value::Map(Map::new());
            }
            let next = match node {
                Value::Map(map) => {
                    Some(map.entry(segment.key().into_owned()).or_insert(Value::Null))
                }
                Value::Seq(items) => segment.index().and_then(|index| items.get_mut(index)),
                _ => None,
            };
            node = next.ok_or_else(|| {
                Error::Configuration(format!(
                    "cannot set '{}': there is no mapping or list item at '{}'",
                    join(path),
                    join(&path[..depth + 2])
                ))
            })?;
        }
        *node = value.into();
        Ok(())
    }

    /// Takes the value under a delimited key out of the tree.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        if self.data.contains_key(key) {
            return self.data.shift_remove(key);
        }
        self.remove_path(&split_key(key).ok()?)
    }

    /// Takes the value at the end of a path out of the tree.
    pub fn remove_path(&mut self, path: &[Segment]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        let Some((first, rest)) = parents.split_first() else {
            return self.data.shift_remove(last.key().as_ref());
        };
        let mut node = self.data.get_mut(first.key().as_ref())?;
        for segment in rest {
            node = match node {
                Value::Map(map) => map.get_mut(segment.key().as_ref())?,
                Value::Seq(items) => items.get_mut(segment.index()?)?,
                _ => return None,
            };
        }
        match node {
            Value::Map(map) => map.shift_remove(last.key().as_ref()),
            Value::Seq(items) => {
                let index = last.index()?;
                (index < items.len()).then(|| items.remove(index))
            }
            _ => None,
        }
    }

    /// Lays another configuration over this one: mappings are merged, everything else, lists
    /// included, is replaced.
    pub fn update(&mut self, other: &Config) {
        update_map(&mut self.data, &other.data);
    }

    /// Lays this configuration over another one: only what is missing here is taken from it.
    pub fn merge(&mut self, other: &Config) {
        let mut base = other.clone();
        base.update(self);
        *self = base;
    }

    /// The paths of all nodes, parents before their children.
    pub fn paths(&self) -> Vec<Vec<Segment>> {
        let mut paths = Vec::new();
        for (key, value) in &self.data {
            collect_paths(value, vec![Segment::Key(key.clone())], &mut paths);
        }
        paths
    }

    /// YAML text with sorted keys, as the reference writes `butler.yaml`.
    pub fn to_yaml(&self) -> String {
        yaml::to_string_sorted(&Value::Map(self.data.clone()))
    }

    /// YAML text with keys in their own order.
    pub fn to_yaml_ordered(&self) -> String {
        yaml::to_string(&Value::Map(self.data.clone()))
    }

    /// JSON text with keys in their own order.
    pub fn to_json(&self) -> String {
        Value::Map(self.data.clone()).to_json().to_string()
    }
}

impl From<Map> for Config {
    fn from(data: Map) -> Self {
        Self { data }
    }
}

impl From<Config> for Value {
    fn from(config: Config) -> Self {
        Self::Map(config.data)
    }
}

impl TryFrom<Value> for Config {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Map(data) => Ok(Self { data }),
            other => Err(Error::Configuration(format!(
                "a configuration must be a mapping, but this is {}",
                other.kind()
            ))),
        }
    }
}

pub(super) fn join(path: &[Segment]) -> String {
    path.iter()
        .map(Segment::to_string)
        .collect::<Vec<_>>()
        .join(".")
}

pub(super) fn wrong_kind(key: &str, expected: &str, found: &Value) -> Error {
    Error::Configuration(format!(
        "'{key}' must be {expected}, but it is {}",
        found.kind()
    ))
}

fn missing(key: &str) -> Error {
    Error::Configuration(format!("the mandatory key '{key}' is missing"))
}

fn child<'a>(node: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match node {
        Value::Map(map) => map.get(segment.key().as_ref()),
        Value::Seq(items) => items.get(segment.index()?),
        _ => None,
    }
}

fn update_map(target: &mut Map, source: &Map) {
    for (key, value) in source {
        let Value::Map(source) = value else {
            target.insert(key.clone(), value.clone());
            continue;
        };
        let node = target.entry(key.clone()).or_insert(Value::Null);
        if !matches!(node, Value::Map(_)) {
            *node = Value::Map(Map::new());
        }
        if let Value::Map(inner) = node {
            update_map(inner, source);
        }
    }
}

fn collect_paths(value: &Value, path: Vec<Segment>, paths: &mut Vec<Vec<Segment>>) {
    let extend = |segment: Segment| {
        let mut longer = path.clone();
        longer.push(segment);
        longer
    };
    let children: Vec<(Vec<Segment>, &Value)> = match value {
        Value::Map(map) => map
            .iter()
            .map(|(key, child)| (extend(Segment::Key(key.clone())), child))
            .collect(),
        Value::Seq(items) => items
            .iter()
            .enumerate()
            .map(|(i, child)| (extend(Segment::Index(i)), child))
            .collect(),
        _ => Vec::new(),
    };
    paths.push(path);
    for (path, child) in children {
        collect_paths(child, path, paths);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(text: &str) -> Config {
        Config::from_yaml(text).unwrap()
    }

    #[test]
    fn update_merges_mappings_and_replaces_the_rest() {
        let mut base = config("a: {b: 1, l: [1, 2], s: {x: 1}}\nk: text\n");
        base.update(&config("a: {c: 2, l: [3], s: 5}\nk: {n: 1}\n"));
        assert_eq!(base, config("a: {b: 1, l: [3], s: 5, c: 2}\nk: {n: 1}\n"));
    }

    #[test]
    fn merge_keeps_what_is_there() {
        let mut base = config("a: {b: 1}\n");
        base.merge(&config("a: {b: 2, c: 3}\nd: 4\n"));
        assert_eq!(base, config("a: {b: 1, c: 3}\nd: 4\n"));
    }

    #[test]
    fn hierarchies_are_reached_by_delimited_keys() {
        let c = config("a: {b: [{c: 7}]}\n.x: 1\n");
        assert_eq!(c.get(".a.b.0.c"), Some(&Value::Int(7)));
        assert_eq!(c.get("/a/b/0/c"), Some(&Value::Int(7)));
        assert_eq!(c.get("a.b"), None);
        assert_eq!(c.get(".x"), Some(&Value::Int(1)));
        assert!(!c.contains(".a.b.1"));
        assert_eq!(c.paths().len(), 5);
    }

    #[test]
    fn setting_makes_the_levels_it_needs() {
        let mut c = Config::new();
        c.set(".a.b", 1i64).unwrap();
        c.set("k", "v").unwrap();
        assert_eq!(c, config("a: {b: 1}\nk: v\n"));
        assert!(c.set(".k.z", 1i64).is_err());
        assert_eq!(c.remove(".a.b"), Some(Value::Int(1)));
        assert_eq!(c, config("a: {}\nk: v\n"));
    }

    #[test]
    fn a_component_may_be_doubled_or_be_everything() {
        assert_eq!(
            config("s: {s: {x: 1}}").component("s").unwrap(),
            config("x: 1")
        );
        assert_eq!(config("s: {x: 1}").component("s").unwrap(), config("x: 1"));
        assert_eq!(config("x: 1").component("s").unwrap(), config("x: 1"));
    }

    #[test]
    fn wrong_kinds_are_named() {
        let error = config("a: [1]").get_str("a").unwrap_err().to_string();
        assert!(
            error.contains("'a' must be a string") && error.contains("a list"),
            "{error}"
        );
    }
}

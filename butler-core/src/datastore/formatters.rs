//! Which formatter reads and writes a dataset, with which parameters.

use std::sync::Arc;

use super::Entity;
use crate::config::{Config, LookupKey, LookupTable};
use crate::dimensions::DimensionUniverse;
use crate::error::{Error, Result};
use crate::yaml::{Map, Value};

/// A formatter and what it is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct FormatterEntry {
    /// The full name of the formatter's class.
    pub class: Arc<str>,
    /// Parameters for writing: the class's defaults, overlaid by those of the entry.
    pub write_parameters: Map,
    /// All recipes that are defined for the class, by name.
    pub write_recipes: Option<Value>,
}

impl FormatterEntry {
    /// The extension of files that this formatter writes, with the dot; empty if it has none,
    /// and none if the class is unknown to this library.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the parameters ask for a format that the class cannot write.
    pub fn extension(&self) -> Result<Option<String>> {
        let format = self.write_parameters.get("format").and_then(Value::as_str);
        let (default, supported): (&str, &[&str]) = match self.short_name() {
            "PackagesFormatter" => ("yaml", &["yaml", "pickle", "pkl", "json"]),
            "AstropyTableFormatter" => ("ecsv", &["ecsv"]),
            _ => return Ok(default_extension(&self.class).map(str::to_owned)),
        };
        let format = format.unwrap_or(default);
        if !supported.contains(&format) {
            return Err(Error::Configuration(format!(
                "formatter {} cannot write the format '{format}'; it can write {supported:?}",
                self.class
            )));
        }
        Ok(Some(format!(".{format}")))
    }

    fn short_name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or(&self.class)
    }
}

/// The extension of files that a formatter class writes by default, with the dot; none if the
/// class is unknown to this library.
pub fn default_extension(class: &str) -> Option<&'static str> {
    if class.starts_with("lsst.obs.base.formatters.fits") {
        return Some(".fits");
    }
    if class == "lsst.pipe.base.formatters.pexConfig.PexConfigFormatter" {
        return Some(".py");
    }
    let known = class.strip_prefix("lsst.daf.butler.formatters.")?;
    Some(match known.rsplit('.').next()? {
        "JsonFormatter" => ".json",
        "YamlFormatter" => ".yaml",
        "ParquetFormatter" => ".parq",
        "PickleFormatter" => ".pickle",
        "ButlerLogRecordsFormatter" => ".json",
        "MatplotlibFormatter" => ".png",
        "PackagesFormatter" => ".yaml",
        "AstropyTableFormatter" => ".ecsv",
        _ => return None,
    })
}

/// The `formatters` section of a datastore.
#[derive(Debug, Clone, Default)]
pub struct FormatterTable {
    table: LookupTable<FormatterEntry>,
}

impl FormatterTable {
    /// Reads the section. `default` holds write parameters and `write_recipes` holds recipes,
    /// both by formatter class.
    ///
    /// # Errors
    /// [`Error::Configuration`] if an entry is neither the name of a class nor a mapping with a
    /// `formatter` and perhaps `parameters`.
    pub fn from_config(config: &Config, universe: DimensionUniverse) -> Result<Self> {
        let mut contents = LookupTable::from_config(config.as_map(), universe, true)?;
        let mut special = |name: &str| match contents.remove(&LookupKey::name(name)) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Map(map)) => Ok(map),
            Some(other) => Err(Error::Configuration(format!(
                "'formatters.{name}' must be a mapping, but it is {}",
                other.kind()
            ))),
        };
        let defaults = special("default")?;
        let recipes = special("write_recipes")?;
        let table = contents.try_map(|key, value| {
            let (class, own) = split_entry(key, value)?;
            let mut write_parameters = match defaults.get(&class) {
                Some(Value::Map(map)) => map.clone(),
                _ => Map::new(),
            };
            write_parameters.extend(own);
            let write_recipes = recipes.get(&class).cloned();
            Ok(FormatterEntry {
                class: class.into(),
                write_parameters,
                write_recipes,
            })
        })?;
        Ok(Self { table })
    }

    /// The formatter for a dataset and the key that led to it.
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if there is none.
    pub fn find<'a>(&self, entity: impl Into<Entity<'a>>) -> Result<(LookupKey, &FormatterEntry)> {
        let entity = entity.into();
        let keys = entity.lookup_keys();
        self.find_by_keys(&keys).ok_or_else(|| {
            let tried: Vec<String> = keys.iter().map(ToString::to_string).collect();
            Error::DatasetTypeNotSupported(format!(
                "no formatter is configured for {entity}; none of these keys is in the formatters \
                 of the datastore: {}",
                tried.join(", ")
            ))
        })
    }

    /// The formatter under a name.
    pub fn find_by_name(&self, name: &str) -> Option<&FormatterEntry> {
        self.table.get(&LookupKey::name(name))
    }

    /// All entries in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&LookupKey, &FormatterEntry)> {
        self.table.iter()
    }

    fn find_by_keys(&self, keys: &[LookupKey]) -> Option<(LookupKey, &FormatterEntry)> {
        self.table
            .find(keys)
            .map(|(key, entry)| (key.clone(), entry))
    }
}

fn split_entry(key: &LookupKey, value: Value) -> Result<(String, Map)> {
    let wrong = |why: &str| Error::Configuration(format!("formatter entry '{key}' {why}"));
    match value {
        Value::Str(class) => Ok((class, Map::new())),
        Value::Map(mut map) => {
            if let Some(other) = map
                .keys()
                .find(|k| !matches!(k.as_str(), "formatter" | "parameters"))
            {
                return Err(wrong(&format!(
                    "has the unexpected key '{other}'; expected 'formatter' and 'parameters'"
                )));
            }
            let Some(Value::Str(class)) = map.shift_remove("formatter") else {
                return Err(wrong("must name a class under 'formatter'"));
            };
            match map.shift_remove("parameters") {
                None | Some(Value::Null) => Ok((class, Map::new())),
                Some(Value::Map(parameters)) => Ok((class, parameters)),
                Some(other) => Err(wrong(&format!(
                    "needs a mapping of parameters, not {}",
                    other.kind()
                ))),
            }
        }
        other => Err(wrong(&format!(
            "must be the name of a class or a mapping, but it is {}",
            other.kind()
        ))),
    }
}

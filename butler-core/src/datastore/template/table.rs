//! The `templates` section of a datastore.

use super::FileTemplate;
use crate::config::{Config, LookupKey, LookupTable};
use crate::datastore::Entity;
use crate::dimensions::DimensionUniverse;
use crate::error::{Error, Result};
use crate::yaml::Value;

/// Which file template is for which dataset.
#[derive(Debug, Clone, Default)]
pub struct FileTemplates {
    default: Option<FileTemplate>,
    table: LookupTable<FileTemplate>,
}

impl FileTemplates {
    /// Reads the section. The key `default` holds the template for everything that no other key
    /// matches; an empty or false value there leaves such datasets without a template.
    /// `fallback` is the default of a section that has none.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a value is not a template, [`Error::Validation`] if a template
    /// is not valid.
    pub fn from_config(
        config: &Config,
        fallback: Option<&str>,
        universe: DimensionUniverse,
    ) -> Result<Self> {
        let mut contents = LookupTable::from_config(config.as_map(), universe, false)?;
        let default = match contents.remove(&LookupKey::name("default")) {
            None => fallback
                .filter(|text| !text.is_empty())
                .map(FileTemplate::new),
            Some(Value::Null | Value::Bool(false)) => None,
            Some(Value::Str(text)) if text.is_empty() => None,
            Some(Value::Str(text)) => Some(FileTemplate::new(text)),
            Some(other) => {
                return Err(Error::Configuration(format!(
                    "the default file template must be a string or false, but it is {}",
                    other.kind()
                )));
            }
        };
        let table = contents.try_map(|key, value| match value {
            Value::Str(text) => FileTemplate::new(text),
            other => Err(Error::Configuration(format!(
                "the file template of '{key}' must be a string, but it is {}",
                other.kind()
            ))),
        })?;
        Ok(Self {
            default: default.transpose()?,
            table,
        })
    }

    /// The template for a dataset and the key that led to it (`default` for the default).
    ///
    /// # Errors
    /// [`Error::DatasetTypeNotSupported`] if there is none.
    pub fn find<'a>(&self, entity: impl Into<Entity<'a>>) -> Result<(LookupKey, &FileTemplate)> {
        let entity = entity.into();
        if let Some((key, template)) = self.table.find(&entity.lookup_keys()) {
            return Ok((key.clone(), template));
        }
        match &self.default {
            Some(template) => Ok((LookupKey::name("default"), template)),
            None => Err(Error::DatasetTypeNotSupported(format!(
                "no file template is configured for {entity}, and there is no default"
            ))),
        }
    }

    /// The default template.
    pub fn default_template(&self) -> Option<&FileTemplate> {
        self.default.as_ref()
    }

    /// All templates but the default, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&LookupKey, &FileTemplate)> {
        self.table.iter()
    }

    /// Checks that each of these has a template that suits it.
    ///
    /// # Errors
    /// [`Error::Validation`] lists everything that is wrong.
    pub fn validate<'a, E: Into<Entity<'a>>>(
        &self,
        entities: impl IntoIterator<Item = E>,
    ) -> Result<()> {
        let mut faults = Vec::new();
        for entity in entities {
            let entity = entity.into();
            match self.find(entity) {
                Err(error) => faults.push(error.to_string()),
                Ok((key, template)) => {
                    if let Err(error) = template.validate(entity) {
                        faults.push(format!("{error} (through the key '{key}')"));
                    }
                }
            }
        }
        match faults.as_slice() {
            [] => Ok(()),
            [only] => Err(Error::Validation(only.clone())),
            many => Err(Error::Validation(format!(
                "{} file templates are not valid:\n{}",
                many.len(),
                many.join("\n")
            ))),
        }
    }
}

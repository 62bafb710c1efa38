//! Short names for repositories.

use std::collections::BTreeMap;

use butler_core::yaml::{self, Value};
use butler_core::{Error, Result};

use super::loader::{ConfigLoader, in_file, message};
use crate::resource::ResourcePath;

const INDEX: &str = "DAF_BUTLER_REPOSITORY_INDEX";
const INLINE: &str = "DAF_BUTLER_REPOSITORIES";

/// Labels of repositories and their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryIndex {
    entries: BTreeMap<String, String>,
}

impl RepositoryIndex {
    /// Reads the index which the environment names: `DAF_BUTLER_REPOSITORY_INDEX` is the address
    /// of a YAML or JSON file, `DAF_BUTLER_REPOSITORIES` the index itself as text. `None` if
    /// neither is set.
    ///
    /// # Errors
    /// Both are set, or what is set cannot be read.
    pub async fn from_environment(loader: &ConfigLoader) -> Result<Option<Self>> {
        let environment = loader.environment();
        match (
            environment.get_non_empty(INDEX),
            environment.get_non_empty(INLINE),
        ) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Error::Configuration(format!(
                "both {INDEX} and {INLINE} are set; set one of them only"
            ))),
            (Some(uri), None) => {
                let file = ResourcePath::options()
                    .environment(environment.clone())
                    .parse(&uri)?;
                Self::read(loader, &file).await.map(Some)
            }
            (None, Some(text)) => {
                let value = yaml::parse(&text)
                    .map_err(|error| Error::Configuration(format!("{INLINE}: {error}")))?;
                Self::from_value(&value)
                    .map_err(|fault| Error::Configuration(format!("{INLINE}: {fault}")))
                    .map(Some)
            }
        }
    }

    /// Reads an index file.
    ///
    /// # Errors
    /// The file does not exist, or is not a mapping from labels to addresses.
    pub async fn read(loader: &ConfigLoader, file: &ResourcePath) -> Result<Self> {
        let config = loader.load(file).await.map_err(|error| match error {
            Error::FileNotFound(uri) => Error::FileNotFound(format!("repository index {uri}")),
            other => Error::Configuration(format!("repository index {}", message(other))),
        })?;
        Self::from_value(&Value::Map(config.as_map().clone()))
            .map_err(|fault| in_file(file, &format!("as a repository index: {fault}")))
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let map = value.as_map().ok_or_else(|| {
            format!(
                "expected a mapping from labels to addresses, found {}",
                value.kind()
            )
        })?;
        let entry = |(label, uri): (&String, &Value)| match uri.as_str() {
            Some(uri) => Ok((label.clone(), uri.to_owned())),
            None => Err(format!(
                "the address of {label:?} is {}, not a string",
                uri.kind()
            )),
        };
        Ok(Self {
            entries: map.iter().map(entry).collect::<Result<_, _>>()?,
        })
    }

    /// The address behind a label.
    pub fn get(&self, label: &str) -> Option<&str> {
        self.entries.get(label).map(String::as_str)
    }

    /// All labels, in order.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All labels with their addresses, in order of the labels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(label, uri)| (label.as_str(), uri.as_str()))
    }
}

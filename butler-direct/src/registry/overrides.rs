//! What a client's configuration changes in the dataset types of a repository, for itself alone.

use std::collections::BTreeMap;

use butler_core::config::Config;
use butler_core::error::Result;

/// Other names and storage classes for dataset types than those in the database.
///
/// They are configured under `registry.managers.datasets.config.overrides`, by the name in the
/// database: `rename` is the name by which this client knows the dataset type, `storageClass` its
/// storage class. The database stays as it is, and so do other clients.
///
/// A type that is renamed cannot be found by its old name, and a type that has the new name in the
/// database is hidden.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetTypeOverrides {
    /// Names of this client, by name in the database.
    renames: BTreeMap<String, String>,
    /// Names in the database, by name of this client.
    stored: BTreeMap<String, String>,
    /// Storage classes, by name in the database.
    storage_classes: BTreeMap<String, String>,
}

impl DatasetTypeOverrides {
    /// Reads a repository's configuration.
    ///
    /// # Errors
    /// [`Error::Configuration`](butler_core::error::Error::Configuration) if the section is
    /// malformed.
    pub fn from_config(config: &Config) -> Result<Self> {
        let mut overrides = Self::default();
        // Managers are named, or sections if they have settings.
        if !config.contains(".registry.managers.datasets.config.overrides") {
            return Ok(overrides);
        }
        let Some(section) = config.subset(".registry.managers.datasets.config.overrides")? else {
            return Ok(overrides);
        };
        for name in section.as_map().keys() {
            let Some(settings) = section.subset(name)? else {
                continue;
            };
            if let Some(new) = settings.get_str("rename")? {
                overrides.renames.insert(name.clone(), new.to_owned());
                overrides.stored.insert(new.to_owned(), name.clone());
            }
            if let Some(class) = settings.get_str("storageClass")? {
                overrides
                    .storage_classes
                    .insert(name.clone(), class.to_owned());
            }
        }
        Ok(overrides)
    }

    /// The name in the database of what this client knows by `name`; `None` if that name stands for
    /// nothing here because the type was renamed.
    pub fn stored_name<'n>(&'n self, name: &'n str) -> Option<&'n str> {
        match self.stored.get(name) {
            Some(stored) => Some(stored),
            None if self.renames.contains_key(name) => None,
            None => Some(name),
        }
    }

    /// The name by which this client knows what is called `stored` in the database.
    pub fn client_name<'n>(&'n self, stored: &'n str) -> &'n str {
        self.renames.get(stored).map_or(stored, String::as_str)
    }

    /// The storage class to use instead of the one in the database.
    pub fn storage_class(&self, stored: &str) -> Option<&str> {
        self.storage_classes.get(stored).map(String::as_str)
    }

    /// Whether this client can name the type that is called `stored` in the database.
    pub fn is_visible(&self, stored: &str) -> bool {
        self.stored_name(self.client_name(stored)) == Some(stored)
    }
}

//! Defaults that a site or a user lays over those of the library.

use std::collections::HashMap;

use butler_core::Result;
use butler_core::config::{Config, DefaultFile, Defaults};

use super::loader::ConfigLoader;
use crate::resource::ResourcePath;

/// The variable naming directories with configuration files, separated by colons.
const VARIABLE: &str = "DAF_BUTLER_CONFIG_PATH";

const FILES: [DefaultFile; 8] = [
    DefaultFile::StorageClasses,
    DefaultFile::Registry,
    DefaultFile::Datastore,
    DefaultFile::FileDatastore,
    DefaultFile::InMemoryDatastore,
    DefaultFile::ChainedDatastore,
    DefaultFile::Composites,
    DefaultFile::RepoTransferFormats,
];

/// The embedded defaults and what the directories of a search path lay over them.
#[derive(Clone, Debug, Default)]
pub struct LayeredDefaults {
    layers: HashMap<DefaultFile, Vec<Config>>,
    read: Vec<ResourcePath>,
}

impl LayeredDefaults {
    /// Reads the defaults in the given directories and in those which `DAF_BUTLER_CONFIG_PATH`
    /// names. Earlier directories win over later ones, and all win over the embedded defaults.
    ///
    /// # Errors
    /// A file of defaults exists and cannot be read.
    pub async fn read(loader: &ConfigLoader, search_path: &[ResourcePath]) -> Result<Self> {
        let mut directories = search_path.to_vec();
        let environment = loader.environment();
        for name in environment
            .get_non_empty(VARIABLE)
            .iter()
            .flat_map(|v| v.split(':'))
        {
            let directory = ResourcePath::options()
                .directory(true)
                .environment(environment.clone())
                .parse(name)?;
            directories.push(directory);
        }
        let mut defaults = Self::default();
        for file in FILES {
            let mut layers: Vec<Config> = file.embedded().into_iter().cloned().collect();
            for directory in directories.iter().rev() {
                let candidate = directory.join(file.name())?;
                if loader.resources().exists(&candidate).await? {
                    layers.push(loader.load(&candidate).await?);
                    defaults.read.push(candidate);
                }
            }
            defaults.layers.insert(file, layers);
        }
        Ok(defaults)
    }

    /// The files that were read from the search path.
    pub fn files(&self) -> &[ResourcePath] {
        &self.read
    }
}

impl Defaults for LayeredDefaults {
    fn layers(&self, file: DefaultFile) -> Result<Vec<Config>> {
        Ok(self.layers.get(&file).cloned().unwrap_or_default())
    }
}

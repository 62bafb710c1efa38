//! The defaults that every repository's configuration is laid over.

use std::sync::LazyLock;

use super::key::Segment;
use super::tree::Config;
use crate::error::{Error, Result};
use crate::yaml::Value;

/// A file of defaults, by the role it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefaultFile {
    /// Storage class definitions.
    StorageClasses,
    /// The registry section.
    Registry,
    /// The datastore section of a repository that names no datastore class.
    Datastore,
    /// The datastore section of a file datastore.
    FileDatastore,
    /// The datastore section of an in-memory datastore.
    InMemoryDatastore,
    /// The datastore section of a chained datastore.
    ChainedDatastore,
    /// Which composites are taken apart.
    Composites,
    /// The readers and writers of export files.
    RepoTransferFormats,
}

impl DefaultFile {
    /// The file's name below a directory of the configuration search path.
    pub fn name(self) -> &'static str {
        match self {
            Self::StorageClasses => "storageClasses.yaml",
            Self::Registry => "registry.yaml",
            Self::Datastore => "datastore.yaml",
            Self::FileDatastore => "datastores/fileDatastore.yaml",
            Self::InMemoryDatastore => "datastores/inMemoryDatastore.yaml",
            Self::ChainedDatastore => "datastores/chainedDatastore.yaml",
            Self::Composites => "datastores/composites.yaml",
            Self::RepoTransferFormats => "repo_transfer_formats.yaml",
        }
    }

    /// The defaults that come with this library; some files have none.
    pub fn embedded(self) -> Option<&'static Config> {
        static STORAGE_CLASSES: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/storage_classes.yaml")));
        static REGISTRY: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/registry.yaml")));
        static DATASTORE: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/datastore.yaml")));
        static FILE_DATASTORE: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/file_datastore.yaml")));
        static COMPOSITES: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/composites.yaml")));
        static REPO_TRANSFER_FORMATS: LazyLock<Config> =
            LazyLock::new(|| constant(include_str!("../../data/repo_transfer_formats.yaml")));
        Some(match self {
            Self::StorageClasses => &STORAGE_CLASSES,
            Self::Registry => &REGISTRY,
            Self::Datastore => &DATASTORE,
            Self::FileDatastore => &FILE_DATASTORE,
            Self::Composites => &COMPOSITES,
            Self::RepoTransferFormats => &REPO_TRANSFER_FORMATS,
            Self::InMemoryDatastore | Self::ChainedDatastore => return None,
        })
    }
}

fn constant(text: &str) -> Config {
    Config::from_yaml(text).expect("embedded defaults are valid, a test reads them all")
}

/// Where defaults come from: the embedded ones, and what lies on a search path above them.
pub trait Defaults {
    /// All contents of a file of defaults, those with the highest priority last.
    ///
    /// # Errors
    /// A file cannot be read.
    fn layers(&self, file: DefaultFile) -> Result<Vec<Config>>;
}

/// The defaults that come with this library and no others.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedDefaults;

impl Defaults for EmbeddedDefaults {
    fn layers(&self, file: DefaultFile) -> Result<Vec<Config>> {
        Ok(file.embedded().into_iter().cloned().collect())
    }
}

/// A part of a butler configuration that has defaults of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// `datastore`: which class keeps the files, where and how.
    Datastore,
    /// `registry`: the database and its managers.
    Registry,
    /// `storageClasses`: definitions that a repository adds.
    StorageClasses,
    /// `composites`: which composites are taken apart.
    Composites,
    /// `repo_transfer_formats`: readers and writers of export files.
    RepoTransferFormats,
}

impl Section {
    /// The key of the section in a butler configuration.
    pub fn component(self) -> &'static str {
        match self {
            Self::Datastore => "datastore",
            Self::Registry => "registry",
            Self::StorageClasses => "storageClasses",
            Self::Composites => "composites",
            Self::RepoTransferFormats => "repo_transfer_formats",
        }
    }

    fn file(self) -> DefaultFile {
        match self {
            Self::Datastore => DefaultFile::Datastore,
            Self::Registry => DefaultFile::Registry,
            Self::StorageClasses => DefaultFile::StorageClasses,
            Self::Composites => DefaultFile::Composites,
            Self::RepoTransferFormats => DefaultFile::RepoTransferFormats,
        }
    }

    /// The section of a configuration, laid over its defaults.
    ///
    /// `config` may be the section itself or a configuration that holds it. A datastore also gets
    /// the defaults of its class, and so do the members of a chain.
    ///
    /// # Errors
    /// Defaults cannot be read, or a node is of the wrong kind.
    pub fn expand(self, config: &Config, defaults: &dyn Defaults) -> Result<Config> {
        let external = config.component(self.component())?;
        let mut merged = Config::new();
        self.lay(&mut merged, self.file(), defaults)?;
        let class = match external.get_str("cls")? {
            Some(class) => Some(class.to_owned()),
            None => merged.get_str("cls")?.map(str::to_owned),
        };
        let class_file = match class.as_deref().and_then(|name| name.rsplit('.').next()) {
            Some("FileDatastore") => Some(DefaultFile::FileDatastore),
            Some("InMemoryDatastore") => Some(DefaultFile::InMemoryDatastore),
            Some("ChainedDatastore") => Some(DefaultFile::ChainedDatastore),
            _ => None,
        };
        if let (Self::Datastore, Some(file)) = (self, class_file) {
            self.lay(&mut merged, file, defaults)?;
        }
        merged.update(&external);
        if class_file == Some(DefaultFile::ChainedDatastore) {
            self.expand_chain(&mut merged, defaults)?;
        }
        Ok(merged)
    }

    fn expand_chain(self, config: &mut Config, defaults: &dyn Defaults) -> Result<()> {
        let Some(members) = config.get("datastores") else {
            return Ok(());
        };
        let Value::Seq(members) = members.clone() else {
            return Err(Error::Configuration(
                "'datastores' must be a list of datastores".into(),
            ));
        };
        for (index, member) in members.into_iter().enumerate() {
            let expanded = self.expand(&Config::try_from(member)?, defaults)?;
            config.set_path(&["datastores".into(), Segment::Index(index)], expanded)?;
        }
        Ok(())
    }

    fn lay(self, onto: &mut Config, file: DefaultFile, defaults: &dyn Defaults) -> Result<()> {
        for layer in defaults.layers(file)? {
            onto.update(&layer.component(self.component())?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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

    #[test]
    fn embedded_defaults_are_valid() {
        for file in FILES {
            if let Some(config) = file.embedded() {
                assert!(!config.is_empty(), "{}", file.name());
            }
        }
    }

    #[test]
    fn a_file_datastore_is_the_default() {
        let config = Section::Datastore
            .expand(&Config::new(), &EmbeddedDefaults)
            .unwrap();
        assert_eq!(
            config.require_str("root").unwrap(),
            "<butlerRoot>/datastore"
        );
        assert_eq!(
            config.require_str(".records.table").unwrap(),
            "file_datastore_records"
        );
        assert!(config.contains(".formatters.write_recipes"));
        assert_eq!(config.get_bool(".composites.default").unwrap(), Some(false));
    }

    #[test]
    fn members_of_a_chain_get_their_own_defaults() {
        let config = Config::from_yaml(concat!(
            "datastore:\n",
            "  cls: lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore\n",
            "  datastores:\n",
            "    - datastore: {root: '<butlerRoot>/a', records: {table: t1}}\n",
            "    - cls: lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore\n",
        ))
        .unwrap();
        let config = Section::Datastore
            .expand(&config, &EmbeddedDefaults)
            .unwrap();
        assert!(!config.contains("templates"));
        assert_eq!(
            config.require_str(".datastores.0.records.table").unwrap(),
            "t1"
        );
        assert!(config.contains(".datastores.0.templates.default"));
        assert!(!config.contains(".datastores.1.templates"));
    }

    #[test]
    fn a_repository_overrides_its_defaults() {
        let config = Config::from_yaml("registry: {db: 'sqlite:///:memory:'}").unwrap();
        let config = Section::Registry
            .expand(&config, &EmbeddedDefaults)
            .unwrap();
        assert_eq!(config.require_str("db").unwrap(), "sqlite:///:memory:");
        assert!(config.contains(".managers.datasets"));
    }
}

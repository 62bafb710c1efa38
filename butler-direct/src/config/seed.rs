//! The configuration file of a new repository.

use butler_core::config::{BUTLER_ROOT_TAG, Config, Defaults, Section};
use butler_core::yaml::Value;
use butler_core::{Error, Result};
use bytes::Bytes;

use super::butler_config::{FILE_NAME, expand};
use super::database_url::DatabaseUrl;
use crate::resource::{ResourcePath, Resources};

/// What a new repository's configuration file is to hold.
#[derive(Clone, Debug)]
pub struct SeedOptions {
    /// Write all defaults out, so that later changes of the defaults have no effect.
    pub standalone: bool,
    /// Reset values that depend on where the repository is (the datastore's root, a SQLite
    /// database's path) even if the given configuration sets them.
    pub force_root: bool,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self {
            standalone: false,
            force_root: true,
        }
    }
}

/// The configuration of a new repository.
#[derive(Clone, Debug)]
pub struct Seed {
    /// What the repository is created with.
    pub config: Config,
    /// What its file holds: the same without settings that go into the database.
    pub file: Config,
}

impl Seed {
    /// Derives the configuration of a new repository from what the user gave, which must not be
    /// laid over defaults yet.
    ///
    /// Kept out of the defaults' reach are: the datastore's class, root and record table, the
    /// database's URL, and the managers, since none of them can change once the repository is
    /// made.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the configuration is malformed.
    pub fn new(given: &Config, defaults: &dyn Defaults, options: &SeedOptions) -> Result<Self> {
        let mut config = given.clone();
        config.remove("root");
        let full = expand(&config, defaults)?;

        let section = Section::Datastore.component();
        let mut datastore = own_section(&config, section)?;
        let full_datastore = full.require_subset(section)?;
        place_datastore(
            &mut datastore,
            &full_datastore,
            BUTLER_ROOT_TAG,
            options.force_root,
        )?;
        config.set(section, datastore)?;

        let section = Section::Registry.component();
        let mut registry = own_section(&config, section)?;
        let full_registry = full.require_subset(section)?;
        let db = match DatabaseUrl::parse(full_registry.require_str("db")?)?.dialect() {
            "sqlite" => format!("sqlite:///{BUTLER_ROOT_TAG}/gen3.sqlite3"),
            _ => full_registry.require_str("db")?.to_owned(),
        };
        put(&mut registry, "db", db.into(), options.force_root)?;
        config.set(section, registry)?;

        if options.standalone {
            config.merge(&full);
        } else {
            let mut managers = config.subset(".registry.managers")?.unwrap_or_default();
            managers.merge(&full_registry.subset("managers")?.unwrap_or_default());
            config.set(".registry.managers", managers)?;
        }
        Self::without_obscore(config)
    }

    /// Observation metadata are configured in the database; without a configuration there is no
    /// manager for them.
    fn without_obscore(mut config: Config) -> Result<Self> {
        const MANAGER: &str = ".registry.managers.obscore";
        const SETTINGS: &str = ".registry.managers.obscore.config";
        let is_set = |value: &Value| {
            !value.is_null() && value.as_map().is_none_or(|settings| !settings.is_empty())
        };
        if config.contains(MANAGER) && !config.get(SETTINGS).is_some_and(is_set) {
            tracing::warn!("an obscore manager without its configuration is left out");
            config.remove(MANAGER);
        }
        let mut file = config.clone();
        file.remove(SETTINGS);
        Ok(Self { config, file })
    }

    /// Writes the file into the repository's root, which is made if needed, or to another place.
    /// In the latter case the file names the root. Returns where the file is.
    ///
    /// # Errors
    /// [`Error::FileExists`] if there is a file already and `overwrite` is false.
    pub async fn write(
        &mut self,
        resources: &Resources,
        root: &ResourcePath,
        elsewhere: Option<&ResourcePath>,
        overwrite: bool,
    ) -> Result<ResourcePath> {
        let root = root.as_directory()?;
        resources.make_directory(&root).await?;
        let target = match elsewhere {
            None => root.join(FILE_NAME)?,
            Some(place) => {
                self.config.set("root", root.to_string())?;
                self.file.set("root", root.to_string())?;
                if !place.extension().is_empty() {
                    place.clone()
                } else if resources.is_directory(place).await? {
                    place.as_directory()?.join(FILE_NAME)?
                } else {
                    place.with_file_name(FILE_NAME)?
                }
            }
        };
        let text = match target.extension() {
            ".yaml" => self.file.to_yaml(),
            ".json" => self.file.to_json(),
            other => {
                return Err(Error::Configuration(format!(
                    "{target}: a configuration cannot be written as {other:?}, only as .yaml or \
                     .json"
                )));
            }
        };
        resources
            .write(&target, Bytes::from(text), overwrite)
            .await?;
        Ok(target)
    }
}

fn own_section(config: &Config, name: &str) -> Result<Config> {
    if config.contains(name) {
        config.component(name)
    } else {
        Ok(Config::new())
    }
}

/// Sets a value unless there is one that must not be replaced.
fn put(config: &mut Config, key: &str, value: Value, overwrite: bool) -> Result<()> {
    if overwrite || !config.contains(key) {
        config.set(key, value)
    } else {
        Ok(())
    }
}

/// Puts a datastore, and those in it, below a root.
fn place_datastore(own: &mut Config, full: &Config, root: &str, overwrite: bool) -> Result<()> {
    let class = full.require_str("cls")?;
    match class.rsplit('.').next().unwrap_or(class) {
        "FileDatastore" => {
            put(own, "root", root.into(), overwrite)?;
            for key in ["cls", ".records.table"] {
                let value = full.get(key).cloned().unwrap_or_default();
                put(own, key, value, overwrite)?;
            }
            Ok(())
        }
        "InMemoryDatastore" => Ok(()),
        "ChainedDatastore" => {
            // Members are written out with their defaults: the reference does so too.
            let Some(Value::Seq(members)) = full.get("datastores") else {
                return Err(Error::Configuration(
                    "a chained datastore needs a list of 'datastores'".to_owned(),
                ));
            };
            let mut placed = Vec::with_capacity(members.len());
            for (index, member) in members.iter().enumerate() {
                let full =
                    Config::try_from(member.clone())?.component(Section::Datastore.component())?;
                let class = full.require_str("cls")?;
                let name = class.rsplit('.').next().unwrap_or(class);
                let mut member = full.clone();
                place_datastore(
                    &mut member,
                    &full,
                    &format!("{root}/{name}_{index}"),
                    overwrite,
                )?;
                placed.push(Value::Map(member.as_map().clone()));
            }
            own.set("datastores", Value::Seq(placed))
        }
        _ => Err(Error::Configuration(format!(
            "the datastore class {class:?} is not known"
        ))),
    }
}

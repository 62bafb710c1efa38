//! A file datastore from its configuration.

use butler_core::config::Config;
use butler_core::datastore::{CompositesMap, Constraints, FileTemplates, FormatterTable};
use butler_core::error::{Error, Result};
use butler_core::registry::Registry;
use std::sync::Arc;

use super::{FileDatastore, Shared};
use crate::cache::DatasetCache;
use crate::config::ButlerConfig;
use crate::db::Access;
use crate::registry::SqlRegistry;
use crate::registry::locations::file_records_table;
use crate::resource::{ChecksumAlgorithm, Resources};

impl FileDatastore {
    /// Opens a file datastore: `config` is its section, laid over the defaults; the whole
    /// configuration tells what `<butlerRoot>` is. The table of its records, and a local root if
    /// `create` is set, are made unless they are there.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the section is malformed or the root is missing; database and
    /// storage errors.
    pub async fn open(
        config: &Config,
        butler: &ButlerConfig,
        registry: SqlRegistry,
        resources: Resources,
    ) -> Result<Self> {
        let universe = registry.universe();
        let configured_root = config
            .get_str("root")?
            .ok_or_else(|| Error::Configuration("a file datastore needs a 'root'".to_owned()))?;
        let root = butler.resolve_directory(configured_root)?;
        // The root as configured, so that a repository can move without its datastore changing
        // its name.
        let name = match config.get_str("name")? {
            Some(name) => name.to_owned(),
            None => format!("FileDatastore@{configured_root}"),
        };
        let constraints = config.subset("constraints")?;
        let shared = Shared {
            table: config.require_str(".records.table")?.to_owned(),
            templates: FileTemplates::from_config(
                &config.require_subset("templates")?,
                None,
                universe,
            )?,
            formatters: FormatterTable::from_config(
                &config.require_subset("formatters")?,
                universe,
            )?,
            constraints: Constraints::from_config(constraints.as_ref(), universe)?,
            composites: CompositesMap::from_config(
                &config.subset("composites")?.unwrap_or_default(),
                universe,
            )?,
            checksum: config
                .get_bool("checksum")?
                .unwrap_or(false)
                .then_some(ChecksumAlgorithm::Blake2b),
            trust: config.get_bool("trust_get_request")?.unwrap_or(false),
            cache: match config.subset("cached")? {
                Some(section) => DatasetCache::new(&section, universe, resources.clone())?,
                None => DatasetCache::disabled(),
            },
            name,
            root,
            registry,
            resources,
        };
        let datastore = Self {
            shared: Arc::new(shared),
        };
        datastore
            .ensure_root(config.get_bool("create")?.unwrap_or(false))
            .await?;
        datastore.ensure_table().await?;
        Ok(datastore)
    }

    async fn ensure_root(&self, create: bool) -> Result<()> {
        let Shared {
            root, resources, ..
        } = &*self.shared;
        // Object stores have no directories that could be missing.
        if !root.is_local() || resources.exists(root).await? {
            return Ok(());
        }
        if !create {
            return Err(Error::Configuration(format!(
                "the root {root} of datastore '{}' does not exist, and the configuration does not \
                 allow to create it",
                self.shared.name
            )));
        }
        Ok(resources.make_directory(root).await?)
    }

    async fn ensure_table(&self) -> Result<()> {
        let database = self.registry().database();
        let table = &self.shared.table;
        if database.access() != Access::ReadWrite
            || database
                .table_exists(&mut database.read().await?, table)
                .await?
        {
            return Ok(());
        }
        let mut transaction = self.registry().begin().await?;
        transaction
            .register_opaque_table(&file_records_table(table))
            .await?;
        transaction.commit().await
    }
}

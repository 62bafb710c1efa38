//! Making a new repository.

use butler_core::config::Config;
use butler_core::dimensions::DimensionUniverse;
use butler_core::error::Result;

use crate::butler::{DirectButler, OpenOptions, connect, storage_classes};
use crate::config::{ButlerConfig, ConfigReader, Seed, SeedOptions};
use crate::db::{Access, ConnectOptions};
use crate::registry::versions::SchemaVersions;
use crate::registry::{DatasetTypeOverrides, SqlRegistry};
use crate::resource::{ResourcePath, Resources};

/// How a new repository is made.
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    /// What the repository's configuration is to say beyond the defaults.
    pub config: Config,
    /// The dimension universe as a JSON or YAML document; the default universe if unset.
    pub dimension_config: Option<String>,
    /// Write all defaults into the repository's configuration, so that later changes of the
    /// defaults have no effect.
    pub standalone: bool,
    /// Keep the datastore's root and the database's URL as `config` gives them, instead of
    /// putting both into the repository's root.
    pub keep_roots: bool,
    /// Where the configuration file goes if not into the repository's root.
    pub outfile: Option<ResourcePath>,
    /// Replace a configuration file that is there. A database is never replaced.
    pub overwrite: bool,
    /// Directories with defaults that win over those of `DAF_BUTLER_CONFIG_PATH`.
    pub search_path: Vec<ResourcePath>,
    /// The storages to write to; those of the process's environment if unset.
    pub resources: Option<Resources>,
}

impl DirectButler {
    /// Makes a repository: its directory, its configuration file and its database tables, and
    /// opens it for writing.
    ///
    /// If it fails, a configuration file that was not there before is taken away again and the
    /// database is unchanged, so that a second attempt can succeed.
    ///
    /// # Errors
    /// [`Error::FileExists`](butler_core::error::Error::FileExists) if there is a configuration file already and `overwrite` is not set;
    /// [`Error::ConflictingDefinition`](butler_core::error::Error::ConflictingDefinition) if the database holds a repository;
    /// [`Error::Configuration`](butler_core::error::Error::Configuration) if the configuration is malformed;
    /// [`Error::UnsupportedVersion`](butler_core::error::Error::UnsupportedVersion) if it asks for an unknown schema.
    pub async fn create(root: &str, options: CreateOptions) -> Result<Self> {
        let resources = options.resources.clone().unwrap_or_default();
        let reader = ConfigReader::new(resources.clone()).search_path(options.search_path.clone());
        let universe = match &options.dimension_config {
            Some(document) => DimensionUniverse::parse(document)?,
            None => DimensionUniverse::default_universe(),
        };
        let root = ResourcePath::options()
            .directory(true)
            .environment(resources.environment().clone())
            .parse(root)?;
        let seed_options = SeedOptions {
            standalone: options.standalone,
            force_root: !options.keep_roots,
        };
        let defaults = reader.defaults().await?;
        let mut seed = Seed::new(&options.config, &defaults, &seed_options)?;
        let versions = SchemaVersions::from_config(&seed.config)?;
        let file = seed
            .write(
                &resources,
                &root,
                options.outfile.as_ref(),
                options.overwrite,
            )
            .await?;
        let config = reader.complete(&seed.config, Some(file.clone())).await?;
        match create_database(&config, universe, &versions).await {
            Ok(registry) => {
                let open = OpenOptions {
                    writeable: true,
                    resources: Some(resources),
                    search_path: options.search_path,
                    ..OpenOptions::default()
                };
                Self::assemble(config, registry, open).await
            }
            Err(error) => {
                if !options.overwrite
                    && let Err(left) = resources.delete(&file).await
                {
                    tracing::warn!("{file} stays behind after a failure: {left}");
                }
                Err(error)
            }
        }
    }
}

async fn create_database(
    config: &ButlerConfig,
    universe: DimensionUniverse,
    versions: &SchemaVersions,
) -> Result<SqlRegistry> {
    let options = ConnectOptions {
        namespace: config.namespace()?,
        ..ConnectOptions::new(Access::ReadWrite, OpenOptions::default().max_connections)
    };
    let database = connect(config, &options).await?;
    let overrides = DatasetTypeOverrides::from_config(config.config())?;
    let registry =
        SqlRegistry::create(database, universe, versions, storage_classes(config)?).await?;
    Ok(registry.with_overrides(overrides))
}

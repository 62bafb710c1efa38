//! The configuration of a repository.

use butler_core::config::{Config, Defaults, Section, replace_root};
use butler_core::yaml::Value;
use butler_core::{Error, Result};

use super::database_url::{DatabaseUrl, Secret};
use super::db_auth::DbAuth;
use super::loader::ConfigLoader;
use super::repository_index::RepositoryIndex;
use super::search_path::LayeredDefaults;
use crate::environment::Environment;
use crate::resource::{ResourcePath, Resources};

/// The name of the configuration file in a repository.
pub(super) const FILE_NAME: &str = "butler.yaml";

/// The sections that are laid over defaults of their own.
const SECTIONS: [Section; 4] = [
    Section::Registry,
    Section::StorageClasses,
    Section::Datastore,
    Section::RepoTransferFormats,
];

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButlerKind {
    /// Through its database and files.
    Direct,
    /// Through a Butler server.
    Remote,
}

/// A repository's configuration, laid over all defaults.
#[derive(Clone, Debug)]
pub struct ButlerConfig {
    config: Config,
    file: Option<ResourcePath>,
    environment: Environment,
}

/// Finds and reads the configurations of repositories.
#[derive(Clone, Debug)]
pub struct ConfigReader {
    loader: ConfigLoader,
    search_path: Vec<ResourcePath>,
}

impl ConfigReader {
    /// Reads from these storages, and takes variables from their environment.
    pub fn new(resources: Resources) -> Self {
        Self {
            loader: ConfigLoader::new(resources),
            search_path: Vec::new(),
        }
    }

    /// Directories with defaults that win over those of `DAF_BUTLER_CONFIG_PATH`.
    pub fn search_path(mut self, directories: Vec<ResourcePath>) -> Self {
        self.search_path = directories;
        self
    }

    /// What reads the files.
    pub fn loader(&self) -> &ConfigLoader {
        &self.loader
    }

    /// The defaults of this site.
    ///
    /// # Errors
    /// A file of defaults cannot be read.
    pub async fn defaults(&self) -> Result<LayeredDefaults> {
        LayeredDefaults::read(&self.loader, &self.search_path).await
    }

    /// Opens a repository's configuration by its label in the repository index, its directory,
    /// or the address of its configuration file.
    ///
    /// # Errors
    /// [`Error::FileNotFound`], with the labels that would have been known;
    /// [`Error::Configuration`] if something is unreadable.
    pub async fn open(&self, repository: &str) -> Result<ButlerConfig> {
        let index = RepositoryIndex::from_environment(&self.loader).await;
        let label = index
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .and_then(|i| i.get(repository));
        let uri = ResourcePath::options()
            .environment(self.loader.environment().clone())
            .parse(label.unwrap_or(repository))?;
        match self.open_uri(&uri).await {
            Err(Error::FileNotFound(missing)) => {
                let hint = match (label, &index) {
                    (Some(_), _) => format!("resolved from the label '{repository}'"),
                    (None, Ok(Some(index))) => {
                        let known: Vec<&str> = index.labels().collect();
                        format!(
                            "'{repository}' is no label; known are: {}",
                            known.join(", ")
                        )
                    }
                    (None, Ok(None)) => {
                        format!("'{repository}' is no label, because there is no repository index")
                    }
                    (None, Err(error)) => {
                        format!("'{repository}' was not looked up as a label: {error}")
                    }
                };
                Err(Error::FileNotFound(format!("{missing} ({hint})")))
            }
            other => other,
        }
    }

    /// Opens a configuration by the address of its file, or of the directory it is in.
    ///
    /// # Errors
    /// See [`open`](Self::open).
    pub async fn open_uri(&self, uri: &ResourcePath) -> Result<ButlerConfig> {
        let resources = self.loader.resources();
        let is_directory =
            resources.is_directory(uri).await? || (!uri.is_local() && uri.extension().is_empty());
        let file = if is_directory {
            uri.as_directory()?.join(FILE_NAME)?
        } else {
            uri.clone()
        };
        let config = self.loader.load(&file).await?;
        self.complete(&config, Some(file)).await
    }

    /// Lays a configuration over all defaults.
    ///
    /// # Errors
    /// Defaults cannot be read, or a section is malformed.
    pub async fn complete(
        &self,
        config: &Config,
        file: Option<ResourcePath>,
    ) -> Result<ButlerConfig> {
        let config = expand(config, &self.defaults().await?)?;
        Ok(ButlerConfig {
            config,
            file,
            environment: self.loader.environment().clone(),
        })
    }
}

/// Lays a configuration over defaults, section by section.
pub(super) fn expand(config: &Config, defaults: &dyn Defaults) -> Result<Config> {
    let mut rest = config.clone();
    let mut full = Config::new();
    for section in SECTIONS {
        let name = section.component();
        let own = if config.contains(name) {
            config.clone()
        } else {
            Config::new()
        };
        full.set(name, section.expand(&own, defaults)?)?;
        rest.remove(name);
    }
    full.update(&rest);
    Ok(full)
}

impl ButlerConfig {
    /// The whole tree.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file it was read from.
    pub fn file(&self) -> Option<&ResourcePath> {
        self.file.as_ref()
    }

    /// How the repository is reached.
    ///
    /// # Errors
    /// The configuration asks for a class that is not known.
    pub fn kind(&self) -> Result<ButlerKind> {
        match self.config.get_str("cls")? {
            None | Some("lsst.daf.butler.direct_butler.DirectButler") => Ok(ButlerKind::Direct),
            Some("lsst.daf.butler.remote_butler.RemoteButler") => Ok(ButlerKind::Remote),
            Some(other) => Err(Error::Configuration(format!(
                "the configuration asks for the unknown Butler class {other:?}"
            ))),
        }
    }

    /// The repository's root directory: the `root` key, else where the file is.
    ///
    /// # Errors
    /// The `root` is not a usable address.
    pub fn root(&self) -> Result<Option<ResourcePath>> {
        match self.config.get_str("root")? {
            Some(root) => Ok(Some(
                ResourcePath::options()
                    .directory(true)
                    .environment(self.environment.clone())
                    .parse(root)?,
            )),
            None => Ok(self.file.as_ref().map(ResourcePath::dirname)),
        }
    }

    /// What `<butlerRoot>` stands for: the path of a local root, the address of another.
    ///
    /// # Errors
    /// See [`root`](Self::root).
    pub fn root_text(&self) -> Result<Option<String>> {
        Ok(self.root()?.map(|root| {
            let text = match root.local_path() {
                Some(path) => path.to_string_lossy().into_owned(),
                None => root.to_string(),
            };
            match text.trim_end_matches('/') {
                "" => text,
                trimmed => trimmed.to_owned(),
            }
        }))
    }

    /// Replaces `<butlerRoot>` in a value.
    ///
    /// # Errors
    /// The value needs a root, and there is none.
    pub fn replace_root(&self, value: &str) -> Result<String> {
        replace_root(value, self.root_text()?.as_deref())
    }

    /// A directory named in the configuration, such as a datastore's root: `<butlerRoot>`, `~`
    /// and environment variables are replaced.
    ///
    /// # Errors
    /// The value needs a root, and there is none; or it is not a usable address.
    pub fn resolve_directory(&self, value: &str) -> Result<ResourcePath> {
        Ok(ResourcePath::options()
            .directory(true)
            .environment(self.environment.clone())
            .parse(&self.replace_root(value)?)?)
    }

    /// The registry section.
    ///
    /// # Errors
    /// The section is not a mapping.
    pub fn registry(&self) -> Result<Config> {
        self.config.require_subset(Section::Registry.component())
    }

    /// The datastore section.
    ///
    /// # Errors
    /// The section is not a mapping.
    pub fn datastore(&self) -> Result<Config> {
        self.config.require_subset(Section::Datastore.component())
    }

    /// The PostgreSQL schema that holds the registry's tables, if one is named.
    ///
    /// # Errors
    /// The value is not a string.
    pub fn namespace(&self) -> Result<Option<String>> {
        Ok(self.registry()?.get_str("namespace")?.map(str::to_owned))
    }

    /// Where the registry's database is, with credentials: what `registry.db` lacks comes from
    /// the keys beside it (`username`, `password`, `host`, `port`, `database`), then from
    /// `db-auth.yaml`, whose credentials win, then from the defaults of PostgreSQL clients.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the URL or the credentials cannot be understood.
    pub fn database_url(&self) -> Result<DatabaseUrl> {
        let registry = self.registry()?;
        let text = self.replace_root(registry.require_str("db")?)?;
        let mut url = DatabaseUrl::parse(&text)?;
        if let DatabaseUrl::Postgres(url) = &mut url {
            let key = |name: &str| match registry.get(name) {
                Some(Value::Str(text)) => Some(text.clone()),
                Some(Value::Int(number)) => Some(number.to_string()),
                _ => None,
            };
            url.user = url.user.take().or_else(|| key("username"));
            url.password = url
                .password
                .take()
                .or_else(|| key("password").map(Secret::new));
            url.host = url.host.take().or_else(|| key("host"));
            if let (None, Some(port)) = (url.port, key("port")) {
                let port = port.parse().map_err(|_| {
                    Error::Configuration(format!("registry.port: {port:?} is not a port number"))
                })?;
                url.port = Some(port);
            }
            url.database = url.database.take().or_else(|| key("database"));
            if url.host.is_some()
                && url.database.is_some()
                && let Some(auth) = DbAuth::from_environment(&self.environment)?
                && let Some(found) = auth.find(url)?
            {
                url.user = found.user;
                url.password = Some(found.password);
            }
            url.complete(&self.environment);
        }
        Ok(url)
    }
}

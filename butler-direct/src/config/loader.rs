//! Reading configuration files with everything they include.

use butler_core::config::{Config, INCLUDE_TAG};
use butler_core::yaml::{self, Value};
use butler_core::{Error, Result};
use futures::future::{BoxFuture, FutureExt};

use crate::environment::Environment;
use crate::resource::{ResourcePath, Resources};

/// How deeply files may include each other; more is taken for a circle.
const MAX_DEPTH: usize = 32;

/// Reads YAML and JSON configuration files from any storage.
///
/// `!include` is replaced by the content of files beside the including one; `includeConfigs`
/// merges files (sought in the working directory, then beside the including file) below the
/// values that stand next to it. Variables are expanded in the names of included files, nowhere
/// else.
#[derive(Clone, Debug)]
pub struct ConfigLoader {
    resources: Resources,
}

impl ConfigLoader {
    /// A loader which reads from these storages and takes variables from their environment.
    pub fn new(resources: Resources) -> Self {
        Self { resources }
    }

    /// The storages it reads from.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    pub(super) fn environment(&self) -> &Environment {
        self.resources.environment()
    }

    /// Reads a file, which must be named `….yaml` or `….json`.
    ///
    /// # Errors
    /// [`Error::FileNotFound`] if the file, or one that it includes, does not exist;
    /// [`Error::Configuration`] with file and line if one is unreadable.
    pub async fn load(&self, file: &ResourcePath) -> Result<Config> {
        self.load_at(file.clone(), 0).await
    }

    fn load_at(&self, file: ResourcePath, depth: usize) -> BoxFuture<'_, Result<Config>> {
        async move {
            let value = match self.load_value(file.clone(), depth).await? {
                Value::Null => return Ok(Config::new()),
                value => value,
            };
            let mut config =
                Config::try_from(value).map_err(|error| in_file(&file, &message(error)))?;
            let sites = config
                .include_sites()
                .map_err(|error| in_file(&file, &message(error)))?;
            for site in sites {
                let mut included = Vec::new();
                for name in &site.files {
                    let found = self.find_include(&file, name).await?;
                    included.push(self.load_at(found, depth + 1).await?);
                }
                config
                    .apply_include(&site, &included)
                    .map_err(|error| in_file(&file, &message(error)))?;
            }
            Ok(config)
        }
        .boxed()
    }

    /// A file named by `includeConfigs`.
    async fn find_include(&self, file: &ResourcePath, name: &str) -> Result<ResourcePath> {
        let expanded = self.environment().expand_variables(name);
        let wanted = self.relative(&expanded)?;
        if wanted.is_absolute() {
            return Ok(wanted);
        }
        let working_directory = ResourcePath::options().directory(true).parse(".")?;
        for directory in [working_directory, file.parent()] {
            let candidate = directory.join(wanted.path())?;
            if self.resources.exists(&candidate).await? {
                return Ok(candidate);
            }
        }
        Err(Error::FileNotFound(format!(
            "{expanded}, included by {file}"
        )))
    }

    fn relative(&self, name: &str) -> Result<ResourcePath> {
        Ok(ResourcePath::options()
            .absolute(false)
            .directory(false)
            .environment(self.environment().clone())
            .parse(name)?)
    }

    fn load_value(&self, file: ResourcePath, depth: usize) -> BoxFuture<'_, Result<Value>> {
        async move {
            if depth > MAX_DEPTH {
                return Err(in_file(
                    &file,
                    "files include each other too deeply, probably in a circle",
                ));
            }
            let is_yaml = match file.extension() {
                ".yaml" => true,
                ".json" => false,
                _ if !self.resources.exists(&file).await? => {
                    return Err(Error::FileNotFound(file.to_string()));
                }
                _ => {
                    return Err(in_file(
                        &file,
                        "a configuration file must be named *.yaml or *.json",
                    ));
                }
            };
            let data = self.resources.read(&file).await?;
            let text = std::str::from_utf8(&data).map_err(|error| {
                let line = 1 + data[..error.valid_up_to()]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count();
                in_file(&file, &format!("line {line}: not valid UTF-8"))
            })?;
            if !is_yaml {
                let json: serde_json::Value = serde_json::from_str(text)
                    .map_err(|error| in_file(&file, &error.to_string()))?;
                return Ok(Value::from(json));
            }
            let value = yaml::parse(text).map_err(|error| in_file(&file, &error.to_string()))?;
            self.resolve(value, &file, depth).await
        }
        .boxed()
    }

    /// Replaces every `!include` in a tree.
    fn resolve<'a>(
        &'a self,
        value: Value,
        file: &'a ResourcePath,
        depth: usize,
    ) -> BoxFuture<'a, Result<Value>> {
        async move {
            Ok(match value {
                Value::Tagged(tagged) if tagged.tag == INCLUDE_TAG => {
                    self.include(tagged.value, file, depth).await?
                }
                Value::Seq(items) => {
                    let mut resolved = Vec::with_capacity(items.len());
                    for item in items {
                        resolved.push(self.resolve(item, file, depth).await?);
                    }
                    Value::Seq(resolved)
                }
                Value::Map(mut map) => {
                    for slot in map.values_mut() {
                        *slot = self.resolve(std::mem::take(slot), file, depth).await?;
                    }
                    Value::Map(map)
                }
                other => other,
            })
        }
        .boxed()
    }

    /// What an `!include` stands for: one file, a list of files, or a mapping to files.
    async fn include(&self, node: Value, file: &ResourcePath, depth: usize) -> Result<Value> {
        Ok(match node {
            Value::Str(name) => self.include_one(&name, file, depth).await?,
            Value::Seq(names) => {
                let mut contents = Vec::with_capacity(names.len());
                for name in &names {
                    contents.push(
                        self.include_one(file_name(name, file)?, file, depth)
                            .await?,
                    );
                }
                Value::Seq(contents)
            }
            Value::Map(mut names) => {
                for slot in names.values_mut() {
                    *slot = self
                        .include_one(file_name(slot, file)?, file, depth)
                        .await?;
                }
                Value::Map(names)
            }
            other => return Err(not_a_file_name(&other, file)),
        })
    }

    async fn include_one(&self, name: &str, file: &ResourcePath, depth: usize) -> Result<Value> {
        let wanted = self.relative(name)?;
        let wanted = if wanted.is_absolute() {
            wanted
        } else {
            file.with_file_name(name)?
        };
        match self.load_included(wanted, depth + 1).await {
            Err(Error::FileNotFound(missing)) => Err(Error::FileNotFound(format!(
                "{missing}, included by {file}"
            ))),
            other => other,
        }
    }

    /// Included text is YAML whatever the file is called.
    async fn load_included(&self, file: ResourcePath, depth: usize) -> Result<Value> {
        if file.extension() == ".yaml" || depth > MAX_DEPTH {
            return self.load_value(file, depth).await;
        }
        let data = self.resources.read(&file).await?;
        let text = std::str::from_utf8(&data)
            .map_err(|_| in_file(&file, "the file is not valid UTF-8"))?;
        let value = yaml::parse(text).map_err(|error| in_file(&file, &error.to_string()))?;
        self.resolve(value, &file, depth).await
    }
}

fn file_name<'v>(value: &'v Value, file: &ResourcePath) -> Result<&'v str> {
    value.as_str().ok_or_else(|| not_a_file_name(value, file))
}

fn not_a_file_name(value: &Value, file: &ResourcePath) -> Error {
    in_file(
        file,
        &format!(
            "{INCLUDE_TAG} needs the name of a file, but got {}",
            value.kind()
        ),
    )
}

/// A fault in a file.
pub(super) fn in_file(file: &ResourcePath, fault: &str) -> Error {
    Error::Configuration(format!("{file}: {fault}"))
}

/// An error's text without the words that say it is about configuration.
pub(super) fn message(error: Error) -> String {
    match error {
        Error::Configuration(text) => text,
        other => other.to_string(),
    }
}

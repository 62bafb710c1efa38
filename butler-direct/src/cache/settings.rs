//! What a cache is told by configuration and environment.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use butler_core::config::Config;
use butler_core::{Error, Result};

use crate::environment::Environment;
use crate::resource::ResourcePath;

const DIRECTORY: &str = "DAF_BUTLER_CACHE_DIRECTORY";
const DIRECTORY_IF_UNSET: &str = "DAF_BUTLER_CACHE_DIRECTORY_IF_UNSET";
const EXPIRATION: &str = "DAF_BUTLER_CACHE_EXPIRATION_MODE";

/// When files leave the cache. It is made room before a file is added, so the cache may hold one
/// more than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nothing is cached.
    Disabled,
    /// Nothing ever leaves.
    Never,
    /// At most this many files stay.
    Files(u64),
    /// Files of at most this many datasets stay.
    Datasets(u64),
    /// At most this many bytes stay.
    Size(u64),
    /// Files leave when they have not been used for this long.
    Age(Duration),
}

impl Expiry {
    fn new(mode: &str, threshold: Option<i64>) -> Result<Self> {
        if mode == "disabled" {
            return Ok(Self::Disabled);
        }
        let threshold = threshold.ok_or_else(|| {
            Error::Configuration(format!("cache expiry mode {mode:?} needs a threshold"))
        })?;
        let limit = u64::try_from(threshold).map_err(|_| {
            Error::Configuration(format!("cache expiry threshold {threshold} is negative"))
        });
        match mode {
            "files" => limit.map(Self::Files),
            "datasets" => limit.map(Self::Datasets),
            "size" => limit.map(Self::Size),
            "age" => limit.map(|seconds| Self::Age(Duration::from_secs(seconds))),
            _ => Err(Error::Configuration(format!(
                "unknown cache expiry mode {mode:?}; expected disabled, files, datasets, size or \
                 age"
            ))),
        }
    }

    /// What the environment says; `None` if it says nothing that can be understood.
    fn from_environment(environment: &Environment) -> Result<Option<Self>> {
        let Some(text) = environment.get_non_empty(EXPIRATION) else {
            return Ok(None);
        };
        if text == "disabled" {
            return Self::new(&text, None).map(Some);
        }
        let Some((mode, threshold)) = text.split_once('=') else {
            tracing::warn!(
                value = text,
                "{EXPIRATION} is ignored; expected 'disabled' or mode=threshold"
            );
            return Ok(None);
        };
        let threshold = threshold.trim().parse().map_err(|_| {
            Error::Configuration(format!(
                "{EXPIRATION}: threshold {threshold:?} is not a number"
            ))
        })?;
        Self::new(mode, Some(threshold)).map(Some)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::Never => f.write_str("never"),
            Self::Files(limit) => write!(f, "files={limit}"),
            Self::Datasets(limit) => write!(f, "datasets={limit}"),
            Self::Size(limit) => write!(f, "size={limit}"),
            Self::Age(limit) => write!(f, "age={}", limit.as_secs()),
        }
    }
}

/// Where a cache is and when files leave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The directory; `None` for a temporary one, made when it is first needed.
    pub directory: Option<PathBuf>,
    /// When files leave.
    pub expiry: Expiry,
}

impl CacheSettings {
    /// Reads the `cached` section of a datastore. The environment goes before it:
    /// `DAF_BUTLER_CACHE_EXPIRATION_MODE` (`disabled` or `mode=threshold`) and
    /// `DAF_BUTLER_CACHE_DIRECTORY`; `DAF_BUTLER_CACHE_DIRECTORY_IF_UNSET` comes after both.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a setting cannot be understood or the directory is not local.
    pub fn new(config: &Config, environment: &Environment) -> Result<Self> {
        let expiry = match Expiry::from_environment(environment)? {
            Some(expiry) => expiry,
            None => match config.get_str(".expiry.mode")? {
                Some(mode) => Expiry::new(mode, config.get_i64(".expiry.threshold")?)?,
                None => Expiry::Never,
            },
        };
        let named = match environment.get_non_empty(DIRECTORY) {
            Some(name) => Some(name),
            None => config.get_str("root")?.map(str::to_owned),
        };
        let named = named.or_else(|| environment.get_non_empty(DIRECTORY_IF_UNSET));
        let directory = match named.filter(|_| expiry != Expiry::Disabled) {
            None => None,
            Some(name) => {
                let uri = ResourcePath::options()
                    .directory(true)
                    .environment(environment.clone())
                    .parse(&name)?;
                Some(uri.local_path().ok_or_else(|| {
                    Error::Configuration(format!(
                        "the cache directory must be in the local file system, not {uri}"
                    ))
                })?)
            }
        };
        Ok(Self { directory, expiry })
    }
}

//! How the publication service is configured: by flags, by the environment (the variables of the
//! deployed service and some more), and by a file, in this order of precedence.

// The texts of options are the command's help as well, where marks would be in the way.
#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use butler_core::yaml;
use butler_direct::resource::ResourcePath;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inputs::kafka::{KafkaInput, KafkaInputOptions};
use crate::notify::{Lists, NotifyOptions, Webhook};
use crate::policy::Policy;
use crate::repositories::{Repositories, RepositoryOptions};
use crate::scheduler::Schedule;
use crate::state::{RepositoryName, StateLocation};
use crate::tasks::Limits;
use crate::web::{WebOptions, WebSettings};

/// What is wrong with the settings, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub(crate) String);

/// Where the state database is.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateOptions {
    /// The state database: postgresql://USER@HOST:PORT/DATABASE (with ?schema=NAME for a schema), or
    /// sqlite:///PATH for trial.
    #[arg(long, env = "PROMPTPUB_STATE_DATABASE_URI", value_name = "URI")]
    pub state_database_uri: Option<String>,

    /// The password of the state database, if it is not in the URI.
    #[arg(
        long,
        env = "PROMPTPUB_STATE_DATABASE_PASSWORD",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub state_database_password: Option<String>,
}

impl StateOptions {
    /// Where the state database is.
    ///
    /// # Errors
    /// It is not set, or not understood.
    pub fn location(&self) -> Result<StateLocation, SettingsError> {
        let uri = self.state_database_uri.as_deref().ok_or_else(|| {
            SettingsError(
                "there is no state database: set PROMPTPUB_STATE_DATABASE_URI (or \
                 --state-database-uri)"
                    .to_owned(),
            )
        })?;
        StateLocation::parse(uri, self.state_database_password.as_deref())
            .map_err(|error| SettingsError(error.to_string()))
    }
}

/// How the publication service runs.
///
/// Flags win over environment variables, these over the file. The file is YAML with the names of the
/// long flags, with underscores: `batch_size: 500`. Repositories are directories, addresses of
/// configuration files, or labels of the repository index. Their credentials come from where the
/// reference looks for them: PGUSER, PGPASSFILE, LSST_DB_AUTH, S3_ENDPOINT_URL and the like.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A YAML file with settings.
    #[arg(long, env = "PROMPTPUB_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// Where the state database is.
    #[command(flatten)]
    #[serde(flatten)]
    pub state: StateOptions,

    /// The repository that Prompt Processing writes to.
    #[arg(long, env = "PROMPTPUB_EMBARGO_REPO_PATH", value_name = "REPO")]
    pub embargo_repo_path: Option<String>,

    /// The staging repository, prompt_prep.
    #[arg(long, env = "PROMPTPUB_PROMPT_PREP_REPO_PATH", value_name = "REPO")]
    pub prompt_prep_repo_path: Option<String>,

    /// The repository of staff, /repo/main, on the same file system as prompt_prep.
    #[arg(long, env = "PROMPTPUB_MAIN_REPO_PATH", value_name = "REPO")]
    pub main_repo_path: Option<String>,

    /// The public repository of the integration environment.
    #[arg(long, env = "PROMPTPUB_GOOGLE_INT_REPO_PATH", value_name = "REPO")]
    pub google_int_repo_path: Option<String>,

    /// The public repository.
    #[arg(long, env = "PROMPTPUB_GOOGLE_PROD_REPO_PATH", value_name = "REPO")]
    pub google_prod_repo_path: Option<String>,

    /// A directory (local or S3) to read batch files and lists of datasets from.
    #[arg(
        long,
        env = "PROMPTPUB_EMBARGO_BATCH_FILE_DIRECTORY",
        value_name = "DIR"
    )]
    pub embargo_batch_file_directory: Option<String>,

    /// Where the Butler writer announces its batches.
    #[command(flatten)]
    #[serde(flatten)]
    pub kafka: KafkaInputOptions,

    /// How users are told of releases.
    #[command(flatten)]
    #[serde(flatten)]
    pub notify: NotifyOptions,

    /// The policy, in YAML [default: that of RFC-1134; see `policy show`].
    #[arg(long, env = "PROMPTPUB_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Runs of raw images in the public repositories, below Prompt/Available
    /// [default: LSSTCam/raw/all].
    #[arg(
        long,
        env = "PROMPTPUB_RAW_COLLECTIONS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub raw_collections: Option<Vec<String>>,

    /// Datasets that are acted on together [default: 1000].
    #[arg(long, env = "PROMPTPUB_BATCH_SIZE", value_name = "N")]
    pub batch_size: Option<usize>,

    /// Batches that are acted on at once, of all tasks together [default: 4].
    #[arg(long, env = "PROMPTPUB_WORKERS", value_name = "N")]
    pub workers: Option<usize>,

    /// Datasets that a run of a task takes up [default: 20000].
    #[arg(long, env = "PROMPTPUB_RUN_SIZE", value_name = "N")]
    pub run_size: Option<usize>,

    /// Seconds between two runs of a task [default: 60].
    #[arg(long, env = "PROMPTPUB_INTERVAL_SECONDS", value_name = "N")]
    pub interval_seconds: Option<u64>,

    /// For how many seconds files that were being deleted when the service was killed are left alone
    /// [default: 300].
    #[arg(long, env = "PROMPTPUB_TRASH_CLAIM_SECONDS", value_name = "N")]
    pub trash_claim_seconds: Option<u64>,

    /// Connections to the state database [default: 10].
    #[arg(long, env = "PROMPTPUB_STATE_CONNECTIONS", value_name = "N")]
    pub state_connections: Option<u32>,

    /// The web app.
    #[command(flatten)]
    #[serde(flatten)]
    pub web: WebOptions,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the state database is.
    pub state: StateLocation,
    /// Connections to the state database.
    pub state_connections: u32,
    /// Where each repository is.
    pub repositories: Vec<(RepositoryName, String)>,
    /// A directory to read batch files and lists from.
    pub directory: Option<ResourcePath>,
    /// Where the Butler writer announces batches, whose files are in that directory.
    pub kafka: Option<KafkaInput>,
    /// Where lists of releases are kept.
    pub lists: Option<Lists>,
    /// Who is told of releases.
    pub webhooks: Vec<Webhook>,
    /// What becomes of datasets.
    pub policy: Policy,
    /// Runs of raw images in the public repositories.
    pub raws: Vec<String>,
    /// How much is done at once.
    pub limits: Limits,
    /// How often tasks run.
    pub schedule: Schedule,
    /// For how long files are left alone that were being deleted when the service was killed.
    pub trash_claim: Duration,
    /// The web app, if there is to be one.
    pub web: Option<WebSettings>,
}

impl Settings {
    /// The repositories, of which none is open yet.
    #[must_use]
    pub fn repositories(&self) -> Repositories {
        let options = RepositoryOptions {
            resources: None,
            trash_claim: Some(self.trash_claim),
        };
        Repositories::new(self.repositories.iter().cloned(), options)
    }
}

impl Options {
    /// Lays the options over those of a file.
    fn over_file(self, file: &Path) -> Result<Self, SettingsError> {
        let fail = |what: &dyn std::fmt::Display| {
            SettingsError(format!("the configuration file {}: {what}", file.display()))
        };
        let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
        let document = yaml::parse(&text).map_err(|error| fail(&error))?;
        let mut merged = match document.to_json() {
            Value::Object(settings) => settings,
            Value::Null => serde_json::Map::new(),
            _ => return Err(fail(&"it must be a mapping of settings")),
        };
        let Value::Object(given) = serde_json::json!(self) else {
            return Ok(self);
        };
        if let Some(unknown) = merged.keys().find(|name| !given.contains_key(*name)) {
            return Err(fail(&format_args!("there is no setting '{unknown}'")));
        }
        merged.extend(given.into_iter().filter(|(_, value)| !value.is_null()));
        serde_json::from_value(Value::Object(merged)).map_err(|error| fail(&error))
    }

    /// The settings, checked.
    ///
    /// # Errors
    /// What is wrong with them, in one line.
    pub fn check(self) -> Result<Settings, SettingsError> {
        let options = match self.config.clone() {
            Some(file) => self.over_file(&file)?,
            None => self,
        };
        let state = options.state.location()?;
        let policy = Policy::load(options.policy.as_deref())
            .map_err(|error| SettingsError(error.to_string()))?;
        let given = [
            (
                RepositoryName::Embargo,
                options.embargo_repo_path,
                "EMBARGO",
            ),
            (
                RepositoryName::PromptPrep,
                options.prompt_prep_repo_path,
                "PROMPT_PREP",
            ),
            (RepositoryName::Main, options.main_repo_path, "MAIN"),
            (
                RepositoryName::GoogleInt,
                options.google_int_repo_path,
                "GOOGLE_INT",
            ),
            (
                RepositoryName::GoogleProd,
                options.google_prod_repo_path,
                "GOOGLE_PROD",
            ),
        ];
        let mut repositories = Vec::with_capacity(given.len());
        for (name, uri, variable) in given {
            match uri.filter(|uri| !uri.is_empty()) {
                Some(uri) => repositories.push((name, uri)),
                None => {
                    return Err(SettingsError(format!(
                        "nothing says where repository {name} is: set PROMPTPUB_{variable}_REPO_PATH"
                    )));
                }
            }
        }
        let directory = options
            .embargo_batch_file_directory
            .filter(|directory| !directory.is_empty())
            .map(|directory| {
                ResourcePath::options()
                    .directory(true)
                    .parse(&directory)
                    .map_err(|error| {
                        SettingsError(format!("embargo_batch_file_directory: {error}"))
                    })
            })
            .transpose()?;
        let kafka = options.kafka.input()?;
        if kafka.is_some() && directory.is_none() {
            return Err(SettingsError(
                "batches are to be heard of through Kafka, but nothing says where their files are: \
                 set PROMPTPUB_EMBARGO_BATCH_FILE_DIRECTORY"
                    .to_owned(),
            ));
        }
        let default = Limits::default();
        let limits = Limits {
            batch: bounded("batch_size", options.batch_size, default.batch, 50_000)?,
            workers: bounded("workers", options.workers, default.workers, 256)?,
            run: bounded("run_size", options.run_size, default.run, 1_000_000)?,
        };
        Ok(Settings {
            state,
            state_connections: bounded(
                "state_connections",
                options.state_connections.map(|n| n as usize),
                10,
                1_000,
            )
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX))?,
            repositories,
            directory,
            kafka,
            lists: options.notify.lists()?,
            webhooks: options.notify.webhooks()?,
            policy,
            raws: options
                .raw_collections
                .unwrap_or_else(|| vec!["LSSTCam/raw/all".to_owned()]),
            limits,
            schedule: Schedule {
                interval: Duration::from_secs(options.interval_seconds.unwrap_or(60).max(1)),
            },
            trash_claim: Duration::from_secs(options.trash_claim_seconds.unwrap_or(300).max(1)),
            web: options.web.check()?,
        })
    }
}

fn bounded(
    name: &str,
    value: Option<usize>,
    default: usize,
    most: usize,
) -> Result<usize, SettingsError> {
    match value.unwrap_or(default) {
        value if (1..=most).contains(&value) => Ok(value),
        value => Err(SettingsError(format!(
            "{name} must be from 1 to {most}, not {value}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn minimal() -> Options {
        let repo = |name: &str| Some(format!("/repo/{name}"));
        Options {
            state: StateOptions {
                state_database_uri: Some("sqlite:////tmp/state.db".to_owned()),
                state_database_password: None,
            },
            embargo_repo_path: repo("embargo"),
            prompt_prep_repo_path: repo("prompt_prep"),
            main_repo_path: repo("main"),
            google_int_repo_path: repo("int"),
            google_prod_repo_path: repo("prod"),
            ..Options::default()
        }
    }

    #[test]
    fn the_variables_of_the_deployed_service_are_enough() {
        let settings = minimal().check().unwrap();
        assert_eq!(settings.repositories.len(), 5);
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn wrong_values_are_refused_in_one_line() {
        let wrong = [
            Options::default(),
            Options {
                main_repo_path: None,
                ..minimal()
            },
            Options {
                workers: Some(0),
                ..minimal()
            },
            Options {
                policy: Some("/does/not/exist".into()),
                ..minimal()
            },
        ];
        for options in wrong {
            let shown = format!("{options:?}");
            let said = options.check().unwrap_err().to_string();
            assert_eq!(said.lines().count(), 1, "{shown}: {said}");
        }
    }

    #[test]
    fn receivers_may_be_in_the_file_of_settings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text =
            "webhooks:\n- {name: a, url: 'https://a.example/', secret: sixteen bytes or more}\n";
        std::fs::write(file.path(), text).unwrap();
        let options = Options {
            config: Some(file.path().to_owned()),
            ..minimal()
        };
        let webhooks = options.check().unwrap().webhooks;
        assert_eq!(webhooks[0].name, "a");
        assert!(!format!("{webhooks:?}").contains("sixteen"));
    }

    #[test]
    fn flags_win_over_the_file_and_unknown_settings_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "batch_size: 7\nworkers: 3\n").unwrap();
        let options = Options {
            config: Some(file.path().to_owned()),
            workers: Some(2),
            ..minimal()
        };
        let limits = options.clone().check().unwrap().limits;
        assert_eq!((limits.batch, limits.workers), (7, 2));
        std::fs::write(file.path(), "batchsize: 7\n").unwrap();
        assert!(
            options
                .check()
                .unwrap_err()
                .to_string()
                .contains("batchsize")
        );
    }
}

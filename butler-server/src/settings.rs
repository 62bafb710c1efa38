//! How the server is configured: by flags, by the environment (the reference's variables and some
//! of its own), and by a file, in this order of precedence.

// The texts of options are the command's help as well, where marks would be in the way.
#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags)]

mod authentication;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use butler_core::yaml;
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

pub use authentication::{Authentication, AuthenticationOptions, JwtKeys, JwtSettings};

/// The most seconds that a statement may have: about as many as PostgreSQL can count.
const LONGEST_STATEMENT: u64 = 2_000_000;

/// What is wrong with the settings, in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// Serves Butler repositories over REST, read-only.
///
/// Flags win over environment variables, these over the file. The file is YAML with the names of
/// the long flags, with underscores: `max_user_queries: 4`. Credentials of databases and object
/// stores come from where the reference looks for them: PGUSER, PGPASSFILE, LSST_DB_AUTH,
/// S3_ENDPOINT_URL, LSST_RESOURCES_S3_PROFILE_<name>, AWS_SHARED_CREDENTIALS_FILE and the like.
/// OTEL_EXPORTER_OTLP_ENDPOINT switches the export of traces on; SENTRY_DSN is accepted and ignored.
#[derive(Debug, Default, Parser, Serialize, Deserialize)]
#[command(name = "butler-server", version)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A YAML file with settings.
    #[arg(long, env = "DAF_BUTLER_SERVER_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// The repositories: a JSON object of labels, each with "config_uri" (directory, configuration
    /// file or label of the repository index) and "authorized_groups" ("*" is everybody).
    #[arg(long, env = "DAF_BUTLER_SERVER_REPOSITORIES", value_name = "JSON")]
    pub repositories: Option<Repositories>,

    /// The address to listen on [default: 0.0.0.0:8080].
    #[arg(long, env = "DAF_BUTLER_SERVER_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// Where Gafaelfawr is, such as https://data.lsst.cloud/auth, or DISABLED to let everybody in.
    #[arg(long, env = "DAF_BUTLER_SERVER_GAFAELFAWR_URL", value_name = "URL")]
    pub gafaelfawr_url: Option<String>,

    /// Who lets clients read files: the server by signed URLs, or (cadc) the storage itself
    /// [default: rubin_science_platform].
    #[arg(long, env = "DAF_BUTLER_SERVER_AUTHENTICATION", value_enum)]
    pub authentication: Option<FileAccess>,

    /// A directory of files to serve below /api/butler/configs.
    #[arg(long, env = "DAF_BUTLER_SERVER_STATIC_FILES_PATH", value_name = "DIR")]
    pub static_files_path: Option<PathBuf>,

    /// The URL that clients reach this server at [default: taken from each request].
    #[arg(long, env = "DAF_BUTLER_SERVER_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,

    /// Verify bearer tokens (JWT) with the keys published here, instead of asking Gafaelfawr.
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<String>,

    /// Verify bearer tokens (JWT) with the keys in this file: a JWKS or a public key in PEM.
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_KEY_FILE", value_name = "FILE")]
    pub jwt_key_file: Option<PathBuf>,

    /// The issuer that bearer tokens must have.
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,

    /// The audience that bearer tokens must have.
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,

    /// The claim with the user's name [default: sub].
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_USER_CLAIM", value_name = "NAME")]
    pub jwt_user_claim: Option<String>,

    /// The claim with the user's groups: a list of names, or names separated by spaces
    /// [default: groups].
    #[arg(long, env = "DAF_BUTLER_SERVER_JWT_GROUPS_CLAIM", value_name = "NAME")]
    pub jwt_groups_claim: Option<String>,

    /// For how many seconds the groups of a user are remembered [default: 60].
    #[arg(long, env = "DAF_BUTLER_SERVER_GROUP_CACHE_SECONDS", value_name = "N")]
    pub group_cache_seconds: Option<u64>,

    /// For how many seconds URLs of files are valid, at most 604800 [default: 3600].
    #[arg(long, env = "DAF_BUTLER_SERVER_URL_LIFETIME_SECONDS", value_name = "N")]
    pub url_lifetime_seconds: Option<u64>,

    /// How URLs of objects in S3 are signed [default: v4]. With v2, which is older and weaker,
    /// the Python client can ask whether an object exists.
    #[arg(long, env = "DAF_BUTLER_SERVER_S3_SIGNATURE_VERSION", value_enum)]
    pub s3_signature_version: Option<S3Signature>,

    /// The secret with which URLs of files on disk are signed, at least 32 characters. All replicas
    /// need the same [default: made up at start].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_URL_SIGNING_KEY",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub url_signing_key: Option<String>,

    /// Streaming queries at once, in all [default: 25].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_MAX_STREAMING_QUERIES",
        value_name = "N"
    )]
    pub max_streaming_queries: Option<usize>,

    /// Streaming queries at once of one user [default: 2].
    #[arg(long, env = "DAF_BUTLER_SERVER_MAX_USER_QUERIES", value_name = "N")]
    pub max_user_queries: Option<usize>,

    /// After how many seconds those who met one of these limits are to come back [default: 5].
    #[arg(long, env = "DAF_BUTLER_SERVER_RETRY_AFTER_SECONDS", value_name = "N")]
    pub retry_after_seconds: Option<u64>,

    /// After how many seconds without results a stream says that it is alive [default: 15].
    #[arg(long, env = "DAF_BUTLER_SERVER_KEEP_ALIVE_SECONDS", value_name = "N")]
    pub keep_alive_seconds: Option<u64>,

    /// Connections of clients at once; more wait until others end [default: 4096].
    #[arg(long, env = "DAF_BUTLER_SERVER_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,

    /// For how many seconds a connection may be idle, or busy with the head of a request
    /// [default: 15].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_HEADER_TIMEOUT_SECONDS",
        value_name = "N"
    )]
    pub header_timeout_seconds: Option<u64>,

    /// For how many seconds a client may send the body of a request [default: 60].
    #[arg(long, env = "DAF_BUTLER_SERVER_BODY_TIMEOUT_SECONDS", value_name = "N")]
    pub body_timeout_seconds: Option<u64>,

    /// The most bytes of a request with a query [default: 33554432]; of others it is 1048576.
    #[arg(long, env = "DAF_BUTLER_SERVER_MAX_QUERY_BYTES", value_name = "N")]
    pub max_query_bytes: Option<usize>,

    /// The most seconds that looking something up may take the database; 0 is no limit [default: 30].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_LOOKUP_TIMEOUT_SECONDS",
        value_name = "N"
    )]
    pub lookup_timeout_seconds: Option<u64>,

    /// The most seconds that a query may take the database; 0 is no limit [default: 1800].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_QUERY_TIMEOUT_SECONDS",
        value_name = "N"
    )]
    pub query_timeout_seconds: Option<u64>,

    /// For how many seconds a request waits for a database connection [default: 10].
    #[arg(
        long,
        env = "DAF_BUTLER_SERVER_CONNECTION_TIMEOUT_SECONDS",
        value_name = "N"
    )]
    pub connection_timeout_seconds: Option<u64>,

    /// Database connections for look-ups, for each repository [default: 10].
    #[arg(long, env = "DAF_BUTLER_SERVER_LOOKUP_CONNECTIONS", value_name = "N")]
    pub lookup_connections: Option<u32>,

    /// Database connections for queries, for each repository [default: 30].
    #[arg(long, env = "DAF_BUTLER_SERVER_QUERY_CONNECTIONS", value_name = "N")]
    pub query_connections: Option<u32>,

    /// For how many seconds running requests may go on when the server is told to stop
    /// [default: 25].
    #[arg(long, env = "DAF_BUTLER_SERVER_SHUTDOWN_SECONDS", value_name = "N")]
    pub shutdown_seconds: Option<u64>,

    /// The form of the log [default: json].
    #[arg(long, env = "DAF_BUTLER_SERVER_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug or trace, or a filter such as
    /// "info,butler_direct=debug" [default: info].
    #[arg(long, env = "DAF_BUTLER_SERVER_LOG_LEVEL", value_name = "FILTER")]
    pub log_level: Option<String>,
}

/// Repositories by label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Repositories(pub BTreeMap<String, RepositorySettings>);

/// A repository that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositorySettings {
    /// The directory, configuration file or label of the repository.
    pub config_uri: String,
    /// The groups whose members may use it; `*` is everybody.
    pub authorized_groups: Vec<String>,
}

impl FromStr for Repositories {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// Who lets clients read files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum FileAccess {
    /// The server, by signed URLs.
    #[default]
    RubinSciencePlatform,
    /// The storage, which knows the client's token.
    Cadc,
}

impl FileAccess {
    /// The name in settings and in the configuration of clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RubinSciencePlatform => "rubin_science_platform",
            Self::Cadc => "cadc",
        }
    }
}

/// How URLs of objects in S3 are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum S3Signature {
    /// Signature Version 4.
    #[default]
    V4,
    /// Signature Version 2.
    V2,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Checked settings; see [`Options`] for what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Settings {
    pub repositories: BTreeMap<String, RepositorySettings>,
    pub listen: SocketAddr,
    pub authentication: Authentication,
    pub file_access: FileAccess,
    pub static_files_path: Option<PathBuf>,
    /// Without a slash at the end.
    pub base_url: Option<String>,
    pub group_cache: Duration,
    pub url_lifetime: Duration,
    pub s3_signature_version: S3Signature,
    pub url_signing_key: Option<String>,
    pub max_streaming_queries: usize,
    pub max_user_queries: usize,
    pub retry_after_seconds: u64,
    pub keep_alive: Duration,
    pub max_connections: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub max_query_bytes: usize,
    pub lookup_timeout: Duration,
    pub query_timeout: Duration,
    pub connection_timeout: Duration,
    pub lookup_connections: u32,
    pub query_connections: u32,
    pub shutdown: Duration,
    pub log_format: LogFormat,
    pub log_level: String,
}

impl Options {
    /// Lays the options over those of a file.
    ///
    /// # Errors
    /// The file cannot be read, or has something that is no setting.
    pub fn over_file(self, file: &Path) -> Result<Self, SettingsError> {
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
        if let Value::Object(given) = serde_json::json!(self) {
            merged.extend(given.into_iter().filter(|(_, value)| !value.is_null()));
        }
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
        let authentication = options
            .authentication_options()
            .check("DAF_BUTLER_SERVER")?;
        let repositories = options.repositories.unwrap_or_default().0;
        if repositories.is_empty() {
            return Err(SettingsError(
                "there are no repositories: set DAF_BUTLER_SERVER_REPOSITORIES (or --repositories) \
                 to a JSON object such as {\"dp1\": {\"config_uri\": \"/repo/dp1\", \
                 \"authorized_groups\": [\"*\"]}}"
                    .to_owned(),
            ));
        }
        let url_lifetime = options.url_lifetime_seconds.unwrap_or(3600);
        if !(1..=604_800).contains(&url_lifetime) {
            return Err(SettingsError(format!(
                "url_lifetime_seconds must be from 1 to 604800 (a week), not {url_lifetime}"
            )));
        }
        if let Some(key) = &options.url_signing_key
            && key.len() < 32
        {
            return Err(SettingsError(
                "url_signing_key must have at least 32 characters".to_owned(),
            ));
        }
        if let Some(directory) = &options.static_files_path
            && !directory.is_dir()
        {
            return Err(SettingsError(format!(
                "static_files_path is not a directory: {}",
                directory.display()
            )));
        }
        let seconds = |value: Option<u64>, default| Duration::from_secs(value.unwrap_or(default));
        let some_seconds =
            |name, value, default| at_least_one(name, value, default).map(Duration::from_secs);
        let statement = |name, value: Option<u64>, default| match value {
            Some(value) if value > LONGEST_STATEMENT => Err(SettingsError(format!(
                "{name} must be at most {LONGEST_STATEMENT}, not {value}"
            ))),
            other => Ok(seconds(other, default)),
        };
        Ok(Settings {
            repositories,
            listen: options.listen.unwrap_or(([0, 0, 0, 0], 8080).into()),
            authentication,
            file_access: options.authentication.unwrap_or_default(),
            static_files_path: options.static_files_path,
            base_url: options
                .base_url
                .map(|text| http_url("base_url", &text))
                .transpose()?
                .map(|url| url.as_str().trim_end_matches('/').to_owned()),
            group_cache: seconds(options.group_cache_seconds, 60),
            url_lifetime: Duration::from_secs(url_lifetime),
            s3_signature_version: options.s3_signature_version.unwrap_or_default(),
            url_signing_key: options.url_signing_key,
            max_streaming_queries: options.max_streaming_queries.unwrap_or(25),
            max_user_queries: options.max_user_queries.unwrap_or(2),
            retry_after_seconds: options.retry_after_seconds.unwrap_or(5),
            keep_alive: seconds(options.keep_alive_seconds, 15),
            max_connections: at_least_one("max_connections", options.max_connections, 4096)?,
            header_timeout: some_seconds(
                "header_timeout_seconds",
                options.header_timeout_seconds,
                15,
            )?,
            body_timeout: some_seconds("body_timeout_seconds", options.body_timeout_seconds, 60)?,
            max_query_bytes: options.max_query_bytes.unwrap_or(32 << 20),
            lookup_timeout: statement(
                "lookup_timeout_seconds",
                options.lookup_timeout_seconds,
                30,
            )?,
            query_timeout: statement("query_timeout_seconds", options.query_timeout_seconds, 1800)?,
            connection_timeout: some_seconds(
                "connection_timeout_seconds",
                options.connection_timeout_seconds,
                10,
            )?,
            lookup_connections: at_least_one("lookup_connections", options.lookup_connections, 10)?,
            query_connections: at_least_one("query_connections", options.query_connections, 30)?,
            shutdown: seconds(options.shutdown_seconds, 25),
            log_format: options.log_format.unwrap_or_default(),
            log_level: options.log_level.unwrap_or_else(|| "info".to_owned()),
        })
    }

    /// The part of them that says how users are known.
    fn authentication_options(&self) -> AuthenticationOptions {
        AuthenticationOptions {
            gafaelfawr_url: self.gafaelfawr_url.clone(),
            jwt_jwks_url: self.jwt_jwks_url.clone(),
            jwt_key_file: self.jwt_key_file.clone(),
            jwt_issuer: self.jwt_issuer.clone(),
            jwt_audience: self.jwt_audience.clone(),
            jwt_user_claim: self.jwt_user_claim.clone(),
            jwt_groups_claim: self.jwt_groups_claim.clone(),
        }
    }
}

/// A number that must not be 0.
fn at_least_one<N: From<u8> + PartialEq>(
    name: &str,
    value: Option<N>,
    default: N,
) -> Result<N, SettingsError> {
    match value {
        Some(number) if number == N::from(0) => {
            Err(SettingsError(format!("{name} must be at least 1")))
        }
        other => Ok(other.unwrap_or(default)),
    }
}

fn http_url(name: &str, text: &str) -> Result<Url, SettingsError> {
    let fail = |why: &dyn std::fmt::Display| {
        SettingsError(format!(
            "{name} must be an http or https URL, not '{text}': {why}"
        ))
    };
    let url = Url::parse(text).map_err(|error| fail(&error))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(fail(&format_args!("its scheme is {other}"))),
    }
}

#[cfg(test)]
mod tests;

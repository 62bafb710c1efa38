//! Database credentials from `db-auth.yaml`.

use std::os::unix::fs::MetadataExt;

use butler_core::yaml::{self, Value};
use butler_core::{Error, Result};

use super::database_url::{PostgresUrl, Secret};
use super::fnmatch;
use crate::environment::Environment;

const FILE: &str = "LSST_DB_AUTH";
const INLINE: &str = "LSST_DB_AUTH_CREDENTIALS";
const DEFAULT_FILE: &str = "~/.lsst/db-auth.yaml";

/// What a database asks of those who connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user; `None` leaves it to the client's defaults.
    pub user: Option<String>,
    /// The password.
    pub password: Secret,
}

/// A list of credentials, each for the databases whose address matches a pattern.
#[derive(Clone, Debug, Default)]
pub struct DbAuth {
    source: String,
    /// A faulty entry matters only when the search gets to it.
    entries: Vec<Result<Entry, String>>,
}

#[derive(Clone, Debug)]
struct Entry {
    dialect: String,
    /// A pattern.
    host: String,
    port: Option<String>,
    /// A pattern; `None` for every database.
    database: Option<String>,
    /// The user the entry is for; `None` for every user.
    for_user: Option<String>,
    user: Option<String>,
    password: Secret,
}

impl DbAuth {
    /// Reads the credentials that the environment names: `LSST_DB_AUTH_CREDENTIALS` holds them
    /// as JSON, `LSST_DB_AUTH` names a file (by default `~/.lsst/db-auth.yaml`). `None` if there
    /// is no such file.
    ///
    /// # Errors
    /// The credentials cannot be read, or people other than the owner may read the file.
    pub fn from_environment(environment: &Environment) -> Result<Option<Self>> {
        if let Some(text) = environment.get_non_empty(INLINE) {
            let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
                // The error's own text might repeat a part of the secret.
                Error::Configuration(format!("{INLINE} is not JSON (line {})", error.line()))
            })?;
            return Self::from_value(&Value::from(json), INLINE).map(Some);
        }
        let name = environment
            .get(FILE)
            .unwrap_or_else(|| DEFAULT_FILE.to_owned());
        let path = environment.expand_user(&name);
        let found = match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
        if found.mode() & 0o077 != 0 {
            return Err(Error::Configuration(format!(
                "{path} holds passwords, but its permissions {:o} let others use it; \
                 run chmod 600 on it",
                found.mode() & 0o777
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        let value = yaml::parse(&text).map_err(|error| {
            Error::Configuration(format!("{path}: line {}: not valid YAML", error.line))
        })?;
        Self::from_value(&value, &path).map(Some)
    }

    fn from_value(value: &Value, source: &str) -> Result<Self> {
        let fault = |text: String| Error::Configuration(format!("{source}: {text}"));
        let items = value.as_seq().ok_or_else(|| {
            fault(format!(
                "expected a list of entries, found {}",
                value.kind()
            ))
        })?;
        let entries = items.iter().map(Entry::read).collect();
        Ok(Self {
            source: source.to_owned(),
            entries,
        })
    }

    /// Where the credentials were read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The credentials for a database: those of the first entry that matches. `None` if no entry
    /// does, or if host or database are unknown.
    ///
    /// A URL that names a user keeps it.
    ///
    /// # Errors
    /// An entry before the first match is faulty.
    pub fn find(&self, url: &PostgresUrl) -> Result<Option<Credentials>> {
        let (Some(host), Some(database)) = (url.host.as_deref(), url.database.as_deref()) else {
            return Ok(None);
        };
        let user = url.user.as_deref().filter(|user| !user.is_empty());
        let port = url.port.map(|port| port.to_string());
        for (at, entry) in self.entries.iter().enumerate() {
            let entry = entry.as_ref().map_err(|fault| {
                Error::Configuration(format!("{}: entry {}: {fault}", self.source, at + 1))
            })?;
            if entry.fits(host, port.as_deref(), database, user) {
                return Ok(Some(Credentials {
                    user: user.map(str::to_owned).or_else(|| entry.user.clone()),
                    password: entry.password.clone(),
                }));
            }
        }
        Ok(None)
    }
}

impl Entry {
    fn fits(&self, host: &str, port: Option<&str>, database: &str, user: Option<&str>) -> bool {
        self.dialect == "postgresql"
            && self
                .database
                .as_deref()
                .is_none_or(|pattern| fnmatch::matches(pattern, database))
            && self
                .for_user
                .as_deref()
                .is_none_or(|wanted| user == Some(wanted))
            && fnmatch::matches(&self.host, host)
            && self
                .port
                .as_deref()
                .is_none_or(|wanted| port == Some(wanted))
    }

    fn read(item: &Value) -> Result<Self, String> {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let url = text("url").ok_or("the 'url' is missing")?;
        let password = match item.get("password") {
            Some(Value::Str(password)) => password.clone(),
            Some(Value::Int(digits)) => digits.to_string(),
            _ => return Err("the 'password' is missing or not a string".to_owned()),
        };
        let (dialect, rest) = url
            .split_once("://")
            .filter(|(dialect, _)| !dialect.is_empty())
            .ok_or_else(|| format!("the url {url:?} does not start with a dialect"))?;
        if dialect.contains('+') {
            return Err(format!(
                "the url {url:?} names a driver; use the dialect alone"
            ));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path
            .split(['?', '#'])
            .next()
            .unwrap_or("")
            .trim_start_matches('/');
        let (for_user, address) = match authority.rsplit_once('@') {
            Some((info, address)) => (info.split(':').next(), address),
            None => (None, authority),
        };
        let (host, port) = match address.strip_prefix('[').and_then(|a| a.split_once(']')) {
            Some((host, after)) => (host, after.strip_prefix(':')),
            None => address
                .split_once(':')
                .map_or((address, None), |(h, p)| (h, Some(p))),
        };
        if host.is_empty() {
            return Err(format!("the url {url:?} has no host (use * for any)"));
        }
        Ok(Self {
            dialect: dialect.to_ascii_lowercase(),
            host: host.to_lowercase(),
            port: port.filter(|port| !port.is_empty()).map(str::to_owned),
            database: Some(path)
                .filter(|path| !path.is_empty())
                .map(str::to_owned),
            for_user: for_user.map(str::to_owned),
            user: text("username").map(str::to_owned),
            password: Secret::new(password),
        })
    }
}

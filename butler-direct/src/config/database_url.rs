//! Where the registry's database is.

use std::fmt;
use std::path::PathBuf;

use butler_core::{Error, Result};

use crate::db::Location;
use crate::resource::quote_component;

/// A secret text which never shows in output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The location of a database, as `registry.db` gives it in SQLAlchemy's notation.
///
/// `Display` and `Debug` hide the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file. A relative path is relative to the working directory.
    SqliteFile(PathBuf),
    /// A SQLite database in memory.
    SqliteMemory,
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

/// The parts of a PostgreSQL address. What is missing is up to the client's defaults, see
/// [`PostgresUrl::complete`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostgresUrl {
    /// Host name, address, or directory of a Unix socket.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// User name.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Name of the database.
    pub database: Option<String>,
    /// Further settings such as `sslmode`, in the order given.
    pub options: Vec<(String, String)>,
}

/// The parts of a URL in SQLAlchemy's notation, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Parts<'a> {
    driver: &'a str,
    user: Option<String>,
    password: Option<String>,
    host: Option<&'a str>,
    port: Option<&'a str>,
    database: Option<String>,
    query: Vec<(String, String)>,
}

impl DatabaseUrl {
    /// Parses a URL: `sqlite:///relative/path`, `sqlite:////absolute/path`, `sqlite://` (memory),
    /// `postgresql://user:password@host:port/database?option=value`, with or without the name of
    /// a Python driver (`postgresql+psycopg2`). The user, password and database are
    /// percent-decoded.
    ///
    /// # Errors
    /// [`Error::Configuration`], without repeating a password.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = split(text)?;
        let dialect = parts.driver.split('+').next().unwrap_or(parts.driver);
        match dialect {
            "sqlite" => sqlite(&parts),
            "postgresql" | "postgres" => Ok(Self::Postgres(postgres(parts)?)),
            other => Err(Error::Configuration(format!(
                "database dialect {other:?} is not supported; registry.db must start with \
                 sqlite:// or postgresql://"
            ))),
        }
    }

    /// The place to connect to. It holds the password in clear.
    pub fn location(&self) -> Location {
        match self {
            Self::SqliteFile(path) => Location::SqliteFile(path.clone()),
            Self::SqliteMemory => Location::SqliteMemory,
            Self::Postgres(url) => Location::Postgres(url.to_connection_string()),
        }
    }

    /// The name of the database's kind: `sqlite` or `postgresql`.
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::SqliteFile(_) | Self::SqliteMemory => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SqliteFile(path) => write!(f, "sqlite:///{}", path.display()),
            Self::SqliteMemory => f.write_str("sqlite://"),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl PostgresUrl {
    /// The URL with its password in clear, for a client that connects.
    pub fn to_connection_string(&self) -> String {
        self.render(
            self.password
                .as_ref()
                .map(|password| quote_component(password.expose())),
        )
    }

    fn render(&self, password: Option<String>) -> String {
        let mut url = "postgresql://".to_owned();
        if let Some(user) = &self.user {
            url.push_str(&quote_component(user));
        }
        if let Some(password) = &password {
            url.push(':');
            url.push_str(password);
        }
        if self.user.is_some() || password.is_some() {
            url.push('@');
        }
        match &self.host {
            Some(host) if host.contains(':') => url.push_str(&format!("[{host}]")),
            // A socket's directory would be taken for the database.
            Some(host) if host.starts_with('/') => url.push_str(&quote_component(host)),
            Some(host) => url.push_str(host),
            None => {}
        }
        if let Some(port) = self.port {
            url.push_str(&format!(":{port}"));
        }
        url.push('/');
        if let Some(database) = &self.database {
            url.push_str(&quote_component(database));
        }
        let mut separator = '?';
        for (name, value) in &self.options {
            url.push(separator);
            separator = '&';
            url.push_str(&format!(
                "{}={}",
                quote_component(name),
                quote_component(value)
            ));
        }
        url
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(self.password.as_ref().map(|_| "***".to_owned())))
    }
}

fn unusable(reason: impl fmt::Display) -> Error {
    Error::Configuration(format!(
        "registry.db is not a usable database URL: {reason}; expected for example \
         sqlite:////absolute/path or postgresql://host/database"
    ))
}

fn split(text: &str) -> Result<Parts<'_>> {
    let (driver, rest) = text
        .split_once("://")
        .ok_or_else(|| unusable("it does not contain '://'"))?;
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '+';
    if driver.is_empty() || !driver.chars().all(is_name) {
        return Err(unusable(
            "it does not start with the name of a database dialect",
        ));
    }
    let mut parts = Parts {
        driver,
        ..Parts::default()
    };
    let (user_info, rest) = split_user_info(rest);
    if let Some(info) = user_info {
        let (user, password) = match info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (info, None),
        };
        parts.user = Some(decode(user));
        parts.password = password.map(decode);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed
            .split_once(']')
            .ok_or_else(|| unusable("']' is missing after the host"))?;
        (host, after.strip_prefix(':'))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    parts.host = Some(host).filter(|host| !host.is_empty());
    parts.port = port;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, query),
        None => (rest, ""),
    };
    parts.database = path.strip_prefix('/').map(decode);
    parts.query = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    Ok(parts)
}

/// Takes the user and password off. A user holds neither `:` nor `/`, a password no `@`.
fn split_user_info(rest: &str) -> (Option<&str>, &str) {
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let with_password = rest[end..]
        .starts_with(':')
        .then(|| rest[end..].find('@').map(|at| end + at))
        .flatten();
    match with_password.or_else(|| rest[..end].rfind('@')) {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn sqlite(parts: &Parts<'_>) -> Result<DatabaseUrl> {
    if parts.host.is_some() || parts.port.is_some() || parts.user.is_some() {
        return Err(unusable(
            "a SQLite URL has no host: three slashes start a relative path, four an absolute one",
        ));
    }
    if parts
        .query
        .iter()
        .any(|(name, value)| name == "uri" && value == "true")
    {
        return Err(unusable("'uri=true' is not supported"));
    }
    match parts.database.as_deref() {
        None | Some("" | ":memory:") => Ok(DatabaseUrl::SqliteMemory),
        Some(path) => Ok(DatabaseUrl::SqliteFile(PathBuf::from(path))),
    }
}

fn postgres(parts: Parts<'_>) -> Result<PostgresUrl> {
    let port = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| unusable(format!("port {text:?} is not a number")))
    };
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut url = PostgresUrl {
        host: parts.host.map(str::to_owned),
        port: parts.port.map(port).transpose()?,
        user: filled(parts.user),
        password: parts.password.map(Secret::new),
        database: filled(parts.database),
        options: Vec::new(),
    };
    for (name, value) in parts.query {
        match name.as_str() {
            // A socket's directory can be given in no other way.
            "host" => url.host = Some(value),
            "port" => url.port = Some(port(&value)?),
            "user" => url.user = Some(value),
            "password" => url.password = Some(Secret::new(value)),
            "dbname" => url.database = Some(value),
            _ => url.options.push((name, value)),
        }
    }
    Ok(url)
}

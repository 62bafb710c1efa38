//! Where a server is and how its users identify themselves.

use butler_core::config::{Config, replace_root};
use butler_core::{Error, Result};
use url::Url;

use crate::auth::AuthenticationMode;

/// The name of the configuration file that a server has for each of its repositories.
const FILE_NAME: &str = "butler.yaml";

/// What a repository's configuration says of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteConfig {
    /// The address of the repository on the server, without the version of the protocol:
    /// `https://data.lsst.cloud/api/butler/repo/dp1/`.
    pub url: Url,
    /// How users identify themselves.
    pub authentication: AuthenticationMode,
}

impl RemoteConfig {
    /// Reads the section `remote_butler` of a configuration. `root`, the address of the directory
    /// that the configuration was read from, stands where `<butlerRoot>` is written.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is no usable address, or an unknown way to identify.
    pub fn from_config(config: &Config, root: Option<&str>) -> Result<Self> {
        let url = replace_root(config.require_str(".remote_butler.url")?, root)?;
        let authentication = match config.get_str(".remote_butler.authentication")? {
            Some(name) => AuthenticationMode::from_name(name)?,
            None => AuthenticationMode::default(),
        };
        Ok(Self {
            url: server_url(&url)?,
            authentication,
        })
    }

    /// Reads a configuration file that a server gave, of the address it was found at.
    ///
    /// # Errors
    /// As [`from_config`](Self::from_config).
    pub fn parse(text: &str, found_at: &Url) -> Result<Self> {
        let in_file = |error: Error| Error::Configuration(format!("{found_at}: {error}"));
        let config = Config::from_yaml(text).map_err(in_file)?;
        let root = found_at.join(".").map_err(|error| {
            Error::Configuration(format!("{found_at} is not the address of a file: {error}"))
        })?;
        Self::from_config(&config, Some(root.as_str().trim_end_matches('/'))).map_err(in_file)
    }

    /// The address of the configuration file, of the address of a repository or of the file itself.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is not an address of HTTP.
    pub fn file_url(repository: &str) -> Result<Url> {
        let mut url = http_url(repository)
            .map_err(|reason| Error::InvalidArgument(format!("'{repository}' {reason}")))?;
        let last = url.path().rsplit('/').next().unwrap_or_default();
        if !(last.ends_with(".yaml") || last.ends_with(".json")) {
            let directory = url.path().trim_end_matches('/');
            let path = format!("{directory}/{FILE_NAME}");
            url.set_path(&path);
        }
        Ok(url)
    }
}

/// A server's address, ending in `/` so that paths can be joined to it.
fn server_url(text: &str) -> Result<Url> {
    let mut url = http_url(text)
        .map_err(|reason| Error::Configuration(format!("remote_butler.url '{text}' {reason}")))?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// An address of HTTP or HTTPS. Servers may name no others: a client must not be led to read a
/// file of its own machine.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not an address: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!(
            "is an address of '{other}', but must be one of http or https"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_root_is_where_the_file_was_found() {
        let text = r#"{"cls": "lsst.daf.butler.remote_butler.RemoteButler",
            "remote_butler": {"url": "<butlerRoot>", "authentication": "rubin_science_platform"}}"#;
        let found_at = RemoteConfig::file_url("https://example.org/api/butler/repo/dp1").unwrap();
        assert_eq!(
            found_at.as_str(),
            "https://example.org/api/butler/repo/dp1/butler.yaml"
        );
        let config = RemoteConfig::parse(text, &found_at).unwrap();
        assert_eq!(
            config.url.as_str(),
            "https://example.org/api/butler/repo/dp1/"
        );
        assert_eq!(
            config.authentication,
            AuthenticationMode::RubinSciencePlatform
        );
    }

    #[test]
    fn a_server_may_be_anywhere_but_in_the_file_system() {
        let found_at = RemoteConfig::file_url("https://example.org/dp1/butler.json").unwrap();
        assert!(found_at.path().ends_with("/dp1/butler.json"));
        let parse = |url: &str| {
            let text = format!("remote_butler:\n  url: {url}\n  authentication: cadc\n");
            RemoteConfig::parse(&text, &found_at)
        };
        let config = parse("https://elsewhere.org/butler").unwrap();
        assert_eq!(config.url.as_str(), "https://elsewhere.org/butler/");
        assert_eq!(config.authentication, AuthenticationMode::Cadc);
        let error = parse("file:///etc").unwrap_err();
        assert!(matches!(error, Error::Configuration(_)), "{error}");
        assert!(RemoteConfig::file_url("/repo/main").is_err());
    }
}

//! How the web app is configured.

// The texts of options are the command's help as well, where marks would be in the way.
#![allow(rustdoc::bare_urls)]

use std::net::SocketAddr;
use std::path::PathBuf;

use butler_server::settings::{Authentication, AuthenticationOptions};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::settings::SettingsError;

/// Where the web app listens, and to whom; nowhere if there is no address.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct WebOptions {
    /// The address on which the web app, its API, metrics and health are served, such as 0.0.0.0:8080.
    #[arg(long, env = "PROMPTPUB_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// The address on which metrics and health alone are served, where there is no web app.
    #[arg(long, env = "PROMPTPUB_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub health_listen: Option<SocketAddr>,

    /// Where Gafaelfawr is, such as https://usdf-rsp.slac.stanford.edu/auth, or DISABLED to let everybody in.
    #[arg(long, env = "PROMPTPUB_GAFAELFAWR_URL", value_name = "URL")]
    pub gafaelfawr_url: Option<String>,

    /// Verify bearer tokens (JWT) with the keys published here, instead of asking Gafaelfawr.
    #[arg(long, env = "PROMPTPUB_JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<String>,

    /// Verify bearer tokens (JWT) with the keys in this file: a JWKS or a public key in PEM.
    #[arg(long, env = "PROMPTPUB_JWT_KEY_FILE", value_name = "FILE")]
    pub jwt_key_file: Option<PathBuf>,

    /// The issuer that bearer tokens must have.
    #[arg(long, env = "PROMPTPUB_JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,

    /// The audience that bearer tokens must have.
    #[arg(long, env = "PROMPTPUB_JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,

    /// The claim with the user's name [default: sub].
    #[arg(long, env = "PROMPTPUB_JWT_USER_CLAIM", value_name = "NAME")]
    pub jwt_user_claim: Option<String>,

    /// The claim with the user's groups: a list of names, or names separated by spaces
    /// [default: groups].
    #[arg(long, env = "PROMPTPUB_JWT_GROUPS_CLAIM", value_name = "NAME")]
    pub jwt_groups_claim: Option<String>,

    /// The groups whose members may give commands, separated by commas; "*" is everybody.
    #[arg(
        long,
        env = "PROMPTPUB_WEB_GROUPS",
        value_name = "GROUP",
        value_delimiter = ','
    )]
    pub web_groups: Option<Vec<String>>,

    /// The groups whose members may look on [default: everybody].
    #[arg(
        long,
        env = "PROMPTPUB_WEB_READERS",
        value_name = "GROUP",
        value_delimiter = ','
    )]
    pub web_readers: Option<Vec<String>>,
}

/// Where the web app listens, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSettings {
    /// The address.
    pub listen: SocketAddr,
    /// Whether there is more than metrics and health: the page and its API.
    pub page: bool,
    /// How users are known.
    pub authentication: Authentication,
    /// Who may give commands, besides those who may look on.
    pub groups: Vec<String>,
    /// Who may look on.
    pub readers: Vec<String>,
}

impl WebOptions {
    /// The settings, checked; none if nothing is to listen.
    ///
    /// # Errors
    /// Nothing says how users are known, or who may give commands; there are two addresses.
    pub fn check(self) -> Result<Option<WebSettings>, SettingsError> {
        let listen = match (self.listen, self.health_listen) {
            (None, None) => return Ok(None),
            (None, Some(listen)) => {
                return Ok(Some(WebSettings {
                    listen,
                    page: false,
                    authentication: Authentication::Disabled,
                    groups: Vec::new(),
                    readers: Vec::new(),
                }));
            }
            (Some(listen), None) => listen,
            (Some(_), Some(_)) => {
                return Err(SettingsError(
                    "the web app serves metrics and health as well: set PROMPTPUB_LISTEN or \
                     PROMPTPUB_HEALTH_LISTEN, not both"
                        .to_owned(),
                ));
            }
        };
        let authentication = AuthenticationOptions {
            gafaelfawr_url: self.gafaelfawr_url,
            jwt_jwks_url: self.jwt_jwks_url,
            jwt_key_file: self.jwt_key_file,
            jwt_issuer: self.jwt_issuer,
            jwt_audience: self.jwt_audience,
            jwt_user_claim: self.jwt_user_claim,
            jwt_groups_claim: self.jwt_groups_claim,
        };
        let authentication = authentication
            .check("PROMPTPUB")
            .map_err(|error| SettingsError(error.to_string()))?;
        let named = |groups: Option<Vec<String>>| -> Vec<String> {
            let groups = groups.unwrap_or_default().into_iter();
            groups.filter(|group| !group.is_empty()).collect()
        };
        let groups = named(self.web_groups);
        if groups.is_empty() && authentication != Authentication::Disabled {
            return Err(SettingsError(
                "nothing says who may give commands in the web app: set PROMPTPUB_WEB_GROUPS (or \
                 --web-groups) to the names of groups"
                    .to_owned(),
            ));
        }
        let mut readers = named(self.web_readers);
        if readers.is_empty() {
            readers.push("*".to_owned());
        }
        Ok(Some(WebSettings {
            listen,
            page: true,
            authentication,
            groups,
            readers,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn without_an_address_nothing_else_is_needed() {
        assert_eq!(WebOptions::default().check().unwrap(), None);
    }

    #[test]
    fn health_needs_no_users_and_no_second_address() {
        let address = Some(([127, 0, 0, 1], 0).into());
        let health = WebOptions {
            health_listen: address,
            ..WebOptions::default()
        };
        assert!(!health.clone().check().unwrap().unwrap().page);
        let both = WebOptions {
            listen: address,
            ..health
        };
        let said = both.check().unwrap_err().to_string();
        assert!(said.contains("not both"), "{said}");
    }

    #[test]
    fn who_listens_says_to_whom() {
        let listening = WebOptions {
            listen: Some(([127, 0, 0, 1], 0).into()),
            ..WebOptions::default()
        };
        let said = listening.clone().check().unwrap_err().to_string();
        assert!(said.contains("PROMPTPUB_GAFAELFAWR_URL"), "{said}");
        let known = WebOptions {
            gafaelfawr_url: Some("https://example.org/auth".to_owned()),
            ..listening
        };
        let said = known.clone().check().unwrap_err().to_string();
        assert!(said.contains("PROMPTPUB_WEB_GROUPS"), "{said}");
        let whole = WebOptions {
            web_groups: Some(vec!["g_curators".to_owned()]),
            ..known
        };
        assert_eq!(whole.check().unwrap().unwrap().readers, ["*"]);
    }
}

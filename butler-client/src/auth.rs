//! Who the user is: access tokens, where they come from, and who is given them.

use std::fmt;
use std::sync::Arc;

use butler_core::environment::Environment;
use butler_core::wire::FileAuthentication;
use butler_core::{Error, Result};
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use url::Url;

/// How a server wants its users to identify themselves: `remote_butler.authentication` in a
/// repository's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticationMode {
    /// Requests to the server carry a token of the Rubin Science Platform; files are read through
    /// signed URLs.
    #[default]
    RubinSciencePlatform,
    /// Requests to the server carry nothing; files are read with a token of the CADC.
    Cadc,
}

impl AuthenticationMode {
    /// The mode of this name in configurations: `rubin_science_platform` or `cadc`.
    ///
    /// # Errors
    /// [`Error::Configuration`] for another name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "rubin_science_platform" => Ok(Self::RubinSciencePlatform),
            "cadc" => Ok(Self::Cadc),
            other => Err(Error::Configuration(format!(
                "remote_butler.authentication is '{other}'; expected rubin_science_platform or cadc"
            ))),
        }
    }

    /// The variables that may hold a token, in the order in which they are looked at, and the
    /// hosts that may be given it; none for all hosts.
    const fn sources(self) -> &'static [(&'static str, Option<&'static [&'static str]>)] {
        match self {
            Self::RubinSciencePlatform => &[
                ("BUTLER_RUBIN_ACCESS_TOKEN", None),
                (
                    "ACCESS_TOKEN",
                    Some(&["*.lsst.cloud", "*.slac.stanford.edu"]),
                ),
            ],
            Self::Cadc => &[(
                "CADC_TOKEN",
                Some(&[
                    "*.cadc-ccda.hia-hia.nrc-cnrc.gc.ca",
                    "*.canfar.net",
                    "host.docker.internal",
                ]),
            )],
        }
    }
}

/// What a user shows to servers. The token never appears in output.
#[derive(Clone)]
pub struct Credentials {
    mode: AuthenticationMode,
    bearer: Option<HeaderValue>,
    /// What to say if the server wants a token and there is none.
    missing: Option<Arc<str>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("mode", &self.mode)
            .field("token", &self.bearer.as_ref().map(|_| "***"))
            .finish()
    }
}

impl Credentials {
    /// A token for a server of this mode.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the token is empty or cannot be sent in a header.
    pub fn from_token(mode: AuthenticationMode, token: &str) -> Result<Self> {
        let unusable = || {
            Error::InvalidArgument(
                "the access token is empty, or has characters that no token has".to_owned(),
            )
        };
        if token.is_empty() {
            return Err(unusable());
        }
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unusable())?;
        bearer.set_sensitive(true);
        Ok(Self {
            mode,
            bearer: Some(bearer),
            missing: None,
        })
    }

    /// No token, for servers that let everybody in.
    #[must_use]
    pub const fn anonymous(mode: AuthenticationMode) -> Self {
        Self {
            mode,
            bearer: None,
            missing: None,
        }
    }

    /// Looks for a token in the environment. In the mode of the Rubin Science Platform that is
    /// `BUTLER_RUBIN_ACCESS_TOKEN`, which is sent to any server, or else `ACCESS_TOKEN`, which is
    /// sent only to servers that are known to belong to the platform; in that of the CADC it is
    /// `CADC_TOKEN`, for servers of the CADC. Mirrors the reference's authentication providers, but
    /// that a server of the platform is asked without a token if there is none: it may let everybody
    /// in. If it does not, the error says which variables were looked at.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a token cannot be sent, or there is none for a server of the CADC.
    pub fn from_environment(
        mode: AuthenticationMode,
        server: &Url,
        environment: &Environment,
    ) -> Result<Self> {
        let host = server.host_str().unwrap_or_default().to_ascii_lowercase();
        for (variable, hosts) in mode.sources() {
            let known = hosts.is_none_or(|hosts| hosts.iter().any(|known| matches(known, &host)));
            if known && let Some(token) = environment.get_non_empty(variable) {
                return Self::from_token(mode, &token)
                    .map_err(|error| Error::Configuration(format!("{variable}: {error}")));
            }
        }
        let mut hints = Vec::new();
        for (variable, hosts) in mode.sources() {
            hints.push(match hosts {
                None => (*variable).to_owned(),
                Some(hosts) => format!("{variable} (for {} only)", hosts.join(", ")),
            });
        }
        let missing = format!(
            "no access token for the Butler server at {host} was found in the environment; set {}",
            hints.join(" or ")
        );
        match mode {
            AuthenticationMode::RubinSciencePlatform => Ok(Self {
                missing: Some(missing.into()),
                ..Self::anonymous(mode)
            }),
            AuthenticationMode::Cadc => Err(Error::Configuration(missing)),
        }
    }

    /// Why there is no token, if the server has just refused a request without one.
    pub(crate) fn refusal(&self, status: StatusCode) -> Option<Error> {
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
        let missing = self.missing.as_ref().filter(|_| refused)?;
        Some(Error::Configuration(missing.to_string()))
    }

    /// What goes along with requests to the server.
    pub(crate) fn for_server(&self) -> Option<&HeaderValue> {
        match self.mode {
            AuthenticationMode::RubinSciencePlatform => self.bearer.as_ref(),
            AuthenticationMode::Cadc => None,
        }
    }

    /// What goes along with a request for a file.
    pub(crate) fn for_file(&self, wanted: FileAuthentication) -> Option<&HeaderValue> {
        match (wanted, self.mode) {
            (FileAuthentication::Gafaelfawr, _) => self.for_server(),
            (FileAuthentication::Datastore, AuthenticationMode::Cadc) => self.bearer.as_ref(),
            (FileAuthentication::None | FileAuthentication::Datastore, _) => None,
        }
    }
}

/// Whether a host is the known one, or one below it if that starts with `*.`.
fn matches(known: &str, host: &str) -> bool {
    match known.strip_prefix('*') {
        Some(domain) => host.ends_with(domain),
        None => host == known,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(mode: AuthenticationMode, server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let environment = Environment::fixed(variables.iter().copied());
        let server = Url::parse(server).unwrap();
        let credentials = Credentials::from_environment(mode, &server, &environment).ok()?;
        Some(credentials.bearer?.to_str().unwrap().to_owned())
    }

    const RSP: AuthenticationMode = AuthenticationMode::RubinSciencePlatform;
    const BOTH: [(&str, &str); 2] = [
        ("BUTLER_RUBIN_ACCESS_TOKEN", "explicit"),
        ("ACCESS_TOKEN", "notebook"),
    ];

    #[test]
    fn the_explicit_token_goes_to_any_server_and_wins() {
        for server in ["https://data.lsst.cloud/", "http://127.0.0.1:8000/"] {
            assert_eq!(
                found(RSP, server, &BOTH).as_deref(),
                Some("Bearer explicit")
            );
        }
    }

    #[test]
    fn the_notebook_token_goes_to_known_servers_only() {
        let notebook = &BOTH[1..];
        let of = |server| found(RSP, server, notebook);
        assert_eq!(
            of("https://DATA.lsst.cloud/api").as_deref(),
            Some("Bearer notebook")
        );
        assert!(of("https://usdf-rsp.slac.stanford.edu/").is_some());
        assert_eq!(of("https://lsst.cloud.example.org/"), None);
        assert_eq!(of("https://evillsst.cloud/"), None);
    }

    #[test]
    fn the_cadc_token_is_for_files_of_the_cadc() {
        let token = [("CADC_TOKEN", "c")];
        let cadc = AuthenticationMode::Cadc;
        assert!(found(cadc, "https://ws.canfar.net/", &token).is_some());
        assert!(found(cadc, "https://example.org/", &token).is_none());
        let credentials = Credentials::from_token(cadc, "c").unwrap();
        assert!(credentials.for_server().is_none());
        assert!(
            credentials
                .for_file(FileAuthentication::Datastore)
                .is_some()
        );
        assert!(
            credentials
                .for_file(FileAuthentication::Gafaelfawr)
                .is_none()
        );
    }

    #[test]
    fn a_token_of_the_platform_is_for_its_server_alone() {
        let credentials = Credentials::from_token(RSP, "secret").unwrap();
        assert!(credentials.for_server().is_some());
        assert!(
            credentials
                .for_file(FileAuthentication::Gafaelfawr)
                .is_some()
        );
        assert!(
            credentials
                .for_file(FileAuthentication::Datastore)
                .is_none()
        );
        assert!(credentials.for_file(FileAuthentication::None).is_none());
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn who_is_refused_without_a_token_is_told_the_variables() {
        let nothing = Environment::fixed::<&str, &str>([]);
        let server = Url::parse("https://example.org").unwrap();
        let found = Credentials::from_environment(RSP, &server, &nothing).unwrap();
        assert!(found.for_server().is_none());
        assert!(found.refusal(StatusCode::NOT_FOUND).is_none());
        let text = found.refusal(StatusCode::UNAUTHORIZED).unwrap().to_string();
        assert!(text.contains("BUTLER_RUBIN_ACCESS_TOKEN") && text.contains("example.org"));
        let given = Credentials::from_token(RSP, "token").unwrap();
        assert!(given.refusal(StatusCode::UNAUTHORIZED).is_none());
    }

    #[test]
    fn unusable_tokens_are_refused() {
        assert!(Credentials::from_token(RSP, "two\nlines").is_err());
    }
}

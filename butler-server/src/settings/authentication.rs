//! How users are known.

use std::path::PathBuf;

use url::Url;

use super::{SettingsError, http_url};

/// Who says which user a request is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody: everybody may do everything.
    Disabled,
    /// The headers that Gafaelfawr sets, which is asked for groups here.
    Gafaelfawr(Url),
    /// A bearer token that the server verifies.
    Jwt(JwtSettings),
}

/// How bearer tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// Where the keys are.
    pub keys: JwtKeys,
    /// The issuer that tokens must have.
    pub issuer: Option<String>,
    /// The audience that tokens must have.
    pub audience: Option<String>,
    /// The claim with the user's name.
    pub user_claim: String,
    /// The claim with the user's groups.
    pub groups_claim: String,
}

/// Where the keys are that tokens are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtKeys {
    /// A set of keys that is fetched.
    Url(Url),
    /// A file.
    File(PathBuf),
}

/// What a service is told of how users are known, unchecked; see [`Options`](super::Options) for what
/// each means.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct AuthenticationOptions {
    pub gafaelfawr_url: Option<String>,
    pub jwt_jwks_url: Option<String>,
    pub jwt_key_file: Option<PathBuf>,
    pub jwt_issuer: Option<String>,
    pub jwt_audience: Option<String>,
    pub jwt_user_claim: Option<String>,
    pub jwt_groups_claim: Option<String>,
}

impl AuthenticationOptions {
    /// The way that they name. `prefix` is what the service's environment variables begin with.
    ///
    /// # Errors
    /// They name none, or several, or something is wrong with a URL.
    pub fn check(self, prefix: &str) -> Result<Authentication, SettingsError> {
        let keys = match (self.jwt_jwks_url, self.jwt_key_file) {
            (Some(_), Some(_)) => {
                return Err(SettingsError(
                    "jwt_jwks_url and jwt_key_file exclude each other".to_owned(),
                ));
            }
            (Some(url), None) => Some(JwtKeys::Url(http_url("jwt_jwks_url", &url)?)),
            (None, Some(file)) => Some(JwtKeys::File(file)),
            (None, None) => None,
        };
        match (self.gafaelfawr_url.as_deref(), keys) {
            (Some("DISABLED"), None) => Ok(Authentication::Disabled),
            (Some(url), None) => {
                http_url("gafaelfawr_url (if not DISABLED)", url).map(Authentication::Gafaelfawr)
            }
            (None, Some(keys)) => Ok(Authentication::Jwt(JwtSettings {
                keys,
                issuer: self.jwt_issuer,
                audience: self.jwt_audience,
                user_claim: self.jwt_user_claim.unwrap_or_else(|| "sub".to_owned()),
                groups_claim: self.jwt_groups_claim.unwrap_or_else(|| "groups".to_owned()),
            })),
            (Some(_), Some(_)) => Err(SettingsError(
                "gafaelfawr_url and the jwt settings exclude each other".to_owned(),
            )),
            (None, None) => Err(SettingsError(format!(
                "nothing says how users are known: set {prefix}_GAFAELFAWR_URL (or --gafaelfawr-url) \
                 to a URL or to DISABLED, or --jwt-jwks-url or --jwt-key-file"
            ))),
        }
    }
}

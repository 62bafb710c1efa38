//! Who sends a request, and whether they may use a repository.

mod gafaelfawr;
mod groups;
mod jwt;

use std::time::Duration;

use http::HeaderMap;

use crate::error::{ApiError, ApiResult};
use crate::settings::{Authentication, Settings};

pub use gafaelfawr::Gafaelfawr;
pub use jwt::JwtVerifier;

/// The group that everybody is in.
const EVERYBODY: &str = "*";

/// The sender of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The name; none if nobody says who users are.
    pub name: Option<String>,
    /// The service that sends the request for the user.
    pub service: Option<String>,
}

/// Decides whether requests are answered.
#[derive(Debug)]
pub enum Authenticator {
    /// Everybody may do everything.
    Disabled,
    /// By the headers that Gafaelfawr sets.
    Gafaelfawr(Gafaelfawr),
    /// By a bearer token.
    Jwt(JwtVerifier),
}

impl Authenticator {
    /// What the settings ask for.
    ///
    /// # Errors
    /// The keys for tokens cannot be had.
    pub async fn new(settings: &Settings) -> butler_core::Result<Self> {
        Self::of(&settings.authentication, settings.group_cache).await
    }

    /// One of this kind, which remembers the groups of users for a while.
    ///
    /// # Errors
    /// The keys for tokens cannot be had.
    pub async fn of(kind: &Authentication, group_cache: Duration) -> butler_core::Result<Self> {
        Ok(match kind {
            Authentication::Disabled => Self::Disabled,
            Authentication::Gafaelfawr(url) => Self::Gafaelfawr(Gafaelfawr::new(url, group_cache)?),
            Authentication::Jwt(jwt) => Self::Jwt(JwtVerifier::new(jwt).await?),
        })
    }

    /// The sender of a request, who may use what is open to one of these groups.
    ///
    /// # Errors
    /// 401 or 403, saying what is missing; 503 if groups cannot be looked up.
    pub async fn authorize(
        &self,
        headers: &HeaderMap,
        repository: &str,
        groups: Option<&[String]>,
    ) -> ApiResult<User> {
        let unknown = || ApiError::not_found(format!("Unknown repository '{repository}'"));
        let (user, member) = self.judge(headers, groups).await?;
        groups.ok_or_else(unknown)?;
        if member {
            return Ok(user);
        }
        let name = user.name.unwrap_or_default();
        Err(ApiError::refused(
            http::StatusCode::FORBIDDEN,
            format!(
                "User {name} does not have permission to access Butler repository '{repository}'"
            ),
        ))
    }

    /// The sender of a request, and whether they may use what is open to one of these groups.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize), but for members.
    pub async fn judge(
        &self,
        headers: &HeaderMap,
        groups: Option<&[String]>,
    ) -> ApiResult<(User, bool)> {
        let groups = groups.unwrap_or_default();
        let (name, member) = match self {
            Self::Disabled => (
                text(headers, "x-auth-request-user").map(str::to_owned),
                true,
            ),
            Self::Gafaelfawr(gafaelfawr) => {
                let (user, token) = gafaelfawr::credentials(headers)?;
                let member = open_to_all(groups)
                    || (!groups.is_empty() && gafaelfawr.is_member(token, groups).await?);
                (Some(user.to_owned()), member)
            }
            Self::Jwt(verifier) => {
                let claims = verifier.verify(headers).await?;
                let member = open_to_all(groups) || claims.is_member(groups);
                (Some(claims.user), member)
            }
        };
        let service = text(headers, "x-auth-request-service").map(str::to_owned);
        Ok((User { name, service }, member))
    }
}

fn open_to_all(groups: &[String]) -> bool {
    groups.iter().any(|group| group == EVERYBODY)
}

/// A header's text, if it is there and is text.
#[must_use]
pub fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

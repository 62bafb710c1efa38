//! Users as Gafaelfawr knows them, the authentication service of the Rubin Science Platform.
//!
//! It stands before this server, and sets headers with the user's name and a token. With the token
//! it is asked for the groups of the user.

use std::time::Duration;

use butler_core::error::{Error, Result};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use url::Url;

use super::groups::GroupCache;
use super::text;
use crate::error::{ApiError, ApiResult};

/// How long Gafaelfawr may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is asked before a request is refused.
const ATTEMPTS: u32 = 3;

/// A client of Gafaelfawr.
#[derive(Debug)]
pub struct Gafaelfawr {
    user_info: Url,
    client: reqwest::Client,
    cache: GroupCache,
}

#[derive(Deserialize)]
struct UserInfo {
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

/// The user's name and token.
///
/// # Errors
/// 403 if one of the headers is missing.
pub(super) fn credentials(headers: &HeaderMap) -> ApiResult<(&str, &str)> {
    let header = |name: &str, shown: &str| {
        text(headers, name).ok_or_else(|| {
            let detail = format!("Required {shown} header was not provided");
            ApiError::refused(StatusCode::FORBIDDEN, detail)
        })
    };
    Ok((
        header("x-auth-request-user", "X-Auth-Request-User")?,
        header("x-auth-request-token", "X-Auth-Request-Token")?,
    ))
}

impl Gafaelfawr {
    /// A client of the service at this URL, whose answers are remembered for `lifetime`.
    ///
    /// # Errors
    /// The URL cannot have paths below it.
    pub fn new(url: &Url, lifetime: Duration) -> Result<Self> {
        let base = url.as_str().trim_end_matches('/');
        let user_info = Url::parse(&format!("{base}/api/v1/user-info"))
            .map_err(|error| Error::Configuration(format!("gafaelfawr_url: {error}")))?;
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Error::Configuration(format!("the client of Gafaelfawr: {error}")))?;
        Ok(Self {
            user_info,
            client,
            cache: GroupCache::new(lifetime),
        })
    }

    /// Whether the user is in one of these groups.
    ///
    /// # Errors
    /// 401 if the token is not accepted, 503 if there is no answer.
    pub async fn is_member(&self, token: &str, groups: &[String]) -> ApiResult<bool> {
        let own = self.cache.get(token, || self.ask(token)).await?;
        Ok(own.iter().any(|group| groups.contains(group)))
    }

    async fn ask(&self, token: &str) -> ApiResult<Vec<String>> {
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            let request = self.client.get(self.user_info.clone()).bearer_auth(token);
            match request.send().await {
                Ok(response) => return self.groups(response).await,
                Err(error) => reason = error.to_string(),
            }
        }
        Err(unavailable(&reason))
    }

    async fn groups(&self, response: reqwest::Response) -> ApiResult<Vec<String>> {
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ApiError::refused(
                StatusCode::UNAUTHORIZED,
                "The token in the X-Auth-Request-Token header is not valid",
            )),
            status if status.is_success() => {
                let info: UserInfo = response
                    .json()
                    .await
                    .map_err(|error| unavailable(&error.to_string()))?;
                let groups = info.groups.unwrap_or_default();
                Ok(groups.into_iter().map(|group| group.name).collect())
            }
            status => Err(unavailable(&format!("status {status}"))),
        }
    }
}

fn unavailable(reason: &str) -> ApiError {
    tracing::error!(reason, "Gafaelfawr does not tell the groups of a user");
    ApiError::try_again(
        StatusCode::SERVICE_UNAVAILABLE,
        5,
        "The authentication service does not answer; groups cannot be checked",
    )
}

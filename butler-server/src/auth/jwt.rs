//! Users as bearer tokens (JWT) say, for sites without Gafaelfawr.
//!
//! Which algorithms are allowed follows from the key, never from the token. Keys that are fetched
//! are fetched again when a token names one that is not known, though not all the time.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use butler_core::error::{Error, Result};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use super::text;
use crate::error::{ApiError, ApiResult};
use crate::settings::{JwtKeys, JwtSettings};

/// How long a key server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much time passes between two fetches of keys because of unknown ones.
const REFRESH: Duration = Duration::from_secs(60);

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user's name.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
}

impl Claims {
    /// Whether the user is in one of these groups.
    #[must_use]
    pub fn is_member(&self, groups: &[String]) -> bool {
        self.groups.iter().any(|group| groups.contains(group))
    }
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
    validation: Validation,
}

type Keys = Arc<Vec<Key>>;

/// Verifies bearer tokens.
#[derive(Debug)]
pub struct JwtVerifier {
    settings: JwtSettings,
    client: reqwest::Client,
    keys: RwLock<Keys>,
    fetched: Mutex<Instant>,
}

impl JwtVerifier {
    /// A verifier with the keys that the settings name.
    ///
    /// # Errors
    /// [`Error::Configuration`] if they cannot be had, or are no public keys.
    pub async fn new(settings: &JwtSettings) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Error::Configuration(format!("the client for keys: {error}")))?;
        let keys = match &settings.keys {
            JwtKeys::Url(url) => fetch(&client, url, settings).await?,
            JwtKeys::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
                parse(&text, settings)?
            }
        };
        Ok(Self {
            settings: settings.clone(),
            client,
            keys: RwLock::new(Arc::new(keys)),
            fetched: Mutex::new(Instant::now()),
        })
    }

    /// Who sends a request.
    ///
    /// # Errors
    /// 401 if there is no token, or it is not valid; the answer does not say why.
    pub async fn verify(&self, headers: &HeaderMap) -> ApiResult<Claims> {
        let token = text(headers, "authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let Some(token) = token else {
            return Err(challenge(
                "Required Authorization header with a bearer token was not provided",
            ));
        };
        let claims = self.claims(token).await;
        claims.ok_or_else(|| challenge("The bearer token is not valid, or no longer"))
    }

    async fn claims(&self, token: &str) -> Option<Claims> {
        let id = decode_header(token).ok()?.kid;
        let mut keys = self.keys();
        let wanted = |key: &&Key| id.is_none() || key.id.is_none() || key.id == id;
        if !keys.iter().any(|key| wanted(&key)) {
            self.refresh().await;
            keys = self.keys();
        }
        let found = keys
            .iter()
            .filter(wanted)
            .find_map(|key| decode::<Map<String, Value>>(token, &key.key, &key.validation).ok())?;
        let user = found.claims.get(&self.settings.user_claim)?.as_str()?;
        let groups = found.claims.get(&self.settings.groups_claim);
        Some(Claims {
            user: user.to_owned(),
            groups: groups.map(read_groups).unwrap_or_default(),
        })
    }

    fn keys(&self) -> Keys {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }

    async fn refresh(&self) {
        let JwtKeys::Url(url) = &self.settings.keys else {
            return;
        };
        let mut fetched = self.fetched.lock().await;
        if fetched.elapsed() < REFRESH {
            return;
        }
        *fetched = Instant::now();
        match fetch(&self.client, url, &self.settings).await {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Err(error) => tracing::error!(%error, "the keys for bearer tokens cannot be fetched"),
        }
    }
}

async fn fetch(client: &reqwest::Client, url: &Url, settings: &JwtSettings) -> Result<Vec<Key>> {
    let fail = |error: reqwest::Error| Error::Configuration(format!("jwt_jwks_url: {error}"));
    let response = client.get(url.clone()).send().await.map_err(fail)?;
    let response = response.error_for_status().map_err(fail)?;
    parse(&response.text().await.map_err(fail)?, settings)
}

/// Keys of a JWKS, or the one of a PEM file.
fn parse(text: &str, settings: &JwtSettings) -> Result<Vec<Key>> {
    if !text.trim_start().starts_with('{') {
        let pem = text.as_bytes();
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem));
        let key = key.map_err(|_| no_keys("the file is neither a JWKS nor a public key in PEM"))?;
        return Ok(vec![checked(None, key, settings)]);
    }
    let set: JwkSet = serde_json::from_str(text).map_err(|error| no_keys(&error.to_string()))?;
    let keys: Vec<Key> = set
        .keys
        .iter()
        .filter_map(|jwk| public_key(jwk, settings))
        .collect();
    if keys.is_empty() {
        return Err(no_keys("there are no public keys in the JWKS"));
    }
    Ok(keys)
}

/// A key of a set; none for shared secrets, which have no place in one, and for unknown kinds.
fn public_key(jwk: &Jwk, settings: &JwtSettings) -> Option<Key> {
    let key = DecodingKey::from_jwk(jwk).ok()?;
    if key.family() == AlgorithmFamily::Hmac {
        return None;
    }
    Some(checked(jwk.common.key_id.clone(), key, settings))
}

fn checked(id: Option<String>, key: DecodingKey, settings: &JwtSettings) -> Key {
    let mut validation = Validation::new_for_family(key.family());
    validation.validate_nbf = true;
    let mut required = vec!["exp"];
    if let Some(issuer) = &settings.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.validate_aud = settings.audience.is_some();
    if let Some(audience) = &settings.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    Key {
        id,
        key,
        validation,
    }
}

/// Names in a list (or objects with a name, as Gafaelfawr writes them), or separated by spaces.
fn read_groups(claim: &Value) -> Vec<String> {
    let owned = |text: &str| text.to_owned();
    match claim {
        Value::String(text) => text.split_whitespace().map(owned).collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().or_else(|| item.get("name")?.as_str()))
            .map(owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn challenge(detail: &str) -> ApiError {
    ApiError::Refused {
        status: StatusCode::UNAUTHORIZED,
        detail: detail.to_owned(),
        header: Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
    }
}

fn no_keys(why: &str) -> Error {
    Error::Configuration(format!("keys for bearer tokens: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read_groups;

    #[test]
    fn groups_come_in_several_forms() {
        for claim in [
            json!(["g_a", "g_b"]),
            json!([{"name": "g_a", "id": 1}, {"name": "g_b"}]),
            json!("g_a g_b"),
        ] {
            assert_eq!(read_groups(&claim), ["g_a", "g_b"]);
        }
        assert!(read_groups(&json!(null)).is_empty());
    }
}

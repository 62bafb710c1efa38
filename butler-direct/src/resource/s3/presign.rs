//! Signed addresses, made here: the SDK takes a hundred times as long for the same.
//!
//! The SDK still says how a bucket is addressed. The first address in a bucket is signed both ways;
//! if the outcomes differ (there are buckets with algorithms of their own), the SDK goes on signing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::credentials::CachedCredentials;
use crate::resource::quoting;

/// What comes before the signature's own parameters in the SDK's addresses for reading.
const OPERATION: &str = "x-id=GetObject";

const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders=host";

/// How addresses are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureVersion {
    /// With HMAC-SHA256, by Signature Version 4.
    #[default]
    V4,
    /// With HMAC-SHA1, by Signature Version 2: old, and not understood by all servers, but the only
    /// one by which `lsst.resources` recognises signed addresses.
    V2,
}

/// What signs addresses of one server with one identity.
pub(super) struct Presigner {
    credentials: CachedCredentials,
    /// The buckets in which an address was signed before; none if only the SDK can.
    buckets: RwLock<HashMap<String, Option<Arc<Bucket>>>>,
    day: Mutex<Option<DayKey>>,
}

/// How a bucket is addressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    name: String,
    /// Scheme and host.
    origin: String,
    host: String,
    /// The path before the key, with a slash at the end.
    path: String,
    region: String,
}

/// The key with which everything of one day is signed.
struct DayKey {
    secret: String,
    scope: String,
    key: [u8; 32],
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presigner").finish_non_exhaustive()
    }
}

impl Presigner {
    pub(super) fn new(credentials: CachedCredentials) -> Self {
        Self {
            credentials,
            buckets: RwLock::default(),
            day: Mutex::default(),
        }
    }

    /// How a bucket is addressed, if that is known; within, none if only the SDK can sign.
    pub(super) fn bucket(&self, name: &str) -> Option<Option<Arc<Bucket>>> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned()
    }

    /// Learns from an address that the SDK signed how a bucket is addressed.
    pub(super) async fn learn(
        &self,
        bucket: &str,
        key: &str,
        address: &str,
        at: SystemTime,
        valid_for: Duration,
    ) -> Option<Arc<Bucket>> {
        let learnt = match Bucket::of(bucket, key, address) {
            Some(place) => {
                let own = self.sign_v4(&place, key, at, valid_for).await;
                (own.as_deref() == Some(address)).then(|| Arc::new(place))
            }
            None => None,
        };
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.insert(bucket.to_owned(), learnt.clone());
        learnt
    }

    /// The address of an object, signed for reading. None if there are no credentials.
    pub(super) async fn sign(
        &self,
        version: SignatureVersion,
        bucket: &Bucket,
        key: &str,
        at: SystemTime,
        valid_for: Duration,
    ) -> Option<String> {
        match version {
            SignatureVersion::V4 => self.sign_v4(bucket, key, at, valid_for).await,
            SignatureVersion::V2 => self.sign_v2(bucket, key, at, valid_for).await,
        }
    }

    async fn sign_v4(
        &self,
        bucket: &Bucket,
        key: &str,
        at: SystemTime,
        valid_for: Duration,
    ) -> Option<String> {
        let credentials = self.credentials.get().await?;
        let (date, time) = date_and_time(at)?;
        let scope = format!("{date}/{}/s3/aws4_request", bucket.region);
        let path = format!("{}{}", bucket.path, quoting::quote(key));
        let parameters = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={time}\
             &X-Amz-Expires={}",
            quoting::quote_component(credentials.access_key_id()),
            scope.replace('/', "%2F"),
            valid_for.as_secs()
        );
        let token = credentials
            .session_token()
            .map_or_else(String::new, |token| {
                format!("&X-Amz-Security-Token={}", quoting::quote_component(token))
            });
        // What is signed has the parameters in the order of their names.
        let request = format!(
            "GET\n{path}\n{parameters}{token}&{SIGNED_HEADERS}&{OPERATION}\nhost:{}\n\nhost\n\
             UNSIGNED-PAYLOAD",
            bucket.host
        );
        let digest = hex(&Sha256::digest(request.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let day = self.day_key(&credentials, &date, &bucket.region, &scope)?;
        let signature = hex(&hmac_sha256(&day, text.as_bytes())?);
        Some(format!(
            "{}{path}?{OPERATION}&{parameters}&{SIGNED_HEADERS}&X-Amz-Signature={signature}{token}",
            bucket.origin
        ))
    }

    async fn sign_v2(
        &self,
        bucket: &Bucket,
        key: &str,
        at: SystemTime,
        valid_for: Duration,
    ) -> Option<String> {
        let credentials = self.credentials.get().await?;
        let expires = at.duration_since(UNIX_EPOCH).ok()?.as_secs() + valid_for.as_secs();
        let quoted = quoting::quote(key);
        let (mut header, mut parameter) = (String::new(), String::new());
        if let Some(token) = credentials.session_token() {
            header = format!("x-amz-security-token:{token}\n");
            parameter = format!("&x-amz-security-token={}", quoting::quote_component(token));
        }
        let text = format!("GET\n\n\n{expires}\n{header}/{}/{quoted}", bucket.name);
        let secret = credentials.secret_access_key().as_bytes();
        let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
        mac.update(text.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        Some(format!(
            "{}{}{quoted}?AWSAccessKeyId={}&Signature={}&Expires={expires}{parameter}",
            bucket.origin,
            bucket.path,
            quoting::quote_component(credentials.access_key_id()),
            quoting::quote_component(&signature)
        ))
    }

    fn day_key(
        &self,
        credentials: &Credentials,
        date: &str,
        region: &str,
        scope: &str,
    ) -> Option<[u8; 32]> {
        let secret = credentials.secret_access_key();
        let mut known = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = &*known
            && day.scope == scope
            && day.secret == secret
        {
            return Some(day.key);
        }
        let mut key = hmac_sha256(format!("AWS4{secret}").as_bytes(), date.as_bytes())?;
        for part in [region, "s3", "aws4_request"] {
            key = hmac_sha256(&key, part.as_bytes())?;
        }
        *known = Some(DayKey {
            secret: secret.to_owned(),
            scope: scope.to_owned(),
            key,
        });
        Some(key)
    }
}

impl Bucket {
    /// Reads an address of the SDK for an object with this key.
    fn of(name: &str, key: &str, address: &str) -> Option<Self> {
        let (place, query) = address.split_once('?')?;
        let base = place.strip_suffix(&quoting::quote(key))?;
        let (scheme, rest) = base.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let credential = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
        let region = credential.rsplit("%2F").nth(2)?;
        Some(Self {
            name: name.to_owned(),
            origin: format!("{scheme}://{host}"),
            host: host.to_owned(),
            path: format!("/{path}"),
            region: region.to_owned(),
        })
    }
}

/// `20260102` and `20260102T030405Z`.
fn date_and_time(at: SystemTime) -> Option<(String, String)> {
    let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let time = DateTime::from_secs(i64::try_from(seconds).ok()?);
    let mut time = time.fmt(DateTimeFormat::DateTime).ok()?;
    time.retain(|character| !matches!(character, '-' | ':'));
    Some((time.get(..8)?.to_owned(), time))
}

fn hmac_sha256(key: &[u8], data: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(data);
    Some(mac.finalize().into_bytes().into())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(DIGITS[usize::from(half)]));
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests;

//! URLs of the server's own for files on disk, signed and valid for a while.
//!
//! The token in such a URL names the repository, the dataset, the file's path as recorded, and when
//! it expires. It is no address: what it leads to is looked up again when it is used, so that it
//! reaches nothing but files of that dataset, and nothing at all once the dataset is gone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use butler_core::error::{Error, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is not quoted in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A file that a token gives the right to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileClaims {
    /// The repository's label.
    #[serde(rename = "repo")]
    pub repository: String,
    /// The dataset.
    pub dataset: Uuid,
    /// The path of the file, as recorded.
    pub path: String,
    /// When the token expires, in seconds since 1970.
    #[serde(rename = "exp")]
    pub expires: u64,
}

/// Signs and verifies tokens.
pub struct FileUrls {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for FileUrls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileUrls").finish_non_exhaustive()
    }
}

impl FileUrls {
    /// With this secret, or one that is made up and dies with the process.
    #[must_use]
    pub fn new(secret: Option<&str>) -> Self {
        let made_up;
        let secret = match secret {
            Some(secret) => secret.as_bytes(),
            None => {
                made_up = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
                &made_up
            }
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// A URL below `base` (without a slash at its end) for a file of a dataset. It ends with the
    /// file's name, by whose extension clients know its format.
    ///
    /// # Errors
    /// [`Error::Internal`] if signing fails.
    pub fn url(
        &self,
        base: &str,
        repository: &str,
        dataset: Uuid,
        path: &str,
        valid_for: Duration,
    ) -> Result<String> {
        let claims = FileClaims {
            repository: repository.to_owned(),
            dataset,
            path: path.to_owned(),
            expires: (SystemTime::now() + valid_for)
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_secs()),
        };
        let token = encode(&Header::default(), &claims, &self.signing)
            .map_err(|error| Error::Internal(format!("signing a URL: {error}")))?;
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(format!(
            "{base}/api/butler/repo/{}/v1/file/{dataset}/{}?token={token}",
            quote(repository),
            quote(name)
        ))
    }

    /// What a token gives the right to, if it is valid.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<FileClaims> {
        let decoded = decode(token, &self.verifying, &self.validation);
        decoded.ok().map(|data| data.claims)
    }
}

/// Text as a segment of a path, or as a value in a query.
pub(crate) fn quote(text: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(text, SEGMENT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn token(urls: &FileUrls, lifetime: u64) -> String {
        let lifetime = Duration::from_secs(lifetime);
        let url = urls.url("http://h", "r x", ID, "a/b c.fits", lifetime);
        let url = url.unwrap();
        let start = format!("http://h/api/butler/repo/r%20x/v1/file/{ID}/b%20c.fits?token=");
        url.strip_prefix(&start).unwrap().to_owned()
    }

    #[test]
    fn a_token_names_one_file() {
        let urls = FileUrls::new(None);
        let claims = urls.verify(&token(&urls, 60)).unwrap();
        assert_eq!(claims.repository, "r x");
        assert_eq!(claims.dataset, ID);
        assert_eq!(claims.path, "a/b c.fits");
    }

    #[test]
    fn expired_forged_and_foreign_tokens_are_refused() {
        let urls = FileUrls::new(Some("a secret of more than thirty-two characters"));
        let good = token(&urls, 60);
        let claims = FileClaims {
            expires: 1,
            ..urls.verify(&good).unwrap()
        };
        let expired = encode(&Header::default(), &claims, &urls.signing).unwrap();
        assert_eq!(urls.verify(&expired), None);
        let mut forged = good.clone().into_bytes();
        let middle = good.find('.').unwrap() + 5;
        forged[middle] ^= 1;
        assert_eq!(urls.verify(&String::from_utf8(forged).unwrap()), None);
        assert_eq!(FileUrls::new(None).verify(&good), None);
    }
}

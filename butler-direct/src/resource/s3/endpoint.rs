//! Which S3 server to talk to, and as whom.

use std::fmt;

use url::Url;

use crate::environment::Environment;
use crate::resource::error::Result;
use crate::resource::{ResourceError, quoting};

/// The server and identity behind a profile.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    /// The server's address; `None` for what the AWS configuration says.
    pub(super) url: Option<String>,
    /// Access key ID and secret key, when they were given with the address.
    pub(super) keys: Option<(String, String)>,
    /// The profile to look up in the AWS credentials file.
    pub(super) profile: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("access_key", &self.keys.as_ref().map(|(id, _)| id))
            .field("profile", &self.profile)
            .finish()
    }
}

impl Endpoint {
    /// Finds the settings of a profile, or of the default server.
    pub(super) fn find(environment: &Environment, profile: Option<&str>) -> Result<Self> {
        let named = profile.map(|name| format!("LSST_RESOURCES_S3_PROFILE_{name}"));
        for variable in named.into_iter().chain(["S3_ENDPOINT_URL".to_owned()]) {
            if let Some(text) = environment.get_non_empty(&variable) {
                return Self::parse(&variable, &text, profile);
            }
        }
        Ok(Self {
            url: None,
            keys: None,
            profile: profile.map(str::to_owned),
        })
    }

    fn parse(variable: &str, text: &str, profile: Option<&str>) -> Result<Self> {
        // The text may hold a secret, so no message repeats it.
        let wrong = |reason: &str| ResourceError::Settings {
            setting: variable.to_owned(),
            reason: reason.to_owned(),
        };
        let mut url = Url::parse(text).map_err(|error| {
            wrong(&format!(
                "not a URL of the form https://key:secret@host ({error})"
            ))
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("not a URL of the form https://key:secret@host"));
        }
        let keys = match (url.username(), url.password()) {
            ("", None) => None,
            (id, Some(secret)) if !id.is_empty() => {
                Some((quoting::unquote(id), quoting::unquote(secret)))
            }
            _ => {
                return Err(wrong(
                    "expected both an access key and a secret (key:secret@host)",
                ));
            }
        };
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return Err(wrong("the address cannot carry credentials"));
        }
        url.set_query(None);
        url.set_fragment(None);
        let profile = if keys.is_some() {
            None
        } else {
            profile.map(str::to_owned)
        };
        Ok(Self {
            url: Some(url.as_str().trim_end_matches('/').to_owned()),
            keys,
            profile,
        })
    }
}

/// Whether bucket names are to be checked; `LSST_DISABLE_BUCKET_VALIDATION` turns that off, for
/// servers whose bucket names hold colons.
pub(super) fn validates_buckets(environment: &Environment) -> bool {
    match environment.get("LSST_DISABLE_BUCKET_VALIDATION") {
        None => true,
        Some(value) => {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "" | "0" | "f" | "n" | "false"
            )
        }
    }
}

/// Whether a bucket name follows the rules of S3 (or is the resource name of an access point).
pub(super) fn is_valid_bucket(name: &str) -> bool {
    name.starts_with("arn:")
        || ((1..=255).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_profile_is_preferred_to_the_default_server() {
        let env = Environment::fixed([
            (
                "LSST_RESOURCES_S3_PROFILE_usdf",
                "https://id:se%2Fcret@s3.example.org:9000/base/",
            ),
            ("S3_ENDPOINT_URL", "http://default.example.org"),
        ]);
        let endpoint = Endpoint::find(&env, Some("usdf")).unwrap();
        assert_eq!(
            endpoint.url.as_deref(),
            Some("https://s3.example.org:9000/base")
        );
        assert_eq!(endpoint.keys, Some(("id".to_owned(), "se/cret".to_owned())));
        assert_eq!(endpoint.profile, None);
        let other = Endpoint::find(&env, Some("other")).unwrap();
        assert_eq!(other.url.as_deref(), Some("http://default.example.org"));
        assert_eq!(other.profile.as_deref(), Some("other"));
    }

    #[test]
    fn a_key_without_secret_is_refused_without_repeating_it() {
        let env = Environment::fixed([("S3_ENDPOINT_URL", "https://AKIA@host")]);
        let message = Endpoint::find(&env, None).unwrap_err().to_string();
        assert!(
            message.contains("S3_ENDPOINT_URL") && message.contains("secret"),
            "{message}"
        );
        assert!(!message.contains("AKIA"), "{message}");
    }

    #[test]
    fn debug_output_hides_the_secret() {
        let env = Environment::fixed([("S3_ENDPOINT_URL", "https://AKIA:hush@host")]);
        let endpoint = Endpoint::find(&env, None).unwrap();
        assert!(!format!("{endpoint:?}").contains("hush"));
    }

    #[test]
    fn bucket_validation_can_be_turned_off() {
        let set = |v: &str| Environment::fixed([("LSST_DISABLE_BUCKET_VALIDATION", v)]);
        assert!(validates_buckets(&set("False")));
        assert!(!validates_buckets(&set("1")));
        assert!(!is_valid_bucket("tenant:bucket"));
        assert!(is_valid_bucket("my_bucket.x-1"));
    }
}

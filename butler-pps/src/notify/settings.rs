//! Where releases are told.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use butler_core::yaml;
use butler_direct::resource::{ResourcePath, Resources};
use clap::Args;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Lists;
use crate::settings::SettingsError;

/// The shortest secret, in bytes.
const SHORTEST: usize = 16;

/// Attempts at a delivery, unless the file says something else: with growing pauses, about two days.
const ATTEMPTS: u32 = 18;

/// How users are told of releases; not at all if nothing is set.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct NotifyOptions {
    /// A directory (local or S3) for lists of released datasets, a file for each hour and an index.
    #[arg(long, env = "PROMPTPUB_RELEASE_LIST_DIRECTORY", value_name = "DIR")]
    pub release_list_directory: Option<String>,

    /// A YAML file of receivers that are told of released datasets, each with name, url, and secret or
    /// secret_variable. (In the settings' file, they may be there instead.)
    #[arg(long, env = "PROMPTPUB_WEBHOOKS", value_name = "FILE")]
    pub webhooks: Option<Receivers>,
}

/// Where receivers are named.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Receivers {
    /// In a YAML file.
    File(PathBuf),
    /// Here.
    Here(Vec<Receiver>),
}

impl FromStr for Receivers {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::File(text.into()))
    }
}

/// A receiver as settings have it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// What it is called.
    pub name: String,
    /// Where messages are posted to.
    pub url: String,
    /// What they are signed with: text, or `whsec_` and base 64.
    pub secret: Option<String>,
    /// The environment variable that has the secret.
    pub secret_variable: Option<String>,
    /// How often a delivery is tried.
    pub attempts: Option<u32>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Address and secret are not for logs.
        f.debug_struct("Receiver")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A receiver of what was released.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in logs and in the state database.
    pub name: String,
    /// Where messages are posted to.
    pub url: Url,
    /// What they are signed with.
    pub secret: Vec<u8>,
    /// How often a delivery is tried.
    pub attempts: u32,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl NotifyOptions {
    /// Where lists are kept, if they are.
    ///
    /// # Errors
    /// The directory is no address.
    pub fn lists(&self) -> Result<Option<Lists>, SettingsError> {
        let given = self.release_list_directory.as_deref();
        given
            .filter(|directory| !directory.is_empty())
            .map(|directory| {
                let directory = ResourcePath::options()
                    .directory(true)
                    .parse(directory)
                    .map_err(|error| SettingsError(format!("release_list_directory: {error}")))?;
                let resources = Resources::builder().durable(true).build();
                Ok(Lists::new(resources, directory))
            })
            .transpose()
    }

    /// Who is told.
    ///
    /// # Errors
    /// What is wrong with the file, in one line.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, SettingsError> {
        match &self.webhooks {
            Some(Receivers::File(file)) if !file.as_os_str().is_empty() => read(file),
            Some(Receivers::Here(receivers)) => checked(receivers.clone())
                .map_err(|what| SettingsError(format!("webhooks: {what}"))),
            _ => Ok(Vec::new()),
        }
    }
}

fn read(file: &Path) -> Result<Vec<Webhook>, SettingsError> {
    let fail = |what: &dyn std::fmt::Display| {
        SettingsError(format!("the webhooks of {}: {what}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| fail(&error))?;
    let document = yaml::parse(&text).map_err(|error| fail(&error))?;
    let receivers = serde_json::from_value(document.to_json()).map_err(|error| fail(&error))?;
    checked(receivers).map_err(|what| fail(&what))
}

fn checked(receivers: Vec<Receiver>) -> Result<Vec<Webhook>, String> {
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::with_capacity(receivers.len());
    for receiver in receivers {
        let name = receiver.name.clone();
        if name.is_empty() || !names.insert(name.clone()) {
            return Err(format!("there is no name, or it is there twice: '{name}'"));
        }
        webhooks.push(check(receiver).map_err(|what| format!("'{name}': {what}"))?);
    }
    Ok(webhooks)
}

fn check(receiver: Receiver) -> Result<Webhook, String> {
    let url: Url = receiver
        .url
        .parse()
        .map_err(|error| format!("url: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "the scheme of url is '{}', not https",
            url.scheme()
        ));
    }
    let secret = match (receiver.secret, receiver.secret_variable) {
        (Some(secret), None) => secret,
        (None, Some(variable)) => std::env::var(&variable)
            .map_err(|_| format!("the variable {variable} with its secret is not set"))?,
        _ => return Err("it needs either secret or secret_variable".to_owned()),
    };
    let secret = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD
            .decode(encoded)
            .map_err(|_| "what follows whsec_ in its secret is not base 64".to_owned())?,
        None => secret.into_bytes(),
    };
    if secret.len() < SHORTEST {
        return Err(format!("its secret has less than {SHORTEST} bytes"));
    }
    Ok(Webhook {
        name: receiver.name,
        url,
        secret,
        attempts: receiver.attempts.unwrap_or(ATTEMPTS).max(1),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn webhooks(text: &str) -> Result<Vec<Webhook>, SettingsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    #[test]
    fn secrets_are_text_or_base_64() {
        let read = webhooks(
            "- {name: a, url: 'https://a.example/x', secret: sixteen bytes or more}\n\
             - {name: b, url: 'https://b.example/x', attempts: 3,\n\
             \x20  secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n",
        );
        let read = read.unwrap();
        assert_eq!(read[0].secret, b"sixteen bytes or more");
        assert_eq!((read[1].secret.len(), read[1].attempts), (24, 3));
    }

    #[test]
    fn what_is_wrong_with_receivers_is_said_in_one_line_without_secrets() {
        let url = "url: 'https://a.example/x'";
        for wrong in [
            "name: a".to_owned(),
            format!("[{{name: a, {url}}}]"),
            format!("[{{name: a, {url}, secret: SECRET}}]"),
            format!("[{{name: a, {url}, secret_variable: BUTLER_NOT_SET}}]"),
            "[{name: a, url: 'ftp://a.example', secret: sixteen bytes SECRET}]".to_owned(),
            format!("[{{name: a, {url}, secret: whsec_SECRET!}}]"),
        ] {
            let said = webhooks(&wrong).unwrap_err().to_string();
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!said.contains("SECRET"), "{said}");
        }
    }
}

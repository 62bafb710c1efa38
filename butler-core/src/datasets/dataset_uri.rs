//! Addresses of datasets that hold wherever their files are.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::DatasetId;
use crate::error::{Error, Result};

/// The address of a dataset: a repository, and the dataset in it.
///
/// There are two forms. `ivo://org.rubinobs/usdac/dr1?repo=label&id=UUID` is an identifier of the
/// IVOA (see DMTN-302), whose publisher does not matter; its `repo` may be anything by which a
/// repository can be opened. `butler://label/UUID` is older.
///
/// ```
/// use butler_core::datasets::DatasetUri;
///
/// let text = "ivo://org.rubinobs/lsst-dp1?repo=dp1&id=d1b5cb5e-6d5a-4c2b-9b4e-3a7f0a4f9b11";
/// let uri: DatasetUri = text.parse()?;
/// assert_eq!(uri.repository(), "dp1");
/// # Ok::<_, butler_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatasetUri {
    repository: String,
    dataset: DatasetId,
    text: String,
}

impl DatasetUri {
    /// The label of the repository, or where it is.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The dataset. It is not certain that there is one.
    #[must_use]
    pub const fn dataset(&self) -> DatasetId {
        self.dataset
    }
}

impl fmt::Display for DatasetUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for DatasetUri {
    type Err = Error;

    /// Reads either form.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that says what is missing.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::InvalidArgument(format!(
                "'{text}' is not the address of a dataset: {what}; expected \
                 ivo://…?repo=label&id=UUID or butler://label/UUID"
            ))
        };
        let (scheme, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong("it has no scheme"))?;
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (repository, id) = match scheme.to_ascii_lowercase().as_str() {
            "ivo" => {
                let one = |wanted: &str| {
                    let mut found = url::form_urlencoded::parse(query.as_bytes())
                        .filter(|(name, value)| name == wanted && !value.is_empty());
                    let value = found
                        .next()
                        .ok_or_else(|| wrong(&format!("its query has no '{wanted}'")))?;
                    match found.next() {
                        None => Ok(value.1.into_owned()),
                        Some(_) => Err(wrong(&format!("its query has several '{wanted}'"))),
                    }
                };
                (one("repo")?, one("id")?)
            }
            "butler" => {
                let place = place.strip_prefix("//").unwrap_or_default();
                let (label, id) = place.split_once('/').unwrap_or((place, ""));
                (label.to_owned(), id.to_owned())
            }
            _ => return Err(wrong("its scheme is not known")),
        };
        let repository = repository.trim();
        if repository.is_empty() {
            return Err(wrong("it names no repository"));
        }
        let dataset = Uuid::parse_str(&id).map_err(|_| wrong("its dataset is not a UUID"))?;
        Ok(Self {
            repository: repository.to_owned(),
            dataset,
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ID: &str = "31cd9b4b-e6c8-4a1a-b6a6-1b9b7b0b6a00";

    fn parse(text: &str) -> Result<(String, String)> {
        let uri: DatasetUri = text.parse()?;
        assert_eq!(uri.to_string(), text);
        Ok((uri.repository().to_owned(), uri.dataset().to_string()))
    }

    #[test]
    fn both_forms_name_repository_and_dataset() {
        for (text, repository) in [
            (format!("butler://dp1/{ID}"), "dp1"),
            (format!("BUTLER://Embargo_New/{ID}"), "Embargo_New"),
            (
                format!("ivo://org.rubinobs/usdac/dr1?repo=dp1&id={ID}"),
                "dp1",
            ),
            (
                format!("ivo://any/where?id={ID}&repo=%2Frepo%2Fmain&x=1#f"),
                "/repo/main",
            ),
            (
                format!("ivo://any?repo=+dp1+&id={}", ID.replace('-', "")),
                "dp1",
            ),
        ] {
            assert_eq!(
                parse(&text).unwrap(),
                (repository.to_owned(), ID.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_incomplete_is_refused() {
        for text in [
            String::new(),
            ID.to_owned(),
            format!("http://dp1/{ID}"),
            format!("butler:///{ID}"),
            "butler://dp1/123".to_owned(),
            "butler://dp1".to_owned(),
            format!("ivo://any?id={ID}"),
            "ivo://any?repo=dp1".to_owned(),
            format!("ivo://any?repo=&id={ID}"),
            format!("ivo://any?repo=a&repo=b&id={ID}"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{text}");
        }
    }
}

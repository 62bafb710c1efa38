//! Keys into a configuration tree.

use crate::error::{Error, Result};

/// One step down a configuration tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A key of a mapping. A number is tried as an index where the node is a list.
    Key(String),
    /// An index into a list.
    Index(usize),
}

impl Segment {
    /// This step as an index into a list, if it can be one.
    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Key(key) => key.parse().ok(),
            Self::Index(index) => Some(*index),
        }
    }

    /// This step as a key of a mapping.
    pub(super) fn key(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Key(key) => key.as_str().into(),
            Self::Index(index) => index.to_string().into(),
        }
    }
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key())
    }
}

/// Splits a delimited key into its steps.
///
/// A key that starts with a character that is neither letter nor digit names its own delimiter:
/// `.a.b` and `/a/b` are both `a` then `b`; `a.b` is a single step. A backslash before the
/// delimiter makes it part of the step (`.a.b\.c` is `a` then `b.c`).
///
/// # Errors
/// The key is empty, or escapes an escaped delimiter.
pub fn split_key(key: &str) -> Result<Vec<Segment>> {
    let mut chars = key.chars();
    let Some(delimiter) = chars.next() else {
        return Err(Error::Configuration(
            "a configuration key must not be empty".into(),
        ));
    };
    if delimiter.is_alphanumeric() {
        return Ok(vec![key.into()]);
    }
    let rest = chars.as_str();
    if rest.contains(&format!("\\\\{delimiter}")) {
        return Err(Error::Configuration(format!(
            "key '{key}' escapes an escaped delimiter '{delimiter}'; use another delimiter"
        )));
    }
    let mut segments = Vec::new();
    let mut current = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek() == Some(&delimiter) {
            current.push(delimiter);
            chars.next();
        } else if c == delimiter {
            segments.push(std::mem::take(&mut current).into());
        } else {
            current.push(c);
        }
    }
    segments.push(current.into());
    Ok(segments)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn split(key: &str) -> Vec<String> {
        split_key(key)
            .unwrap()
            .iter()
            .map(Segment::to_string)
            .collect()
    }

    #[test]
    fn the_first_character_chooses_the_delimiter() {
        assert_eq!(split(".a.b.c"), ["a", "b", "c"]);
        assert_eq!(split("/a/b.c"), ["a", "b.c"]);
        assert_eq!(split("a.b"), ["a.b"]);
        assert_eq!(split(":a.b"), ["a.b"]);
        assert_eq!(split("→a→0"), ["a", "0"]);
        assert_eq!(split(r".a.b\.c"), ["a", "b.c"]);
    }

    #[test]
    fn doubly_escaped_delimiters_are_refused() {
        assert!(split_key(r".a\\.b").is_err());
        assert!(split_key("").is_err());
    }
}

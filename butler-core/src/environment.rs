//! Where environment variables come from.
//!
//! Everything that honours an environment variable (S3 profiles, configuration paths, credentials,
//! access tokens, the cache) asks an [`Environment`], so that a service can pin its settings
//! and a test can state them without touching the process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A source of environment variables: the process's own, or a fixed set.
#[derive(Clone, Debug, Default)]
pub enum Environment {
    /// Look variables up in the process environment at the time of each call.
    #[default]
    Process,
    /// Only these variables exist.
    Fixed(Arc<HashMap<String, String>>),
}

impl Environment {
    /// An environment holding exactly the given variables.
    pub fn fixed<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        Self::Fixed(Arc::new(
            variables
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        ))
    }

    /// The value of a variable, or `None` if it is unset or not valid Unicode.
    pub fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Process => std::env::var(name).ok(),
            Self::Fixed(variables) => variables.get(name).cloned(),
        }
    }

    /// The value of a variable which counts as unset when it is empty.
    pub fn get_non_empty(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The user's home directory, as `HOME` names it.
    pub fn home(&self) -> Option<PathBuf> {
        self.get_non_empty("HOME").map(PathBuf::from)
    }

    /// Replaces `$NAME` and `${NAME}` by the values of those variables; unknown names stay as
    /// they are written.
    pub fn expand_variables(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            out.push_str(&rest[..start]);
            let after = &rest[start + 1..];
            let (name, consumed) = if let Some(braced) = after.strip_prefix('{') {
                match braced.find('}') {
                    Some(end) => (&braced[..end], end + 2),
                    None => ("", 0),
                }
            } else {
                let end = after
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(after.len());
                (&after[..end], end)
            };
            match self.get(name).filter(|_| !name.is_empty()) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&rest[start..start + 1 + consumed]),
            }
            rest = &after[consumed..];
        }
        out.push_str(rest);
        out
    }

    /// Replaces a leading `~` (alone or before `/`) by the home directory. `~user` is left alone.
    pub fn expand_user(&self, path: &str) -> String {
        match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => match self.home() {
                Some(home) => {
                    let home = home.to_string_lossy();
                    let joined = format!("{}{rest}", home.trim_end_matches('/'));
                    if joined.is_empty() {
                        "/".to_owned()
                    } else {
                        joined
                    }
                }
                None => path.to_owned(),
            },
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Environment {
        Environment::fixed([("HOME", "/home/ada"), ("REPO", "/data/repo"), ("EMPTY", "")])
    }

    #[test]
    fn variables_are_replaced_in_both_spellings() {
        assert_eq!(
            env().expand_variables("$REPO/a/${REPO}b"),
            "/data/repo/a//data/repob"
        );
        assert_eq!(env().expand_variables("x${EMPTY}y"), "xy");
    }

    #[test]
    fn unknown_variables_and_lone_dollars_stay() {
        for text in ["$NOPE/x", "${NOPE}", "a$", "${REPO", "$/x", "${}"] {
            assert_eq!(env().expand_variables(text), text);
        }
    }

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        assert_eq!(env().expand_user("~/x"), "/home/ada/x");
        assert_eq!(env().expand_user("~"), "/home/ada");
        assert_eq!(env().expand_user("~root/x"), "~root/x");
        assert_eq!(env().expand_user("a~"), "a~");
    }
}

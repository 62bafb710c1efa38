//! The place holder for a repository's own location.

use crate::error::{Error, Result};

/// Stands for the repository's root in configuration values.
pub const BUTLER_ROOT_TAG: &str = "<butlerRoot>";

/// Puts a repository's root where a configuration value asks for it.
///
/// `root` is used as given: the absolute path without quoting for a local repository, the URI for
/// a remote one.
///
/// # Errors
/// The value asks for the root, and there is none.
pub fn replace_root(value: &str, root: Option<&str>) -> Result<String> {
    if !value.contains(BUTLER_ROOT_TAG) {
        return Ok(value.to_owned());
    }
    match root {
        Some(root) if !root.is_empty() => Ok(value.replace(BUTLER_ROOT_TAG, root)),
        _ => Err(Error::Configuration(format!(
            "'{value}' refers to {BUTLER_ROOT_TAG}, but this configuration has no repository root; \
             give an absolute location instead"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_root_replaces_its_place_holder() {
        let url = "sqlite:///<butlerRoot>/gen3.sqlite3";
        assert_eq!(
            replace_root(url, Some("/repo")).unwrap(),
            "sqlite:////repo/gen3.sqlite3"
        );
        assert_eq!(replace_root("/fixed", None).unwrap(), "/fixed");
        assert!(replace_root(url, None).is_err());
        assert!(replace_root(url, Some("")).is_err());
    }
}

//! What is to become of datasets, by their type: how long they are under embargo, whether they are for
//! the public, and how long they are kept.
//!
//! A policy is a list of rules; the first one with a name or glob that matches a dataset type decides.
//! Types that no rule matches stay where they are. The default policy is in `default.yaml` beside this
//! file.

mod document;

use butler_core::error::{Error, Result};
use globset::GlobMatcher;

/// The policy that holds if no other is given.
pub const DEFAULT: &str = include_str!("default.yaml");

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// What is to become of some dataset types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, for people.
    pub name: String,
    /// How long datasets stay in the embargo repository after the observation, in milliseconds.
    pub embargo: i64,
    /// Whether they go to the public repositories.
    pub public: bool,
    /// How long they are kept after they were published (or, if they are not public, unembargoed), in
    /// milliseconds; forever if unset.
    pub retention: Option<i64>,
}

/// Rules for all dataset types.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<(Vec<GlobMatcher>, Rule)>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`Error::Configuration`] says what is wrong, and in which rule.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self {
            rules: document::read(text)?,
        })
    }

    /// Reads a policy from a file; the default policy if none is named.
    ///
    /// # Errors
    /// [`Error::Configuration`] if there is no such file, or something is wrong with it.
    pub fn load(file: Option<&std::path::Path>) -> Result<Self> {
        let Some(file) = file else {
            return Self::parse(DEFAULT);
        };
        let fail =
            |what: String| Error::Configuration(format!("policy {}: {what}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
        Self::parse(&text).map_err(|error| fail(error.to_string()))
    }

    /// The rule for a dataset type.
    #[must_use]
    pub fn rule(&self, dataset_type: &str) -> Option<&Rule> {
        let matching = self
            .rules
            .iter()
            .find(|(globs, _)| globs.iter().any(|glob| glob.is_match(dataset_type)));
        matching.map(|(_, rule)| rule)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(dataset_type: &str) -> Rule {
        let policy = Policy::parse(DEFAULT).unwrap();
        policy.rule(dataset_type).unwrap().clone()
    }

    #[test]
    fn pixels_are_under_embargo_for_eighty_hours() {
        for pixels in [
            "preliminary_visit_image",
            "preliminary_visit_image_background",
            "template_detector",
            "difference_image",
        ] {
            assert_eq!(rule(pixels).embargo, 80 * HOUR, "{pixels}");
            assert!(rule(pixels).public, "{pixels}");
        }
        assert_eq!(rule("dia_source_apdb").embargo, 0);
    }

    #[test]
    fn the_first_tier_is_kept_and_the_second_for_thirty_days() {
        for kept in ["preliminary_visit_image", "difference_kernel"] {
            assert_eq!(rule(kept).retention, None, "{kept}");
        }
        for expiring in ["difference_image", "dia_object_apdb", "regionTimeInfo"] {
            assert_eq!(rule(expiring).retention, Some(30 * DAY), "{expiring}");
        }
    }

    #[test]
    fn internal_types_are_not_public_but_expire() {
        let internal = rule("preloaded_dia_object");
        assert!(!internal.public);
        assert_eq!(internal.retention, Some(30 * DAY));
    }

    #[test]
    fn provenance_is_kept_without_embargo() {
        for name in ["isr_config", "isr_log", "isr_metadata", "packages"] {
            let rule = rule(name);
            assert_eq!((rule.embargo, rule.retention), (0, None), "{name}");
            assert!(rule.public, "{name}");
        }
    }

    #[test]
    fn types_that_no_rule_matches_stay() {
        assert_eq!(Policy::parse(DEFAULT).unwrap().rule("mystery"), None);
    }
}

//! Policies in YAML.

use std::collections::HashSet;

use butler_core::error::{Error, Result};
use butler_core::yaml;
use globset::{Glob, GlobMatcher};
use serde::Deserialize;

use super::{DAY, HOUR, Rule};

/// The longest times that make sense; larger ones are mistakes.
const MAX_EMBARGO_HOURS: u32 = 24 * 366 * 10;
const MAX_RETENTION_DAYS: u32 = 366 * 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<RuleDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleDocument {
    name: String,
    dataset_types: Vec<String>,
    embargo_hours: u32,
    public: bool,
    retention_days: Retention,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Retention {
    Days(u32),
    Word(String),
}

/// The rules of a document, each with what it applies to.
pub(super) fn read(text: &str) -> Result<Vec<(Vec<GlobMatcher>, Rule)>> {
    let document: Document = yaml::parse(text)
        .map_err(|error| wrong(&error.to_string()))
        .and_then(|document| {
            serde_json::from_value(document.to_json()).map_err(|error| wrong(&error.to_string()))
        })?;
    if document.rules.is_empty() {
        return Err(wrong("there are no rules"));
    }
    let mut rules: Vec<(Vec<GlobMatcher>, Rule)> = Vec::new();
    let mut names = HashSet::new();
    for given in document.rules {
        if !names.insert(given.name.clone()) {
            return Err(wrong(&format!("two rules are named '{}'", given.name)));
        }
        let fail = |what: String| wrong(&format!("rule '{}': {what}", given.name));
        let globs = globs(&given.dataset_types, &rules).map_err(fail)?;
        if given.embargo_hours > MAX_EMBARGO_HOURS {
            return Err(fail(format!(
                "embargo_hours must be from 0 to {MAX_EMBARGO_HOURS}, not {}",
                given.embargo_hours
            )));
        }
        let retention = match given.retention_days {
            Retention::Word(word) if word == "forever" => None,
            Retention::Days(days) if (1..=MAX_RETENTION_DAYS).contains(&days) => {
                Some(i64::from(days) * DAY)
            }
            Retention::Days(days) => {
                return Err(fail(format!(
                    "retention_days must be from 1 to {MAX_RETENTION_DAYS} or 'forever', not {days}"
                )));
            }
            Retention::Word(word) => {
                return Err(fail(format!(
                    "retention_days must be a number or 'forever', not '{word}'"
                )));
            }
        };
        let rule = Rule {
            name: given.name.clone(),
            embargo: i64::from(given.embargo_hours) * HOUR,
            public: given.public,
            retention,
        };
        rules.push((globs, rule));
    }
    Ok(rules)
}

/// What a rule applies to. A name that an earlier rule takes is a mistake; a glob may come after
/// names that are exceptions to it.
fn globs(
    patterns: &[String],
    earlier: &[(Vec<GlobMatcher>, Rule)],
) -> std::result::Result<Vec<GlobMatcher>, String> {
    if patterns.is_empty() {
        return Err("it has no dataset_types".to_owned());
    }
    let mut globs = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let glob = Glob::new(pattern).map_err(|error| error.to_string())?;
        let is_name = !pattern.contains(['*', '?', '[', '{']);
        if is_name {
            let taken = earlier
                .iter()
                .find(|(globs, _)| globs.iter().any(|glob| glob.is_match(pattern)));
            if let Some((_, rule)) = taken {
                return Err(format!(
                    "'{pattern}' is for rule '{}', which comes before",
                    rule.name
                ));
            }
        }
        globs.push(glob.compile_matcher());
    }
    Ok(globs)
}

fn wrong(what: &str) -> Error {
    Error::Configuration(format!("the policy cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(rules: &str) -> String {
        read(rules).unwrap_err().to_string()
    }

    fn one(types: &str, embargo: &str, retention: &str) -> String {
        format!(
            "rules:\n- name: a\n  dataset_types: {types}\n  embargo_hours: {embargo}\n  \
             public: true\n  retention_days: {retention}\n"
        )
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("rules: []", "no rules"),
            (&one("[]", "1", "1"), "no dataset_types"),
            (&one("['[']", "1", "1"), "rule 'a'"),
            (&one("[x]", "1", "0"), "from 1 to"),
            (&one("[x]", "1", "sometimes"), "'sometimes'"),
            (&one("[x]", "100000", "1"), "embargo_hours"),
            (&one("[x]", "-1", "1"), "-1"),
        ];
        for (text, expected) in cases {
            let said = refusal(text);
            assert!(said.contains(expected), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    #[test]
    fn a_name_that_an_earlier_rule_takes_is_refused() {
        let text = one("['*_log']", "0", "forever");
        let again = one("[isr_log]", "0", "1")
            .replace("rules:\n", "")
            .replace("name: a", "name: b");
        let said = refusal(&format!("{text}{again}"));
        assert!(said.contains("'isr_log' is for rule 'a'"), "{said}");
    }

    #[test]
    fn names_may_be_exceptions_to_a_later_glob() {
        let text = one("[isr_log]", "0", "1");
        let glob = one("['*_log']", "0", "forever")
            .replace("rules:\n", "")
            .replace("name: a", "name: b");
        let rules = read(&format!("{text}{glob}")).unwrap();
        assert_eq!(rules.len(), 2);
    }
}

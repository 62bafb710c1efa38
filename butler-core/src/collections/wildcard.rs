//! Expressions over the names of collections and dataset types.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::glob::{Glob, GlobExpression};
use crate::datasets::DatasetType;
use crate::error::{Error, Result};

/// The patterns of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patterns {
    /// Everything matches.
    Everything,
    /// What matches any of these.
    AnyOf(Vec<Glob>),
}

impl Patterns {
    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::AnyOf(globs) => globs.iter().any(|glob| glob.matches(name)),
        }
    }

    /// Whether nothing can match.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::AnyOf(globs) if globs.is_empty())
    }
}

/// A checked expression over collection names.
///
/// Names keep their order; patterns add every collection that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionWildcard {
    names: Vec<String>,
    patterns: Patterns,
}

impl CollectionWildcard {
    /// The expression that every collection matches.
    pub fn everything() -> Self {
        Self {
            names: Vec::new(),
            patterns: Patterns::Everything,
        }
    }

    /// An expression of names that are taken literally.
    pub fn from_names(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            patterns: Patterns::AnyOf(Vec::new()),
        }
    }

    /// An expression of names and patterns; a lone `*` among them is everything, whatever else
    /// there is.
    ///
    /// # Errors
    /// A pattern cannot be compiled.
    pub fn from_expression<S: AsRef<str>>(expression: impl IntoIterator<Item = S>) -> Result<Self> {
        match categorize(expression)? {
            None => Ok(Self::everything()),
            Some((names, globs)) => Ok(Self {
                names,
                patterns: Patterns::AnyOf(globs),
            }),
        }
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The patterns.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }

    /// Whether nothing can match.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Whether every collection matches.
    pub fn is_everything(&self) -> bool {
        self.patterns == Patterns::Everything
    }

    /// The names, if the expression has nothing but names.
    ///
    /// # Errors
    /// [`Error::CollectionExpression`] if there are patterns, which have no order.
    pub fn require_ordered(&self) -> Result<&[String]> {
        if self.patterns.is_empty() {
            return Ok(&self.names);
        }
        Err(Error::CollectionExpression(format!(
            "an ordered list of collections is needed here, but '{self}' holds patterns; name the \
             collections one by one"
        )))
    }
}

impl fmt::Display for CollectionWildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.names.iter().map(String::as_str), &self.patterns)
    }
}

/// A checked expression over dataset type names.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetTypeWildcard {
    values: IndexMap<String, Option<Arc<DatasetType>>>,
    patterns: Patterns,
}

impl DatasetTypeWildcard {
    /// The expression that every dataset type matches.
    pub fn everything() -> Self {
        Self {
            values: IndexMap::new(),
            patterns: Patterns::Everything,
        }
    }

    /// An expression of names and patterns.
    ///
    /// # Errors
    /// [`Error::DatasetTypeExpression`] if a pattern cannot be compiled.
    pub fn from_expression<S: AsRef<str>>(expression: impl IntoIterator<Item = S>) -> Result<Self> {
        let categorized = categorize(expression)
            .map_err(|error| Error::DatasetTypeExpression(error.to_string()))?;
        Ok(match categorized {
            None => Self::everything(),
            Some((names, globs)) => Self {
                values: names.into_iter().map(|name| (name, None)).collect(),
                patterns: Patterns::AnyOf(globs),
            },
        })
    }

    /// An expression of dataset types whose definitions are at hand.
    pub fn from_dataset_types(types: impl IntoIterator<Item = Arc<DatasetType>>) -> Self {
        Self {
            values: types
                .into_iter()
                .map(|t| (t.name().to_string(), Some(t)))
                .collect(),
            patterns: Patterns::AnyOf(Vec::new()),
        }
    }

    /// The names, with definitions where they were given.
    pub fn values(&self) -> &IndexMap<String, Option<Arc<DatasetType>>> {
        &self.values
    }

    /// The patterns.
    pub fn patterns(&self) -> &Patterns {
        &self.patterns
    }
}

impl fmt::Display for DatasetTypeWildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.values.keys().map(String::as_str), &self.patterns)
    }
}

/// Names without repetition and patterns; none if everything matches.
fn categorize<S: AsRef<str>>(
    expression: impl IntoIterator<Item = S>,
) -> Result<Option<(Vec<String>, Vec<Glob>)>> {
    let mut names: Vec<String> = Vec::new();
    let mut globs = Vec::new();
    for element in expression {
        let element = element.as_ref();
        if element == "*" {
            return Ok(None);
        }
        match GlobExpression::parse(element)? {
            GlobExpression::Name(name) => names.push(name),
            GlobExpression::Pattern(glob) => globs.push(glob),
        }
    }
    Ok(Some((names, globs)))
}

fn display<'a>(
    f: &mut fmt::Formatter<'_>,
    names: impl Iterator<Item = &'a str>,
    patterns: &'a Patterns,
) -> fmt::Result {
    let Patterns::AnyOf(globs) = patterns else {
        return f.write_str("*");
    };
    f.write_str("[")?;
    for (i, term) in names.chain(globs.iter().map(Glob::as_str)).enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        f.write_str(term)?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_patterns_are_told_apart() {
        let wildcard = CollectionWildcard::from_expression(["b", "a", "x*"]).unwrap();
        assert_eq!(wildcard.names(), ["b", "a"]);
        assert!(wildcard.patterns().matches("xyz"));
        assert!(!wildcard.patterns().matches("a"));
        assert_eq!(wildcard.to_string(), "[b, a, x*]");
        let error = wildcard.require_ordered().unwrap_err();
        assert!(matches!(error, Error::CollectionExpression(_)));
    }

    #[test]
    fn a_lone_star_is_everything() {
        assert!(
            CollectionWildcard::from_expression(["a", "*"])
                .unwrap()
                .is_everything()
        );
        assert!(
            CollectionWildcard::from_expression::<&str>([])
                .unwrap()
                .is_empty()
        );
        assert!(
            DatasetTypeWildcard::from_expression(["*"])
                .unwrap()
                .patterns()
                .matches("raw")
        );
    }
}

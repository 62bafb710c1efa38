//! The values of data IDs.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::column::ColumnType;
use crate::error::{Error, Result};

/// The value of a dimension in a data ID: an integer or text, sixteen bytes either way.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataIdValue {
    /// Of a dimension with an integer primary key.
    Int(i64),
    /// Of a dimension with a text primary key.
    Str(Arc<str>),
}

impl DataIdValue {
    /// The value as an integer, if it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The value as text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// The value in the type of a dimension's primary key.
    ///
    /// Text that is an integer becomes one where the key is an integer; an integer becomes text
    /// where the key is text, so that databases without strict types and those with them agree.
    ///
    /// # Errors
    /// [`Error::DimensionValue`] if text is given for an integer key and is not an integer.
    pub fn coerce(self, dimension: &str, key: ColumnType) -> Result<Self> {
        match (key, self) {
            (ColumnType::Int, Self::Str(text)) => {
                text.trim().parse().map(Self::Int).map_err(|_| {
                    Error::DimensionValue(format!(
                        "dimension '{dimension}' has an integer key; '{text}' is not an integer"
                    ))
                })
            }
            (ColumnType::String { .. }, Self::Int(number)) => {
                Ok(Self::Str(number.to_string().into()))
            }
            (_, value) => Ok(value),
        }
    }
}

impl fmt::Display for DataIdValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Str(value) => value.fmt(f),
        }
    }
}

impl fmt::Debug for DataIdValue {
    /// As Python's `repr`, which messages and data ID displays are made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Str(value) => write_python_str(f, value),
        }
    }
}

/// Writes text as Python's `repr` does: single quotes unless that needs more escapes.
pub(super) fn write_python_str(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}

impl From<i64> for DataIdValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for DataIdValue {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for DataIdValue {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<String> for DataIdValue {
    fn from(value: String) -> Self {
        Self::Str(value.into())
    }
}

impl From<Arc<str>> for DataIdValue {
    fn from(value: Arc<str>) -> Self {
        Self::Str(value)
    }
}

impl Serialize for DataIdValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Str(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for DataIdValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = DataIdValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or text")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(DataIdValue::Int(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                i64::try_from(value)
                    .map(DataIdValue::Int)
                    .map_err(|_| E::custom(format!("{value} exceeds 64 bits with sign")))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
                // JSON does not tell 5.0 from 5. All such numbers up to 2⁵³ are exact.
                const EXACT: f64 = 9_007_199_254_740_992.0;
                match value.fract() == 0.0 && value.abs() <= EXACT {
                    true => Ok(DataIdValue::Int(value as i64)),
                    false => Err(E::custom(format!("{value} is not an integer"))),
                }
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(DataIdValue::Str(value.into()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Gives one shared text for equal texts, so that many data IDs hold few distinct allocations.
///
/// It keeps at most a given number of texts; further ones are handed out unshared.
#[derive(Debug)]
pub struct TextInterner {
    known: HashSet<Arc<str>>,
    limit: usize,
}

impl TextInterner {
    /// An interner that keeps at most `limit` texts.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            known: HashSet::new(),
            limit,
        }
    }

    /// The shared text that equals `text`.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.known.len() < self.limit {
            self.known.insert(Arc::clone(&new));
        }
        new
    }
}

impl Default for TextInterner {
    fn default() -> Self {
        Self::new(10_000)
    }
}

/// An informal data ID: dimension names and values, not checked against any universe.
///
/// [`DataCoordinate::standardize`](super::DataCoordinate::standardize) makes a
/// [`DataCoordinate`](super::DataCoordinate) of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataId(pub BTreeMap<String, DataIdValue>);

impl DataId {
    /// A data ID with one more key, for building them in an expression.
    #[must_use]
    pub fn with(mut self, dimension: impl Into<String>, value: impl Into<DataIdValue>) -> Self {
        self.0.insert(dimension.into(), value.into());
        self
    }

    /// The keys and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DataIdValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<N: Into<String>, V: Into<DataIdValue>> FromIterator<(N, V)> for DataId {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        Self(
            items
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_value_takes_sixteen_bytes() {
        assert_eq!(std::mem::size_of::<DataIdValue>(), 16);
    }

    #[test]
    fn equal_texts_are_shared_up_to_the_limit() {
        let mut interner = TextInterner::new(1);
        let first = interner.intern("HSC");
        assert!(Arc::ptr_eq(&first, &interner.intern("HSC")));
        let second = interner.intern("LATISS");
        assert!(!Arc::ptr_eq(&second, &interner.intern("LATISS")));
    }

    #[test]
    fn values_print_as_in_python() {
        let shown: Vec<_> = ["a", "it's", "\"it's\"", "a\\b\n"]
            .into_iter()
            .map(|text| format!("{:?}", DataIdValue::from(text)))
            .collect();
        assert_eq!(shown, ["'a'", "\"it's\"", "'\"it\\'s\"'", "'a\\\\b\\n'"]);
        assert_eq!(format!("{:?}", DataIdValue::from(42)), "42");
    }

    #[test]
    fn values_take_the_type_of_the_key() {
        let int = ColumnType::Int;
        assert_eq!(
            DataIdValue::from("42").coerce("visit", int).unwrap(),
            DataIdValue::Int(42)
        );
        let error = DataIdValue::from("R22")
            .coerce("detector", int)
            .unwrap_err();
        assert_eq!(error.error_type(), Some("dimension_value"));
        let text = DataIdValue::from(5)
            .coerce("group", ColumnType::String { length: 64 })
            .unwrap();
        assert_eq!(text, DataIdValue::from("5"));
    }
}

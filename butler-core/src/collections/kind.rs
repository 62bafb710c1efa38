//! The four types of collections.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

/// What a collection is; the numbers are those of the database and the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CollectionType {
    /// Where datasets are born; each dataset is in exactly one.
    Run = 1,
    /// An arbitrary selection of datasets.
    Tagged = 2,
    /// An ordered list of other collections to search.
    Chained = 3,
    /// A selection of datasets, each valid for a timespan.
    Calibration = 4,
}

impl CollectionType {
    /// All types, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Run, Self::Tagged, Self::Chained, Self::Calibration];

    /// The number in the database.
    pub const fn to_int(self) -> i64 {
        self as i64
    }

    /// The type with this number.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if there is none.
    pub fn from_int(number: i64) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_int() == number)
            .ok_or_else(|| {
                Error::corrupt(
                    "collection type",
                    format!("{number} is not one of 1, 2, 3, 4"),
                )
            })
    }

    /// The name in capital letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::Tagged => "TAGGED",
            Self::Chained => "CHAINED",
            Self::Calibration => "CALIBRATION",
        }
    }
}

impl fmt::Display for CollectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CollectionType {
    type Err = Error;

    /// Reads a name in any case.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "unknown collection type '{name}'; expected RUN, TAGGED, CHAINED or CALIBRATION"
                ))
            })
    }
}

/// As its number, which is the protocol's form.
impl Serialize for CollectionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.to_int())
    }
}

impl<'de> Deserialize<'de> for CollectionType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        Self::from_int(number).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (number, name) in [
            (1, "RUN"),
            (2, "TAGGED"),
            (3, "CHAINED"),
            (4, "CALIBRATION"),
        ] {
            let kind = CollectionType::from_int(number).unwrap();
            assert_eq!(kind.name(), name);
            assert_eq!(name.to_lowercase().parse::<CollectionType>().unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), number.to_string());
            assert_eq!(
                serde_json::from_str::<CollectionType>(&number.to_string()).unwrap(),
                kind
            );
        }
        assert!(CollectionType::from_int(0).is_err());
        assert!("SOMETHING".parse::<CollectionType>().is_err());
    }
}

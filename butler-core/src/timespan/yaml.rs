//! Times and timespans in export files.

use serde_yaml_ng::value::{Tag, TaggedValue};
use serde_yaml_ng::{Mapping, Value};

use super::Timespan;
use crate::error::{Error, Result};
use crate::time::{self, TimeFormat, TimeScale};

const TIME_TAG: &str = "butler_time/tai/iso";
const TIMESPAN_TAG: &str = "lsst.daf.butler.Timespan";

/// A time (TAI ns) as export files have it: `!butler_time/tai/iso '2026-03-01 00:00:00.000000000'`.
#[must_use]
pub fn time_to_yaml(time: i64) -> Value {
    let value = Value::String(time::format_tai_iso(time, 9));
    Value::Tagged(Box::new(TaggedValue {
        tag: Tag::new(TIME_TAG),
        value,
    }))
}

/// Reads a time (TAI ns) of an export file; `None` for a null.
///
/// # Errors
/// [`Error::CorruptRecord`] if the value is not a time.
pub fn time_from_yaml(value: &Value) -> Result<Option<i64>> {
    let read = match value {
        Value::Null => return Ok(None),
        Value::Tagged(tagged) if tagged.tag == TIME_TAG => match &tagged.value {
            Value::Null => return Ok(None),
            Value::String(text) => time::parse_time(text, TimeFormat::Iso, TimeScale::Tai).ok(),
            _ => None,
        },
        _ => None,
    };
    let bad = || {
        Error::corrupt(
            "time",
            format_args!("{value:?} is not a '!{TIME_TAG}' value"),
        )
    };
    read.map(Some).ok_or_else(bad)
}

impl Timespan {
    /// The form in export files: `!lsst.daf.butler.Timespan` with `begin` and `end`.
    #[must_use]
    pub fn to_yaml(self) -> Value {
        let bound = |time: Option<i64>| time.map_or(Value::Null, time_to_yaml);
        let value = if self.is_empty() {
            Value::from("EMPTY")
        } else {
            let bounds = [("begin", self.begin()), ("end", self.end())];
            let bounds = bounds
                .into_iter()
                .map(|(key, time)| (Value::from(key), bound(time)));
            Value::Mapping(bounds.collect::<Mapping>())
        };
        Value::Tagged(Box::new(TaggedValue {
            tag: Tag::new(TIMESPAN_TAG),
            value,
        }))
    }

    /// Reads the form in export files; `None` for a null.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if the value is not a timespan.
    pub fn from_yaml(value: &Value) -> Result<Option<Self>> {
        let bad = || {
            Error::corrupt(
                "timespan",
                format_args!("{value:?} is not a '!{TIMESPAN_TAG}' value"),
            )
        };
        match value {
            Value::Null => Ok(None),
            Value::Tagged(tagged) if tagged.tag == TIMESPAN_TAG => match &tagged.value {
                Value::String(text) if text == "EMPTY" => Ok(Some(Self::EMPTY)),
                Value::Mapping(bounds) => {
                    let bound = |key| bounds.get(key).ok_or_else(bad).and_then(time_from_yaml);
                    Self::new(bound("begin")?, bound("end")?).map(Some)
                }
                _ => Err(bad()),
            },
            _ => Err(bad()),
        }
    }
}

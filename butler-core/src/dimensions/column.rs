//! Columns of dimension records and query results: their types, and values of these types.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::data_id::DataIdValue;
use super::region::{EncodedRegion, decode_hex, encode_hex};
use crate::error::{Error, Result};
use crate::timespan::Timespan;

/// The type of a column, with its size where the type has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnType {
    /// A 64-bit signed integer.
    Int,
    /// Text of at most `length` characters.
    String {
        /// Maximum number of characters.
        length: u32,
    },
    /// A byte string of fixed length, hexadecimal on the wire.
    Hash {
        /// Number of bytes.
        nbytes: u32,
    },
    /// A double-precision number.
    Float,
    /// True or false.
    Bool,
    /// A UUID.
    Uuid,
    /// A region on the sphere, hexadecimal on the wire.
    Region {
        /// Maximum number of bytes of the encoded region.
        #[serde(default = "region_nbytes")]
        nbytes: u32,
    },
    /// A half-open interval of TAI time.
    Timespan,
    /// An instant, as TAI nanoseconds.
    #[serde(rename = "datetime")]
    DateTime,
    /// The date a dataset was ingested: TAI nanoseconds or a database timestamp, depending on
    /// the version of the repository's datasets manager.
    IngestDate,
}

fn region_nbytes() -> u32 {
    2048
}

impl ColumnType {
    /// A nullable region column's type, with the size the reference gives it.
    pub const REGION: Self = Self::Region { nbytes: 2048 };

    /// The type's name in configurations and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::String { .. } => "string",
            Self::Hash { .. } => "hash",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Uuid => "uuid",
            Self::Region { .. } => "region",
            Self::Timespan => "timespan",
            Self::DateTime => "datetime",
            Self::IngestDate => "ingest_date",
        }
    }

    /// Reads a value of this type from its JSON form; `null` gives [`ColumnValue::Null`].
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] naming the expected type if the value is of another.
    pub fn value_from_json(self, value: &Value) -> Result<ColumnValue> {
        let read = match (self, value) {
            (_, Value::Null) => Some(ColumnValue::Null),
            (Self::Int | Self::DateTime | Self::IngestDate, Value::Number(number)) => {
                number.as_i64().map(|ns| match self {
                    Self::Int => ColumnValue::Int(ns),
                    _ => ColumnValue::Time(ns),
                })
            }
            (Self::Float, Value::Number(number)) => number.as_f64().map(ColumnValue::Float),
            (Self::Bool, Value::Bool(flag)) => Some(ColumnValue::Bool(*flag)),
            (Self::String { .. }, Value::String(text)) => {
                Some(ColumnValue::Str(text.as_str().into()))
            }
            (Self::Hash { .. }, Value::String(text)) => {
                decode_hex(text).map(|bytes| ColumnValue::Bytes(bytes.into()))
            }
            (Self::Region { .. }, Value::String(text)) => {
                EncodedRegion::from_hex(text).ok().map(ColumnValue::Region)
            }
            (Self::Uuid, Value::String(text)) => Uuid::parse_str(text).ok().map(ColumnValue::Uuid),
            (Self::Timespan, Value::Array(_)) => {
                Timespan::deserialize(value).ok().map(ColumnValue::Timespan)
            }
            _ => None,
        };
        read.ok_or_else(|| {
            Error::corrupt(
                format!("column of type {}", self.name()),
                format_args!("{value} is not a value of that type"),
            )
        })
    }
}

/// A column: its name, type, and whether it may be NULL.
///
/// Serialized as the reference's column specifications.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct ColumnSpec {
    /// The column's name.
    pub name: Arc<str>,
    /// What it holds, for people.
    #[serde(default = "no_doc")]
    pub doc: Arc<str>,
    /// Its type and size.
    #[serde(flatten)]
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    #[serde(default = "default_nullable")]
    pub nullable: bool,
}

fn no_doc() -> Arc<str> {
    Arc::from("")
}

fn default_nullable() -> bool {
    true
}

impl ColumnSpec {
    /// A column without documentation.
    pub fn new(name: impl Into<Arc<str>>, column_type: ColumnType, nullable: bool) -> Self {
        Self {
            name: name.into(),
            doc: no_doc(),
            column_type,
            nullable,
        }
    }

    /// The same column under another name.
    #[must_use]
    pub fn renamed(&self, name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            ..self.clone()
        }
    }

    /// Reads a value of this column from its JSON form.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] naming the column if the value is of another type, or `null`
    /// where that is not allowed.
    pub fn value_from_json(&self, value: &Value) -> Result<ColumnValue> {
        if value.is_null() && !self.nullable {
            return Err(Error::corrupt(
                format!("column '{}'", self.name),
                "it may not be null",
            ));
        }
        self.column_type.value_from_json(value).map_err(|_| {
            Error::corrupt(
                format!("column '{}'", self.name),
                format_args!("expected {}, found {value}", self.column_type.name()),
            )
        })
    }
}

impl Serialize for ColumnSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("doc", &self.doc)?;
        map.serialize_entry("type", self.column_type.name())?;
        map.serialize_entry("nullable", &self.nullable)?;
        match self.column_type {
            ColumnType::String { length } => map.serialize_entry("length", &length)?,
            ColumnType::Hash { nbytes } | ColumnType::Region { nbytes } => {
                map.serialize_entry("nbytes", &nbytes)?;
            }
            _ => {}
        }
        map.end()
    }
}

/// The value of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ColumnValue {
    /// No value.
    #[default]
    Null,
    /// Of a [`ColumnType::Bool`] column.
    Bool(bool),
    /// Of a [`ColumnType::Int`] column.
    Int(i64),
    /// Of a [`ColumnType::Float`] column.
    Float(f64),
    /// Of a [`ColumnType::String`] column.
    Str(Arc<str>),
    /// Of a [`ColumnType::Hash`] column.
    Bytes(Arc<[u8]>),
    /// Of a [`ColumnType::Timespan`] column.
    Timespan(Timespan),
    /// Of a [`ColumnType::Region`] column.
    Region(EncodedRegion),
    /// Of a [`ColumnType::DateTime`] or [`ColumnType::IngestDate`] column: TAI nanoseconds.
    Time(i64),
    /// Of a [`ColumnType::Uuid`] column.
    Uuid(Uuid),
}

impl ColumnValue {
    /// Whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

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

    /// The value as a number, if it is one; integers are converted.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub const fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The value as a data ID value, if it is an integer or text.
    #[must_use]
    pub fn to_data_id_value(&self) -> Option<DataIdValue> {
        match self {
            Self::Int(value) => Some(DataIdValue::Int(*value)),
            Self::Str(value) => Some(DataIdValue::Str(Arc::clone(value))),
            _ => None,
        }
    }

    /// The JSON form: bytes and regions in hexadecimal, timespans as `[begin, end]`, times as
    /// TAI ns, and numbers JSON has no form for as `null`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) | Self::Time(value) => Value::from(*value),
            Self::Float(value) => Value::from(*value),
            Self::Str(value) => Value::from(&**value),
            Self::Bytes(value) => Value::from(encode_hex(value)),
            Self::Timespan(value) => Value::from(vec![value.begin_ns(), value.end_ns()]),
            Self::Region(value) => Value::from(value.to_hex()),
            Self::Uuid(value) => Value::from(value.to_string()),
        }
    }
}

impl Serialize for ColumnValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) | Self::Time(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Str(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_str(&encode_hex(value)),
            Self::Timespan(value) => value.serialize(serializer),
            Self::Region(value) => serializer.serialize_str(&value.to_hex()),
            Self::Uuid(value) => value.serialize(serializer),
        }
    }
}

impl From<DataIdValue> for ColumnValue {
    fn from(value: DataIdValue) -> Self {
        match value {
            DataIdValue::Int(value) => Self::Int(value),
            DataIdValue::Str(value) => Self::Str(value),
        }
    }
}

impl From<bool> for ColumnValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for ColumnValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for ColumnValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for ColumnValue {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<Timespan> for ColumnValue {
    fn from(value: Timespan) -> Self {
        Self::Timespan(value)
    }
}

impl From<EncodedRegion> for ColumnValue {
    fn from(value: EncodedRegion) -> Self {
        Self::Region(value)
    }
}

impl<T: Into<ColumnValue>> From<Option<T>> for ColumnValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_all_types_have_the_json_forms_of_the_reference() {
        let id = "0197e1a0-0000-7000-8000-00000000002a";
        for (column_type, value) in [
            (ColumnType::Int, json!(-7)),
            (ColumnType::String { length: 8 }, json!("text")),
            (ColumnType::Hash { nbytes: 2 }, json!("00ff")),
            (ColumnType::Float, json!(30.0)),
            (ColumnType::Bool, json!(true)),
            (ColumnType::Uuid, json!(id)),
            (ColumnType::REGION, json!("63ab")),
            (ColumnType::Timespan, json!([1, 2])),
            (ColumnType::DateTime, json!(1_700_000_000_000_000_000_i64)),
            (ColumnType::IngestDate, json!(1_700_000_000_000_000_000_i64)),
        ] {
            let read = column_type.value_from_json(&value).unwrap();
            assert_eq!(read.to_json(), value, "{column_type:?}");
            assert_eq!(json!(read), value, "{column_type:?}");
            let null = column_type.value_from_json(&json!(null)).unwrap();
            assert!(null.is_null());
            let error = column_type.value_from_json(&json!({})).unwrap_err();
            assert!(error.to_string().contains(column_type.name()), "{error}");
        }
        assert!(ColumnType::Int.value_from_json(&json!(1.5)).is_err());
        assert!(ColumnType::Int.value_from_json(&json!(u64::MAX)).is_err());
        assert!(ColumnType::Bool.value_from_json(&json!(1)).is_err());
    }

    #[test]
    fn specifications_have_the_json_form_of_the_reference() {
        let text = r#"{"name":"hash","doc":"","type":"hash","nullable":false,"nbytes":40}"#;
        let spec: ColumnSpec = serde_json::from_str(text).unwrap();
        assert_eq!(
            spec,
            ColumnSpec::new("hash", ColumnType::Hash { nbytes: 40 }, false)
        );
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        assert!(serde_json::from_str::<ColumnSpec>(r#"{"name":"a","type":"string"}"#).is_err());
        assert!(serde_json::from_str::<ColumnSpec>(r#"{"name":"a","type":"complex"}"#).is_err());
        assert!(
            spec.value_from_json(&json!(null))
                .unwrap_err()
                .to_string()
                .contains("'hash'")
        );
    }
}

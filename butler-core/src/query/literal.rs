//! Values written into queries.

use std::fmt;
use std::sync::Arc;

use butler_sphgeom::Region;
use uuid::Uuid;

use super::value_type::ValueType;
use crate::dimensions::{ColumnValue, DataIdValue, EncodedRegion};
use crate::error::{Error, Result};
use crate::pyfmt::{float_repr, str_repr};
use crate::time;
use crate::timespan::Timespan;

/// A value written into a query.
///
/// Mirrors the union `ColumnLiteral` of the reference's query trees.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnLiteral {
    /// An integer.
    Int(i64),
    /// Text.
    String(Arc<str>),
    /// A floating-point number; it may be infinite or not a number, but then it cannot travel.
    Float(f64),
    /// Bytes; base64 on the wire.
    Hash(Arc<[u8]>),
    /// A UUID.
    Uuid(Uuid),
    /// An instant: TAI nanoseconds since 1970-01-01T00:00:00 TAI.
    DateTime(i64),
    /// An interval of time.
    Timespan(Timespan),
    /// A region on the sphere; base64 of its encoding on the wire.
    Region(RegionLiteral),
}

/// A region together with the bytes that encode it.
///
/// Two of them are equal if their bytes are.
#[derive(Clone)]
pub struct RegionLiteral {
    region: Arc<Region>,
    encoded: EncodedRegion,
}

impl RegionLiteral {
    /// Decodes a region from `sphgeom`'s binary encoding and keeps the bytes.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the bytes do not encode a region.
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self> {
        let encoded = EncodedRegion::from_bytes(bytes);
        let region = Region::decode(encoded.as_bytes())
            .map_err(|error| Error::InvalidQuery(format!("invalid region in query: {error}")))?;
        Ok(Self {
            region: Arc::new(region),
            encoded,
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The region's encoding.
    #[must_use]
    pub fn encoded(&self) -> &EncodedRegion {
        &self.encoded
    }
}

impl From<Region> for RegionLiteral {
    fn from(region: Region) -> Self {
        Self {
            encoded: EncodedRegion::encode(&region),
            region: Arc::new(region),
        }
    }
}

impl PartialEq for RegionLiteral {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl fmt::Debug for RegionLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.encoded.fmt(f)
    }
}

impl ColumnLiteral {
    /// The type.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Int(_) => ValueType::Int,
            Self::String(_) => ValueType::String,
            Self::Float(_) => ValueType::Float,
            Self::Hash(_) => ValueType::Hash,
            Self::Uuid(_) => ValueType::Uuid,
            Self::DateTime(_) => ValueType::DateTime,
            Self::Timespan(_) => ValueType::Timespan,
            Self::Region(_) => ValueType::Region,
        }
    }

    /// The literal of an integer of any size.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if it does not fit into 64 bits with sign, the widest integer that
    /// a column can hold.
    pub fn int(value: impl TryInto<i64> + fmt::Display + Copy) -> Result<Self> {
        value.try_into().map(Self::Int).map_err(|_| {
            Error::InvalidQuery(format!(
                "integer {value} in query is out of range: columns hold integers from {} to {}",
                i64::MIN,
                i64::MAX
            ))
        })
    }

    /// The value as a column would hold it.
    #[must_use]
    pub fn to_value(&self) -> ColumnValue {
        match self {
            Self::Int(value) => ColumnValue::Int(*value),
            Self::String(value) => ColumnValue::Str(Arc::clone(value)),
            Self::Float(value) => ColumnValue::Float(*value),
            Self::Hash(value) => ColumnValue::Bytes(Arc::clone(value)),
            Self::Uuid(value) => ColumnValue::Uuid(*value),
            Self::DateTime(value) => ColumnValue::Time(*value),
            Self::Timespan(value) => ColumnValue::Timespan(*value),
            Self::Region(value) => ColumnValue::Region(value.encoded.clone()),
        }
    }

    /// The value as a data ID value, if it is an integer or text.
    #[must_use]
    pub fn to_data_id_value(&self) -> Option<DataIdValue> {
        match self {
            Self::Int(value) => Some(DataIdValue::Int(*value)),
            Self::String(value) => Some(DataIdValue::Str(Arc::clone(value))),
            _ => None,
        }
    }
}

impl fmt::Display for ColumnLiteral {
    /// As the reference shows literals in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::String(value) => f.write_str(&str_repr(value)),
            Self::Float(value) => f.write_str(&float_repr(*value)),
            Self::Hash(_) => f.write_str("(bytes)"),
            Self::Uuid(value) => value.fmt(f),
            // To the second, cut off after rounding to milliseconds.
            Self::DateTime(value) => {
                let text = time::format_tai_isot(*value, 3);
                f.write_str(text.split('.').next().unwrap_or(&text))
            }
            Self::Timespan(value) => value.fmt(f),
            Self::Region(_) => f.write_str("(region)"),
        }
    }
}

impl From<i64> for ColumnLiteral {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for ColumnLiteral {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for ColumnLiteral {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for ColumnLiteral {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for ColumnLiteral {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Arc<str>> for ColumnLiteral {
    fn from(value: Arc<str>) -> Self {
        Self::String(value)
    }
}

impl From<DataIdValue> for ColumnLiteral {
    fn from(value: DataIdValue) -> Self {
        match value {
            DataIdValue::Int(value) => Self::Int(value),
            DataIdValue::Str(value) => Self::String(value),
        }
    }
}

impl From<Uuid> for ColumnLiteral {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl From<Timespan> for ColumnLiteral {
    fn from(value: Timespan) -> Self {
        Self::Timespan(value)
    }
}

impl From<Region> for ColumnLiteral {
    fn from(value: Region) -> Self {
        Self::Region(value.into())
    }
}

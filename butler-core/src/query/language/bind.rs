//! Values that are bound to names in expressions.

use std::collections::BTreeMap;
use std::sync::Arc;

use butler_sphgeom::{Circle, LonLat, Region, UnitVector3d};
use uuid::Uuid;

use crate::dimensions::DataIdValue;
use crate::query::literal::{ColumnLiteral, RegionLiteral};
use crate::time::clamp_ns;
use crate::timespan::Timespan;

/// Names, as they appear in expressions with or without a colon, and the values bound to them.
pub type BindValues = BTreeMap<String, BindValue>;

/// A value that is bound to a name.
#[derive(Clone, Debug, PartialEq)]
pub enum BindValue {
    /// True or false, which count as the integers 1 and 0.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Bytes of a hash.
    Bytes(Arc<[u8]>),
    /// A UUID.
    Uuid(Uuid),
    /// An instant in TAI ns; moved into the range that repositories can store.
    Time(i64),
    /// An interval of time.
    Timespan(Timespan),
    /// A region on the sphere.
    Region(RegionLiteral),
    /// Several values of one type, for the list of `IN`.
    Sequence(Vec<BindValue>),
}

impl BindValue {
    /// The value as a literal; `None` for a sequence.
    #[must_use]
    pub fn to_literal(&self) -> Option<ColumnLiteral> {
        Some(match self {
            Self::Bool(value) => ColumnLiteral::Int((*value).into()),
            Self::Int(value) => ColumnLiteral::Int(*value),
            Self::Float(value) => ColumnLiteral::Float(*value),
            Self::Str(value) => ColumnLiteral::String(Arc::clone(value)),
            Self::Bytes(value) => ColumnLiteral::Hash(Arc::clone(value)),
            Self::Uuid(value) => ColumnLiteral::Uuid(*value),
            Self::Time(value) => ColumnLiteral::DateTime(clamp_ns(*value)),
            Self::Timespan(value) => ColumnLiteral::Timespan(*value),
            Self::Region(value) => ColumnLiteral::Region(value.clone()),
            Self::Sequence(_) => return None,
        })
    }
}

impl From<ColumnLiteral> for BindValue {
    fn from(literal: ColumnLiteral) -> Self {
        match literal {
            ColumnLiteral::Int(value) => Self::Int(value),
            ColumnLiteral::Float(value) => Self::Float(value),
            ColumnLiteral::String(value) => Self::Str(value),
            ColumnLiteral::Hash(value) => Self::Bytes(value),
            ColumnLiteral::Uuid(value) => Self::Uuid(value),
            ColumnLiteral::DateTime(value) => Self::Time(value),
            ColumnLiteral::Timespan(value) => Self::Timespan(value),
            ColumnLiteral::Region(value) => Self::Region(value),
        }
    }
}

impl From<bool> for BindValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for BindValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for BindValue {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for BindValue {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for BindValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for BindValue {
    fn from(value: &str) -> Self {
        Self::Str(value.into())
    }
}

impl From<String> for BindValue {
    fn from(value: String) -> Self {
        Self::Str(value.into())
    }
}

impl From<Arc<str>> for BindValue {
    fn from(value: Arc<str>) -> Self {
        Self::Str(value)
    }
}

impl From<DataIdValue> for BindValue {
    fn from(value: DataIdValue) -> Self {
        match value {
            DataIdValue::Int(value) => Self::Int(value),
            DataIdValue::Str(value) => Self::Str(value),
        }
    }
}

impl From<Uuid> for BindValue {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl From<Timespan> for BindValue {
    fn from(value: Timespan) -> Self {
        Self::Timespan(value)
    }
}

impl From<Region> for BindValue {
    fn from(value: Region) -> Self {
        Self::Region(value.into())
    }
}

impl From<LonLat> for BindValue {
    /// A point is a circle without extent.
    fn from(value: LonLat) -> Self {
        Region::Circle(Circle::point(UnitVector3d::from_lonlat(&value))).into()
    }
}

impl<T: Into<Self>> From<Vec<T>> for BindValue {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<Self>> FromIterator<T> for BindValue {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Sequence(values.into_iter().map(Into::into).collect())
    }
}

//! The types of column expressions.

use std::fmt;

use crate::dimensions::ColumnType;

/// The type of a column expression: a [`ColumnType`] without its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueType {
    /// A 64-bit signed integer.
    Int,
    /// Text.
    String,
    /// A byte string.
    Hash,
    /// A double-precision number.
    Float,
    /// An instant.
    DateTime,
    /// True or false.
    Bool,
    /// A UUID.
    Uuid,
    /// A half-open interval of time.
    Timespan,
    /// A region on the sphere.
    Region,
    /// The date a dataset was ingested: an instant that is stored in one of two ways, depending
    /// on the repository.
    IngestDate,
}

impl ValueType {
    /// The type's name on the wire and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::String => "string",
            Self::Hash => "hash",
            Self::Float => "float",
            Self::DateTime => "datetime",
            Self::Bool => "bool",
            Self::Uuid => "uuid",
            Self::Timespan => "timespan",
            Self::Region => "region",
            Self::IngestDate => "ingest_date",
        }
    }

    /// Whether it is an integer or a floating-point number.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }

    /// Whether results can be sorted by values of this type.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Int | Self::String | Self::Float | Self::DateTime | Self::IngestDate
        )
    }
}

impl From<ColumnType> for ValueType {
    fn from(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Int => Self::Int,
            ColumnType::String { .. } => Self::String,
            ColumnType::Hash { .. } => Self::Hash,
            ColumnType::Float => Self::Float,
            ColumnType::Bool => Self::Bool,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Region { .. } => Self::Region,
            ColumnType::Timespan => Self::Timespan,
            ColumnType::DateTime => Self::DateTime,
            ColumnType::IngestDate => Self::IngestDate,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

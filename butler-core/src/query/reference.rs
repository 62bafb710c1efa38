//! Columns as expressions refer to them.

use std::collections::BTreeSet;
use std::fmt;

use super::column_set::{ColumnSet, DatasetField, DatasetTypeKey};
use super::value_type::ValueType;
use crate::dimensions::{ColumnSpec, DimensionElement};
use crate::error::{Error, Result};

/// A column that an expression refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnReference {
    /// The key of a dimension.
    #[non_exhaustive]
    DimensionKey {
        /// The dimension.
        dimension: DimensionElement,
        /// The key's column.
        column: &'static ColumnSpec,
    },
    /// A field of an element's records that is not the key of a dimension: an alternate key,
    /// metadata, the region or the timespan.
    #[non_exhaustive]
    DimensionField {
        /// The element.
        element: DimensionElement,
        /// The field's column.
        column: &'static ColumnSpec,
    },
    /// A column of a dataset search.
    DatasetField {
        /// The dataset type that is searched for.
        dataset_type: DatasetTypeKey,
        /// Which column.
        field: DatasetField,
    },
}

/// A field of an element's records that is not the key of a dimension.
pub(super) fn remainder_field(
    element: DimensionElement,
    field: &str,
) -> Result<&'static ColumnSpec> {
    let remainder = element.schema().remainder();
    let found = remainder.iter().find(|column| &*column.name == field);
    found.ok_or_else(|| {
        let name = element.name();
        let hint = if element.primary_key().is_some_and(|key| &*key.name == field) {
            format!("; it is the key of the dimension, use '{name}' alone")
        } else if element.schema().index_of(field).is_some() {
            format!("; it is the key of a dimension, use '{field}' alone")
        } else {
            let known: Vec<&str> = remainder.iter().map(|column| &*column.name).collect();
            match known.as_slice() {
                [] => format!("; '{name}' has no fields besides its key"),
                known => format!("; '{name}' has {}", known.join(", ")),
            }
        };
        Error::InvalidQuery(format!(
            "Dimension field {name}.{field} does not exist{hint}."
        ))
    })
}

impl ColumnReference {
    /// The key of a dimension.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the element is not a dimension.
    pub fn dimension_key(dimension: DimensionElement) -> Result<Self> {
        let column = dimension.primary_key().ok_or_else(|| {
            Error::InvalidQuery(format!(
                "'{}' is a relationship between dimensions, not a dimension, and has no key",
                dimension.name()
            ))
        })?;
        Ok(Self::DimensionKey { dimension, column })
    }

    /// A field of an element's records.
    ///
    /// # Errors
    /// [`Error::InvalidQuery`] if the element has no such field, or it is the key of a dimension.
    pub fn dimension_field(element: DimensionElement, field: &str) -> Result<Self> {
        let column = remainder_field(element, field)?;
        Ok(Self::DimensionField { element, column })
    }

    /// A column of a dataset search.
    pub fn dataset_field(dataset_type: impl Into<DatasetTypeKey>, field: DatasetField) -> Self {
        Self::DatasetField {
            dataset_type: dataset_type.into(),
            field,
        }
    }

    /// The type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::DimensionKey { column, .. } | Self::DimensionField { column, .. } => {
                column.column_type.into()
            }
            Self::DatasetField { field, .. } => field.column_type().into(),
        }
    }

    /// Adds the column to `columns`, with the dimensions it needs.
    pub fn gather_required_columns(&self, columns: &mut ColumnSet) {
        match self {
            Self::DimensionKey { dimension, .. } => {
                columns.update_dimensions(dimension.minimal_group());
            }
            Self::DimensionField { element, column } => {
                columns.update_dimensions(element.minimal_group());
                columns.insert_dimension_field(*element, &column.name);
            }
            Self::DatasetField {
                dataset_type,
                field,
            } => columns.add_dataset_field(dataset_type.clone(), *field),
        }
    }

    /// Adds the governor dimension without whose value the column means little: that of a
    /// dimension's key or alternate key.
    pub fn gather_governors(&self, governors: &mut BTreeSet<&'static str>) {
        match self {
            Self::DimensionKey { dimension, .. } => {
                let governor = dimension
                    .governor()
                    .filter(|governor| governor != dimension);
                governors.extend(governor.map(DimensionElement::name));
            }
            Self::DimensionField { element, column } => {
                let is_key = |key: &ColumnSpec| key.name == column.name;
                if element.is_dimension() && element.alternate_keys().iter().any(is_key) {
                    governors.extend(element.governor().map(DimensionElement::name));
                }
            }
            Self::DatasetField { .. } => {}
        }
    }
}

impl fmt::Display for ColumnReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DimensionKey { dimension, .. } => f.write_str(dimension.name()),
            Self::DimensionField { element, column } => {
                write!(f, "{}.{}", element.name(), column.name)
            }
            Self::DatasetField {
                dataset_type: DatasetTypeKey::Any,
                field,
            } => field.fmt(f),
            Self::DatasetField {
                dataset_type,
                field,
            } => write!(f, "{dataset_type}.{field}"),
        }
    }
}

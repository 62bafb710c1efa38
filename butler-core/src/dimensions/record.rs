//! Dimension records: what is known about one element.

use std::fmt;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::column::{ColumnSpec, ColumnType, ColumnValue};
use super::coordinate::DataCoordinate;
use super::data_id::DataIdValue;
use super::element::DimensionElement;
use super::region::EncodedRegion;
use super::schema::RecordSchema;
use super::serialized::{SerializedDimensionRecord, SerializedKeyValueDimensionRecord};
use super::universe::DimensionUniverse;
use crate::error::{Error, Result};
use crate::timespan::Timespan;

/// A row of what is known about one element, in the order of its [`RecordSchema`].
#[derive(Clone, PartialEq)]
pub struct DimensionRecord {
    element: DimensionElement,
    values: Box<[ColumnValue]>,
}

impl DimensionRecord {
    /// A record of all values, in the order of the schema.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if there are too few or too many values, one is of the wrong type,
    /// or a required one is null.
    pub fn from_values(
        element: DimensionElement,
        values: impl Into<Box<[ColumnValue]>>,
    ) -> Result<Self> {
        let mut values = values.into();
        let schema = element.schema();
        if values.len() != schema.len() {
            return Err(Error::corrupt(
                format!("dimension record of '{element}'"),
                format_args!("{} values for {} fields", values.len(), schema.len()),
            ));
        }
        let n_required = schema.required().len();
        for (index, (column, value)) in schema.columns().iter().zip(&mut values).enumerate() {
            fit(element, column, value, index < n_required)?;
        }
        Ok(Self { element, values })
    }

    /// A record of named fields; those not given are null.
    ///
    /// The primary key may also be given under the dimension's name, and a timespan as
    /// `datetime_begin` and `datetime_end`, as old exports do.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a field is unknown or a key is given twice with different
    /// values; [`Error::DimensionValue`] if a value is of the wrong type or a required one is
    /// missing.
    pub fn from_fields<N: AsRef<str>>(
        element: DimensionElement,
        fields: impl IntoIterator<Item = (N, ColumnValue)>,
    ) -> Result<Self> {
        let schema = element.schema();
        let own_key = element.primary_key().map(|key| &*key.name);
        let mut values = vec![ColumnValue::Null; schema.len()];
        let mut legacy = [None, None];
        for (name, value) in fields {
            let name = name.as_ref();
            let index = match (schema.index_of(name), name, schema.timespan_index()) {
                (Some(index), _, _) => index,
                (None, "datetime_begin", Some(_)) => {
                    legacy[0] = Some(value);
                    continue;
                }
                (None, "datetime_end", Some(_)) => {
                    legacy[1] = Some(value);
                    continue;
                }
                (None, name, _) => {
                    let own = if name == element.name() {
                        own_key
                    } else {
                        None
                    };
                    own.and_then(|own| schema.index_of(own)).ok_or_else(|| {
                        Error::InvalidArgument(format!(
                            "'{name}' is not a field of '{element}' records; they have {}",
                            schema.names().collect::<Vec<_>>().join(", ")
                        ))
                    })?
                }
            };
            if !values[index].is_null() && values[index] != value {
                return Err(Error::InvalidArgument(format!(
                    "field '{name}' of a '{element}' record is given twice: {:?} and {value:?}",
                    values[index]
                )));
            }
            values[index] = value;
        }
        if let ([Some(begin), Some(end)], Some(index)) = (&legacy, schema.timespan_index()) {
            let bound = |value: &ColumnValue| match value {
                ColumnValue::Time(ns) => Some(*ns),
                _ => None,
            };
            values[index] = Timespan::new(bound(begin), bound(end))?.into();
        }
        Self::from_values(element, values).map_err(|error| match error {
            Error::CorruptRecord { what, detail } => {
                Error::DimensionValue(format!("{what}: {detail}"))
            }
            other => other,
        })
    }

    /// The element the record is of.
    #[must_use]
    pub fn element(&self) -> DimensionElement {
        self.element
    }

    /// The fields.
    #[must_use]
    pub fn schema(&self) -> &'static RecordSchema {
        self.element.schema()
    }

    /// All values, in the order of the schema.
    #[must_use]
    pub fn values(&self) -> &[ColumnValue] {
        &self.values
    }

    /// All fields and values.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&'static ColumnSpec, &ColumnValue)> {
        self.schema().columns().iter().zip(&self.values)
    }

    /// The value of a field; `None` if there is no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ColumnValue> {
        self.values.get(self.schema().index_of(name)?)
    }

    /// The values of the required dimensions, in the element's order.
    pub fn required_values(&self) -> impl Iterator<Item = DataIdValue> {
        self.values[..self.schema().required().len()]
            .iter()
            .map(|value| {
                value
                    .to_data_id_value()
                    .expect("required values are checked on construction")
            })
    }

    /// The value of the dimension's own primary key; `None` for a relationship.
    #[must_use]
    pub fn key_value(&self) -> Option<DataIdValue> {
        self.element
            .is_dimension()
            .then(|| self.required_values().last())
            .flatten()
    }

    /// The data ID the record is about, without implied values unless there are none.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if a value needed to identify the record is null.
    pub fn data_id(&self) -> Result<DataCoordinate> {
        let group = self.element.minimal_group();
        let value_of = |name: &&'static str| {
            let dimensions = self.element.dimensions();
            let index = dimensions
                .into_iter()
                .position(|dimension| dimension == *name);
            index
                .and_then(|index| self.values[index].to_data_id_value())
                .ok_or_else(|| {
                    Error::corrupt(
                        format!("dimension record of '{}'", self.element),
                        format_args!("it has no value for '{name}'"),
                    )
                })
        };
        let values: Vec<_> = group
            .required()
            .iter()
            .map(value_of)
            .collect::<Result<_>>()?;
        DataCoordinate::from_required_values(group.clone(), values)
    }

    /// The region, if the element is spatial and the region is known.
    #[must_use]
    pub fn region(&self) -> Option<&EncodedRegion> {
        match self.values.get(self.schema().region_index()?)? {
            ColumnValue::Region(region) => Some(region),
            _ => None,
        }
    }

    /// The record of a pixel of a skypix dimension, computed from its index.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `element` is not a skypix dimension;
    /// [`Error::DimensionValue`] if it has no such pixel; [`Error::Configuration`] if its
    /// pixelization is not known.
    pub fn of_pixel(element: DimensionElement, index: i64) -> Result<Self> {
        let pixelization = element.pixelization()?;
        let region = u64::try_from(index)
            .ok()
            .and_then(|index| pixelization.pixel(index).ok());
        let region = region.ok_or_else(|| {
            Error::DimensionValue(format!("skypix dimension '{element}' has no pixel {index}"))
        })?;
        let region = EncodedRegion::encode(&region);
        Self::from_values(
            element,
            [ColumnValue::Int(index), ColumnValue::Region(region)],
        )
    }

    /// The timespan, if the element is temporal and the timespan is known.
    #[must_use]
    pub fn timespan(&self) -> Option<Timespan> {
        match self.values.get(self.schema().timespan_index()?)? {
            ColumnValue::Timespan(timespan) => Some(*timespan),
            _ => None,
        }
    }

    /// The record as a mapping of field names to JSON values.
    #[must_use]
    pub fn to_simple(&self) -> SerializedDimensionRecord {
        SerializedDimensionRecord {
            definition: self.element.name().to_owned(),
            record: self
                .fields()
                .map(|(column, value)| (column.name.to_string(), value.to_json()))
                .collect(),
        }
    }

    /// Reads a record from a mapping of field names to JSON values.
    ///
    /// # Errors
    /// [`Error::DimensionName`] if the element is unknown; [`Error::CorruptRecord`] if a field is
    /// unknown, missing, or of the wrong type.
    pub fn from_simple(
        simple: &SerializedDimensionRecord,
        universe: DimensionUniverse,
    ) -> Result<Self> {
        let element = universe.element(&simple.definition)?;
        let schema = element.schema();
        let bad = |detail: String| {
            Error::corrupt(
                format!("serialized dimension record of '{element}'"),
                detail,
            )
        };
        if let Some(name) = simple
            .record
            .keys()
            .find(|name| schema.index_of(name).is_none())
        {
            return Err(bad(format!("it has an unknown field '{name}'")));
        }
        let read = |column: &ColumnSpec| {
            let value = simple.record.get(&*column.name);
            let value = value.ok_or_else(|| bad(format!("field '{}' is missing", column.name)))?;
            column.column_type.value_from_json(value).map_err(|_| {
                bad(format!(
                    "field '{}' should be of type {}, not {value}",
                    column.name,
                    column.column_type.name()
                ))
            })
        };
        let values: Vec<_> = schema.columns().iter().map(read).collect::<Result<_>>()?;
        Self::from_values(element, values)
    }

    /// The record as the list of its JSON values, in the order of the schema.
    #[must_use]
    pub fn to_key_value(&self) -> SerializedKeyValueDimensionRecord {
        self.values.iter().map(ColumnValue::to_json).collect()
    }

    /// Reads a record from the list of its JSON values.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if their number or one of their types is wrong.
    pub fn from_key_value(element: DimensionElement, values: &[Value]) -> Result<Self> {
        let schema = element.schema();
        if values.len() != schema.len() {
            return Err(Error::corrupt(
                format!("serialized dimension record of '{element}'"),
                format_args!("{} values for {} fields", values.len(), schema.len()),
            ));
        }
        let columns = schema.columns().iter();
        let values: Vec<_> = columns
            .zip(values)
            .map(|(column, value)| column.value_from_json(value))
            .collect::<Result<_>>()?;
        Self::from_values(element, values)
    }

    /// This record in the form of a list of values, for serializing without a copy.
    #[must_use]
    pub fn as_key_value(&self) -> impl Serialize + '_ {
        KeyValue(self)
    }
}

/// Checks a value's type, converting integers where the column holds numbers or text.
fn fit(
    element: DimensionElement,
    column: &ColumnSpec,
    value: &mut ColumnValue,
    required: bool,
) -> Result<()> {
    let fits = match (column.column_type, &*value) {
        (_, ColumnValue::Null) => !required,
        (ColumnType::Int, ColumnValue::Int(_))
        | (ColumnType::String { .. }, ColumnValue::Str(_))
        | (ColumnType::Hash { .. }, ColumnValue::Bytes(_))
        | (ColumnType::Float, ColumnValue::Float(_))
        | (ColumnType::Bool, ColumnValue::Bool(_))
        | (ColumnType::Uuid, ColumnValue::Uuid(_))
        | (ColumnType::Region { .. }, ColumnValue::Region(_))
        | (ColumnType::Timespan, ColumnValue::Timespan(_))
        | (ColumnType::DateTime | ColumnType::IngestDate, ColumnValue::Time(_)) => true,
        (ColumnType::Float, ColumnValue::Int(_)) => {
            *value = ColumnValue::Float(value.as_float().unwrap_or(f64::NAN));
            true
        }
        (ColumnType::String { .. }, ColumnValue::Int(number)) if required => {
            *value = ColumnValue::Str(number.to_string().into());
            true
        }
        (ColumnType::Int, ColumnValue::Str(text)) if required => match text.trim().parse() {
            Ok(number) => {
                *value = ColumnValue::Int(number);
                true
            }
            Err(_) => false,
        },
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Error::corrupt(
        format!("dimension record of '{element}'"),
        match value {
            ColumnValue::Null => format!("it has no value for '{}'", column.name),
            value => format!(
                "field '{}' should be of type {}, not {value:?}",
                column.name,
                column.column_type.name()
            ),
        },
    ))
}

struct KeyValue<'a>(&'a DimensionRecord);

impl Serialize for KeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.values.len()))?;
        for value in &self.0.values {
            list.serialize_element(value)?;
        }
        list.end()
    }
}

struct Fields<'a>(&'a DimensionRecord);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.values.len()))?;
        for (column, value) in self.0.fields() {
            map.serialize_entry(&column.name, value)?;
        }
        map.end()
    }
}

impl Serialize for DimensionRecord {
    /// As [`SerializedDimensionRecord`]: `{"definition": …, "record": {…}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("definition", self.element.name())?;
        map.serialize_entry("record", &Fields(self))?;
        map.end()
    }
}

impl fmt::Display for DimensionRecord {
    /// The element's name and one line for each field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.element)?;
        for (column, value) in self.fields() {
            write!(f, "\n  {}: ", column.name)?;
            write_value(f, value)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DimensionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.element)?;
        for (index, (column, value)) in self.fields().enumerate() {
            write!(f, "{}{}=", if index == 0 { "" } else { ", " }, column.name)?;
            write_value(f, value)?;
        }
        f.write_str(")")
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, value: &ColumnValue) -> fmt::Result {
    match value {
        ColumnValue::Null => f.write_str("None"),
        ColumnValue::Bool(true) => f.write_str("True"),
        ColumnValue::Bool(false) => f.write_str("False"),
        ColumnValue::Int(value) | ColumnValue::Time(value) => write!(f, "{value}"),
        ColumnValue::Float(value) => write!(f, "{value:?}"),
        ColumnValue::Str(value) => super::data_id::write_python_str(f, value),
        ColumnValue::Bytes(value) => f.write_str(&super::region::encode_hex(value)),
        ColumnValue::Timespan(value) => write!(f, "{value}"),
        ColumnValue::Region(value) => write!(f, "{value:?}"),
        ColumnValue::Uuid(value) => write!(f, "{value}"),
    }
}

//! Values as export files have them, both ways.

use uuid::Uuid;

use crate::dimensions::{ColumnType, ColumnValue, DataIdValue, EncodedRegion};
use crate::error::{Error, Result};
use crate::time::{TimeFormat, TimeScale, clamp_ns, format_tai_iso, parse_time};
use crate::timespan::Timespan;
use crate::yaml::{Map, Tagged, Value};

const TIME_TAG: &str = "!butler_time/tai/iso";
const TIMESPAN_TAG: &str = "!lsst.daf.butler.Timespan";
const UUID_TAG: &str = "!uuid";
const REGION_PREFIX: &str = "lsst.sphgeom.";

/// The namespace of the identifiers that stand for the integers of old files.
const INTEGER_ID_NAMESPACE: Uuid = Uuid::from_u128(0x4d4851f4_2890_4d41_8779_5f38a3f5062b);

fn wrong(expected: &str, found: &Value) -> Error {
    Error::corrupt(
        "export file",
        format!("expected {expected}, found {}", found.kind()),
    )
}

fn tagged<'v>(value: &'v Value, tag: &str) -> Option<&'v Value> {
    match value {
        Value::Tagged(inner) if inner.tag == tag => Some(&inner.value),
        _ => None,
    }
}

fn tag(tag: impl Into<String>, value: Value) -> Value {
    Value::Tagged(Box::new(Tagged {
        tag: tag.into(),
        value,
    }))
}

/// A dataset's identifier; integers are those of repositories before UUIDs.
pub(super) fn dataset_id(value: &Value) -> Result<Uuid> {
    let text = match (value, tagged(value, UUID_TAG)) {
        (_, Some(Value::Str(text))) | (Value::Str(text), None) => text,
        (Value::Int(number), None) => {
            return Ok(Uuid::new_v3(
                &INTEGER_ID_NAMESPACE,
                number.to_string().as_bytes(),
            ));
        }
        _ => return Err(wrong("a dataset id tagged !uuid", value)),
    };
    Uuid::parse_str(text)
        .map_err(|error| Error::corrupt("export file", format!("dataset id '{text}': {error}")))
}

pub(super) fn uuid_value(id: Uuid) -> Value {
    tag(UUID_TAG, Value::Str(id.to_string()))
}

/// An instant in TAI ns, or none for null.
pub(super) fn optional_time(value: &Value) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    if let Some(Value::Str(text)) = tagged(value, TIME_TAG) {
        return parse_time(text, TimeFormat::Iso, TimeScale::Tai).map(|ns| Some(clamp_ns(ns)));
    }
    match value {
        // Old files have times of YAML's own, in UTC.
        Value::Timestamp(text) => native_time(text).map(Some),
        _ => Err(wrong("a time tagged !butler_time/tai/iso", value)),
    }
}

fn native_time(text: &str) -> Result<i64> {
    let mut clock = text.trim().replace(['T', 't', '\t'], " ");
    let mut offset_seconds = 0i64;
    if let Some(stripped) = clock.strip_suffix('Z') {
        clock = stripped.to_owned();
    } else if let Some(colon) = clock.find(':')
        && let Some(sign) = clock[colon..].find(['+', '-']).map(|at| at + colon)
    {
        let zone = clock.split_off(sign);
        let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "0"));
        let minutes = hours.parse::<i64>().unwrap_or(0) * 60 + minutes.parse::<i64>().unwrap_or(0);
        offset_seconds = if zone.starts_with('-') {
            -minutes * 60
        } else {
            minutes * 60
        };
    }
    let words: Vec<&str> = clock.split_whitespace().collect();
    let ns = parse_time(&words.join(" "), TimeFormat::Iso, TimeScale::Utc)?;
    Ok(clamp_ns(ns - offset_seconds * crate::time::NS_PER_SECOND))
}

/// A time, or null if it is unbounded.
pub(super) fn time_value(ns: Option<i64>) -> Value {
    ns.map_or(Value::Null, |ns| {
        tag(TIME_TAG, Value::Str(format_tai_iso(ns, 9)))
    })
}

/// A timespan.
pub(super) fn timespan(value: &Value) -> Result<Timespan> {
    match tagged(value, TIMESPAN_TAG) {
        Some(Value::Str(text)) if text == "EMPTY" => Ok(Timespan::EMPTY),
        Some(Value::Map(map)) => {
            // An unbounded end is a null, not an end that is left out.
            let bound = |key: &str| {
                let missing = || wrong(&format!("a timespan with '{key}'"), value);
                optional_time(map.get(key).ok_or_else(missing)?)
            };
            Timespan::new(bound("begin")?, bound("end")?)
        }
        _ => Err(wrong("a timespan tagged !lsst.daf.butler.Timespan", value)),
    }
}

pub(super) fn timespan_value(timespan: Timespan) -> Value {
    if timespan.is_empty() {
        return tag(TIMESPAN_TAG, "EMPTY".into());
    }
    let map = Map::from_iter([
        ("begin".to_owned(), time_value(timespan.begin())),
        ("end".to_owned(), time_value(timespan.end())),
    ]);
    tag(TIMESPAN_TAG, Value::Map(map))
}

/// A value of a data ID.
pub(super) fn data_id_value(value: Value) -> Result<DataIdValue> {
    match value {
        Value::Int(number) => Ok(DataIdValue::Int(number)),
        Value::Str(text) => Ok(text.into()),
        other => Err(wrong("a text or integer as value of a data ID", &other)),
    }
}

pub(super) fn from_data_id_value(value: &DataIdValue) -> Value {
    match value {
        DataIdValue::Int(number) => Value::Int(*number),
        DataIdValue::Str(text) => Value::Str(text.to_string()),
    }
}

/// A field of a dimension record, of a known type if the record's schema has it.
pub(super) fn column_value(value: Value, column_type: Option<ColumnType>) -> Result<ColumnValue> {
    if let Value::Tagged(inner) = &value {
        if let (Some(_), Value::Map(map)) = (inner.tag.strip_prefix(REGION_PREFIX), &inner.value) {
            let Some(Value::Str(hex)) = map.get("encoded") else {
                return Err(wrong("a region with its code under 'encoded'", &value));
            };
            return EncodedRegion::from_hex(hex).map(ColumnValue::Region);
        }
        return match inner.tag.as_str() {
            TIMESPAN_TAG => timespan(&value).map(ColumnValue::Timespan),
            UUID_TAG => dataset_id(&value).map(ColumnValue::Uuid),
            TIME_TAG => Ok(optional_time(&value)?.map_or(ColumnValue::Null, ColumnValue::Time)),
            other => Err(Error::corrupt(
                "export file",
                format!("unknown tag '{other}'"),
            )),
        };
    }
    Ok(match (value, column_type) {
        (Value::Null, _) => ColumnValue::Null,
        (Value::Bool(flag), _) => ColumnValue::Bool(flag),
        (Value::Int(number), Some(ColumnType::Float)) => ColumnValue::Float(number as f64),
        (Value::Int(number), Some(ColumnType::String { .. })) => {
            ColumnValue::Str(number.to_string().into())
        }
        (Value::Int(number), Some(ColumnType::Bool)) => ColumnValue::Bool(number != 0),
        (Value::Int(number), _) => ColumnValue::Int(number),
        (Value::Float(number), _) => ColumnValue::Float(number),
        (Value::Str(text), _) => ColumnValue::Str(text.into()),
        (Value::Bytes(bytes), _) => ColumnValue::Bytes(bytes.into()),
        (value @ Value::Timestamp(_), _) => {
            optional_time(&value)?.map_or(ColumnValue::Null, ColumnValue::Time)
        }
        (other, _) => return Err(wrong("a scalar as field of a dimension record", &other)),
    })
}

pub(super) fn from_column_value(value: &ColumnValue) -> Value {
    match value {
        ColumnValue::Null => Value::Null,
        ColumnValue::Bool(flag) => Value::Bool(*flag),
        ColumnValue::Int(number) => Value::Int(*number),
        ColumnValue::Float(number) => Value::Float(*number),
        ColumnValue::Str(text) => Value::Str(text.to_string()),
        ColumnValue::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        ColumnValue::Timespan(timespan) => timespan_value(*timespan),
        ColumnValue::Region(region) => region_value(region),
        ColumnValue::Time(ns) => time_value(Some(*ns)),
        ColumnValue::Uuid(id) => uuid_value(*id),
    }
}

fn region_value(region: &EncodedRegion) -> Value {
    // The first byte of the code tells the class.
    let class = match region.as_bytes().first() {
        Some(b'b') => "Box",
        Some(b'c') => "Circle",
        Some(b'e') => "Ellipse",
        Some(b'u') => "UnionRegion",
        Some(b'i') => "IntersectionRegion",
        _ => "ConvexPolygon",
    };
    let map = Map::from_iter([("encoded".to_owned(), Value::Str(region.to_hex()))]);
    tag(format!("{REGION_PREFIX}{class}"), Value::Map(map))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn old_integer_identifiers_become_uuids() {
        let id = dataset_id(&Value::Int(1)).unwrap();
        assert_eq!(id.get_version_num(), 3);
        assert_ne!(id, dataset_id(&Value::Int(2)).unwrap());
    }

    #[test]
    fn native_times_are_utc() {
        let zulu = native_time("2020-01-01 00:00:00").unwrap();
        assert_eq!(zulu, native_time("2020-01-01T00:00:00Z").unwrap());
        assert_eq!(zulu, native_time("2020-01-01 02:30:00 +02:30").unwrap());
        // TAI is 37 s ahead of UTC then.
        assert_eq!(format_tai_iso(zulu, 0), "2020-01-01 00:00:37");
    }

    #[test]
    fn timespans_are_written_as_by_the_reference() {
        let document = include_str!("../../tests/data/timespans.json");
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        for row in document[4].as_array().unwrap() {
            let expected: Timespan = serde_json::from_value(row[0].clone()).unwrap();
            let value = crate::yaml::parse(row[1].as_str().unwrap()).unwrap();
            assert_eq!(timespan(&value).unwrap(), expected);
            assert_eq!(timespan_value(expected), value);
            let text = crate::yaml::to_string(&value);
            assert_eq!(crate::yaml::parse(&text).unwrap(), value);
        }
        for bad in [
            "17",
            "!lsst.daf.butler.Timespan {begin: null}",
            "!other EMPTY",
        ] {
            let value = crate::yaml::parse(bad).unwrap();
            assert!(timespan(&value).is_err(), "{bad}");
        }
    }
}

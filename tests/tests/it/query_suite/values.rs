//! Values as the cases have them.

use butler_core::butler::Butler;
use butler_core::dimensions::ColumnValue;
use butler_core::error::Result;
use butler_core::query::language::{BindValue, BindValues};
use butler_core::query::{RegionLiteral, SimpleQuery, Where};
use butler_core::time::{TimeFormat, TimeScale, format_tai_isot, parse_time};
use butler_core::timespan::Timespan;
use butler_sphgeom::{HtmPixelization, LonLat, Pixelization as _, Region};
use serde_json::{Value, json};

use crate::values::{data_id, entries};

fn time(iso: &Value) -> Option<i64> {
    let text = iso.as_str()?;
    Some(parse_time(text, TimeFormat::Isot, TimeScale::Tai).unwrap())
}

async fn bind_value(butler: &Butler, given: &Value) -> Result<BindValue> {
    if let Some(items) = given.as_array() {
        let mut found = Vec::new();
        for item in items {
            found.push(Box::pin(bind_value(butler, item)).await?);
        }
        return Ok(BindValue::Sequence(found));
    }
    let Some(form) = given.as_object() else {
        return Ok(match given {
            Value::Number(number) if number.is_f64() => number.as_f64().unwrap().into(),
            Value::Number(number) => number.as_i64().unwrap().into(),
            other => other.as_str().unwrap().into(),
        });
    };
    if let Some(element) = form.get("region_of") {
        let conditions = SimpleQuery::new(condition_of_data_id(&given["data_id"]));
        let element = element.as_str().unwrap();
        let records = butler.query_dimension_records(element, &conditions).await?;
        let [record] = records.as_slice() else {
            panic!("{given} are {} records", records.len());
        };
        let region = record.region().unwrap().as_bytes();
        return Ok(BindValue::Region(RegionLiteral::decode(region)?));
    }
    let (form, value) = form.iter().next().unwrap();
    Ok(match form.as_str() {
        "time" => BindValue::Time(time(value).unwrap()),
        "timespan" => Timespan::new(time(&value[0]), time(&value[1]))?.into(),
        "pos" => Region::from_ivoa_pos(value.as_str().unwrap())
            .unwrap()
            .into(),
        "pixel" => {
            let htm = HtmPixelization::new(7).unwrap();
            htm.pixel(value.as_u64().unwrap()).unwrap().into()
        }
        "point" => {
            let (lon, lat) = (value[0].as_f64().unwrap(), value[1].as_f64().unwrap());
            LonLat::from_degrees(lon, lat).unwrap().into()
        }
        "uuid" => value
            .as_str()
            .unwrap()
            .parse::<uuid::Uuid>()
            .unwrap()
            .into(),
        other => panic!("no values of the form {other}"),
    })
}

fn condition_of_data_id(given: &Value) -> Where {
    data_id(given).fold(Where::new(), |found, (name, value)| {
        found.value(name, value)
    })
}

/// The condition of an object with `where`, `bind` and `data_id`.
pub(super) async fn condition(butler: &Butler, given: &Value) -> Result<Where> {
    let mut bind = BindValues::new();
    for (name, value) in entries(&given["bind"]) {
        bind.insert(name.clone(), bind_value(butler, value).await?);
    }
    let expression = given["where"].as_str().unwrap_or_default();
    let condition = condition_of_data_id(&given["data_id"]);
    Ok(condition.and_expression(expression).bind_all(bind))
}

/// A value of a row, as the cases have it.
pub(super) fn shown(value: &ColumnValue) -> Value {
    let end = |end: Option<i64>| end.map(|ns| format_tai_isot(ns, 0));
    match value {
        ColumnValue::Timespan(span) if span.is_empty() => json!([]),
        ColumnValue::Timespan(span) => json!([end(span.begin()), end(span.end())]),
        other => other.to_json(),
    }
}

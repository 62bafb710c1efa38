use std::collections::HashMap;
use std::sync::Arc;

use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataId, DataIdValue, DimensionGroup, DimensionRecord,
    DimensionRecordSet, DimensionUniverse, SerializableDimensionData, SerializedDataCoordinate,
    SerializedDimensionRecord,
};
use butler_core::{Error, Result, Timespan};
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::support::fixture;

/// The rows of one part of the fixture, with their universe.
fn rows(part: usize) -> Vec<(DimensionUniverse, Value)> {
    let with_universe = |block: Value| {
        let universe = DimensionUniverse::builtin(block[0].as_i64().unwrap()).unwrap();
        let rows = block[part].as_array().unwrap().clone();
        rows.into_iter().map(move |row| (universe, row))
    };
    fixture("data_ids.json")
        .into_iter()
        .flat_map(with_universe)
        .collect()
}

fn data_id(value: &Value) -> DataId {
    serde_json::from_value(value.clone()).unwrap()
}

fn group(universe: DimensionUniverse, names: &Value) -> Result<DimensionGroup> {
    universe.conform(
        names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap()),
    )
}

fn standardize(
    universe: DimensionUniverse,
    mapping: &Value,
    dimensions: &Value,
    defaults: &Value,
) -> Result<DataCoordinate> {
    let mapping = data_id(mapping);
    let dimensions = if dimensions.is_null() {
        None
    } else {
        Some(group(universe, dimensions)?)
    };
    let defaults = (!defaults.is_null())
        .then(|| DataCoordinate::standardize(universe, data_id(defaults).0, None, None))
        .transpose()?;
    DataCoordinate::standardize(universe, mapping.0, dimensions.as_ref(), defaults.as_ref())
}

fn assert_outcome(found: Result<DataCoordinate>, expected: &Value, context: &Value) {
    if expected.is_string() {
        let error = found.expect_err("the reference refuses this");
        assert_eq!(
            error.error_type(),
            Some("dimension_name"),
            "{context}: {error}"
        );
        return;
    }
    let found = found.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(json!(found.dimensions()), expected[0], "{context}");
    assert_eq!(found.has_full(), expected[1], "{context}");
    assert_eq!(
        found.to_string(),
        expected[2].as_str().unwrap(),
        "{context}"
    );
    let simple = json!(found.to_simple(true));
    assert_eq!(
        simple.to_string(),
        expected[3].to_string(),
        "order of keys included: {context}"
    );
    assert_eq!(json!(found.required_values()), expected[4], "{context}");
    let simple: SerializedDataCoordinate = serde_json::from_value(simple).unwrap();
    let read = DataCoordinate::from_simple(&simple, found.universe()).unwrap();
    assert_eq!(read, found);
}

#[test]
fn data_ids_are_standardized_as_in_the_reference() {
    for (universe, row) in rows(1) {
        assert_outcome(
            standardize(universe, &row[0], &row[1], &row[2]),
            &row[3],
            &row,
        );
    }
}

#[test]
fn data_ids_are_compared_united_and_cut_as_in_the_reference() {
    for (universe, row) in rows(2) {
        let [a, b] =
            [0, 1].map(|i| standardize(universe, &row[i], &Value::Null, &Value::Null).unwrap());
        assert_eq!(a == b, row[2], "{row}");
        if let Some(less) = row[3].as_bool() {
            assert_eq!(a.cmp_values(&b).is_lt(), less, "{row}");
        }
        assert_outcome(a.union(&b), &row[4], &row);
        let names = group(universe, &row[5]).unwrap();
        assert_outcome(a.subset(&names), &row[6], &row);
    }
}

#[test]
fn records_have_the_wire_shapes_of_the_reference() {
    for (universe, row) in rows(3) {
        let element = universe.element(row[0].as_str().unwrap()).unwrap();
        let (simple, list) = (row[1].as_str().unwrap(), row[2].as_str().unwrap());
        let parsed: SerializedDimensionRecord = serde_json::from_str(simple).unwrap();
        let record = DimensionRecord::from_simple(&parsed, universe).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), simple);
        assert_eq!(serde_json::to_string(&record.to_simple()).unwrap(), simple);
        let compact = serde_json::from_str::<Value>(list).unwrap().to_string();
        assert_eq!(
            serde_json::to_string(&record.as_key_value()).unwrap(),
            compact
        );
        assert_eq!(json!(record.to_key_value()).to_string(), compact);
        let values: Vec<Value> = serde_json::from_str(list).unwrap();
        assert_eq!(
            DimensionRecord::from_key_value(element, &values).unwrap(),
            record
        );
        if let Some(data_id) = row[3].as_str() {
            assert_eq!(record.data_id().unwrap().to_string(), data_id);
        }
    }
}

#[test]
fn data_ids_carry_records_over_the_wire() {
    for (universe, row) in rows(4) {
        let text = row[0].as_str().unwrap();
        let simple: SerializedDataCoordinate = serde_json::from_str(text).unwrap();
        let data_id = DataCoordinate::from_simple(&simple, universe).unwrap();
        // The reference, too, forgets that there were no records to attach.
        if simple.records.as_ref().is_some_and(IndexMap::is_empty) {
            assert!(!data_id.has_records());
            continue;
        }
        assert!(data_id.has_records() && data_id.has_full());
        assert_eq!(json!(data_id.dimensions()), row[1]);
        assert_eq!(serde_json::to_string(&data_id).unwrap(), text);
        assert_eq!(
            serde_json::to_string(&data_id.to_simple(false)).unwrap(),
            text
        );
        assert_eq!(json!(data_id.timespan()), row[2], "{text}");
        let region = data_id.region().unwrap().map(|region| region.to_hex());
        assert_eq!(json!(region), row[4], "{text}");
        let sets: SerializableDimensionData =
            serde_json::from_str(row[3].as_str().unwrap()).unwrap();
        let sets = sets.to_record_sets(universe).unwrap();
        for set in &sets {
            assert_eq!(set.find(&data_id), data_id.record(set.element().name()));
        }
        let again = serde_json::to_string(&SerializableDimensionData::from_record_sets(&sets));
        assert_eq!(again.unwrap(), row[3].as_str().unwrap());
        let bare = data_id.without_records();
        assert!(!bare.has_records() && bare.has_full() && bare == data_id);
        let cut = data_id.subset(data_id.dimensions()).unwrap();
        assert!(cut.has_records());
    }
}

fn universe() -> DimensionUniverse {
    DimensionUniverse::default()
}

fn of(items: &[(&str, DataIdValue)]) -> Result<DataCoordinate> {
    DataCoordinate::standardize(universe(), items.iter().cloned(), None, None)
}

#[test]
fn values_take_the_type_of_their_dimension() {
    let by_text = of(&[("instrument", "HSC".into()), ("visit", " 42".into())]).unwrap();
    let by_number = of(&[("instrument", "HSC".into()), ("visit", 42.into())]).unwrap();
    assert_eq!(by_text, by_number);
    let error = of(&[("instrument", "HSC".into()), ("visit", "first".into())]).unwrap_err();
    assert!(
        matches!(&error, Error::DimensionValue(text) if text.contains("'visit'")),
        "{error}"
    );
}

#[test]
fn a_missing_or_unknown_dimension_is_named() {
    let error = of(&[("visit", 42.into())]).unwrap_err();
    assert!(matches!(&error, Error::DimensionName(text) if text.contains("'instrument'")));
    let error = of(&[("instrument", "HSC".into()), ("vist", 42.into())]).unwrap_err();
    assert!(matches!(&error, Error::DimensionName(text) if text.contains("'vist'")));
}

#[test]
fn implied_values_come_from_any_record_that_has_them() {
    let data_id = of(&[("instrument", "HSC".into()), ("visit", 42.into())]).unwrap();
    assert!(!data_id.has_full());
    assert!(data_id.full_values().is_none() && data_id.get("day_obs").is_none());
    let record = |name: &str, fields: &[(&str, ColumnValue)]| {
        let element = universe().element(name).unwrap();
        Arc::new(DimensionRecord::from_fields(element, fields.iter().cloned()).unwrap())
    };
    let mut records = HashMap::from([(
        "visit",
        record(
            "visit",
            &[
                ("instrument", "HSC".into()),
                ("visit", 42.into()),
                ("physical_filter", "HSC-R".into()),
                ("day_obs", 20_260_301.into()),
                ("timespan", Timespan::from_ns(1, 5).into()),
            ],
        ),
    )]);
    let error = data_id
        .expanded(|name| records.get(name).cloned())
        .unwrap_err();
    assert!(
        matches!(&error, Error::DataIdValue(text) if text.contains("'band'")),
        "{error}"
    );
    let filter = [
        ("instrument", "HSC".into()),
        ("name", "HSC-R".into()),
        ("band", "r".into()),
    ];
    records.insert("physical_filter", record("physical_filter", &filter));
    let expanded = data_id.expanded(|name| records.get(name).cloned()).unwrap();
    assert_eq!(expanded.get("band"), Some(&"r".into()));
    assert_eq!(expanded, data_id);
    assert_eq!(expanded.record("visit"), records.get("visit"));
    assert!(expanded.record("day_obs").is_none());
    assert_eq!(expanded.timespan(), Some(Timespan::from_ns(1, 5)));
    assert!(expanded.regions().is_none());
    let day = universe().conform(["day_obs"]).unwrap();
    assert_eq!(
        expanded.subset(&day).unwrap().to_string(),
        "{instrument: 'HSC', day_obs: 20260301}"
    );
    assert!(matches!(data_id.subset(&day), Err(Error::DimensionName(_))));
}

#[test]
fn records_refuse_fields_that_do_not_fit() {
    let detector = universe().element("detector").unwrap();
    let make = |fields: &[(&str, ColumnValue)]| {
        DimensionRecord::from_fields(detector, fields.iter().cloned())
    };
    let name = ("instrument", ColumnValue::from("HSC"));
    let record = make(&[name.clone(), ("detector", 3.into()), ("id", 3.into())]).unwrap();
    assert_eq!(record.get("id"), Some(&ColumnValue::Int(3)));
    assert_eq!(record.get("raft"), Some(&ColumnValue::Null));
    assert!(record.get("rafts").is_none());
    assert_eq!(record.key_value(), Some(3.into()));
    let text = |fields: &[(&str, ColumnValue)]| make(fields).unwrap_err().to_string();
    assert!(text(&[name.clone(), ("detector", 3.into()), ("id", 4.into())]).contains("twice"));
    assert!(text(std::slice::from_ref(&name)).contains("'id'"));
    assert!(text(&[name.clone(), ("id", 3.into()), ("weight", 2.5.into())]).contains("'weight'"));
    assert!(text(&[name, ("id", 3.into()), ("raft", true.into())]).contains("'raft'"));
}

#[test]
fn corrupt_serialized_records_are_refused_with_the_field() {
    let good = json!({"definition": "tract", "record": {"skymap": "s", "id": 1, "region": null}});
    let read = |value: Value| {
        let simple: SerializedDimensionRecord = serde_json::from_value(value).unwrap();
        DimensionRecord::from_simple(&simple, universe())
    };
    read(good.clone()).unwrap();
    let refused = |key: &str, value: Value| {
        let mut bad = good.clone();
        bad["record"][key] = value;
        match read(bad) {
            Err(Error::CorruptRecord { what, detail }) => format!("{what}: {detail}"),
            other => panic!("expected a refusal, not {other:?}"),
        }
    };
    assert!(refused("region", json!("xyz")).contains("'region'"));
    assert!(refused("id", json!("1.5")).contains("'id'"));
    assert!(refused("id", json!(null)).contains("'id'"));
    assert!(refused("more", json!(1)).contains("'more'"));
    let mut bad = good.clone();
    bad["record"].as_object_mut().unwrap().remove("region");
    assert!(read(bad).unwrap_err().to_string().contains("'region'"));
    let mut bad = good;
    bad["definition"] = json!("tracts");
    assert_eq!(read(bad).unwrap_err().error_type(), Some("dimension_name"));
    let tract = universe().element("tract").unwrap();
    assert!(DimensionRecord::from_key_value(tract, &[json!("s"), json!(1)]).is_err());
}

#[test]
fn a_record_set_keeps_one_record_for_each_data_id() {
    let band = universe().element("band").unwrap();
    let make = |name: &str| DimensionRecord::from_fields(band, [("name", name.into())]).unwrap();
    let mut set = DimensionRecordSet::new(band);
    for name in ["g", "r", "g", "i"] {
        set.add(make(name)).unwrap();
    }
    let names: Vec<_> = set
        .iter()
        .map(|record| record.key_value().unwrap())
        .collect();
    assert_eq!(names, ["g".into(), "r".into(), "i".into()]);
    assert_eq!(set.remove(&["g".into()]).as_deref(), Some(&make("g")));
    assert_eq!(set.len(), 2);
    let other = DimensionRecord::from_fields(
        universe().element("instrument").unwrap(),
        [("name", "HSC".into())],
    );
    assert!(matches!(
        set.add(other.unwrap()),
        Err(Error::InvalidArgument(_))
    ));
}

#[test]
fn data_ids_stay_small() {
    assert!(std::mem::size_of::<DataCoordinate>() <= 40);
}

#[test]
fn records_of_pixels_are_computed() {
    let htm7 = universe().common_skypix();
    let record = DimensionRecord::of_pixel(htm7, 8 << 14).unwrap();
    assert_eq!(record.data_id().unwrap().to_string(), "{htm7: 131072}");
    let region = record.region().unwrap().decode().unwrap();
    assert_eq!(htm7.pixelization().unwrap().pixel(8 << 14).unwrap(), region);
    for skypix in universe().skypix_dimensions() {
        let (system, level) = skypix.skypix().unwrap();
        let first = if system.name() == "htm" {
            8 << (2 * level)
        } else {
            0
        };
        let record = DimensionRecord::of_pixel(skypix, first).unwrap();
        assert_eq!(record.key_value(), Some(first.into()));
    }
    for bad in [-1, 3, i64::MAX] {
        let error = DimensionRecord::of_pixel(htm7, bad).unwrap_err();
        assert_eq!(error.error_type(), Some("dimension_value"), "{error}");
    }
    let visit = universe().element("visit").unwrap();
    assert!(matches!(
        DimensionRecord::of_pixel(visit, 1),
        Err(Error::InvalidArgument(_))
    ));
}

#[test]
fn records_are_shown_field_by_field() {
    let detector = universe().element("detector").unwrap();
    let fields: [(&str, ColumnValue); 3] = [
        ("instrument", "HSC".into()),
        ("id", 3.into()),
        ("full_name", "it's".into()),
    ];
    let record = DimensionRecord::from_fields(detector, fields).unwrap();
    assert_eq!(
        record.to_string(),
        "detector:\n  instrument: 'HSC'\n  id: 3\n  full_name: \"it's\"\n  name_in_raft: None\n  \
         raft: None\n  purpose: None"
    );
    assert!(format!("{record:?}").starts_with("detector(instrument='HSC', id=3,"));
}

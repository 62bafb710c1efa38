//! The expression language, compared with the Python package's.

use std::collections::BTreeSet;

use base64::Engine as _;
use butler_core::Error;
use butler_core::dimensions::{DimensionGroup, DimensionUniverse};
use butler_core::query::language::{
    BindValue, BindValues, ParseContext, parse_order_by, parse_where,
};
use butler_core::query::{DatasetTypeKey, RegionLiteral};
use butler_core::timespan::Timespan;
use butler_sphgeom::LonLat;
use serde_json::Value;

use crate::support::fixture;

/// What we read otherwise than the reference; the documentation of the language says why.
const DIFFERENT: [&str; 13] = [
    // Integers that no column holds, and numbers that are infinite.
    "visit = 9223372036854775808",
    "visit IN (1..9223372036854775807)",
    "exposure_time = 1e999",
    // Slips of the reference's grammar, and of Python's integers in UUIDs.
    "visit.region OVERLAPS POINT(, 1, 2)",
    "raw.dataset_id = UUID('0xe15ab039bc8b413587c590902a7c0b')",
    // Digits and spaces beyond ASCII.
    "visit = \u{661}",
    "visit IN (1\u{a0}..\u{a0}2)",
    // Times that do not exist.
    "visit.timespan.begin < T'2020-01-01 12:00:60'",
    "visit.timespan.begin < T'2021:366'",
    // What depends on tables of the Earth's rotation, and formats that are no astronomer's.
    "visit.timespan.begin < T'58938.5/ut1'",
    "visit.timespan.begin < T'stardate/-210000.5'",
    "visit.timespan.begin < T'unix_tai_fast/1577836800.5'",
    // A number without a point, with its format: we accept it.
    "visit.timespan.begin < T'mjd/58938'",
];

struct Query {
    dimensions: DimensionGroup,
    datasets: BTreeSet<DatasetTypeKey>,
}

impl Query {
    fn read(row: &Value) -> Self {
        let names = |value: &Value| -> Vec<String> {
            let names = value.as_array().unwrap().iter();
            names
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        let datasets = names(&row[1]);
        Self {
            dimensions: DimensionUniverse::default_universe()
                .conform(names(&row[0]))
                .unwrap(),
            datasets: datasets.iter().map(|name| name.as_str().into()).collect(),
        }
    }

    fn context(&self) -> ParseContext<'_> {
        ParseContext::new(&self.dimensions).with_datasets(&self.datasets)
    }
}

fn bind_value(form: &Value) -> BindValue {
    let value = &form[1];
    let bytes = || {
        base64::engine::general_purpose::STANDARD
            .decode(value.as_str().unwrap())
            .unwrap()
    };
    let number = |index: usize| value[index].as_f64().unwrap();
    match form[0].as_str().unwrap() {
        "int" => value.as_i64().unwrap().into(),
        "float" => value.as_f64().unwrap().into(),
        "string" => value.as_str().unwrap().into(),
        "bool" => value.as_bool().unwrap().into(),
        "bytes" => BindValue::Bytes(bytes().into()),
        "time" => BindValue::Time(value.as_i64().unwrap()),
        "timespan" => {
            let ns = |index: usize| value[index].as_i64().unwrap();
            Timespan::from_ns(ns(0), ns(1)).into()
        }
        "region" => BindValue::Region(RegionLiteral::decode(bytes()).unwrap()),
        "point" => LonLat::from_degrees(number(0), number(1)).unwrap().into(),
        "uuid" => BindValue::Uuid(value.as_str().unwrap().parse().unwrap()),
        "sequence" => value.as_array().unwrap().iter().map(bind_value).collect(),
        other => panic!("unknown type {other}"),
    }
}

/// Whether two documents are the same, but for the last digits of times that were given in years
/// or in scales with periodic terms.
fn is_same(ours: &Value, theirs: &Value, allowed_ns: i64) -> bool {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| {
                    let Some(other) = b.get(key) else {
                        return false;
                    };
                    if key == "nsec" {
                        let difference = value.as_i64().unwrap() - other.as_i64().unwrap();
                        return difference.abs() <= allowed_ns;
                    }
                    is_same(value, other, allowed_ns)
                })
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b, allowed_ns))
        }
        _ => ours == theirs,
    }
}

#[test]
fn expressions_mean_what_they_mean_to_the_reference() {
    let parts = fixture("expressions.json");
    let part = |index: usize| parts[index].as_array().unwrap();
    let queries: Vec<Query> = part(0).iter().map(Query::read).collect();
    let binds: Vec<BindValues> = part(1)
        .iter()
        .map(|forms| {
            let forms = forms.as_object().unwrap().iter();
            forms
                .map(|(name, form)| (name.clone(), bind_value(form)))
                .collect()
        })
        .collect();
    let index = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let mut differences = Vec::new();
    let (mut n_valid, mut n_invalid, mut n_different) = (0, 0, 0);
    for row in part(2) {
        let (query, bind) = (&queries[index(&row[0])], &binds[index(&row[1])]);
        let text = row[2].as_str().unwrap();
        let context = query.context().with_bind(bind);
        let found = parse_where(text, &context);
        if let Err(error) = &found {
            assert!(matches!(error, Error::InvalidQuery(_)), "{text}: {error:?}");
        }
        let years = ["jyear", "byear", "decimalyear"];
        let allowed_ns = match years.iter().any(|format| text.contains(format)) {
            true => 20_000,
            false => 1,
        };
        let ours = found.as_ref().map(|ours| ours.to_json().unwrap());
        if DIFFERENT.contains(&text) {
            let is_same = match &ours {
                Ok(ours) => is_same(ours, &row[3], allowed_ns),
                Err(_) => row[3].is_string(),
            };
            assert!(!is_same, "{text} has become the same");
            n_different += 1;
            continue;
        }
        match (ours, row[3].is_object()) {
            (Ok(ours), true) => {
                if is_same(&ours, &row[3], allowed_ns) {
                    n_valid += 1;
                } else {
                    differences.push(format!("{text}\n  ours:   {ours}\n  theirs: {}", row[3]));
                }
            }
            (Err(_), false) => n_invalid += 1,
            (Ok(ours), false) => differences.push(format!(
                "{text:?} in {}: {} is {}",
                query.dimensions, row[3], ours
            )),
            (Err(error), true) => {
                differences.push(format!("{text:?} is {}, not\n{error}", row[3]));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(n_valid > 2500 && n_invalid > 2000, "{n_valid}, {n_invalid}");
    assert_eq!(n_different, DIFFERENT.len());
}

#[test]
fn order_by_terms_mean_what_they_mean_to_the_reference() {
    let parts = fixture("expressions.json");
    let part = |index: usize| parts[index].as_array().unwrap();
    let queries: Vec<Query> = part(0).iter().map(Query::read).collect();
    for row in part(3) {
        let query = &queries[usize::try_from(row[0].as_u64().unwrap()).unwrap()];
        let term = row[1].as_str().unwrap();
        match parse_order_by(term, &query.context()) {
            Ok(ours) => assert_eq!(ours.to_json().unwrap(), row[2], "{term}"),
            Err(error) => {
                assert!(matches!(error, Error::InvalidQuery(_)), "{term}: {error:?}");
                assert!(row[2].is_string(), "{term}: {error} instead of {}", row[2]);
            }
        }
    }
}

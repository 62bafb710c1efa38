#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::dimensions::{DimensionGroup, DimensionUniverse};
use crate::query::limits::{MAX_POLYGON_VERTICES, MAX_PREDICATE_LEAVES};
use crate::query::{DatasetTypeKey, Predicate};

fn group(names: &[&str]) -> DimensionGroup {
    DimensionUniverse::default_universe()
        .conform(names)
        .unwrap()
}

fn converted(text: &str) -> crate::Result<Predicate> {
    let dimensions = group(&["visit", "exposure", "detector"]);
    let datasets = BTreeSet::from([DatasetTypeKey::from("raw")]);
    let bind = BindValues::from([
        ("ints".to_owned(), BindValue::from(vec![1_i64, 2])),
        ("nan".to_owned(), BindValue::from(f64::NAN)),
    ]);
    let context = ParseContext::new(&dimensions)
        .with_datasets(&datasets)
        .with_bind(&bind);
    parse_where(text, &context)
}

fn refused(text: &str) -> String {
    match converted(text) {
        Ok(predicate) => panic!("{text} is accepted as {predicate}"),
        Err(error) => {
            assert!(matches!(error, crate::Error::InvalidQuery(_)), "{error:?}");
            error.to_string()
        }
    }
}

#[test]
fn conversion_errors_show_their_place() {
    for (text, marked, why) in [
        (
            "visit = 1 AND vist = 2",
            "vist",
            "Unrecognized identifier 'vist'",
        ),
        (
            "exposure = seq_num",
            "seq_num",
            "'exposure.seq_num', 'visit.seq_num'",
        ),
        (
            "visit.foo = 1",
            "visit.foo",
            "Unrecognized field 'foo' for visit",
        ),
        ("raw.foo = 1", "raw.foo", "not valid for datasets"),
        (
            "dataset_id = NULL AND visit_definition = 1",
            "visit_definition",
            "is no dimension",
        ),
        (
            "visit = 1 AND (band = 5)",
            "band = 5",
            "do not agree (string, int)",
        ),
        ("visit = 1 AND detector", "detector", "expected a condition"),
        ("NOT (visit + 1)", "(visit + 1)", "expected a condition"),
        (
            "visit = 1 AND (visit = 2) + 1 = 3",
            "(visit = 2)",
            "expected a column or a value",
        ),
        (
            "visit + 1.5 = 2",
            "visit + 1.5",
            "do not agree (int, float)",
        ),
        ("-band = 'r'", "-band", "only numbers can have a sign"),
        (
            "visit < NULL",
            "visit < NULL",
            "int and NULL cannot be compared",
        ),
        ("visit IN (1, 'a', 3)", "'a'", "do not agree"),
        ("visit IN (1, 5..3)", "5..3", "stop must be >= start"),
        ("band IN (1..3)", "1..3", "not an integer"),
        (
            "visit IN (1, has_simulated)",
            "has_simulated",
            "in the list of IN",
        ),
        ("visit = :ints", "visit = :ints", "int and sequence cannot"),
        ("visit = :nothing", ":nothing", "bound are ints, nan"),
        (
            "visit.timespan OVERLAPS (T'2020-01-01', '2021-01-01')",
            "'2021-01-01'",
            "begin with a T",
        ),
        (
            "visit.timespan OVERLAPS (T'1960-01-01', T'1969-01-01')",
            "(T'1960-01-01', T'1969-01-01')",
            "timespan",
        ),
        (
            "visit.region OVERLAPS POINT(visit, 2)",
            "visit",
            "not a literal number",
        ),
        (
            "visit.region OVERLAPS POINT(1, :nan)",
            ":nan",
            "not a literal number",
        ),
        ("visit.region OVERLAPS POINT(1, 91)", "1, 91", "91"),
        (
            "visit.region OVERLAPS REGION('SQUARE 1')",
            "'SQUARE 1'",
            "SQUARE",
        ),
        (
            "visit.region OVERLAPS REGION(band)",
            "band",
            "expected text",
        ),
        (
            "visit.region OVERLAPS POLYGON(1, 1, 1, 1, 1, 1)",
            "POLYGON(1, 1, 1, 1, 1, 1)",
            "polygon",
        ),
        (
            "POINT(1, 2) OVERLAPS POINT(1, 2)",
            "POINT(1, 2) OVERLAPS POINT(1, 2)",
            "region column",
        ),
        ("GLOB(visit, '1*')", "visit", "must be a string column"),
        ("GLOB(band, :ints)", ":ints", "expected text"),
    ] {
        let error = refused(text);
        assert!(error.contains(why), "{text}: {error}");
        let lines: Vec<&str> = error.lines().collect();
        let place = lines[lines.len() - 1];
        assert_eq!(place.trim().len(), marked.len(), "{error}");
        let start = place.find('^').unwrap();
        assert!(
            lines[lines.len() - 2][start..].starts_with(marked),
            "{error}"
        );
    }
    assert!(refused("run = 'x' AND ingest_date = dataset_type.foo").contains("'dataset_type.foo'"));
}

#[test]
fn fields_of_datasets_need_a_dataset() {
    let dimensions = group(&["visit"]);
    let context = ParseContext::new(&dimensions);
    let error = parse_where("ingest_date != NULL", &context).unwrap_err();
    assert!(error.to_string().contains("'raw.ingest_date'"), "{error}");
    let two = BTreeSet::from(["raw".into(), "calexp".into()]);
    let error = parse_order_by("run", &context.with_datasets(&two)).unwrap_err();
    assert!(
        error.to_string().contains("'calexp.run', 'raw.run'"),
        "{error}"
    );
    let any = BTreeSet::from([DatasetTypeKey::Any]);
    let term = parse_order_by("-run", &context.with_datasets(&any)).unwrap();
    assert_eq!(term.to_string(), "run DESC");
}

#[test]
fn a_range_to_the_largest_integer_has_no_end() {
    let predicate = converted("visit IN (1..9223372036854775807)").unwrap();
    assert_eq!(predicate.to_string(), "visit IN 1:");
}

/// Whatever the parser lets through can be converted, written and dropped in a small stack.
#[test]
fn the_deepest_expressions_need_little_stack() {
    let run = || {
        let nested = |open: &str, core: &str, close: &str, depth: usize| {
            let text = format!("{}{core}{}", open.repeat(depth), close.repeat(depth));
            format!("{text} = 1")
        };
        let half = MAX_DEPTH / 2 - 1;
        for text in [
            nested("(", "visit", ")", MAX_DEPTH - 2),
            nested("- ", "visit", "", MAX_DEPTH - 2),
            nested("", "visit", " + 1", MAX_DEPTH - 2),
            nested("(1 + ", "visit", ")", half),
            format!("{}visit = 1", "NOT ".repeat(MAX_DEPTH - 2)),
            format!(
                "{}visit = 1{}",
                "(visit = 2 OR ".repeat(half),
                ")".repeat(half)
            ),
            format!(
                "{}visit = 1{}",
                "(visit = 2 AND ".repeat(half),
                ")".repeat(half)
            ),
        ] {
            let predicate = converted(&text).unwrap();
            assert!(!predicate.to_string().is_empty());
            predicate.to_json().unwrap();
        }
    };
    let small = std::thread::Builder::new().stack_size(1 << 20);
    small.spawn(run).unwrap().join().unwrap();
}

/// None of these takes noticeable time; all of them would, were anything quadratic or worse.
#[test]
fn hostile_sizes_are_bounded() {
    let long = 40_000;
    for operator in [" AND ", " OR "] {
        let text = vec!["visit = 1"; long].join(operator);
        assert!(converted(&text).is_ok());
        assert!(converted(&format!("NOT ({text})")).is_ok());
    }
    assert!(converted(&format!("visit IN ({})", vec!["1"; long].join(","))).is_ok());
    assert!(converted(&format!("visit NOT IN ({})", vec!["1"; long].join(","))).is_ok());

    let pairs = vec!["(visit = 1 AND detector = 2)"; 30].join(" OR ");
    assert!(refused(&pairs).contains(&MAX_PREDICATE_LEAVES.to_string()));
    let pairs = vec!["(visit = 1 OR detector = 2)"; 30].join(" AND ");
    assert!(refused(&format!("NOT ({pairs})")).contains(&MAX_PREDICATE_LEAVES.to_string()));
    let members = vec!["(visit + 1)"; 100].join(" + ");
    let list = format!("{members} IN ({})", vec!["1"; 10_000].join(","));
    assert!(refused(&list).contains("too long"));
    let vertices = vec!["1, 2"; MAX_POLYGON_VERTICES + 1].join(", ");
    let polygon = format!("visit.region OVERLAPS POLYGON({vertices})");
    assert!(refused(&polygon).contains("at most"));
    let polygon = polygon
        .replace("(1", "('POLYGON 1")
        .replace(',', "")
        .replace(')', "')");
    let region = polygon.replace("POLYGON('", "REGION('");
    assert!(refused(&region).contains("at most"));
}

//! Documents that mean harm: every one is refused with a clear error.

use std::fmt::Write as _;

use butler_core::Error;
use butler_core::dimensions::DimensionUniverse;
use butler_core::query::limits::{MAX_EXPRESSION_DEPTH, MAX_JSON_DEPTH, MAX_QUERY_DEPTH};
use butler_core::query::wire::{AdditionalQueryInput, QueryInputs, parse_json};
use butler_core::query::{
    ColumnExpression, ColumnLiteral, ComparisonOperator, Predicate, QueryTree, ResultSpec,
    UnaryOperator,
};
use serde_json::{Value, json};

fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

/// The message with which a tree is refused.
fn refused(text: &str) -> String {
    match QueryTree::from_json(text, universe()) {
        Err(Error::InvalidQuery(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

fn with_leaf(leaf: &str) -> String {
    format!(r#"{{"dimensions": ["visit"], "predicate": {{"operands": [[{leaf}]]}}}}"#)
}

const VISIT: &str = r#"{"expression_type": "dimension_key", "dimension": "visit"}"#;

fn equal(a: &str, b: &str) -> String {
    with_leaf(&format!(
        r#"{{"predicate_type": "comparison", "a": {a}, "b": {b}, "operator": "=="}}"#
    ))
}

fn nested(depth: usize) -> String {
    let open = r#"{"expression_type": "unary", "operator": "-", "operand": "#.repeat(depth);
    format!("{open}{VISIT}{}", "}".repeat(depth))
}

fn visit() -> ColumnExpression {
    ColumnExpression::dimension_key(universe().dimension("visit").unwrap()).unwrap()
}

#[test]
fn deep_nesting_is_refused_however_deep() {
    for depth in [MAX_EXPRESSION_DEPTH + 1, 10_000, 1_000_000] {
        let message = refused(&equal(&nested(depth), VISIT));
        assert!(message.contains("nest"), "{message}");
    }
    QueryTree::from_json(&equal(&nested(MAX_EXPRESSION_DEPTH), VISIT), universe()).unwrap();
    for text in ["[".repeat(1_000_000), r#"{"a":"#.repeat(1_000_000)] {
        assert!(refused(&text).contains("nested deeper"));
    }
}

#[test]
fn deep_nesting_of_values_already_parsed_is_refused() {
    let mut deep = json!({"expression_type": "dimension_key", "dimension": "visit"});
    for _ in 0..MAX_JSON_DEPTH + 10 {
        deep = json!({"expression_type": "unary", "operator": "-", "operand": deep});
    }
    let tree = json!({
        "dimensions": ["visit"],
        "predicate": {"operands": [[{"predicate_type": "is_null", "operand": deep}]]},
    });
    let error = QueryTree::from_value(&tree, universe()).unwrap_err();
    assert!(matches!(error, Error::InvalidQuery(_)), "{error:?}");
}

#[test]
fn queries_within_queries_are_bounded() {
    let within = |tree: String| {
        with_leaf(&format!(
            r#"{{"predicate_type": "in_query", "member": {VISIT}, "column": {VISIT},
                "query_tree": {tree}}}"#
        ))
    };
    let mut tree = r#"{"dimensions": ["visit"]}"#.to_owned();
    for _ in 0..MAX_QUERY_DEPTH {
        tree = within(tree);
    }
    let read = QueryTree::from_json(&tree, universe()).unwrap();
    assert_eq!(read.query_depth(), MAX_QUERY_DEPTH);
    assert!(refused(&within(tree)).contains("queries may not be nested"));
}

#[test]
fn the_deepest_expression_fits_into_the_deepest_query() {
    let mut tree = equal(&nested(MAX_EXPRESSION_DEPTH), VISIT);
    for _ in 0..MAX_QUERY_DEPTH {
        tree = with_leaf(&format!(
            r#"{{"predicate_type": "not", "operand": {{"predicate_type": "in_query",
                "member": {VISIT}, "column": {VISIT}, "query_tree": {tree}}}}}"#
        ));
    }
    let read = QueryTree::from_json(&tree, universe()).unwrap();
    let written = read.to_json().unwrap().to_string();
    assert_eq!(QueryTree::from_json(&written, universe()).unwrap(), read);
}

#[test]
fn predicates_cannot_grow_without_bounds() {
    let leaf =
        |value: i64| Predicate::compare(visit(), ComparisonOperator::Equal, value.into()).unwrap();
    // The negation of n alternatives of pairs has two to the n groups.
    let pairs = |n: i64| Predicate::all((0..n).map(|i| leaf(i).or(leaf(i + 1)).unwrap())).unwrap();
    assert_eq!(pairs(10).not().unwrap().operands().len(), 1 << 10);
    for n in [20, 64, 1000] {
        let error = pairs(n).not().unwrap_err();
        assert!(matches!(error, Error::InvalidQuery(_)), "{error:?}");
    }
    let wide = Predicate::all((0..400).map(leaf)).unwrap();
    assert!(wide.clone().or(wide).is_err());

    let mut group = String::new();
    for _ in 0..100_001 {
        write!(
            group,
            r#"{{"predicate_type": "is_null", "operand": {VISIT}}},"#
        )
        .unwrap();
    }
    assert!(refused(&with_leaf(group.trim_end_matches(','))).contains("too complex"));
}

#[test]
fn expressions_cannot_be_nested_without_bounds() {
    let mut expression = visit();
    for _ in 0..MAX_EXPRESSION_DEPTH {
        expression = ColumnExpression::unary(UnaryOperator::Negate, expression).unwrap();
    }
    let error = ColumnExpression::unary(UnaryOperator::Negate, expression).unwrap_err();
    assert!(matches!(error, Error::InvalidQuery(_)), "{error:?}");
}

#[test]
fn numbers_that_no_column_holds_are_refused() {
    let int = |value: &str| {
        equal(
            VISIT,
            &format!(r#"{{"expression_type": "int", "value": {value}}}"#),
        )
    };
    for value in [
        "9223372036854775808",
        "-9223372036854775809",
        "1180591620717411303424",
        "1e30",
        "1.5",
        "\"5\"",
        "true",
        "null",
        "[]",
    ] {
        let message = refused(&int(value));
        assert!(message.contains("b.value"), "{message}");
    }
    for value in ["9223372036854775807", "-9223372036854775808", "5.0", "1e3"] {
        QueryTree::from_json(&int(value), universe()).unwrap();
    }
    let float = |value: &str| {
        equal(
            VISIT,
            &format!(r#"{{"expression_type": "float", "value": {value}}}"#),
        )
    };
    for value in ["NaN", "Infinity", "-Infinity", "null", "\"nan\"", "1e999"] {
        refused(&float(value));
    }
    assert!(ColumnLiteral::int(1_u64 << 63).is_err());
    assert!(ColumnLiteral::int(1_i128 << 70).is_err());
}

#[test]
fn numbers_that_json_has_no_form_for_are_not_sent() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let term = Predicate::compare(visit(), ComparisonOperator::Less, value.into()).unwrap();
        let tree = QueryTree::identity(universe()).where_(term).unwrap();
        let error = tree.to_json().unwrap_err();
        assert!(matches!(error, Error::InvalidQuery(_)), "{error:?}");
    }
}

#[test]
fn bytes_and_regions_are_decoded_when_they_are_read() {
    let encoded =
        |kind: &str, text: &str| format!(r#"{{"expression_type": "{kind}", "encoded": "{text}"}}"#);
    for text in ["!!", "YWJ", "YW Jj", "é", "YWJj\\u0000"] {
        let hash = encoded("hash", text);
        assert!(refused(&equal(&hash, &hash)).contains("base64"));
    }
    let column = r#"{"expression_type": "dimension_field", "element": "visit", "field": "region"}"#;
    for text in ["", "YWJj", "Yw==", "/////w=="] {
        let message = refused(&equal(column, &encoded("region", text)));
        assert!(message.contains("region"), "{message}");
    }
}

#[test]
fn keys_may_not_be_repeated() {
    let message = refused(r#"{"dimensions": [], "dimensions": ["visit"]}"#);
    assert!(
        message.contains("\"dimensions\" appears twice"),
        "{message}"
    );
    let id = "eb463bc3-3944-4fd7-b1bc-7955c52345be";
    let twice = format!(
        r#"{{"dimensions": [], "materializations": {{"{id}": [], "{}": []}}}}"#,
        id.to_uppercase()
    );
    assert!(refused(&twice).contains("twice"));
}

#[test]
fn text_that_is_no_json_is_refused() {
    for text in [
        "",
        "{",
        "nul",
        "{\"dimensions\": []} x",
        "\u{feff}{}",
        "{'a': 1}",
        "\"\\ud800\"",
    ] {
        assert!(refused(text).contains("JSON"), "{text}");
    }
    assert!(parse_json("[1, 2.5, \"x\", null, true, {\"a\": {}}]").is_ok());
}

#[test]
fn names_of_dimensions_are_checked() {
    for dimensions in [
        json!(["vizit"]),
        json!(["visit_detector_region"]),
        json!([""]),
    ] {
        let tree = json!({ "dimensions": dimensions });
        let error = QueryTree::from_value(&tree, universe()).unwrap_err();
        assert!(matches!(error, Error::DimensionName(_)), "{error:?}");
        assert!(error.to_string().contains("tree.dimensions[0]"), "{error}");
    }
}

#[test]
fn a_column_that_is_no_truth_value_is_refused_as_one() {
    // The reference reads it, and its database then complains.
    let leaf = format!(r#"{{"predicate_type": "boolean_wrapper", "operand": {VISIT}}}"#);
    assert!(refused(&with_leaf(&leaf)).contains("neither true nor false"));
}

#[test]
fn fields_that_the_reference_ignores_or_chokes_on_are_refused() {
    let general = |dimension_fields: Value, dataset_fields: Value| {
        let spec = json!({
            "result_type": "general",
            "dimensions": ["visit"],
            "dimension_fields": dimension_fields,
            "dataset_fields": dataset_fields,
            "find_first": false,
        });
        ResultSpec::from_value(&spec, universe())
            .unwrap_err()
            .to_string()
    };
    assert!(general(json!({"visit": ["bogus"]}), json!({})).contains("visit.bogus"));
    assert!(general(json!({"visit": ["id"]}), json!({})).contains("use 'visit' alone"));
    assert!(general(json!({}), json!({"a": ["calib_pkey"]})).contains("calib_pkey"));
    let limit = json!({"result_type": "data_coordinate", "dimensions": [], "limit": -1});
    let error = ResultSpec::from_value(&limit, universe()).unwrap_err();
    assert!(error.to_string().contains("negative"), "{error}");
}

#[test]
fn errors_say_where_in_the_document_they_are() {
    let leaf = r#"{"predicate_type": "is_null", "operand": {"expression_type": "int"}}"#;
    let message = refused(&with_leaf(leaf));
    assert_eq!(
        message,
        "invalid query at tree.predicate.operands[0][0].operand: 'value' is missing"
    );
    let long = format!(r#"{{"dimensions": ["{}"]}}"#, "x".repeat(100_000));
    let error = QueryTree::from_json(&long, universe()).unwrap_err();
    assert!(matches!(error, Error::DimensionName(_)), "{error:?}");
}

#[test]
fn uploads_are_checked_row_by_row() {
    let upload = |dimensions: Value, rows: Value| {
        let value = json!({
            "type": "upload",
            "key": "eb463bc3-3944-4fd7-b1bc-7955c52345be",
            "dimensions": dimensions,
            "rows": rows,
        });
        AdditionalQueryInput::from_value(&value, universe())
    };
    upload(json!(["detector"]), json!([["HSC", 5], ["HSC", 6]])).unwrap();
    upload(json!([]), json!([[]])).unwrap();
    for rows in [
        json!([["HSC"]]),
        json!([["HSC", 5, 6]]),
        json!([["HSC", null]]),
        json!([["HSC", 5.5]]),
        json!([["HSC", [5]]]),
        json!([["HSC", 9_223_372_036_854_775_808_u64]]),
        json!(["HSC"]),
        json!({}),
        json!([["HSC", "five"]]),
    ] {
        let error = upload(json!(["detector"]), rows.clone()).unwrap_err();
        assert!(error.error_type().is_some(), "{rows}: {error:?}");
    }
}

#[test]
fn requests_lacking_a_part_are_refused() {
    let whole = json!({
        "tree": {"dimensions": []},
        "default_data_id": {"dataId": {"instrument": "HSC"}},
        "additional_query_inputs": [],
    });
    QueryInputs::from_value(&whole, universe()).unwrap();
    for key in ["tree", "default_data_id", "additional_query_inputs"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(key);
        let error = QueryInputs::from_value(&part, universe()).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
    let mut bad = whole;
    bad["default_data_id"] = json!({"dataId": {"instrument": {}}});
    assert!(QueryInputs::from_value(&bad, universe()).is_err());
}

//! Query trees and result specifications, compared with those of the Python package.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use butler_core::Error;
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use butler_core::query::wire::QueryInputs;
use butler_core::query::{
    ColumnSet, Predicate, PredicateConstraints, PredicateLeaf, QueryTree, ResultSpec,
};
use serde_json::{Value, json};

use crate::support::fixture_value;

static FIXTURE: LazyLock<Value> = LazyLock::new(|| fixture_value("query_trees.json"));

fn rows(part: &str) -> &'static [Value] {
    FIXTURE[part].as_array().unwrap()
}

fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn tree(value: &Value) -> QueryTree {
    QueryTree::from_json(&value.to_string(), universe())
        .unwrap_or_else(|error| panic!("{error}\n{value}"))
}

fn spec(value: &Value) -> ResultSpec {
    ResultSpec::from_json(&value.to_string(), universe())
        .unwrap_or_else(|error| panic!("{error}\n{value}"))
}

/// A predicate of its JSON form, through a tree that has joined all dimensions.
fn predicate(value: &Value) -> Predicate {
    let names: Vec<_> = universe().dimensions().map(|d| d.name()).collect();
    let search = |dimensions: &[&str]| json!({"collections": ["c"], "dimensions": dimensions});
    tree(&json!({
        "dimensions": names,
        "predicate": value,
        "datasets": {
            "raw": search(&[]), "calexp": search(&[]), "bias": search(&[]),
            "deepCoadd_calexp": search(&[]), "config": search(&[]),
        },
    }))
    .predicate()
    .clone()
}

#[test]
fn trees_are_written_as_they_were_read() {
    for row in rows("queries") {
        let tree = tree(&row["tree"]);
        assert_eq!(tree.to_json().unwrap(), row["tree"]);
    }
}

#[test]
fn result_specifications_are_written_as_they_were_read() {
    for row in rows("queries") {
        let spec = spec(&row["spec"]);
        assert_eq!(spec.to_json().unwrap(), row["spec"]);
    }
}

#[test]
fn predicates_read_as_in_the_reference() {
    for row in rows("queries") {
        assert_eq!(
            tree(&row["tree"]).predicate().to_string(),
            text(&row["predicate"])
        );
    }
}

#[test]
fn predicates_need_the_columns_and_governors_that_they_need_in_the_reference() {
    for row in rows("queries") {
        let tree = tree(&row["tree"]);
        let mut columns = ColumnSet::new(tree.dimensions().clone());
        tree.predicate().gather_required_columns(&mut columns);
        assert_eq!(columns.to_string(), text(&row["required"]));
        let mut governors = BTreeSet::new();
        tree.predicate().gather_governors(&mut governors);
        assert_eq!(json!(governors), row["governors"], "{}", row["predicate"]);
    }
}

#[test]
fn results_have_the_columns_that_they_have_in_the_reference() {
    for row in rows("queries") {
        let spec = spec(&row["spec"]);
        let columns: Vec<Value> = spec
            .result_columns()
            .columns()
            .map(|column| {
                let spec = column.spec().unwrap();
                json!([spec.name, spec.column_type.name(), spec.nullable])
            })
            .collect();
        assert_eq!(json!(columns), row["columns"], "{}", row["spec"]);
        let find_first = spec.find_first_dataset().map(|name| &**name);
        assert_eq!(find_first, row["find_first"].as_str());
    }
}

#[test]
fn specifications_match_the_trees_that_they_match_in_the_reference() {
    for row in rows("queries") {
        let result = spec(&row["spec"]).validate_tree(&tree(&row["tree"]));
        if row["mismatch"] == true {
            assert!(matches!(result, Err(Error::InvalidQuery(_))), "{row}");
        } else {
            result.unwrap();
        }
    }
}

#[test]
fn predicates_combine_as_in_the_reference() {
    for row in rows("logic") {
        let (a, b) = (predicate(&row["a"]), predicate(&row["b"]));
        assert_eq!(a.not().unwrap().to_string(), text(&row["not"]));
        assert_eq!(
            a.clone().and(b.clone()).unwrap().to_string(),
            text(&row["and"])
        );
        assert_eq!(a.or(b).unwrap().to_string(), text(&row["or"]));
    }
}

#[test]
fn predicates_fix_values_of_data_ids_as_in_the_reference() {
    for row in rows("constraints") {
        let mut found = PredicateConstraints::new(predicate(&row["predicate"]));
        assert_eq!(json!(found.messages()), row["messages"]);
        let defaults = row["defaults"].as_object().unwrap().iter();
        let defaults: Vec<(_, DataIdValue)> = defaults
            .map(|(name, value)| (name, text(value).into()))
            .collect();
        let defaults = DataCoordinate::standardize(universe(), defaults, None, None).unwrap();
        let names = row["dimensions"].as_array().unwrap().iter().map(text);
        let dimensions = universe().conform(names).unwrap();
        let validate = row["validate"] == true;
        let applied = found.apply_default_data_id(&defaults, &dimensions, validate);
        match row["error"].as_str() {
            Some(error) => {
                assert_eq!(error, "InvalidQueryError");
                assert!(matches!(applied, Err(Error::InvalidQuery(_))), "{row}");
            }
            None => {
                applied.unwrap();
                let fixed = found.data_id().iter();
                let fixed =
                    fixed.map(|(name, value)| ((*name).to_owned(), value.to_string().into()));
                assert_eq!(Value::Object(fixed.collect()), row["data_id"], "{row}");
                let mut terms: Vec<_> = found
                    .predicate()
                    .operands()
                    .iter()
                    .map(|group| {
                        Predicate::from_operands(vec![group.clone()])
                            .unwrap()
                            .to_string()
                    })
                    .collect();
                terms.sort();
                assert_eq!(json!(terms), row["terms"]);
            }
        }
    }
}

#[test]
fn requests_with_uploads_and_materializations_are_written_as_they_were_read() {
    for row in rows("inputs") {
        let inputs = QueryInputs::from_json(&row.to_string(), universe()).unwrap();
        assert_eq!(inputs.to_json().unwrap(), *row);
        assert_eq!(inputs.additional_query_inputs.len(), 2);
    }
}

/// Compares what is refused.
fn judge<T: std::fmt::Debug>(part: &str, read: impl Fn(&str) -> Result<T, Error>) {
    for row in rows(part) {
        let (what, result) = (&row["what"], read(&row["json"].to_string()));
        match (row["error"].as_str(), result) {
            (None, Ok(_)) => {}
            (None, Err(error)) => panic!("{what} is refused: {error}"),
            (Some(error), Ok(read)) => panic!("{what} gives {error} in Python, but {read:?} here"),
            (Some("InvalidQueryError"), Err(error)) => {
                assert!(matches!(error, Error::InvalidQuery(_)), "{what}: {error:?}");
            }
            (Some(_), Err(error)) => assert!(
                matches!(error, Error::InvalidQuery(_) | Error::DimensionName(_)),
                "{what}: {error:?}"
            ),
        }
    }
}

#[test]
fn unusual_trees_are_taken_or_refused_as_in_the_reference() {
    judge("odd_trees", |text| QueryTree::from_json(text, universe()));
}

#[test]
fn unusual_specifications_are_taken_or_refused_as_in_the_reference() {
    judge("odd_specs", |text| ResultSpec::from_json(text, universe()));
}

#[test]
fn trees_joined_step_by_step_equal_those_read_at_once() {
    for row in rows("queries") {
        let read = tree(&row["tree"]);
        let mut made = QueryTree::identity(universe()).join_dimensions(read.dimensions());
        for (name, search) in read.datasets() {
            made = made.join_dataset(Arc::clone(name), search.clone()).unwrap();
        }
        if let Some(search) = read.any_dataset() {
            made = made.join_any_dataset(search.clone()).unwrap();
        }
        for (key, dimensions) in read.data_coordinate_uploads() {
            made = made.join_data_coordinate_upload(*key, dimensions).unwrap();
        }
        for (key, dimensions) in read.materializations() {
            made = made.join_materialization(*key, dimensions).unwrap();
        }
        made = made.where_(read.predicate().clone()).unwrap();
        if !read.validate_governor_constraints() {
            made = made.without_governor_validation();
        }
        assert_eq!(made, read);
    }
}

#[test]
fn a_column_of_any_dataset_type_is_read_where_that_search_is_joined() {
    // The reference writes such trees but cannot read them.
    let sent = json!({
        "dimensions": [],
        "any_dataset": {"collections": ["c"], "dimensions": []},
        "predicate": {"operands": [[{
            "predicate_type": "comparison",
            "a": {"expression_type": "dataset_field", "dataset_type": -1, "field": "run"},
            "b": {"expression_type": "string", "value": "r"},
            "operator": "==",
        }]]},
    });
    let read = tree(&sent);
    assert_eq!(read.predicate().to_string(), "run == 'r'");
    assert_eq!(read.to_json().unwrap()["predicate"], sent["predicate"]);
}

#[test]
fn inverting_twice_gives_the_same_leaf() {
    for row in rows("queries") {
        for leaf in tree(&row["tree"]).predicate().operands().iter().flatten() {
            assert_eq!(leaf.inverted().inverted(), *leaf);
            let negated = matches!(*leaf.inverted(), PredicateLeaf::Not { .. });
            assert_ne!(negated, matches!(**leaf, PredicateLeaf::Not { .. }));
        }
    }
}

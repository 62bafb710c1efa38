//! Whether an answer is the reference's.

use butler_core::error::{Error, Result};
use serde_json::Value;

/// The name that an error has in the reference.
pub(crate) fn error_name(error: &Error) -> String {
    match error {
        Error::InvalidQuery(_) => "InvalidQueryError".to_owned(),
        Error::UnimplementedQuery(_) => "UnimplementedQueryError".to_owned(),
        Error::CalibrationLookup(_) => "CalibrationLookupError".to_owned(),
        Error::MissingDatasetType(_) => "MissingDatasetTypeError".to_owned(),
        Error::MissingCollection(_) => "MissingCollectionError".to_owned(),
        Error::EmptyQueryResult(_) => "EmptyQueryResultError".to_owned(),
        Error::DimensionName(_) => "DimensionNameError".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Rows as texts, sorted.
pub(crate) fn sorted(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    let mut rows: Vec<String> = rows.map(|row| canonical(row).to_string()).collect();
    rows.sort();
    rows
}

/// The same with sorted keys of objects.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .iter()
                .map(|(k, v)| (k.clone(), canonical(v)))
                .collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Whether the reference gave up where nothing is wrong with the query; `docs/queries.md` lists why.
fn is_fault_of_reference(error: &Value) -> bool {
    let detail = error["detail"].as_str().unwrap();
    match error["type"].as_str().unwrap() {
        "OperationalError" => {
            detail.contains("ambiguous column name") || detail.contains("misuse of aggregate")
        }
        "ProgrammingError" => {
            detail.contains("DuplicateAlias") || detail.contains("calls cannot be nested")
        }
        "NotImplementedError" => detail.contains("ANY_VALUE"),
        // One group of no rows, of which the region is NULL.
        "TypeError" => detail.starts_with("decodeOverlapsBase64()"),
        "AttributeError" => detail == "'NoneType' object has no attribute 'overlaps'",
        // A pixelization that cannot do with the union of regions.
        // The validity ranges of datasets that are in no CALIBRATION collection.
        "KeyError" => detail.contains("not in disjoin set"),
        "ValueError" => detail == "Invalid region.",
        _ => false,
    }
}

/// Whether the reference tells calibrations apart of which a search should find one, for lack of a
/// database that can pick any value of a group: then it has more rows.
fn finds_one_of_several(case: &Value) -> bool {
    case["one_of_group"] == false
}

/// Whether a number of rows may be smaller than the reference's.
fn is_bound(case: &Value) -> bool {
    // Overlaps of materialized queries are decided here when these are made, and by the reference
    // when they are used; so our bounds are closer.
    let counted = case["question"] == "count";
    // Records are given once each, and counted so; the reference counts each calibration.
    let records = case["result_spec"]["result_type"] == "dimension_record";
    let searches = has_some(case, "datasets");
    (case["options"]["exact"] == false && has_some(case, "materializations"))
        || (counted && (finds_one_of_several(case) || (records && searches)))
}

/// Whether there are things of this kind in the tree of a case.
fn has_some(case: &Value, kind: &str) -> bool {
    let things = case["query"]["tree"][kind].as_object();
    things.is_some_and(|things| !things.is_empty())
}

/// Whether the reference does not count what this library does: overlaps of materialized queries,
/// which are decided by then.
fn is_counted_here_only(case: &Value, error: &Value) -> bool {
    let detail = error["detail"].as_str().unwrap();
    has_some(case, "materializations") && detail.starts_with("Cannot count query rows")
}

fn is_at_most(found: &Value, expected: &Value) -> bool {
    let number = |value: &Value| value.as_u64().or(value.as_bool().map(u64::from));
    matches!((number(found), number(expected)), (Some(ours), Some(theirs)) if ours <= theirs)
}

/// What is wrong with an answer.
pub(super) fn compare(case: &Value, found: &Result<Value>) -> Option<String> {
    let found = match (found, case.get("error")) {
        // Before version 16, PostgreSQL cannot pick any value of a group. There the reference groups
        // by all of them, and does not see that several calibrations match.
        (Err(Error::CalibrationLookup(_)), None) if finds_one_of_several(case) => return None,
        (Err(error), None) => return Some(format!("an error: {error:?}")),
        (_, Some(error)) if is_fault_of_reference(error) => return None,
        (Ok(_), Some(error)) if is_counted_here_only(case, error) => return None,
        (Ok(found), Some(error)) => {
            let found = found.to_string().chars().take(300).collect::<String>();
            return Some(format!("no error {error}, but {found}"));
        }
        (Err(found), Some(error)) => {
            let name = error_name(found);
            return (error["type"] != *name).then(|| format!("not {error}, but {name}: {found}"));
        }
        (Ok(found), None) => found,
    };
    let expected = &case["answer"];
    if !found.is_array() || case["question"] == "explain" {
        let close = is_bound(case) && is_at_most(found, expected);
        return (found != expected && !close).then(|| format!("not {expected}, but {found}"));
    }
    let (ours, theirs) = (sorted(found), sorted(expected));
    let all = case.get("all").map_or_else(|| theirs.clone(), sorted);
    let excess: Vec<_> = ours
        .iter()
        .filter(|r| all.binary_search(r).is_err())
        .collect();
    let lacking: Vec<_> = theirs
        .iter()
        .filter(|r| ours.binary_search(r).is_err())
        .collect();
    let fits = match (case.get("all"), finds_one_of_several(case)) {
        (_, true) => ours.len() <= theirs.len() && ours.is_empty() == theirs.is_empty(),
        // Which rows come back is not defined, only how many.
        (Some(_), false) => ours.len() == theirs.len(),
        (None, false) => ours.len() == theirs.len() && lacking.is_empty(),
    };
    if !fits || !excess.is_empty() {
        let few = |rows: Vec<&String>| rows.into_iter().take(3).cloned().collect::<Vec<_>>();
        return Some(format!(
            "not {} rows, but {}; lacking {:?}; in excess {:?}",
            theirs.len(),
            ours.len(),
            few(lacking),
            few(excess)
        ));
    }
    if finds_one_of_several(case) {
        return None;
    }
    let ordered = case["order"].as_bool().unwrap();
    (ordered && found != expected).then(|| "another order".to_owned())
}

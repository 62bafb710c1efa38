//! Compares the canonical documents of `tests/python` (see `tests/README.md`).

use serde_json::Value;

/// Names of lists whose order means something; all others are compared as bags.
const ORDERED: [&str; 8] = [
    "children",
    "dimensions",
    "required",
    "implied",
    "timespan",
    "values",
    "shape",
    "value",
];

/// At most so many differences are told.
const TOLD: usize = 40;

/// The differences between two documents, each as the path, what the left has and what the right has.
///
/// Lists are compared without regard to order, except those under a name of which the order means
/// something. Numbers are equal when their values are (`1` and `1.0` are).
#[must_use]
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", false, left, right, &mut found);
    found
}

/// Asserts that two documents are the same.
///
/// # Panics
/// When they differ; the message has the paths of the differences.
#[track_caller]
pub fn assert_same(left_name: &str, left: &Value, right_name: &str, right: &Value) {
    let found = differences(left, right);
    let told = found
        .iter()
        .take(TOLD)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        found.is_empty(),
        "{left_name} and {right_name} differ in {} places, left first:\n{told}",
        found.len()
    );
}

fn compare(path: &str, ordered: bool, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let path = format!("{path}/{name}");
                let ordered = ordered || ORDERED.contains(&name.as_str());
                match (left.get(name), right.get(name)) {
                    (Some(left), Some(right)) => compare(&path, ordered, left, right, found),
                    (left, right) => found.push(told(&path, left, right)),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if ordered => {
            for index in 0..left.len().max(right.len()) {
                let path = format!("{path}[{index}]");
                match (left.get(index), right.get(index)) {
                    (Some(left), Some(right)) => compare(&path, true, left, right, found),
                    (left, right) => found.push(told(&path, left, right)),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) => compare_bags(path, left, right, found),
        (Value::Number(left_number), Value::Number(right_number)) => {
            let equal = left_number == right_number
                || (left_number.is_f64() != right_number.is_f64()
                    && left_number.as_f64() == right_number.as_f64());
            if !equal {
                found.push(told(path, Some(left), Some(right)));
            }
        }
        _ if left == right => {}
        _ => found.push(told(path, Some(left), Some(right))),
    }
}

/// Compares lists of which only the members count. Members that both have (by their text) are taken out; the
/// rest are compared in the order of their texts, so that a record with one wrong field shows that field.
fn compare_bags(path: &str, left: &[Value], right: &[Value], found: &mut Vec<String>) {
    let mut left_rest = sorted(left);
    let mut right_rest = Vec::new();
    for (text, value) in sorted(right) {
        match left_rest.binary_search_by(|(other, _)| other.cmp(&text)) {
            Ok(index) => drop(left_rest.remove(index)),
            Err(_) => right_rest.push((text, value)),
        }
    }
    for index in 0..left_rest.len().max(right_rest.len()) {
        let pair = (left_rest.get(index), right_rest.get(index));
        match pair {
            (Some((_, left)), Some((_, right))) => {
                compare(&format!("{path}[?{index}]"), false, left, right, found);
            }
            (left, right) => found.push(told(
                &format!("{path}[?{index}]"),
                left.map(|(_, value)| *value),
                right.map(|(_, value)| *value),
            )),
        }
    }
}

fn sorted(list: &[Value]) -> Vec<(String, &Value)> {
    let mut sorted: Vec<_> = list
        .iter()
        .map(|value| (text(value, false), value))
        .collect();
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    sorted
}

/// One line, the same for documents that [`compare`] takes for the same.
fn text(value: &Value, ordered: bool) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            let members: Vec<_> = names
                .into_iter()
                .map(|(name, value)| {
                    let ordered = ordered || ORDERED.contains(&name.as_str());
                    format!("{name:?}:{}", text(value, ordered))
                })
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(members) => {
            let mut members: Vec<_> = members.iter().map(|value| text(value, ordered)).collect();
            if !ordered {
                members.sort();
            }
            format!("[{}]", members.join(","))
        }
        other => other.to_string(),
    }
}

fn told(path: &str, left: Option<&Value>, right: Option<&Value>) -> String {
    let shown = |value: Option<&Value>| match value {
        Some(value) => {
            let text = text(value, true);
            text.char_indices()
                .nth(300)
                .map_or(text.clone(), |(end, _)| format!("{}…", &text[..end]))
        }
        None => "nothing".to_owned(),
    };
    format!("{path}: {} ≠ {}", shown(left), shown(right))
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    #[test]
    fn lists_in_lists_pair_with_their_likes_whatever_their_order() {
        let left = json!([{"a": ["x", "z"]}, {"a": ["y", "w"]}]);
        let right = json!([{"a": ["z", "x"]}, {"a": ["w", "y"]}]);
        assert!(differences(&left, &right).is_empty());
    }

    #[test]
    fn order_of_members_and_keys_does_not_count() {
        let left = json!({"ids": ["b", "a", "a"], "x": {"p": 1, "q": [1, 2]}});
        let right = json!({"x": {"q": [2, 1], "p": 1}, "ids": ["a", "b", "a"]});
        assert!(differences(&left, &right).is_empty());
    }

    #[test]
    fn number_of_equal_members_counts() {
        let found = differences(&json!({"ids": ["a", "a"]}), &json!({"ids": ["a"]}));
        assert_eq!(found, ["/ids[?0]: \"a\" ≠ nothing"]);
    }

    #[test]
    fn order_of_a_chain_counts() {
        let found = differences(
            &json!({"c": {"children": ["a", "b"]}}),
            &json!({"c": {"children": ["b", "a"]}}),
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn timespan_inside_a_record_keeps_its_order() {
        let record = |begin, end| json!({"visit": [{"id": 1, "timespan": [begin, end]}]});
        assert_eq!(differences(&record(1, 2), &record(2, 1)).len(), 2);
    }

    #[test]
    fn one_wrong_field_is_told_by_its_path() {
        let found = differences(
            &json!({"r": [{"id": 1, "v": 5}, {"id": 2, "v": 6}]}),
            &json!({"r": [{"id": 2, "v": 6}, {"id": 1, "v": 7}]}),
        );
        assert_eq!(found, ["/r[?0]/v: 5 ≠ 7"]);
    }

    #[test]
    fn whole_floats_equal_integers_but_large_integers_stay_exact() {
        assert!(differences(&json!(1.0), &json!(1)).is_empty());
        assert_eq!(
            differences(
                &json!(9_007_199_254_740_993_i64),
                &json!(9_007_199_254_740_992_i64)
            )
            .len(),
            1
        );
    }
}

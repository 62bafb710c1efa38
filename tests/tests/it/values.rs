//! Values out of JSON documents.

use butler_core::dimensions::DataIdValue;
use serde_json::Value;

/// The entries of an object, none if it is left out.
pub(crate) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The texts of a list, none if it is left out.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// The keys and values of a data ID; nothing if it is left out.
pub(crate) fn data_id(given: &Value) -> impl Iterator<Item = (String, DataIdValue)> {
    let value = |value: &Value| serde_json::from_value(value.clone()).unwrap();
    entries(given).map(move |(name, item)| (name.clone(), value(item)))
}

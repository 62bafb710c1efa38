//! Data IDs on the command line.

use butler_core::dimensions::{ColumnType, DataIdValue, DimensionUniverse};

/// A dimension and its value.
pub(super) type KeyValue = (String, String);

/// Reads `DIMENSION=VALUE`.
pub(super) fn key_value(text: &str) -> Result<KeyValue, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it has not the form DIMENSION=VALUE".to_owned()),
    }
}

/// The value of a dimension: an integer where the key is one and the text is, too. Other text may
/// be an alternative key, such as the full name of a detector.
pub(super) fn value(universe: DimensionUniverse, name: &str, text: &str) -> DataIdValue {
    let key = universe.get(name).and_then(|element| element.key_type());
    match (key, text.parse::<i64>()) {
        (Some(ColumnType::Int), Ok(number)) => number.into(),
        _ => text.into(),
    }
}

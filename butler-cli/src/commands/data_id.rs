//! Data IDs on the command line.

/// A dimension and its value.
pub(super) type KeyValue = (String, String);

/// Reads `DIMENSION=VALUE`.
pub(super) fn key_value(text: &str) -> Result<KeyValue, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it has not the form DIMENSION=VALUE".to_owned()),
    }
}

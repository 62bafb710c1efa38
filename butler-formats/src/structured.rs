//! Structured data: dictionaries and lists of simple values.

use butler_core::error::{Error, Result};
use butler_core::yaml::{self, Value};
use bytes::Bytes;

/// JSON as Python's `json.dumps` writes it, up to white space.
///
/// # Errors
/// [`Error::Internal`] if it cannot be written, which has no known cause.
pub fn json_bytes(value: &serde_json::Value) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| Error::Internal(format!("writing JSON: {error}")))
}

/// YAML as the reference's formatter writes it.
pub fn yaml_bytes(value: &Value) -> Bytes {
    let mut text = yaml::to_string(value);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Bytes::from(text)
}

/// Reads a JSON file.
///
/// # Errors
/// [`Error::CorruptRecord`] names the file and the place.
pub fn read_json(data: &[u8], uri: &str) -> Result<serde_json::Value> {
    serde_json::from_slice(data).map_err(|error| Error::corrupt(uri, error))
}

/// Reads a YAML file.
///
/// # Errors
/// [`Error::CorruptRecord`] names the file and the place.
pub fn read_yaml(data: &[u8], uri: &str) -> Result<Value> {
    let text = std::str::from_utf8(data).map_err(|error| Error::corrupt(uri, error))?;
    yaml::parse(text).map_err(|error| Error::corrupt(uri, error))
}

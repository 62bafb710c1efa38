//! Reading of fixtures.

use serde::Deserialize as _;
use serde_json::Value;

/// The rows of a fixture that a script under `tests/python` has written.
pub(crate) fn fixture(name: &str) -> Vec<Value> {
    serde_json::from_value(fixture_value(name)).unwrap()
}

/// A fixture that a script under `tests/python` has written, however deep it is nested.
pub(crate) fn fixture_value(name: &str) -> Value {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    deserializer.disable_recursion_limit();
    Value::deserialize(&mut deserializer).unwrap()
}

/// The interpreter that has the Python package.
pub(crate) fn python() -> String {
    std::env::var("BUTLER_TEST_PYTHON").expect(
        "BUTLER_TEST_PYTHON is not set: run the tests with `cargo xtask test`, which sets it up",
    )
}

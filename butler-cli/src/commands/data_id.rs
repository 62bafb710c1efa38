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

/// The value of a dimension or of a field of its records: an integer where that is one and the text
/// is, too. Other text may be an alternative key, such as the full name of a detector.
pub(super) fn value(universe: DimensionUniverse, name: &str, text: &str) -> DataIdValue {
    let key = universe.get(name).and_then(|element| element.key_type());
    match (key.or_else(|| field(universe, name)), text.parse::<i64>()) {
        (Some(ColumnType::Int), Ok(number)) => number.into(),
        _ => text.into(),
    }
}

/// The type of a field of dimension records, `seq_num` or `exposure.seq_num`.
fn field(universe: DimensionUniverse, name: &str) -> Option<ColumnType> {
    let (element, name) = match name.split_once('.') {
        Some((element, name)) => (Some(element), name),
        None => (None, name),
    };
    let mut elements = universe
        .elements()
        .filter(|found| element.is_none_or(|wanted| found.name() == wanted));
    elements.find_map(|element| {
        let schema = element.schema();
        let column = schema.columns().get(schema.index_of(name)?)?;
        Some(column.column_type)
    })
}

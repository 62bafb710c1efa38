//! Rows of all kinds of results, and what the cases have of them.

use std::sync::Arc;

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{ColumnValue, DataCoordinate, DimensionRecord};
use butler_core::query::GeneralRow;
use serde_json::{Value, json};

use super::values::shown;
use crate::values::texts;

/// A row of some results.
pub(super) enum Row {
    DataId(DataCoordinate),
    Record(Arc<DimensionRecord>),
    Dataset(DatasetRef),
    General(GeneralRow),
    /// A row of values, as the dataset in it.
    Tuple(DataCoordinate, DatasetRef),
}

impl From<DataCoordinate> for Row {
    fn from(row: DataCoordinate) -> Self {
        Self::DataId(row)
    }
}

impl From<Arc<DimensionRecord>> for Row {
    fn from(row: Arc<DimensionRecord>) -> Self {
        Self::Record(row)
    }
}

impl From<DatasetRef> for Row {
    fn from(row: DatasetRef) -> Self {
        Self::Dataset(row)
    }
}

impl From<GeneralRow> for Row {
    fn from(row: GeneralRow) -> Self {
        Self::General(row)
    }
}

fn of_dataset(dataset: &DatasetRef, data_id: &DataCoordinate, name: &str) -> Value {
    match name {
        "id" => json!(dataset.id()),
        "run" => json!(dataset.run()),
        "dataset_type" => json!(&**dataset.dataset_type().name()),
        "with_records" => json!(data_id.has_records() && dataset.data_id().has_records()),
        _ => json!(data_id.get(name)),
    }
}

impl Row {
    fn field(&self, name: &str) -> Value {
        match self {
            Self::DataId(row) => json!(row.get(name)),
            Self::Record(row) => row.get(name).map_or(Value::Null, shown),
            Self::Dataset(row) => of_dataset(row, row.data_id(), name),
            Self::Tuple(data_id, row) => of_dataset(row, data_id, name),
            Self::General(row) => match name.strip_prefix("is_time ") {
                Some(name) => json!(matches!(row.get(name), Some(ColumnValue::Time(_)))),
                None => row.get(name).map_or(Value::Null, shown),
            },
        }
    }
}

/// What a case has of each row; of none, if only their number counts.
pub(super) struct Shown(Option<Vec<String>>);

impl Shown {
    pub(super) fn new(case: &Value) -> Self {
        Self(case.get("show").map(texts))
    }

    pub(super) fn project(&self, rows: &[Row]) -> Value {
        let Some(names) = &self.0 else {
            return json!(rows.len());
        };
        let row = |row: &Row| match names.as_slice() {
            [name] => row.field(name),
            names => names.iter().map(|name| row.field(name)).collect(),
        };
        rows.iter().map(row).collect()
    }
}

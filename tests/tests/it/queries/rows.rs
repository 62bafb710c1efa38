//! Rows as `canonical.py` has them.

use std::collections::BTreeMap;

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::{ColumnValue, DataCoordinate, DimensionRecord};
use butler_core::query::ResultPage;
use serde_json::{Map, Value, json};

fn data_id_json(data_id: &DataCoordinate) -> Map<String, Value> {
    let mapping: Map<String, Value> = data_id
        .mapping()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut found = Map::from_iter([("data_id".to_owned(), Value::Object(mapping))]);
    if data_id.has_records() {
        let records: Map<String, Value> = data_id
            .dimensions()
            .elements()
            .iter()
            .map(|name| {
                let record = data_id.record(name).map(|record| record_json(record));
                ((*name).to_owned(), json!(record))
            })
            .collect();
        found.insert("records".to_owned(), Value::Object(records));
    }
    found
}

fn record_json(record: &DimensionRecord) -> Value {
    record
        .fields()
        .map(|(column, value)| (column.name.to_string(), value.to_json()))
        .collect()
}

fn dataset_json(dataset: &DatasetRef) -> Value {
    let mut found = data_id_json(dataset.data_id());
    let dataset_type = dataset.dataset_type();
    found.insert("id".to_owned(), json!(dataset.id()));
    found.insert("run".to_owned(), json!(dataset.run()));
    found.insert("dataset_type".to_owned(), json!(&**dataset_type.name()));
    let class = &**dataset_type.storage_class_name();
    found.insert("storage_class".to_owned(), json!(class));
    Value::Object(found)
}

pub(crate) fn rows(page: &ResultPage) -> Vec<Value> {
    match page {
        ResultPage::DataCoordinates(rows) => {
            let rows = rows.iter();
            rows.map(|row| Value::Object(data_id_json(row))).collect()
        }
        ResultPage::DimensionRecords(rows) => rows.iter().map(|row| record_json(row)).collect(),
        ResultPage::DatasetRefs(rows) => rows.iter().map(dataset_json).collect(),
        ResultPage::General { rows, .. } => {
            let row = |row: &Vec<ColumnValue>| row.iter().map(|value| value.to_json()).collect();
            rows.iter().map(row).collect()
        }
    }
}

/// The records that come with pages of general results, by element, each once.
pub(super) fn page_records(pages: &[ResultPage]) -> Value {
    let mut found: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for page in pages {
        let ResultPage::General {
            dimension_records: Some(sets),
            ..
        } = page
        else {
            continue;
        };
        for set in sets {
            let known = found.entry(set.element().name()).or_default();
            for record in set.iter() {
                let record = record_json(record);
                known.insert(record.to_string(), record);
            }
        }
    }
    let records = found.into_iter();
    let records = records.map(|(name, records)| {
        let records = records.into_values().collect::<Vec<_>>();
        (name.to_owned(), Value::from(records))
    });
    Value::Object(records.collect())
}

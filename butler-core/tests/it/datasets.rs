//! Dataset references, their identifiers and JSON forms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use butler_core::collections::CollectionSummary;
use butler_core::config::{LookupKey, LookupTarget};
use butler_core::datasets::{
    DatasetIdMode, DatasetRef, DatasetType, SerializedDatasetRef, SerializedDatasetRefContainer,
    SerializedDatasetType,
};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionRecord, DimensionUniverse};
use serde_json::{Value, json};

use crate::support::fixture;

/// The datasets of the fixture, with what the reference says of each.
pub(crate) fn datasets() -> Vec<(DatasetRef, Value)> {
    let universe = DimensionUniverse::default_universe();
    fixture("dataset_refs.json")
        .into_iter()
        .map(|row| {
            let simple: SerializedDatasetType =
                serde_json::from_value(row["type"].clone()).unwrap();
            let dataset_type = Arc::new(DatasetType::from_simple(&simple, universe).unwrap());
            let given: Vec<(String, DataIdValue)> = row["data_id"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(k, v)| (k.clone(), serde_json::from_value(v.clone()).unwrap()))
                .collect();
            let mut data_id =
                DataCoordinate::standardize(universe, given, Some(dataset_type.dimensions()), None)
                    .unwrap();
            if let Some(records) = row["records"].as_object() {
                data_id = data_id
                    .expanded(|name| {
                        let values = records[name].as_array()?;
                        let element = universe.get(name).unwrap();
                        Some(Arc::new(
                            DimensionRecord::from_key_value(element, values).unwrap(),
                        ))
                    })
                    .unwrap();
            }
            let id = row["id"].as_str().unwrap().parse().unwrap();
            let run = row["run"].as_str().unwrap();
            (
                DatasetRef::new(dataset_type, data_id, run, id).unwrap(),
                row,
            )
        })
        .collect()
}

pub(crate) fn key_text(key: &LookupKey) -> String {
    let name = match key.target() {
        LookupTarget::Name(name) => name.to_string(),
        LookupTarget::Dimensions(group) => group.names().join("+"),
    };
    match key.data_id() {
        Some((dimension, value)) => format!("{name} ({dimension}={value})"),
        None => name,
    }
}

#[test]
fn computed_identifiers_are_those_of_the_reference() {
    for (dataset, row) in datasets() {
        let id = |mode: DatasetIdMode| {
            mode.make_id(dataset.run(), dataset.dataset_type(), dataset.data_id())
                .to_string()
        };
        assert_eq!(
            id(DatasetIdMode::DataIdType),
            row["uuid5_type"].as_str().unwrap()
        );
        assert_eq!(
            id(DatasetIdMode::DataIdTypeRun),
            row["uuid5_run"].as_str().unwrap()
        );
    }
}

#[test]
fn fresh_identifiers_are_of_version_7() {
    let (dataset, _) = datasets().swap_remove(0);
    let make = || DatasetIdMode::Unique.make_id("run", dataset.dataset_type(), dataset.data_id());
    assert_eq!(make().get_version_num(), 7);
    assert_ne!(make(), make());
}

#[test]
fn json_is_that_of_the_reference() {
    for (dataset, row) in datasets() {
        let simple = dataset.to_simple(false);
        assert_eq!(json!(simple), row["simple"]);
        assert_eq!(simple.to_compact_json(), row["compact"]);
        assert_eq!(dataset.to_simple(true).to_compact_json(), row["minimal"]);
        let dataset_type = dataset.dataset_type().to_simple(false);
        assert_eq!(json!(dataset_type), row["type_json"]);
        assert_eq!(dataset_type.to_compact_json(), row["type_compact"]);
    }
}

#[test]
fn json_of_the_reference_is_read() {
    let universe = DimensionUniverse::default_universe();
    for (dataset, row) in datasets() {
        for form in ["simple", "compact"] {
            let simple: SerializedDatasetRef = serde_json::from_value(row[form].clone()).unwrap();
            let read = DatasetRef::from_simple(&simple, universe, None).unwrap();
            assert_eq!(read, dataset);
            assert_eq!(read.run(), dataset.run());
            assert_eq!(read.data_id().has_full(), dataset.data_id().has_full());
            // Without any record there is nothing that could be read back.
            let records = &row["simple"]["dataId"]["records"];
            let expected = records
                .as_object()
                .is_some_and(|records| !records.is_empty());
            assert_eq!(
                read.data_id().has_records(),
                expected || dataset.data_id().is_empty()
            );
        }
    }
}

#[test]
fn displays_are_those_of_the_reference() {
    for (dataset, row) in datasets() {
        assert_eq!(dataset.to_string(), row["str"].as_str().unwrap());
        assert_eq!(format!("{dataset:?}"), row["repr"].as_str().unwrap());
    }
}

#[test]
fn lookup_keys_are_those_of_the_reference() {
    for (dataset, row) in datasets() {
        let keys: Vec<String> = dataset.lookup_keys().iter().map(key_text).collect();
        assert_eq!(json!(keys), row["lookups"]);
    }
}

#[test]
fn sorting_and_containers_are_those_of_the_reference() {
    let rows = fixture("dataset_collections.json");
    let mut refs: Vec<DatasetRef> = datasets().into_iter().map(|(dataset, _)| dataset).collect();
    let plain: Vec<DatasetRef> = refs
        .iter()
        .filter(|dataset| {
            let no_records = !dataset.data_id().has_records() || dataset.data_id().is_empty();
            let python_records = dataset.data_id().is_empty()
                && !rows[1]["compact_refs"]
                    .as_object()
                    .unwrap()
                    .contains_key(&dataset.id().to_string());
            no_records && !python_records && !dataset.is_component()
        })
        .cloned()
        .collect();
    let container = SerializedDatasetRefContainer::from_refs(&plain);
    assert_eq!(json!(container), rows[1]);
    let read: SerializedDatasetRefContainer = serde_json::from_value(rows[1].clone()).unwrap();
    assert_eq!(
        read.to_refs(DimensionUniverse::default_universe()).unwrap(),
        plain
    );

    let by_id = |id: &Value| refs.iter().find(|r| json!(r.id()) == *id).unwrap();
    for row in rows[2].as_array().unwrap() {
        let dataset = by_id(&row[0]);
        let container = SerializedDatasetRefContainer::from_refs([dataset]);
        assert_eq!(json!(container), row[1]);
        let read: SerializedDatasetRefContainer = serde_json::from_value(row[1].clone()).unwrap();
        let read = read.to_refs(DimensionUniverse::default_universe()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(&read[0], dataset);
        let records = |dataset: &DatasetRef| -> Vec<_> {
            dataset
                .data_id()
                .records()
                .unwrap()
                .map(|(name, record)| (name, record.cloned()))
                .collect()
        };
        assert_eq!(records(&read[0]), records(dataset));
    }

    refs.sort_by(DatasetRef::sort_order);
    let runs: Vec<_> = refs
        .iter()
        .map(|dataset| dataset.id().to_string())
        .collect();
    assert_eq!(json!(runs), rows[0]);
}

#[test]
fn summaries_tell_what_a_collection_cannot_hold() {
    let refs: Vec<DatasetRef> = datasets().into_iter().map(|(dataset, _)| dataset).collect();
    let biases = refs.iter().filter(|r| &**r.dataset_type().name() == "bias");
    let mut summary = CollectionSummary::default();
    summary.add_datasets(biases.clone());
    let bias = biases.clone().next().unwrap().dataset_type();
    let present = &summary.governors["instrument"];
    let bounds = |value: &str| {
        BTreeMap::from([("instrument".to_owned(), BTreeSet::from([value.to_owned()]))])
    };
    let known = present.first().unwrap();
    assert_eq!(summary.rejection("c", bias, &bounds(known)), None);
    assert!(
        summary
            .rejection("c", bias, &bounds("Other"))
            .unwrap()
            .contains("instrument")
    );
    let raw = refs
        .iter()
        .find(|r| &**r.dataset_type().name() == "raw")
        .unwrap()
        .dataset_type();
    assert!(
        summary
            .rejection("c", raw, &BTreeMap::new())
            .unwrap()
            .contains("raw")
    );

    let json = serde_json::to_string(&summary.to_simple()).unwrap();
    let simple = serde_json::from_str(&json).unwrap();
    let universe = DimensionUniverse::default_universe();
    assert_eq!(
        CollectionSummary::from_simple(&simple, universe).unwrap(),
        summary
    );
}

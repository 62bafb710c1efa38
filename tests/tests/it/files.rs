//! Datasets that one implementation has stored are read by the other.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::datastores::{PutData, SharedDatastore, Table, open_datastore};
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::import::ImportOptions;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::python::Script;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::repos::{Place, registry_data};

const RUN: &str = "stored/by/rust";

async fn datastore_of(butler: &DirectButler) -> SharedDatastore {
    open_datastore(butler.config(), butler.registry(), butler.resources())
        .await
        .unwrap()
}

fn table() -> Table {
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("flux", Arc::new(Float64Array::from(vec![0.5, -1.0, 2.25]))),
        (
            "name",
            Arc::new(StringArray::from(vec!["a", "böse", "ccc"])),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap().into()
}

async fn create(place: &Place) -> DirectButler {
    let mut config = place.config();
    let formatters = Config::from_yaml(
        "datastore:
  cls: lsst.daf.butler.datastores.fileDatastore.FileDatastore
  checksum: true
  formatters:
    dict_json: lsst.daf.butler.formatters.json.JsonFormatter
    StructuredDataList: lsst.daf.butler.formatters.yaml.YamlFormatter
",
    )
    .unwrap();
    config.merge(&formatters);
    let options = CreateOptions {
        config,
        keep_roots: true,
        ..CreateOptions::default()
    };
    let butler = DirectButler::create(place.root().to_str().unwrap(), options)
        .await
        .unwrap();
    let options = ImportOptions {
        without_datastore: true,
        ..ImportOptions::default()
    };
    butler
        .import_file(
            &registry_data("base.yaml"),
            &options,
            &butler_core::progress::NoProgress,
        )
        .await
        .unwrap();
    butler
        .registry()
        .register_collection(RUN, CollectionType::Run, None)
        .await
        .unwrap();
    butler
}

async fn new_dataset(butler: &DirectButler, name: &str, class: &str, detector: i64) -> DatasetRef {
    let registry = butler.registry();
    let dimensions = butler
        .universe()
        .conform(["instrument", "detector"])
        .unwrap();
    let dataset_type = DatasetType::new(name, dimensions, class, false).unwrap();
    registry.register_dataset_type(&dataset_type).await.unwrap();
    let values: [(&str, DataIdValue); 2] =
        [("instrument", "Cam1".into()), ("detector", detector.into())];
    let data_id = DataCoordinate::standardize(butler.universe(), values, None, None).unwrap();
    let data_id = registry
        .expand_data_ids(&[data_id])
        .await
        .unwrap()
        .remove(0);
    DatasetRef::generate(Arc::new(dataset_type), data_id, RUN, DatasetIdMode::Unique).unwrap()
}

async fn put(
    butler: &DirectButler,
    datastore: &SharedDatastore,
    dataset: &DatasetRef,
    data: PutData,
) {
    let staged = datastore.stage_put(dataset, data).await.unwrap();
    let mut transaction = butler.registry().begin().await.unwrap();
    transaction
        .import_datasets(std::slice::from_ref(dataset))
        .await
        .unwrap();
    staged.record(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_gets_what_is_put_here() {
    for place in Place::both() {
        let butler = create(&place).await;
        let datastore = datastore_of(&butler).await;
        let dictionary = json!({"b": [1, 2.5, null, true], "a": {"text": "ä: yes", "when": "2020-01-01"}, "n": "7"});
        let list = json!([1, "1", {"x": -0.125}]);
        let columns = json!({
            "id": [1, 2, 3], "flux": [0.5, -1.0, 2.25], "name": ["a", "böse", "ccc"],
        });
        let mut expected: Vec<(Uuid, Value)> = Vec::new();
        for (name, class, content) in [
            ("dict_yaml", "StructuredDataDict", &dictionary),
            ("dict_json", "StructuredDataDict", &dictionary),
            ("list_yaml", "StructuredDataList", &list),
            ("number", "int", &json!(42)),
        ] {
            let dataset = new_dataset(&butler, name, class, 1).await;
            put(&butler, &datastore, &dataset, content.clone().into()).await;
            expected.push((dataset.id(), content.clone()));
        }
        for class in [
            "ArrowTable",
            "ArrowAstropy",
            "ArrowNumpy",
            "DataFrame",
            "ArrowNumpyDict",
        ] {
            let name = format!("as_{class}");
            let dataset = new_dataset(&butler, &name, class, 1).await;
            put(&butler, &datastore, &dataset, table().into()).await;
            if class != "ArrowNumpyDict" {
                expected.push((dataset.id(), columns.clone()));
            }
        }
        let gone = new_dataset(&butler, "dict_yaml", "StructuredDataDict", 2).await;
        put(&butler, &datastore, &gone, dictionary.clone().into()).await;
        let mut transaction = butler.registry().begin().await.unwrap();
        datastore
            .trash(&mut transaction, &[gone.id()])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(datastore.empty_trash(None, false).await.unwrap().len(), 1);
        butler.close().await;

        let found = Script::new("check_repo.py").arg(place.root()).run();
        let failures: Vec<&str> = found["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .filter(|text| !text.contains("as_ArrowNumpyDict"))
            .collect();
        assert_eq!(failures, Vec::<&str>::new());
        assert!(found["exists"].get(gone.id().to_string()).is_none());
        for (id, content) in expected {
            let read = &found["contents"][id.to_string()];
            if read["kind"] == "table" {
                for (name, values) in content.as_object().unwrap() {
                    assert_eq!(&read["columns"][name]["values"], values, "{name}: {read}");
                }
                assert_eq!(read["rows"], 3);
            } else {
                assert_eq!(read["value"], content, "{read}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_reference_has_put_is_read_here() {
    for place in Place::both() {
        let made = place.create_by_reference(&["--data", "base.yaml", "--with-files"]);
        let options = OpenOptions::default();
        let butler = DirectButler::open(place.root().to_str().unwrap(), options)
            .await
            .unwrap();
        let datastore = datastore_of(&butler).await;
        let mut compared = 0;
        for entry in made["put"].as_array().unwrap() {
            let id: Uuid = entry["id"].as_str().unwrap().parse().unwrap();
            let dataset = butler.registry().dataset(id).await.unwrap().unwrap();
            let given = [dataset.clone()];
            assert_eq!(
                datastore.exists(&given).await.unwrap().len(),
                1,
                "{dataset}"
            );
            let content = &entry["content"];
            match content["kind"].as_str() {
                Some("json") => {
                    let read = datastore.get_json(&dataset).await.unwrap();
                    assert_eq!(read, content["value"], "{dataset}");
                }
                Some("table") => {
                    let read = datastore.get_table(&dataset, None).await.unwrap();
                    assert_eq!(json!(read.row_count()), content["rows"], "{dataset}");
                    let rows = dataset.make_component("rowcount", butler.storage_classes());
                    if let Ok(rows) = rows {
                        let count = datastore.get_json(&rows).await.unwrap();
                        assert_eq!(count, content["rows"], "{dataset}");
                    }
                    for name in content["columns"].as_object().unwrap().keys() {
                        let has = read.schema().column_with_name(name).is_some();
                        assert!(has, "{dataset} lacks {name}: {:?}", read.schema());
                    }
                }
                _ => {
                    datastore.get_bytes(&dataset).await.unwrap();
                }
            }
            compared += 1;
        }
        assert!(compared > 3, "{compared} datasets");
        butler.close().await;
    }
}

//! Repositories whose configuration asks for more than the usual: other names and storage classes
//! for dataset types, an ObsCore table.

use butler_core::collections::{CollectionType, DatasetTypeWildcard};
use butler_core::datasets::{DatasetIdMode, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::error::Error;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::assert_same;
use serde_json::json;

use crate::repos::Place;

const DATASETS: &str =
    "lsst.daf.butler.registry.datasets.byDimensions.ByDimensionsDatasetRecordStorageManagerUUID";

/// Lets clients of the repository know `bias` as `zero`, and `flat` with another storage class.
fn override_dataset_types(place: &Place) {
    let file = place.root().join("butler.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let plain = format!("    datasets: {DATASETS}\n");
    assert!(config.contains(&plain), "{config}");
    let settings = format!(
        "    datasets:\n      cls: {DATASETS}\n      config:\n        overrides:\n          \
         bias:\n            rename: zero\n          flat:\n            storageClass: \
         StructuredDataList\n"
    );
    std::fs::write(file, config.replace(&plain, &settings)).unwrap();
}

fn detector(butler: &DirectButler, number: i64) -> DataCoordinate {
    let values: [(&str, DataIdValue); 2] =
        [("instrument", "Cam1".into()), ("detector", number.into())];
    DataCoordinate::standardize(butler.universe(), values, None, None).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn overridden_dataset_types_are_the_same_to_both() {
    for place in Place::both() {
        place.create_by_reference(&["--data", "base.yaml,datasets.yaml"]);
        override_dataset_types(&place);
        let butler = place.open().await;
        let registry = butler.registry();
        let all = registry
            .dataset_types(&DatasetTypeWildcard::everything())
            .await
            .unwrap();
        let known: Vec<(&str, &str)> = all
            .iter()
            .map(|t| (&**t.name(), &**t.storage_class_name()))
            .collect();
        assert_eq!(
            known,
            [("flat", "StructuredDataList"), ("zero", "Exposure"),]
        );
        let gone = registry.dataset_type("bias").await;
        assert!(
            matches!(gone, Err(Error::MissingDatasetType(_))),
            "{gone:?}"
        );

        // A search, an insertion and a certification go by the new name.
        let collections = ["imported_g".to_owned()];
        let found = registry
            .find_dataset("zero", &detector(&butler, 2), &collections, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&**found.dataset_type().name(), "zero");
        registry
            .register_collection("new", CollectionType::Run, None)
            .await
            .unwrap();
        let mode = DatasetIdMode::Unique;
        let made = registry
            .insert_datasets("zero", &[detector(&butler, 1)], "new", mode)
            .await
            .unwrap();
        // Another bias of that detector is valid then.
        let early = Timespan::new(Some(1_000), Some(2_000)).unwrap();
        let taken = registry.certify("calibs", &made, early).await.unwrap_err();
        assert!(
            matches!(taken, Error::ConflictingDefinition(_)),
            "{taken:?}"
        );
        registry.associate("tag", &[found]).await.unwrap();
        place.write_by_reference(&json!([
            {"do": "insert", "dataset_type": "zero", "run": "new",
             "data_ids": [{"instrument": "Cam1", "detector": 3}]},
        ]));

        // The database's names and storage classes are not known here, so nothing can be
        // registered in their place.
        let zero = registry.dataset_type("zero").await.unwrap();
        assert!(!registry.register_dataset_type(&zero).await.unwrap());
        let group = zero.dimensions().clone();
        let bias = DatasetType::new("bias", group, "StructuredDataDict", true).unwrap();
        let refused = registry.register_dataset_type(&bias).await.unwrap_err();
        assert!(
            matches!(&refused, Error::ConflictingDefinition(text) if text.contains("zero")),
            "{refused:?}"
        );
        let in_use = registry.remove_dataset_type("zero").await.unwrap_err();
        assert!(matches!(in_use, Error::OrphanedRecord(_)), "{in_use:?}");
        registry.remove_dataset_type("bias").await.unwrap();
        butler.close().await;

        assert_same(
            "Python",
            &place.dump_by_reference(),
            "Rust",
            &place.dump().await,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_with_an_obscore_table_are_read_but_not_written() {
    for place in Place::both() {
        place.create_by_reference(&["--data", "base.yaml,datasets.yaml", "--obscore"]);
        assert_same(
            "Python",
            &place.dump_by_reference(),
            "Rust",
            &place.dump().await,
        );
        let root = place.root();
        let refused = DirectButler::open(root.to_str().unwrap(), OpenOptions::writeable())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, Error::UnsupportedVersion { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("'obscore'"), "{refused}");
    }
}

//! Both implementations write the same repositories, and read each other's.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetIdMode;
use butler_core::dimensions::DataCoordinate;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_core::time::{TimeFormat, TimeScale, parse_time};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_direct::ops::export::ExportFiles;
use butler_direct::ops::import::ImportOptions;
use butler_tests::canonical::assert_same;

use serde_json::json;

use crate::repos::{Place, REGISTRY_DATA, registry_data, timeless};

/// Options for exports that have no files.
fn registry_only() -> ImportOptions {
    ImportOptions {
        without_datastore: true,
        ..ImportOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_give_the_same_repository_as_those_of_the_reference() {
    for (theirs, ours) in Place::all().zip(Place::all()) {
        // The larger files say nothing more about collections.
        let data = match theirs.names_as_keys() {
            true => &REGISTRY_DATA[..3],
            false => &REGISTRY_DATA[..],
        };
        theirs.create_by_reference(&["--no-collections", "--data", &data.join(",")]);
        let butler = ours.create().await;
        for name in data {
            butler
                .import_file(&registry_data(name), &registry_only(), &NoProgress)
                .await
                .unwrap();
        }
        butler.close().await;

        // All tables with their columns, constraints, indexes and sequences, by name.
        assert_same(
            "Python's tables",
            &theirs.tables(),
            "Rust's tables",
            &ours.tables(),
        );

        let (theirs_read, ours_read) = (theirs.dump().await, ours.dump().await);
        assert_same(
            "Python of Python's",
            &theirs.dump_by_reference(),
            "Rust of Python's",
            &theirs_read,
        );
        assert_same(
            "Python of Rust's",
            &ours.dump_by_reference(),
            "Rust of Rust's",
            &ours_read,
        );
        assert_same(
            "Python's",
            &timeless(theirs_read),
            "Rust's",
            &timeless(ours_read),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_changes_nothing() {
    let place = Place::sqlite();
    let butler = place.create().await;
    for _ in 0..2 {
        for name in ["base.yaml", "datasets.yaml"] {
            butler
                .import_file(&registry_data(name), &registry_only(), &NoProgress)
                .await
                .unwrap();
        }
    }
    butler.close().await;
    let found = place.dump().await;
    assert_eq!(
        found["tables"]["dataset"],
        found["datasets"].as_array().unwrap().len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_with_collections_of_all_types_read_the_same() {
    for place in Place::all() {
        place.create_by_reference(&["--data", "base.yaml,datasets.yaml", "--with-files"]);
        assert_same(
            "Python",
            &place.dump_by_reference(),
            "Rust",
            &place.dump().await,
        );
    }
}

fn biases(butler: &DirectButler, detectors: &[i64]) -> Vec<DataCoordinate> {
    detectors
        .iter()
        .map(|detector| {
            let values = [
                ("instrument", "Cam1".into()),
                ("detector", (*detector).into()),
            ];
            let values: [(&str, butler_core::dimensions::DataIdValue); 2] = values;
            DataCoordinate::standardize(butler.universe(), values, None, None).unwrap()
        })
        .collect()
}

fn span(begin: &str, end: &str) -> Timespan {
    let time = |text: &str| Some(parse_time(text, TimeFormat::Isot, TimeScale::Tai).unwrap());
    Timespan::new(time(begin), time(end)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_write_to_one_repository_in_turn() {
    for place in Place::all() {
        let butler = place.create().await;
        for name in ["base.yaml", "datasets.yaml"] {
            butler
                .import_file(&registry_data(name), &registry_only(), &NoProgress)
                .await
                .unwrap();
        }
        let registry = butler.registry();
        for (name, kind) in [
            ("alt/rust", CollectionType::Run),
            ("alt/tag", CollectionType::Tagged),
            ("alt/calib", CollectionType::Calibration),
            ("alt/chain", CollectionType::Chained),
        ] {
            assert!(
                registry
                    .register_collection(name, kind, Some("made in turn"))
                    .await
                    .unwrap()
            );
        }
        let mode = DatasetIdMode::Unique;
        let data_ids = biases(&butler, &[1, 2, 3]);
        let refs = registry
            .insert_datasets("bias", &data_ids, "alt/rust", mode)
            .await
            .unwrap();
        registry.associate("alt/tag", &refs).await.unwrap();
        let first = span("2020-01-01T00:00:00", "2020-02-01T00:00:00");
        registry.certify("alt/calib", &refs, first).await.unwrap();

        place.write_by_reference(&json!([
            {"do": "collection", "name": "alt/python", "type": "RUN"},
            {"do": "insert", "dataset_type": "bias", "run": "alt/python",
             "data_ids": [{"instrument": "Cam1", "detector": 4}]},
            {"do": "associate", "collection": "alt/tag", "dataset_type": "bias", "run": "alt/python"},
            {"do": "certify", "collection": "alt/calib", "dataset_type": "bias", "run": "alt/rust",
             "begin": "2020-02-01T00:00:00", "end": "2020-03-01T00:00:00"},
            {"do": "decertify", "collection": "alt/calib", "dataset_type": "bias",
             "begin": "2020-01-10T00:00:00", "end": "2020-01-20T00:00:00"},
            {"do": "chain", "name": "alt/chain", "children": ["alt/python", "imported_g"]},
        ]));

        let overlap = span("2020-02-10T00:00:00", "2020-02-11T00:00:00");
        assert!(registry.certify("alt/calib", &refs, overlap).await.is_err());
        let gap = span("2020-01-10T00:00:00", "2020-01-20T00:00:00");
        registry
            .certify("alt/calib", &refs[..1], gap)
            .await
            .unwrap();
        let children = ["alt/rust".to_owned(), "alt/tag".to_owned()];
        registry
            .prepend_collection_chain("alt/chain", &children)
            .await
            .unwrap();
        let more = biases(&butler, &[4]);
        registry
            .insert_datasets("bias", &more, "alt/rust", mode)
            .await
            .unwrap();
        registry.disassociate("alt/tag", &refs[..1]).await.unwrap();

        place.write_by_reference(&json!([
            {"do": "insert", "dataset_type": "bias", "run": "alt/python",
             "data_ids": [{"instrument": "Cam1", "detector": 1}]},
            {"do": "decertify", "collection": "alt/calib", "dataset_type": "bias",
             "begin": "2020-02-15T00:00:00", "end": null},
        ]));
        butler.close().await;
        let found = place.dump().await;
        assert_eq!(
            found["calibrations"]["alt/calib"].as_array().unwrap().len(),
            10
        );
        assert_same("Python", &place.dump_by_reference(), "Rust", &found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_can_be_imported_by_the_reference_and_back() {
    let source = Place::sqlite();
    source.create_by_reference(&["--data", "base.yaml,datasets.yaml", "--with-files"]);
    let butler = source.open().await;
    let directory = source.outside().join("export");
    std::fs::create_dir(&directory).unwrap();
    let directory = directory.to_str().unwrap();
    let file = format!("{directory}/all.yaml");
    let path = |text: &str| butler_direct::resource::ResourcePath::new(text).unwrap();

    let files = ExportFiles::None;
    let mut export = butler.export(files).unwrap();
    let mut query = butler_core::registry::CollectionQuery::new(
        butler_core::collections::CollectionWildcard::everything(),
    );
    query.with_doc = true;
    for info in butler.registry().collections(&query).await.unwrap() {
        export.save_collection(&info.name).await.unwrap();
        if info.collection_type == CollectionType::Run {
            let ids = butler.registry().run_dataset_ids(&info.name).await.unwrap();
            let refs: Vec<_> = butler
                .registry()
                .datasets(&ids)
                .await
                .unwrap()
                .into_values()
                .collect();
            export.save_datasets(&refs, None).await.unwrap();
        }
    }
    export.write(&path(&file), false).await.unwrap();
    butler.close().await;

    let (by_reference, by_us) = (Place::postgres(), Place::postgres());
    by_reference.create_by_reference(&["--data", "none", "--no-collections"]);
    by_reference.write_by_reference(&json!([{"do": "import", "file": file}]));
    let butler = by_us.create().await;
    butler
        .import_file(&file, &registry_only(), &NoProgress)
        .await
        .unwrap();
    butler.close().await;
    let (theirs, ours) = (by_reference.dump().await, by_us.dump().await);
    assert_same(
        "Python's import",
        &timeless(theirs),
        "Rust's import",
        &timeless(ours.clone()),
    );
    let original = timeless(source.dump().await);
    let ours = timeless(ours);
    for part in [
        "collections",
        "dataset_types",
        "datasets",
        "tagged",
        "calibrations",
    ] {
        assert_same("original", &original[part], "copy", &ours[part]);
    }
}

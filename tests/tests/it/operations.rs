//! Operations on whole repositories, on both databases.

use std::path::Path;
use std::time::Duration;

use butler_core::datasets::{DatasetIdMode, DatasetRef, FileDataset};
use butler_core::dimensions::DataIdValue;
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::{Registry, RegistryWriter};
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::create::CreateOptions;
use butler_direct::ops::export::ExportFiles;
use butler_direct::ops::import::ImportOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::{ResourcePath, TransferMode};
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::assert_same;
use serde_json::json;

use crate::repos::{Place, registry_data, timeless};

async fn filled(place: &Place) -> DirectButler {
    let butler = place.create().await;
    let options = ImportOptions {
        without_datastore: true,
        ..ImportOptions::default()
    };
    for name in ["base.yaml", "datasets.yaml"] {
        butler
            .import_file(&registry_data(name), &options, &NoProgress)
            .await
            .unwrap();
    }
    butler
}

async fn with_documents(place: &Place) -> DirectButler {
    let butler = filled(place).await;
    let dimensions = butler
        .universe()
        .conform(["instrument", "detector"])
        .unwrap();
    let dataset_type = butler_core::datasets::DatasetType::new(
        "document",
        dimensions,
        "StructuredDataDict",
        false,
    )
    .unwrap();
    butler
        .registry()
        .register_dataset_type(&dataset_type)
        .await
        .unwrap();
    butler
        .registry()
        .register_collection(
            "docs",
            butler_core::collections::CollectionType::Run,
            Some("Docs."),
        )
        .await
        .unwrap();
    butler
}

fn data_id(detector: i64) -> [(&'static str, DataIdValue); 2] {
    [("instrument", "Cam1".into()), ("detector", detector.into())]
}

/// How many files there are below a directory.
fn files_below(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, |entries| {
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    files_below(&entry.path())
                } else {
                    1
                }
            })
            .sum()
    })
}

#[tokio::test]
async fn a_repository_is_never_made_over_another() {
    for place in Place::both() {
        place.create().await.close().await;
        let root = place.root();
        let before = std::fs::read(root.join("butler.yaml")).unwrap();
        let mut options = CreateOptions {
            config: place.config(),
            keep_roots: true,
            ..CreateOptions::default()
        };
        let error = DirectButler::create(root.to_str().unwrap(), options.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::FileExists(_)), "{error:?}");
        options.overwrite = true;
        let error = DirectButler::create(root.to_str().unwrap(), options)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(std::fs::read(root.join("butler.yaml")).unwrap(), before);
    }
}

#[tokio::test]
async fn a_failed_creation_leaves_room_for_the_next() {
    let place = Place::sqlite();
    let root = place.root();
    let mut options = CreateOptions {
        config: place.config(),
        ..CreateOptions::default()
    };
    options
        .config
        .set(".registry.managers.datasets", "some.unknown.Manager")
        .unwrap();
    let error = DirectButler::create(root.to_str().unwrap(), options)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, Error::UnsupportedVersion { .. }),
        "{error:?}"
    );
    assert!(
        text.contains("some.unknown.Manager") && text.contains("ByDimensions"),
        "{text}"
    );
    place.create().await.close().await;
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_not_made_by_opening_it() {
    let place = Place::sqlite();
    let root = place.root();
    let open = || DirectButler::open(root.to_str().unwrap(), OpenOptions::writeable());
    assert!(matches!(open().await.unwrap_err(), Error::FileNotFound(_)));
    place.create().await.close().await;
    std::fs::remove_file(root.join("gen3.sqlite3")).unwrap();
    let error = open().await.unwrap_err();
    assert!(
        matches!(&error, Error::FileNotFound(text) if text.contains("gen3.sqlite3")),
        "{error:?}"
    );
    assert!(!root.join("gen3.sqlite3").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_gets_what_was_put() {
    for place in Place::both() {
        let butler = with_documents(&place).await;
        let content = json!({"detector": 2, "list": [1, 2.5, null]});
        let dataset = butler
            .put(content.clone(), "document", data_id(2), Some("docs"))
            .await
            .unwrap();
        assert_eq!(butler.get_json(&dataset).await.unwrap(), content);
        let collections = ["docs".to_owned()];
        let found = butler
            .find_dataset("document", data_id(2), Some(&collections), None)
            .await
            .unwrap();
        assert_eq!(found.as_ref().map(DatasetRef::id), Some(dataset.id()));
        let error = butler
            .put(content.clone(), "document", data_id(2), Some("docs"))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        let error = butler.put_ref(content.clone(), &dataset).await.unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(
            butler.get_json(&dataset).await.unwrap(),
            content,
            "a refusal changes nothing"
        );

        let defaults = OpenOptions {
            run: Some("docs".into()),
            ..OpenOptions::writeable()
        };
        let again = DirectButler::open(place.root().to_str().unwrap(), defaults)
            .await
            .unwrap();
        let dataset = again
            .put(content, "document", [("detector", 3)], None)
            .await
            .unwrap();
        assert_eq!(
            dataset.data_id().get("instrument"),
            Some(&"Cam1".into()),
            "inferred"
        );

        let checked = butler_tests::python::Script::new("check_repo.py")
            .arg(place.root())
            .run();
        assert_eq!(checked["failures"], json!([]));
        assert_eq!(
            place.dump_files_by_reference()["uris"]
                .as_object()
                .unwrap()
                .len(),
            2
        );
        assert_same(
            "Python",
            &place.dump_by_reference(),
            "Rust",
            &place.dump().await,
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_a_put_are_told_and_leave_nothing() {
    let place = Place::sqlite();
    let butler = with_documents(&place).await;
    let put = |dataset_type: &'static str, data_id: Vec<(&'static str, DataIdValue)>, run| {
        let butler = butler.clone();
        async move {
            butler
                .put(json!({}), dataset_type, data_id, run)
                .await
                .unwrap_err()
        }
    };
    let good = data_id(1).to_vec();
    let error = put("document", good.clone(), Some("nowhere")).await;
    assert!(
        matches!(&error, Error::MissingCollection(text) if text.contains("nowhere")),
        "{error:?}"
    );
    let error = put("nothing", good.clone(), Some("docs")).await;
    assert!(
        matches!(&error, Error::MissingDatasetType(text) if text.contains("nothing")),
        "{error:?}"
    );
    let error = put(
        "document",
        vec![("instrument", "Cam1".into())],
        Some("docs"),
    )
    .await;
    assert!(
        matches!(&error, Error::DimensionName(text) if text.contains("detector")),
        "{error:?}"
    );
    let mut unknown = good.clone();
    unknown.push(("colour", "red".into()));
    let error = put("document", unknown, Some("docs")).await;
    assert!(
        matches!(&error, Error::DimensionName(text) if text.contains("colour")),
        "{error:?}"
    );
    let error = put("document", data_id(99).to_vec(), Some("docs")).await;
    assert!(matches!(&error, Error::DataIdValue(_)), "{error:?}");
    let error = put("document", good, None).await;
    assert!(
        matches!(&error, Error::InvalidArgument(text) if text.contains("run")),
        "{error:?}"
    );
    assert_eq!(
        files_below(&place.root()),
        2,
        "butler.yaml and the database"
    );
    let reader = DirectButler::open(place.root().to_str().unwrap(), OpenOptions::default())
        .await
        .unwrap();
    let error = reader
        .put(json!({}), "document", data_id(1), Some("docs"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ReadOnly(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_datasets_and_removed_runs_are_gone_with_their_files() {
    for place in Place::both() {
        let butler = with_documents(&place).await;
        let before = timeless(place.dump().await);
        let mut refs = Vec::new();
        for detector in 1..=4 {
            let content = json!({"detector": detector});
            refs.push(
                butler
                    .put(content, "document", data_id(detector), Some("docs"))
                    .await
                    .unwrap(),
            );
        }
        butler
            .prune_datasets(&refs[..1], &Prune::Unstore, &NoProgress)
            .await
            .unwrap();
        let known = butler.exists(&refs, true).await.unwrap();
        assert!(known[&refs[0].id()].recorded && !known[&refs[0].id()].stored);
        assert!(known[&refs[1].id()].is_complete());
        butler
            .prune_datasets(&refs[..2], &Prune::Purge, &NoProgress)
            .await
            .unwrap();
        assert_eq!(files_below(&place.root().join("docs")), 2);
        let tags = Prune::Disassociate {
            tags: vec!["docs".into()],
            unstore: false,
        };
        let error = butler
            .prune_datasets(&refs[2..], &tags, &NoProgress)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::CollectionType(_)), "{error:?}");

        let registry = butler.registry();
        let chained = butler_core::collections::CollectionType::Chained;
        registry
            .register_collection("all", chained, None)
            .await
            .unwrap();
        registry
            .set_collection_chain("all", &["docs".to_owned()])
            .await
            .unwrap();
        let runs = ["docs".to_owned()];
        let error = butler
            .remove_runs(&runs, false, &NoProgress)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::OrphanedRecord(_)), "{error:?}");
        assert_eq!(
            files_below(&place.root().join("docs")),
            2,
            "nothing was removed"
        );
        butler.remove_runs(&runs, true, &NoProgress).await.unwrap();
        assert_eq!(files_below(&place.root().join("docs")), 0);
        registry.remove_collection("all").await.unwrap();
        let mut after = timeless(place.dump().await);
        after["collections"]["docs"] = before["collections"]["docs"].clone();
        after["tables"] = before["tables"].clone();
        assert_same("before", &before, "after", &after);
    }
}

fn file_datasets(butler: &DirectButler, directory: &Path, refs: &[DatasetRef]) -> Vec<FileDataset> {
    let _ = butler;
    refs.iter()
        .enumerate()
        .map(|(index, dataset)| {
            let path = directory.join(format!("given {index}.yaml"));
            std::fs::write(&path, format!("number: {index}\n")).unwrap();
            FileDataset {
                path: path.to_str().unwrap().to_owned(),
                refs: vec![dataset.clone()],
                formatter: None,
            }
        })
        .collect()
}

async fn references(butler: &DirectButler, run: &str) -> Vec<DatasetRef> {
    let dataset_type = butler.registry().dataset_type("document").await.unwrap();
    let mut refs = Vec::new();
    for detector in 1..=3 {
        let data_id = butler.data_id("document", data_id(detector)).await.unwrap();
        let mode = DatasetIdMode::Unique;
        let dataset_type = std::sync::Arc::clone(&dataset_type);
        refs.push(DatasetRef::generate(dataset_type, data_id, run, mode).unwrap());
    }
    refs
}

#[tokio::test(flavor = "multi_thread")]
async fn ingested_files_are_copied_once_and_refused_twice() {
    for place in Place::both() {
        let butler = with_documents(&place).await;
        let refs = references(&butler, "ingested").await;
        let files = file_datasets(&butler, place.outside(), &refs);
        let options = IngestOptions::new(Some(TransferMode::Copy));
        let ingest = |files: Vec<FileDataset>, skip| {
            let butler = butler.clone();
            async move { butler.ingest(files, options, skip, &NoProgress).await }
        };
        let mut missing = files.clone();
        missing[2].path.push_str(".gone.yaml");
        let error = ingest(missing, false).await.unwrap_err();
        assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
        assert_eq!(
            files_below(&place.root().join("ingested")),
            0,
            "nothing half written"
        );
        let mut twice = files.clone();
        twice[1].refs = vec![refs[0].with_run("ingested", Some(uuid::Uuid::new_v4()))];
        let error = ingest(twice, false).await.unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(ingest(files[..2].to_vec(), false).await.unwrap(), 2);
        let error = ingest(files.clone(), false).await.unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(ingest(files.clone(), true).await.unwrap(), 1);
        assert_eq!(
            butler.get_json(&refs[2]).await.unwrap(),
            json!({"number": 2})
        );
        let checked = butler_tests::python::Script::new("check_repo.py")
            .arg(place.root())
            .run();
        assert_eq!(checked["failures"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transferred_datasets_arrive_with_dimension_records_and_files() {
    for (from, to) in [
        (Place::sqlite(), Place::postgres()),
        (Place::postgres(), Place::sqlite()),
    ] {
        let source = with_documents(&from).await;
        let refs = references(&source, "docs").await;
        let files = file_datasets(&source, from.outside(), &refs);
        let copy = IngestOptions::new(Some(TransferMode::Copy));
        source
            .ingest(files[..2].to_vec(), copy, false, &NoProgress)
            .await
            .unwrap();
        source.registry().import_datasets(&refs[2..]).await.unwrap();
        let target = to.create().await;
        let mut options = TransferOptions {
            mode: TransferMode::Copy,
            ..TransferOptions::default()
        };
        let error = target
            .transfer_from(&source, &refs, options, &NoProgress)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::MissingDatasetType(_)), "{error:?}");
        options.register_dataset_types = true;
        let error = target
            .transfer_from(&source, &refs, options, &NoProgress)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );
        assert_eq!(
            files_below(&to.root().join("docs")),
            0,
            "nothing half written"
        );
        options.transfer_dimensions = true;
        for _ in 0..2 {
            let done = target
                .transfer_from(&source, &refs, options, &NoProgress)
                .await
                .unwrap();
            assert_eq!(done.len(), 2, "what is not stored is left out");
            assert_eq!(
                target.get_json(&refs[1]).await.unwrap(),
                json!({"number": 1})
            );
        }
        let found = to.dump().await;
        assert_eq!(found["datasets"].as_array().unwrap().len(), 2);
        assert_eq!(found["collections"]["docs"]["doc"], "Docs.");
        assert_eq!(
            found["dimension_records"]["detector"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        let checked = butler_tests::python::Script::new("check_repo.py")
            .arg(to.root())
            .run();
        assert_eq!(checked["failures"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_with_files_is_imported_by_both() {
    let from = Place::sqlite();
    let source = with_documents(&from).await;
    let refs = references(&source, "docs").await;
    let files = file_datasets(&source, from.outside(), &refs);
    let copy = IngestOptions::new(Some(TransferMode::Copy));
    source
        .ingest(files, copy, false, &NoProgress)
        .await
        .unwrap();
    let directory = from.outside().join("export");
    std::fs::create_dir(&directory).unwrap();
    let directory = ResourcePath::from_local_directory(&directory).unwrap();
    let how = ExportFiles::Transfer(directory.clone(), TransferMode::Copy);
    let mut export = source.export(how).unwrap();
    export.save_datasets(&refs, None).await.unwrap();
    export
        .write(&directory.join("export.yaml").unwrap(), false)
        .await
        .unwrap();

    let (ours, theirs) = (Place::sqlite(), Place::sqlite());
    let target = ours.create().await;
    let options = ImportOptions {
        directory: Some(directory.clone()),
        transfer: Some(TransferMode::Copy),
        ..ImportOptions::default()
    };
    let report = target
        .import_file("export.yaml", &options, &NoProgress)
        .await
        .unwrap();
    assert_eq!(report.datasets, 3);
    assert_eq!(
        target.get_json(&refs[2]).await.unwrap(),
        json!({"number": 2})
    );
    target.close().await;
    let place = directory.local_path().unwrap();
    theirs.create_by_reference(&["--data", "none", "--no-collections"]);
    theirs.write_by_reference(&json!([
        {"do": "import", "file": place.join("export.yaml"), "directory": place, "transfer": "copy"},
    ]));
    let ours = timeless(ours.dump_files_by_reference());
    let theirs = timeless(theirs.dump_files_by_reference());
    assert_same("Rust's import", &ours, "Python's import", &theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_gone_mid_write_leaves_nothing_and_a_second_attempt_works() {
    use sqlx::Connection as _;
    let place = Place::postgres();
    let butler = with_documents(&place).await;
    let schema = place.schema().unwrap();
    let mut other = sqlx::PgConnection::connect(schema.url()).await.unwrap();
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    // The write gets stuck at the datastore's records, when datasets and file are written.
    let lock = format!(
        "BEGIN; LOCK TABLE {}.dataset_location IN EXCLUSIVE MODE",
        schema.name()
    );
    run(lock).execute(&mut other).await.unwrap();
    let writer = butler.clone();
    let write = tokio::spawn(async move {
        writer
            .put(json!({"n": 1}), "document", data_id(1), Some("docs"))
            .await
    });
    let mut killer = sqlx::PgConnection::connect(schema.url()).await.unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
          WHERE NOT granted AND relation = '{}.dataset_location'::regclass",
        schema.name()
    );
    let mut killed = 0;
    for _ in 0..100 {
        let rows = sqlx::query(sqlx::AssertSqlSafe(kill.clone()))
            .fetch_all(&mut killer)
            .await;
        killed = rows.unwrap().len();
        if killed > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(killed, 1, "the write waits for the lock");
    let error = write.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Database { .. }), "{error:?}");
    run("ROLLBACK".to_owned())
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(
        files_below(&place.root().join("docs")),
        0,
        "the file was taken back"
    );
    assert!(
        butler
            .registry()
            .run_dataset_ids("docs")
            .await
            .unwrap()
            .is_empty()
    );
    let dataset = butler
        .put(json!({"n": 1}), "document", data_id(1), Some("docs"))
        .await
        .unwrap();
    assert_eq!(butler.get_json(&dataset).await.unwrap(), json!({"n": 1}));
}

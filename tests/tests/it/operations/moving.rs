//! Bringing datasets in: files, exports, and what other repositories have.

use butler_core::datasets::FileDataset;
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::RegistryWriter;
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::export::ExportFiles;
use butler_direct::ops::import::ImportOptions;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::{ResourcePath, TransferMode};
use butler_tests::canonical::assert_same;
use serde_json::json;

use super::{file_datasets, files_below, references, with_documents};
use crate::repos::{Place, timeless};

#[tokio::test(flavor = "multi_thread")]
async fn ingested_files_are_copied_once_and_refused_twice() {
    for place in Place::both() {
        let butler = with_documents(&place).await;
        let refs = references(&butler, "ingested").await;
        let files = file_datasets(place.outside(), &refs);
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
        let files = file_datasets(from.outside(), &refs);
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
    let files = file_datasets(from.outside(), &refs);
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

//! What fails at its last step leaves a repository as it was, and can be done again.

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, FileDataset};
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_direct::datastores::IngestOptions;
use butler_direct::db::is_refused_value;
use butler_direct::ops::export::ExportFiles;
use butler_direct::ops::import::ImportOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::ops::records::GatheredRecords;
use butler_direct::ops::transfer::TransferOptions;
use butler_direct::resource::{ResourcePath, TransferMode};

use super::fixture::{Place, RUN, darks, images, register};
use crate::registry::fixture::record;

/// Makes a dataset of type `dark` in the run that contradicts one of those to come, and which is
/// the last that an operation on them gets to.
async fn get_in_the_way(butler: &DirectButler) -> DatasetRef {
    register(butler, RUN, CollectionType::Run).await;
    let other = darks(butler, RUN).pop().unwrap();
    let registry = butler.registry();
    registry
        .register_dataset_type(other.dataset_type())
        .await
        .unwrap();
    registry
        .import_datasets(std::slice::from_ref(&other))
        .await
        .unwrap();
    other
}

async fn get_out_of_the_way(butler: &DirectButler, other: DatasetRef) {
    butler
        .prune_datasets(&[other], &Prune::Purge, &NoProgress)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_ingest_leaves_nothing_behind() {
    for place in Place::both() {
        let butler = place.with_records().await;
        let mut refs = super::fixture::images(&butler, RUN);
        refs.extend(darks(&butler, RUN));
        let files = place.files(&refs);
        let copy = IngestOptions::new(Some(TransferMode::Copy));
        let ingest = || butler.ingest(files.clone(), copy, false, &NoProgress);

        let before = place.state(&butler).await;
        let lost = &files.last().unwrap().path;
        std::fs::rename(lost, place.outside().join("away")).unwrap();
        let error = ingest().await.unwrap_err();
        assert!(
            matches!(&error, Error::FileNotFound(text) if text.contains("given%2015.yaml")),
            "{error:?}"
        );
        before.assert_unchanged(&place.state(&butler).await, "a file that is not there");
        std::fs::rename(place.outside().join("away"), lost).unwrap();

        let other = get_in_the_way(&butler).await;
        let before = place.state(&butler).await;
        let error = ingest().await.unwrap_err();
        assert!(
            matches!(&error, Error::ConflictingDefinition(text)
                if text.contains(&other.id().to_string())),
            "{error:?}"
        );
        before.assert_unchanged(&place.state(&butler).await, "a conflict");
        get_out_of_the_way(&butler, other).await;

        assert_eq!(ingest().await.unwrap(), refs.len());
        let found = butler.get_json(refs.last().unwrap()).await.unwrap();
        assert_eq!(found["number"], 15);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dimension_records_come_with_an_ingest_or_not_at_all() {
    for place in Place::both() {
        let worker = place.sibling();
        let source = worker.with_records().await;
        let refs = images(&source, RUN);
        let data_ids = refs.iter().map(DatasetRef::data_id);
        let records = GatheredRecords::gather(&source, data_ids).await.unwrap();
        let files = worker.files(&refs);
        let butler = place.create().await;
        let copy = IngestOptions::new(Some(TransferMode::Copy));
        let ingest = |files: &[FileDataset]| {
            let files = files.to_vec();
            butler.ingest_with_records(files, &records, copy, true, &NoProgress)
        };

        let before = place.state(&butler).await;
        let mut lost = files.clone();
        lost[5].path = lost[5].path.replace(".yaml", " lost.yaml");
        let error = ingest(&lost).await.unwrap_err();
        assert!(matches!(error, Error::FileNotFound(_)), "{error:?}");
        before.assert_unchanged(&place.state(&butler).await, "a file that is not there");

        // Names are made of records that come only now.
        assert_eq!(ingest(&files).await.unwrap(), refs.len());
        let after = place.state(&butler).await;
        assert_eq!(ingest(&files).await.unwrap(), 0);
        after.assert_unchanged(&place.state(&butler).await, "the same once more");
        butler.get_json(&refs[5]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_database_does_not_take_are_told_from_its_being_away() {
    let place = Place::postgres();
    let butler = place.create().await;
    let record = record(
        "instrument",
        [("name", "Cam".into()), ("class_name", "nul\u{0}".into())],
    );
    let insert = async || {
        let element = record.element();
        let records = std::slice::from_ref(&record);
        butler
            .registry()
            .insert_dimension_records(element, records, InsertMode::SkipExisting)
            .await
    };
    let refused = insert().await.unwrap_err();
    assert!(is_refused_value(&refused), "{refused:?}");
    butler.close().await;
    let away = insert().await.unwrap_err();
    assert!(!is_refused_value(&away), "{away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transfer_leaves_nothing_behind() {
    for from in Place::both() {
        let to = from.sibling();
        let (source, refs) = from.with_datasets().await;
        let target = to.create().await;
        let options = TransferOptions {
            mode: TransferMode::Copy,
            register_dataset_types: true,
            transfer_dimensions: true,
            ..TransferOptions::default()
        };
        let transfer = || target.transfer_from(&source, &refs, options, &NoProgress);

        let before = to.state(&target).await;
        let uri = source.uris(refs.last().unwrap()).await.unwrap();
        let lost = uri.primary.unwrap().to_string();
        let lost = ResourcePath::new(&lost).unwrap().local_path().unwrap();
        std::fs::rename(&lost, from.outside().join("away")).unwrap();
        let error = transfer().await.unwrap_err();
        let name = lost.file_name().unwrap().to_str().unwrap();
        assert!(
            matches!(&error, Error::FileNotFound(text) if text.contains(name)),
            "{error:?}"
        );
        before.assert_unchanged(&to.state(&target).await, "a file that is not there");
        std::fs::rename(from.outside().join("away"), &lost).unwrap();

        crate::registry::fixture::add_instruments(target.registry()).await;
        let other = get_in_the_way(&target).await;
        let before = to.state(&target).await;
        let error = transfer().await.unwrap_err();
        assert!(
            matches!(&error, Error::ConflictingDefinition(text)
                if text.contains(&other.id().to_string())),
            "{error:?}"
        );
        before.assert_unchanged(&to.state(&target).await, "a conflict");
        get_out_of_the_way(&target, other).await;

        assert_eq!(transfer().await.unwrap().len(), refs.len());
        let found = target.get_json(refs.last().unwrap()).await.unwrap();
        assert_eq!(found["number"], 15);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_import_leaves_nothing_behind() {
    for from in Place::both() {
        let to = from.sibling();
        let (source, refs) = from.with_datasets().await;
        let registry = source.registry();
        register(&source, "calib", CollectionType::Calibration).await;
        register(&source, "chain", CollectionType::Chained).await;
        let children = ["calib".to_owned(), RUN.to_owned()];
        registry
            .set_collection_chain("chain", &children)
            .await
            .unwrap();
        let darks: Vec<DatasetRef> = refs[12..].to_vec();
        registry
            .certify("calib", &darks, Timespan::UNBOUNDED)
            .await
            .unwrap();
        let directory = from.outside().join("export");
        std::fs::create_dir(&directory).unwrap();
        let uri = ResourcePath::from_local_directory(&directory).unwrap();
        let how = ExportFiles::Transfer(uri.clone(), TransferMode::Copy);
        let mut export = source.export(how).unwrap();
        for name in ["calib", RUN, "chain"] {
            export.save_collection(name).await.unwrap();
        }
        export.save_datasets(&refs, None).await.unwrap();
        let file = uri.join("export.yaml").unwrap();
        export.write(&file, false).await.unwrap();
        let text = std::fs::read_to_string(directory.join("export.yaml")).unwrap();

        let target = to.create().await;
        let options = ImportOptions {
            directory: Some(uri),
            transfer: Some(TransferMode::Copy),
            ..ImportOptions::default()
        };
        let import = |text: String| {
            let (target, options) = (target.clone(), options.clone());
            async move { target.import_text(&text, &options, &NoProgress).await }
        };
        let before = to.state(&target).await;
        // The last thing in the file is the calibration collection: it gets a member that is not
        // in the file.
        let place = text.rfind(&darks[3].id().to_string()).unwrap();
        let mut broken = text.clone();
        let stranger = uuid::Uuid::new_v4().to_string();
        broken.replace_range(place..place + 36, &stranger);
        let error = import(broken).await.unwrap_err();
        assert!(
            matches!(&error, Error::CorruptRecord { .. }) && error.to_string().contains(&stranger),
            "{error:?}"
        );
        before.assert_unchanged(&to.state(&target).await, "a member that is not there");

        let lost = std::fs::read_dir(directory.join(RUN).join("dark"))
            .unwrap()
            .next();
        let lost = lost.unwrap().unwrap().path();
        std::fs::rename(&lost, from.outside().join("away")).unwrap();
        let error = import(text.clone()).await.unwrap_err();
        let name = lost.file_name().unwrap().to_str().unwrap();
        assert!(
            matches!(&error, Error::FileNotFound(text) if text.contains(name)),
            "{error:?}"
        );
        before.assert_unchanged(&to.state(&target).await, "a file that is not there");
        std::fs::rename(from.outside().join("away"), &lost).unwrap();

        crate::registry::fixture::add_instruments(target.registry()).await;
        let other = get_in_the_way(&target).await;
        let before = to.state(&target).await;
        let error = import(text.clone()).await.unwrap_err();
        assert!(
            matches!(&error, Error::ConflictingDefinition(text)
                if text.contains(&other.id().to_string())),
            "{error:?}"
        );
        before.assert_unchanged(&to.state(&target).await, "a conflict");
        get_out_of_the_way(&target, other).await;

        assert_eq!(import(text).await.unwrap().datasets, refs.len());
        let found = target.get_json(refs.last().unwrap()).await.unwrap();
        assert_eq!(found["number"], 15);
        let members = target
            .registry()
            .associations("dark", &["calib".to_owned()])
            .await;
        assert_eq!(members.unwrap().len(), 4);
    }
}

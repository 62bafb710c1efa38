//! Zip files of datasets, and what they bring along.

use std::collections::BTreeSet;

use butler_core::datasets::DatasetRef;
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::Registry;
use butler_direct::DirectButler;
use butler_direct::ops::ingest::IngestZipOptions;
use butler_direct::resource::{ResourcePath, TransferMode};

use super::fixture::Place;

/// The datasets with dimension records.
async fn expanded(butler: &DirectButler, refs: &[DatasetRef]) -> Vec<DatasetRef> {
    let data_ids: Vec<_> = refs.iter().map(|r| r.data_id().clone()).collect();
    let found = butler.registry().expand_data_ids(&data_ids).await.unwrap();
    let pairs = refs.iter().zip(found);
    pairs.map(|(r, id)| r.expanded(id).unwrap()).collect()
}

fn directory(place: &Place) -> ResourcePath {
    ResourcePath::from_local_directory(&place.outside().join("zips")).unwrap()
}

fn options(transfer_dimensions: bool, dry_run: bool) -> IngestZipOptions {
    IngestZipOptions {
        mode: Some(TransferMode::Copy),
        skip_existing: false,
        transfer_dimensions,
        dry_run,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zip_files_bring_their_dimension_records() {
    let place = Place::sqlite();
    let (butler, refs) = place.with_datasets().await;
    let refs = expanded(&butler, &refs).await;
    let file = butler
        .retrieve_artifacts_zip(&refs, &directory(&place), false, &NoProgress)
        .await
        .unwrap();
    for there in Place::both() {
        let other = there.create().await;
        let before = there.state(&other).await;
        let count = other.ingest_zip(&file, options(true, true)).await.unwrap();
        assert_eq!(count, refs.len());
        before.assert_unchanged(&there.state(&other).await, "a dry run");

        let error = other.ingest_zip(&file, options(false, false)).await;
        assert!(error.is_err(), "there are no dimension records");
        before.assert_unchanged(&there.state(&other).await, "a failure");

        let count = other.ingest_zip(&file, options(true, false)).await.unwrap();
        assert_eq!(count, refs.len());
        for dataset in &refs {
            let bytes = other.get_bytes(dataset).await.unwrap();
            assert_eq!(bytes, butler.get_bytes(dataset).await.unwrap());
        }
        other.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_zip_file_stays_where_it_is_made() {
    let place = Place::sqlite();
    let (butler, refs) = place.with_datasets().await;
    let zips = directory(&place);
    let make = async |overwrite| {
        butler
            .retrieve_artifacts_zip(&refs, &zips, overwrite, &NoProgress)
            .await
    };
    let first = make(false).await.unwrap();
    let error = make(false).await.unwrap_err();
    assert!(matches!(error, Error::FileExists(_)), "{error:?}");
    assert_eq!(make(true).await.unwrap(), first);
    let names: BTreeSet<_> = std::fs::read_dir(zips.local_path().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from([first.basename()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn zip_files_are_not_empty() {
    let place = Place::sqlite();
    let butler = place.create().await;
    let made = butler
        .retrieve_artifacts_zip(&[], &directory(&place), false, &NoProgress)
        .await;
    assert!(matches!(made, Err(Error::InvalidArgument(_))), "{made:?}");
}

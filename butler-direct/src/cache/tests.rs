//! Caches in temporary directories.

#![allow(clippy::unwrap_used)]

mod fetching;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use butler_core::config::Config;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType};
use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionUniverse};
use tempfile::TempDir;

use super::*;
use crate::environment::Environment;
use crate::resource::Resources;

fn dataset_of(name: &str, class: &str, detector: i64) -> DatasetRef {
    let universe = DimensionUniverse::default_universe();
    let group = universe.conform(["detector"]).unwrap();
    let dataset_type = Arc::new(DatasetType::new(name, group, class, false).unwrap());
    let values = [
        ("instrument", "Cam1".into()),
        ("detector", DataIdValue::Int(detector)),
    ];
    let data_id = DataCoordinate::standardize(universe, values, None, None).unwrap();
    DatasetRef::generate(dataset_type, data_id, "run1", DatasetIdMode::DataIdTypeRun).unwrap()
}

fn dataset(detector: i64) -> DatasetRef {
    dataset_of("raw", "ExposureF", detector)
}

fn config(expiry: &str) -> Config {
    Config::from_yaml(&format!(
        "root: null\nexpiry: {expiry}\ndefault: false\ncacheable: {{ExposureF: true, bias: false}}"
    ))
    .unwrap()
}

fn cache_with(expiry: &str, environment: Environment) -> DatasetCache {
    let resources = Resources::builder().environment(environment).build();
    let universe = DimensionUniverse::default_universe();
    DatasetCache::new(&config(expiry), universe, resources).unwrap()
}

fn cache_in(directory: &TempDir, expiry: &str) -> DatasetCache {
    let path = directory.path().join("cache");
    let path = path.to_str().unwrap();
    cache_with(
        expiry,
        Environment::fixed([("DAF_BUTLER_CACHE_DIRECTORY", path)]),
    )
}

fn file(directory: &TempDir, name: &str, size: usize) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, vec![b'x'; size]).unwrap();
    path
}

async fn insert(cache: &DatasetCache, directory: &TempDir, detector: i64) -> PathBuf {
    let source = file(directory, "download.fits", 10);
    let placed = cache
        .insert(&source, &dataset(detector))
        .await
        .unwrap()
        .unwrap();
    // Change times are as coarse as the clock of the file system.
    tokio::time::sleep(Duration::from_millis(12)).await;
    placed
}

async fn is_there(cache: &DatasetCache, detector: i64) -> bool {
    cache
        .find(&dataset(detector), ".fits")
        .await
        .unwrap()
        .is_some()
}

#[tokio::test]
async fn files_move_in_and_are_read_through_links() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: null}");
    let raw = dataset(1);
    assert!(cache.find(&raw, ".fits").await.unwrap().is_none());
    let source = file(&dir, "download.fits", 10);
    let placed = cache.insert(&source, &raw).await.unwrap().unwrap();
    assert_eq!(placed, dir.path().join(format!("cache/{}.fits", raw.id())));
    assert!(!source.exists());
    assert_eq!((cache.file_count(), cache.size()), (1, 10));
    assert!(cache.is_known(&raw, None) && cache.is_known(&raw, Some(".fits")));
    assert!(!cache.is_known(&raw, Some(".json")) && !cache.is_known(&dataset(2), None));

    let found = cache.find(&raw, ".fits").await.unwrap().unwrap();
    assert_eq!(
        found.path().parent().unwrap(),
        dir.path().join("cache/exempt")
    );
    // Whoever removes the dataset does not disturb a reader.
    cache.remove([raw.id()]).await.unwrap();
    assert!(!placed.exists() && !cache.is_known(&raw, None));
    assert_eq!(fs::read(found.path()).unwrap().len(), 10);
    let link = found.path().to_owned();
    drop(found);
    assert!(!link.exists());
}

#[tokio::test]
async fn what_is_cached_already_is_not_moved_again() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: null}");
    let first = insert(&cache, &dir, 1).await;
    let source = file(&dir, "again.fits", 20);
    assert_eq!(
        cache.insert(&source, &dataset(1)).await.unwrap().unwrap(),
        first
    );
    assert!(source.exists());
    assert_eq!(fs::metadata(&first).unwrap().len(), 10);
}

#[tokio::test]
async fn only_what_the_configuration_names_is_cached() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: null}");
    assert!(cache.should_be_cached(&dataset(1)));
    for other in [
        dataset_of("bias", "ExposureF", 1),
        dataset_of("raw", "StructuredDataDict", 1),
    ] {
        assert!(!cache.should_be_cached(&other));
        let source = file(&dir, "x.fits", 1);
        assert_eq!(cache.insert(&source, &other).await.unwrap(), None);
        assert!(source.exists());
    }
}

#[tokio::test]
async fn components_have_files_of_their_own() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: null}");
    let classes = butler_core::storage_class::StorageClassRegistry::with_defaults();
    let wcs = dataset(1).make_component("wcs", &classes).unwrap();
    let source = file(&dir, "wcs.fits", 3);
    // The component's own storage class is not named, that of its composite is.
    let placed = cache.insert(&source, &wcs).await.unwrap().unwrap();
    assert!(
        placed.to_str().unwrap().ends_with("_wcs.fits"),
        "{placed:?}"
    );
    assert!(cache.find(&wcs, ".fits").await.unwrap().is_some());
    assert!(cache.find(&dataset(1), ".fits").await.unwrap().is_none());
    assert!(cache.is_known(&dataset(1), None));
}

#[tokio::test]
async fn the_least_recently_used_go_first() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: files, threshold: 2}");
    for detector in [1, 2, 3] {
        insert(&cache, &dir, detector).await;
    }
    // Room is made before a file is added.
    assert_eq!(cache.file_count(), 3);
    assert!(is_there(&cache, 1).await);
    tokio::time::sleep(Duration::from_millis(12)).await;
    insert(&cache, &dir, 4).await;
    assert!(is_there(&cache, 1).await, "it was used last");
    assert!(!is_there(&cache, 2).await);
    assert!(is_there(&cache, 3).await && is_there(&cache, 4).await);
}

#[tokio::test]
async fn age_and_size_are_limits_too() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: size, threshold: 15}");
    for detector in [1, 2, 3] {
        insert(&cache, &dir, detector).await;
    }
    assert!(!is_there(&cache, 1).await && is_there(&cache, 2).await && is_there(&cache, 3).await);
    let other = TempDir::new().unwrap();
    let cache = cache_in(&other, "{mode: age, threshold: 0}");
    insert(&cache, &other, 1).await;
    insert(&cache, &other, 2).await;
    assert!(!is_there(&cache, 1).await && is_there(&cache, 2).await);
}

#[tokio::test]
async fn processes_share_a_directory() {
    let dir = TempDir::new().unwrap();
    let ours = cache_in(&dir, "{mode: datasets, threshold: 1}");
    let theirs = cache_in(&dir, "{mode: null}");
    insert(&theirs, &dir, 1).await;
    insert(&theirs, &dir, 2).await;
    fs::write(dir.path().join("cache/README"), "not a dataset").unwrap();
    assert!(is_there(&ours, 1).await, "found on disk although unknown");
    assert!(!ours.is_known(&dataset(1), None));
    ours.scan().await.unwrap();
    assert!(ours.is_known(&dataset(1), None) && ours.file_count() == 2);
    tokio::time::sleep(Duration::from_millis(12)).await;
    insert(&ours, &dir, 3).await;
    assert!(is_there(&theirs, 1).await && !is_there(&theirs, 2).await);
    assert!(dir.path().join("cache/README").exists());
    theirs.remove([dataset(3).id()]).await.unwrap();
    assert!(!is_there(&ours, 3).await, "put there by another process");
    fs::remove_file(dir.path().join(format!("cache/{}.fits", dataset(1).id()))).unwrap();
    ours.scan().await.unwrap();
    assert!(!ours.is_known(&dataset(1), None));
}

#[tokio::test]
async fn readers_and_writers_do_not_disturb_each_other() {
    let dir = TempDir::new().unwrap();
    let cache = cache_in(&dir, "{mode: files, threshold: 1}");
    let downloads = TempDir::new().unwrap();
    let writers = (0..4).map(|worker| {
        let cache = cache.clone();
        let downloads = downloads.path().to_owned();
        tokio::spawn(async move {
            for round in 0..20 {
                let detector = (worker + round) % 5;
                let source = downloads.join(format!("{worker}-{round}.fits"));
                fs::write(&source, format!("{detector:0100}")).unwrap();
                cache.insert(&source, &dataset(detector)).await.unwrap();
                for detector in 0..5 {
                    let Some(found) = cache.find(&dataset(detector), ".fits").await.unwrap() else {
                        continue;
                    };
                    let text = fs::read_to_string(found.path()).unwrap();
                    assert_eq!(text, format!("{detector:0100}"));
                }
            }
        })
    });
    for outcome in futures::future::join_all(writers).await {
        outcome.unwrap();
    }
    assert_eq!(
        fs::read_dir(dir.path().join("cache/exempt"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn an_unnamed_cache_lives_in_a_temporary_directory() {
    let cache = cache_with("{mode: null}", Environment::fixed::<&str, &str>([]));
    assert!(cache.find(&dataset(1), ".fits").await.unwrap().is_none());
    let downloads = cache.download_directory().unwrap().unwrap();
    let root = cache.directory().unwrap();
    assert_eq!(downloads, root.join("exempt"));
    let source = downloads.join("x.fits");
    fs::write(&source, "x").unwrap();
    cache.insert(&source, &dataset(1)).await.unwrap().unwrap();
    assert!(is_there(&cache, 1).await);
    drop(cache);
    assert!(!root.exists());
}

#[tokio::test]
async fn a_disabled_cache_keeps_nothing() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("cache");
    let environment = Environment::fixed([
        ("DAF_BUTLER_CACHE_EXPIRATION_MODE", "disabled"),
        ("DAF_BUTLER_CACHE_DIRECTORY", place.to_str().unwrap()),
    ]);
    for cache in [
        DatasetCache::disabled(),
        cache_with("{mode: null}", environment),
    ] {
        let source = file(&dir, "x.fits", 1);
        assert_eq!(cache.insert(&source, &dataset(1)).await.unwrap(), None);
        assert!(!cache.should_be_cached(&dataset(1)));
        assert!(cache.find(&dataset(1), ".fits").await.unwrap().is_none());
        assert_eq!(cache.download_directory().unwrap(), None);
        cache.remove([dataset(1).id()]).await.unwrap();
    }
    assert!(!place.exists());
}

#[test]
fn the_environment_can_enable_what_the_configuration_disables() {
    let mode = "DAF_BUTLER_CACHE_EXPIRATION_MODE";
    let cache = cache_with(
        "{mode: disabled, threshold: 0}",
        Environment::fixed([(mode, "datasets=2")]),
    );
    assert!(cache.should_be_cached(&dataset(1)));
}

#[test]
fn the_environment_goes_before_the_configuration() {
    let given = config("{mode: datasets, threshold: 4}");
    let with = |variables: &[(&str, &str)]| {
        CacheSettings::new(&given, &Environment::fixed(variables.iter().copied()))
    };
    assert_eq!(with(&[]).unwrap().expiry, Expiry::Datasets(4));
    let mode = "DAF_BUTLER_CACHE_EXPIRATION_MODE";
    assert_eq!(
        with(&[(mode, "size=100")]).unwrap().expiry,
        Expiry::Size(100)
    );
    assert_eq!(
        with(&[(mode, "disabled")]).unwrap().expiry,
        Expiry::Disabled
    );
    assert_eq!(
        with(&[(mode, "nonsense")]).unwrap().expiry,
        Expiry::Datasets(4)
    );
    for wrong in ["never=3", "files=many", "files=-1"] {
        assert!(with(&[(mode, wrong)]).is_err(), "{wrong}");
    }
    let (directory, fallback) = (
        "DAF_BUTLER_CACHE_DIRECTORY",
        "DAF_BUTLER_CACHE_DIRECTORY_IF_UNSET",
    );
    let found = with(&[(directory, "/a"), (fallback, "/b")])
        .unwrap()
        .directory;
    assert_eq!(found.as_deref(), Some(Path::new("/a/")));
    let found = with(&[(fallback, "/b")]).unwrap().directory;
    assert_eq!(found.as_deref(), Some(Path::new("/b/")));
    assert!(with(&[(directory, "s3://bucket/cache")]).is_err());
}

#[test]
fn a_mode_needs_a_threshold() {
    let environment = Environment::fixed::<&str, &str>([]);
    let error = CacheSettings::new(&config("{mode: files}"), &environment).unwrap_err();
    assert!(error.to_string().contains("threshold"), "{error}");
    let settings = CacheSettings::new(&config("{mode: disabled}"), &environment).unwrap();
    assert_eq!(
        settings.expiry,
        Expiry::Disabled,
        "there is nothing to limit"
    );
    let error = CacheSettings::new(&config("{mode: often, threshold: 1}"), &environment);
    assert!(error.unwrap_err().to_string().contains("datasets"));
}

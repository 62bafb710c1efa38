//! Reading through the cache, from a remote storage in memory.

use butler_core::Error;
use bytes::Bytes;

use super::*;
use crate::resource::{LocalCopy, ResourcePath};

/// A remote storage and a cache in a directory.
struct Remote {
    resources: Resources,
    cache: DatasetCache,
    directory: TempDir,
}

impl Remote {
    fn new(expiry: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let place = directory.path().join("cache");
        Self::with(expiry, directory, &[("DAF_BUTLER_CACHE_DIRECTORY", &place)])
    }

    fn with(expiry: &str, directory: TempDir, variables: &[(&str, &Path)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, path)| (*name, path.to_str().unwrap()));
        let resources = Resources::builder()
            .environment(Environment::fixed(variables))
            .build();
        let universe = DimensionUniverse::default_universe();
        let cache = DatasetCache::new(&config(expiry), universe, resources.clone()).unwrap();
        Self {
            resources,
            cache,
            directory,
        }
    }

    async fn write(&self, name: &str, content: &str) -> ResourcePath {
        let uri = ResourcePath::new(&format!("mem://remote/{name}")).unwrap();
        let data = Bytes::from(content.to_owned());
        self.resources.write(&uri, data, true).await.unwrap();
        uri
    }

    /// Reads a whole dataset of which the remote file has `content`.
    async fn fetch(&self, detector: i64, content: &str) -> LocalCopy {
        let uri = self.write(&format!("{detector}.fits"), content).await;
        let fetched = self.cache.fetch(&dataset(detector), None, &uri, None).await;
        fetched.unwrap().unwrap()
    }

    /// The names of the cached files.
    fn cached(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.directory.path().join("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "exempt")
            .collect();
        names.sort();
        names
    }
}

fn read(copy: &LocalCopy) -> String {
    fs::read_to_string(copy.path()).unwrap()
}

#[tokio::test]
async fn a_file_is_downloaded_once() {
    let remote = Remote::new("{mode: null}");
    let first = remote.fetch(1, "first").await;
    assert_eq!(read(&first), "first");
    assert_eq!(remote.cached(), [format!("{}.fits", dataset(1).id())]);
    drop(first);
    let again = remote.fetch(1, "other").await;
    assert_eq!(read(&again), "first", "it comes from the cache");
    assert!(again.is_temporary());
    drop(again);
    let left = fs::read_dir(remote.directory.path().join("cache/exempt")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn components_and_the_whole_are_told_apart() {
    let remote = Remote::new("{mode: null}");
    let classes = butler_core::storage_class::StorageClassRegistry::with_defaults();
    let wcs = dataset(1).make_component("wcs", &classes).unwrap();
    let whole = remote.write("whole.fits", "whole").await;
    let part = remote.write("wcs.fits", "part").await;
    let fetch = async |dataset: &DatasetRef, component, uri| {
        let fetched = remote.cache.fetch(dataset, component, uri, None).await;
        read(&fetched.unwrap().unwrap())
    };
    // A component of a file that holds more: it is the whole that is cached.
    assert_eq!(fetch(&wcs, None, &whole).await, "whole");
    assert_eq!(fetch(&wcs, Some("wcs"), &part).await, "part");
    assert_eq!(fetch(&dataset(1), None, &part).await, "whole");
    assert_eq!(fetch(&wcs, Some("wcs"), &whole).await, "part");
    let id = dataset(1).id();
    assert_eq!(
        remote.cached(),
        [format!("{id}.fits"), format!("{id}_wcs.fits")]
    );
    remote.cache.remove([id]).await.unwrap();
    assert_eq!(remote.cached(), Vec::<String>::new());
}

#[tokio::test]
async fn whether_a_part_of_a_file_is_cached_is_for_the_whole_to_say() {
    let remote = Remote::new("{mode: null}");
    let classes = butler_core::storage_class::StorageClassRegistry::with_defaults();
    // What the configuration says of "bias" counts.
    let bias = dataset_of("bias", "ExposureF", 1);
    let wcs = bias.make_component("wcs", &classes).unwrap();
    let uri = remote.write("bias.fits", "x").await;
    assert!(
        remote
            .cache
            .fetch(&wcs, None, &uri, None)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_copy_in_use_outlives_expiry_removal_and_the_cache() {
    let remote = Remote::new("{mode: files, threshold: 0}");
    let (first, again) = (remote.fetch(1, "first").await, remote.fetch(1, "").await);
    remote.fetch(2, "second").await;
    assert_eq!(remote.cached(), [format!("{}.fits", dataset(2).id())]);
    assert_eq!(
        (read(&first), read(&again)),
        ("first".into(), "first".into())
    );

    let nowhere = TempDir::new().unwrap();
    let place = nowhere.path().to_owned();
    let remote = Remote::with("{mode: null}", nowhere, &[("TMPDIR", &place)]);
    let copy = remote.fetch(1, "temporary").await;
    assert!(copy.path().starts_with(&place), "where temporary files go");
    let Remote {
        cache,
        directory: _keep,
        ..
    } = remote;
    drop(cache);
    assert_eq!(read(&copy), "temporary");
    drop(copy);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}

#[tokio::test]
async fn an_unusable_cache_fails_no_read() {
    let remote = Remote::new("{mode: files, threshold: 1}");
    let uri = remote.write("1.fits", "content").await;
    let place = remote.directory.path().join("cache");
    // No file can be made where the directory for downloads is none.
    fs::write(place.join("exempt"), "in the way").unwrap();
    let fetch = async || remote.cache.fetch(&dataset(1), None, &uri, None).await;
    assert!(fetch().await.unwrap().is_none());
    // Neither in a cache that is none.
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, "in the way").unwrap();
    assert!(fetch().await.unwrap().is_none());
    assert!(remote.cache.holds(&[dataset(1).id()]).await.is_empty());
    // A directory that somebody has removed is made again.
    fs::remove_file(&place).unwrap();
    assert_eq!(read(&fetch().await.unwrap().unwrap()), "content");
}

#[tokio::test]
async fn a_copy_that_cannot_be_kept_is_handed_out_all_the_same() {
    let remote = Remote::new("{mode: null}");
    let name = format!("{}.fits", dataset(1).id());
    // What has the file's name cannot be linked to, nor replaced by a link.
    let obstacle = remote.directory.path().join("cache").join(name);
    fs::create_dir(&obstacle).unwrap();
    assert_eq!(read(&remote.fetch(1, "content").await), "content");
    assert!(obstacle.is_dir());
}

#[tokio::test]
async fn a_missing_remote_file_is_an_error() {
    let remote = Remote::new("{mode: null}");
    let uri = ResourcePath::new("mem://remote/none.fits").unwrap();
    let fetched = remote.cache.fetch(&dataset(1), None, &uri, None).await;
    assert!(
        matches!(fetched, Err(Error::FileNotFound(_))),
        "{fetched:?}"
    );
    assert_eq!(remote.cached(), Vec::<String>::new());
}

#[tokio::test]
async fn a_cached_file_of_the_wrong_size_is_replaced() {
    let remote = Remote::new("{mode: null}");
    remote.fetch(1, "short").await;
    let uri = remote.write("1.fits", "rather long").await;
    let fetched = remote.cache.fetch(&dataset(1), None, &uri, Some(11)).await;
    assert_eq!(read(&fetched.unwrap().unwrap()), "rather long");
    assert_eq!(read(&remote.fetch(1, "").await), "rather long");
}

#[tokio::test]
async fn files_of_other_processes_are_seen() {
    let ours = Remote::new("{mode: datasets, threshold: 2}");
    let place = ours.directory.path().join("cache");
    let (id, other) = (dataset(1).id(), dataset(2).id());
    assert!(ours.cache.holds(&[id, other]).await.is_empty());
    fs::write(place.join(format!("{id}.fits")), "theirs").unwrap();
    assert_eq!(ours.cache.holds(&[id, other]).await, [id].into());
    assert_eq!(read(&ours.fetch(1, "ours").await), "theirs");
    ours.cache.remove([id]).await.unwrap();
    assert!(ours.cache.holds(&[id]).await.is_empty());
    assert_eq!(read(&ours.fetch(1, "ours").await), "ours");
}

#[tokio::test]
async fn many_readers_of_one_file_share_it() {
    let remote = Remote::new("{mode: size, threshold: 10}");
    let uri = remote.write("1.fits", "shared").await;
    let readers = (0..8).map(|_| {
        let (cache, uri) = (remote.cache.clone(), uri.clone());
        tokio::spawn(async move {
            let fetched = cache.fetch(&dataset(1), None, &uri, Some(6)).await;
            read(&fetched.unwrap().unwrap())
        })
    });
    for reader in futures::future::join_all(readers).await {
        assert_eq!(reader.unwrap(), "shared");
    }
    assert_eq!(remote.cached().len(), 1);
    assert_eq!((remote.cache.file_count(), remote.cache.size()), (1, 6));
}

//! The real repository of LATISS data, which an older release wrote with an older universe.

use std::path::{Path, PathBuf};

use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::assert_same;
use butler_tests::python::Script;

use crate::dump;

/// The shared test data: beside the project, or where `BUTLER_SHARED_DATA` says.
fn shared_data() -> PathBuf {
    let place = std::env::var_os("BUTLER_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    assert!(
        place.join("latiss-repo/butler.yaml").is_file(),
        "{} holds no latiss-repo: put the shared test data there, or set BUTLER_SHARED_DATA",
        place.display()
    );
    place
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Copies the repository into a directory: the shared one may be read-only, which the reference does
/// not like.
pub(crate) fn copy(directory: &Path) -> PathBuf {
    let root = directory.join("repo");
    copy_tree(&shared_data().join("latiss-repo"), &root);
    root
}

#[tokio::test(flavor = "multi_thread")]
async fn latiss_repository_lists_the_same_as_the_reference() {
    let dir = tempfile::tempdir().unwrap();
    let root = copy(dir.path());
    let expected = Script::new("dump_repo.py")
        .arg(&root)
        .args(["--skip", "files"])
        .run();
    let butler = DirectButler::open(root.to_str().unwrap(), OpenOptions::default())
        .await
        .unwrap();
    let found = dump::registry(&butler).await;
    assert_eq!(found["datasets"].as_array().unwrap().len(), 10);
    assert_same("Python", &expected, "Rust", &found);
}

#[tokio::test]
async fn latiss_repository_opens_where_it_is_without_being_changed() {
    let root = shared_data().join("latiss-repo");
    let database = root.join("gen3.sqlite3");
    let before = std::fs::metadata(&database).unwrap().modified().unwrap();
    let options = OpenOptions::default().collections(["LATISS/raw/all"]);
    let butler = DirectButler::open(root.to_str().unwrap(), options)
        .await
        .unwrap();
    assert_eq!(
        butler.defaults().data_id().to_string(),
        "{instrument: 'LATISS'}"
    );
    assert!(butler.require_writeable().is_err());
    butler.close().await;
    assert_eq!(
        std::fs::metadata(&database).unwrap().modified().unwrap(),
        before
    );
}

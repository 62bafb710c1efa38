//! Resources in the local file system and in memory.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tempfile::TempDir;

use super::*;
use crate::environment::Environment;

fn uri(text: &str) -> ResourcePath {
    ResourcePath::new(text).unwrap()
}

fn local(path: &Path) -> ResourcePath {
    ResourcePath::from_local(path).unwrap()
}

fn setup() -> (TempDir, Resources) {
    (TempDir::new().unwrap(), Resources::default())
}

fn names(directory: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    found
}

#[test]
fn addresses_agree_with_the_python_package() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/resource_paths.json")).unwrap();
    let environment = Environment::fixed([("HOME", "/home/ada"), ("DATA", "/data")]);
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    for case in cases["parse"].as_array().unwrap() {
        let given = case["uri"].as_str().unwrap();
        let mut options = ResourcePath::options()
            .root(ResourcePath::directory("/cwd").unwrap())
            .environment(environment.clone());
        if let Some(directory) = case["directory"].as_bool() {
            options = options.directory(directory);
        }
        options = options.absolute(case["absolute"].as_bool().unwrap());
        let found = options.parse(given);
        if case["error"].as_bool() == Some(true) {
            assert!(found.is_err(), "{case}: {found:?}");
            continue;
        }
        let found = found.unwrap();
        assert_eq!(Some(found.to_string()), text(&case["str"]), "{case}");
        assert_eq!(Some(found.path().to_owned()), text(&case["path"]), "{case}");
        assert_eq!(
            Some(found.fragment().to_owned()),
            text(&case["fragment"]),
            "{case}"
        );
        assert_eq!(
            Some(found.extension().to_owned()),
            text(&case["extension"]),
            "{case}"
        );
        assert_eq!(
            Some(found.relative_to_path_root()),
            text(&case["key"]),
            "{case}"
        );
        // The Python package adds `/./` to a bare bucket.
        if !found.path().is_empty() {
            assert_eq!(
                Some(found.parent().to_string()),
                text(&case["parent"]),
                "{case}"
            );
        }
        assert_eq!(Some(found.basename()), text(&case["basename"]), "{case}");
        let path = found
            .local_path()
            .map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(path, text(&case["ospath"]), "{case}");
    }
    for case in cases["join"].as_array().unwrap() {
        let root = ResourcePath::directory(case["root"].as_str().unwrap()).unwrap();
        let path = case["path"].as_str().unwrap();
        let joined = root.join(path).ok().map(|joined| joined.to_string());
        assert_eq!(joined, text(&case["joined"]), "{case}");
        let stored = root
            .join_in_store(path)
            .ok()
            .map(|joined| joined.to_string());
        // The Python package lets `..` at the root of a bucket go nowhere.
        let expected = text(&case["location"]).filter(|_| !path.contains("../"));
        assert_eq!(stored, expected, "{case}");
    }
    for case in cases["relative"].as_array().unwrap() {
        let (child, root) = (
            case["child"].as_str().unwrap(),
            case["root"].as_str().unwrap(),
        );
        let found = uri(child).relative_to(&ResourcePath::directory(root).unwrap());
        assert_eq!(found, text(&case["relative"]), "{case}");
    }
    for case in cases["with_extension"].as_array().unwrap() {
        let found =
            uri(case["uri"].as_str().unwrap()).with_extension(case["extension"].as_str().unwrap());
        assert_eq!(Some(found.to_string()), text(&case["str"]), "{case}");
    }
}

#[test]
fn paths_that_leave_their_root_are_refused() {
    for root in ["/repo", "s3://bucket/repo", "s3://bucket"] {
        let root = ResourcePath::directory(root).unwrap();
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "file:///etc/passwd",
            "s3://x/y",
            "..",
            "",
            ".",
        ] {
            let outcome = root.join_in_store(path);
            assert!(
                matches!(outcome, Err(ResourceError::PathEscapesRoot { .. })),
                "{root} {path:?}: {outcome:?}"
            );
        }
        for path in ["%2E%2E/x", "a/%2e%2E/%2e./x", "%252E%252E/x"] {
            assert!(root.join_in_store(path).is_err(), "{root} {path}");
        }
        assert!(root.join_in_store("a/../b").is_ok());
        assert!(root.join_in_store("..a/b..").is_ok());
    }
    // A sibling whose name merely begins like the root's is outside.
    let root = ResourcePath::directory("/repo").unwrap();
    assert!(root.join_in_store("../repository/x").is_err());
}

#[test]
fn stored_paths_are_not_expanded() {
    let root = ResourcePath::directory("/repo").unwrap();
    assert_eq!(
        root.join_in_store("~/x").unwrap().to_string(),
        "file:///repo/~/x"
    );
    assert_eq!(
        root.join_in_store("$HOME/x").unwrap().to_string(),
        "file:///repo/%24HOME/x"
    );
}

#[test]
fn zip_members_are_fragments() {
    let archive = uri("s3://b/x.zip");
    let member = archive.with_zip_member("a/b#c%.json");
    assert_eq!(member.zip_member().unwrap(), "a/b#c%.json");
    assert_eq!(member.without_fragment(), archive);
    assert_eq!(archive.zip_member(), None);
    let stored = ResourcePath::directory("/r")
        .unwrap()
        .join_in_store("d/x.zip#zip-path=m.json");
    let stored = stored.unwrap();
    assert_eq!(stored.zip_member().unwrap(), "m.json");
    assert_eq!(stored.local_path().unwrap(), Path::new("/r/d/x.zip"));
    assert_eq!(stored.extension(), ".zip");
}

#[test]
fn profiles_and_buckets_are_told_apart() {
    let object = uri("s3://profile@bucket/a%20key/x");
    assert_eq!(object.s3_profile(), Some("profile"));
    assert_eq!(object.s3_bucket(), Some("bucket"));
    assert_eq!(object.s3_key().unwrap(), "a key/x");
    assert_eq!(uri("s3://bucket/x").s3_profile(), None);
    for bad in ["s3:///key", "s3://a@b@c/key", "s3://p@/key", "gopher://x/y"] {
        assert!(ResourcePath::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn transfer_modes_have_names() {
    for mode in TransferMode::ALL {
        assert_eq!(mode.to_string().parse::<TransferMode>().unwrap(), mode);
    }
    let error = "teleport".parse::<TransferMode>().unwrap_err().to_string();
    assert!(
        error.contains("teleport") && error.contains("relsymlink"),
        "{error}"
    );
}

#[tokio::test]
async fn files_are_written_atomically_with_ordinary_permissions() {
    let (dir, resources) = setup();
    let file = local(&dir.path().join("a/b c#d.txt"));
    resources
        .write(&file, Bytes::from_static(b"one"), false)
        .await
        .unwrap();
    assert_eq!(fs::read(dir.path().join("a/b c#d.txt")).unwrap(), b"one");
    assert_eq!(names(&dir.path().join("a")), ["b c#d.txt"]);
    let plain = dir.path().join("plain");
    fs::write(&plain, b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode();
    assert_eq!(mode(&dir.path().join("a/b c#d.txt")), mode(&plain));
    let refused = resources
        .write(&file, Bytes::from_static(b"two"), false)
        .await;
    assert!(matches!(refused, Err(ResourceError::AlreadyExists { .. })));
    resources
        .write(&file, Bytes::from_static(b"three"), true)
        .await
        .unwrap();
    assert_eq!(resources.read(&file).await.unwrap(), "three");
    assert_eq!(resources.read_range(&file, 1..3).await.unwrap(), "hr");
    assert_eq!(resources.size(&file).await.unwrap(), 5);
    resources.delete(&file).await.unwrap();
    assert!(resources.delete(&file).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_write_replaces_a_link_and_spares_its_target() {
    let (dir, resources) = setup();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::write(&target, b"precious").unwrap();
    symlink(&target, &link).unwrap();
    resources
        .write(&local(&link), Bytes::from_static(b"new"), true)
        .await
        .unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert_eq!(fs::read(&link).unwrap(), b"new");
}

#[tokio::test]
async fn a_stream_that_fails_leaves_no_file() {
    let (dir, resources) = setup();
    let failing = futures::stream::iter([
        Ok(Bytes::from_static(b"half")),
        Err(ResourceError::NotFound {
            uri: "the source".to_owned(),
        }),
    ]);
    let file = local(&dir.path().join("file"));
    assert!(
        resources
            .write_stream(&file, failing.boxed(), true)
            .await
            .is_err()
    );
    assert!(names(dir.path()).is_empty());
}

#[tokio::test]
async fn every_mode_brings_a_file_to_its_place() {
    let (dir, resources) = setup();
    for mode in [
        "auto",
        "copy",
        "link",
        "hardlink",
        "symlink",
        "relsymlink",
        "move",
    ] {
        let mode: TransferMode = mode.parse().unwrap();
        let real = dir.path().join(format!("real-{mode}"));
        let source = dir.path().join(format!("source-{mode}"));
        fs::write(&real, b"data").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &source).unwrap();
        let target = dir.path().join(format!("out/{mode}/file"));
        resources
            .transfer(&local(&source), &local(&target), mode, false)
            .await
            .unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"data", "{mode}");
        let found = fs::symlink_metadata(&target).unwrap();
        let same = fs::metadata(&real).is_ok_and(|real| real.ino() == found.ino());
        match mode {
            TransferMode::Auto | TransferMode::Link | TransferMode::Hardlink => assert!(same),
            TransferMode::Symlink => {
                assert_eq!(
                    fs::read_link(&target).unwrap(),
                    real.canonicalize().unwrap()
                );
            }
            TransferMode::RelSymlink => {
                let expected = format!("../../real-{mode}");
                assert_eq!(fs::read_link(&target).unwrap(), Path::new(&expected));
            }
            TransferMode::Move => assert!(!real.exists()),
            _ => {
                assert!(!same && found.is_file());
                assert_eq!(found.mode() & 0o777, 0o640);
            }
        }
        assert_eq!(names(target.parent().unwrap()), ["file"], "{mode}");
    }
}

#[tokio::test]
async fn an_existing_destination_is_replaced_only_on_request() {
    let (dir, resources) = setup();
    let modes = [
        "auto",
        "copy",
        "link",
        "hardlink",
        "symlink",
        "relsymlink",
        "move",
    ];
    for mode in modes.map(|mode| mode.parse::<TransferMode>().unwrap()) {
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        let _ = fs::remove_file(&target);
        fs::write(&source, b"new").unwrap();
        fs::write(&target, b"old").unwrap();
        let (from, to) = (local(&source), local(&target));
        let refused = resources.transfer(&from, &to, mode, false).await;
        assert!(
            matches!(refused, Err(ResourceError::AlreadyExists { .. })),
            "{mode}"
        );
        assert_eq!(fs::read(&target).unwrap(), b"old", "{mode}");
        resources.transfer(&from, &to, mode, true).await.unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new", "{mode}");
        let stray: Vec<_> = names(dir.path())
            .into_iter()
            .filter(|n| n.starts_with(".butler"))
            .collect();
        assert!(stray.is_empty(), "{mode}: {stray:?}");
    }
}

#[tokio::test]
async fn a_transfer_onto_itself_does_nothing() {
    let (dir, resources) = setup();
    let (file, other) = (dir.path().join("file"), dir.path().join("other"));
    fs::write(&file, b"data").unwrap();
    fs::hard_link(&file, &other).unwrap();
    for target in [&file, &other] {
        for overwrite in [false, true] {
            let (from, to) = (local(&file), local(target));
            let done = resources
                .transfer(&from, &to, TransferMode::Move, overwrite)
                .await;
            assert_eq!(done.unwrap(), Transferred::SameFile);
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"data");
}

#[tokio::test]
async fn impossible_transfers_say_why() {
    let (dir, resources) = setup();
    let target = local(&dir.path().join("new/target"));
    let missing = local(&dir.path().join("missing"));
    let copy = resources
        .transfer(&missing, &target, TransferMode::Copy, false)
        .await;
    assert!(copy.unwrap_err().is_not_found());
    assert!(names(dir.path()).is_empty());
    let direct = resources
        .transfer(&missing, &target, TransferMode::Direct, false)
        .await;
    assert!(matches!(
        direct,
        Err(ResourceError::UnsupportedTransfer { .. })
    ));
    let folder = local(dir.path());
    let folder = resources
        .transfer(&folder, &target, TransferMode::Copy, false)
        .await;
    assert!(
        matches!(folder, Err(ResourceError::IsADirectory { .. })),
        "{folder:?}"
    );
    fs::write(dir.path().join("file"), b"").unwrap();
    let below = local(&dir.path().join("file/x"));
    let below = resources.write(&below, Bytes::new(), false).await;
    assert!(
        matches!(below, Err(ResourceError::NotADirectory { .. })),
        "{below:?}"
    );
}

#[tokio::test]
async fn a_forbidden_directory_is_a_permission_error() {
    let (dir, resources) = setup();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    let probe = fs::write(closed.join("probe"), b"");
    let outcome = resources
        .write(&local(&closed.join("x")), Bytes::new(), false)
        .await;
    // The superuser may write anywhere.
    if probe.is_err() {
        assert!(
            matches!(outcome, Err(ResourceError::PermissionDenied { .. })),
            "{outcome:?}"
        );
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn many_transfers_report_each_outcome() {
    let (dir, resources) = setup();
    let pairs: Vec<_> = (0..200)
        .map(|i| {
            if i != 77 {
                fs::write(dir.path().join(format!("in{i}")), format!("{i}")).unwrap();
            }
            (
                local(&dir.path().join(format!("in{i}"))),
                local(&dir.path().join(format!("out/{}/{i}", i % 7))),
            )
        })
        .collect();
    let done = resources
        .transfer_many(&pairs, TransferMode::Copy, false)
        .await;
    for (i, outcome) in done.iter().enumerate() {
        assert_eq!(outcome.is_ok(), i != 77, "{i}: {outcome:?}");
    }
    let targets: Vec<_> = pairs.into_iter().map(|(_, to)| to).collect();
    let found = resources.exists_many(&targets).await;
    let missing: Vec<usize> = found
        .iter()
        .enumerate()
        .filter(|(_, f)| !f.as_ref().unwrap())
        .map(|(i, _)| i)
        .collect();
    assert_eq!(missing, [77]);
    let deleted = resources.delete_many(&targets).await;
    assert_eq!(deleted.iter().filter(|outcome| outcome.is_err()).count(), 1);
}

#[tokio::test]
async fn listing_follows_links_but_not_in_circles() {
    let (dir, resources) = setup();
    fs::create_dir_all(dir.path().join("root/sub")).unwrap();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    fs::write(dir.path().join("root/sub/a"), b"1").unwrap();
    fs::write(dir.path().join("elsewhere/b"), b"22").unwrap();
    symlink(dir.path().join("elsewhere"), dir.path().join("root/link")).unwrap();
    symlink(dir.path().join("root"), dir.path().join("root/sub/circle")).unwrap();
    symlink("/nonexistent", dir.path().join("root/dangling")).unwrap();
    let root = ResourcePath::from_local_directory(&dir.path().join("root")).unwrap();
    let found: Vec<_> = resources.list(&root).try_collect().await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|info| (info.uri.relative_to(&root).unwrap(), info.size))
        .collect();
    assert_eq!(found, [("link/b".to_owned(), 2), ("sub/a".to_owned(), 1)]);
    let none = ResourcePath::from_local_directory(&dir.path().join("none")).unwrap();
    assert_eq!(resources.list(&none).count().await, 0);
}

#[tokio::test]
async fn memory_behaves_like_the_others() {
    let (dir, resources) = setup();
    let object = uri("mem://test/a/b.txt");
    resources
        .write(&object, Bytes::from_static(b"12345"), false)
        .await
        .unwrap();
    assert!(resources.write(&object, Bytes::new(), false).await.is_err());
    assert_eq!(resources.read_range(&object, 1..3).await.unwrap(), "23");
    let beyond = resources.read_range(&object, 3..9).await;
    assert!(matches!(beyond, Err(ResourceError::Truncated { .. })));
    let file = local(&dir.path().join("x"));
    resources
        .transfer(&object, &file, TransferMode::Move, false)
        .await
        .unwrap();
    assert_eq!(resources.read(&file).await.unwrap(), "12345");
    assert!(!resources.exists(&object).await.unwrap());
}

#[tokio::test]
async fn checksums_agree_with_hashlib() {
    let (dir, resources) = setup();
    let file = local(&dir.path().join("x"));
    resources
        .write(&file, Bytes::from_static(b"butler"), false)
        .await
        .unwrap();
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/checksums.json")).unwrap();
    for algorithm in ChecksumAlgorithm::ALL {
        let found = resources.checksum(&file, algorithm).await.unwrap();
        assert_eq!(
            found,
            expected[algorithm.as_str()].as_str().unwrap(),
            "{algorithm}"
        );
    }
    let error = "crc32"
        .parse::<ChecksumAlgorithm>()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("crc32") && error.contains("blake2b"),
        "{error}"
    );
}

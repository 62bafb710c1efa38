//! Making and opening repositories.

use butler_core::error::Error;
use butler_direct::ops::create::CreateOptions;
use butler_direct::{DirectButler, OpenOptions};

use crate::repos::Place;

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

//! Storing datasets, and removing them.

use std::time::Duration;

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::DataIdValue;
use butler_core::error::Error;
use butler_core::progress::NoProgress;
use butler_core::registry::RegistryWriter;
use butler_direct::ops::prune::Prune;
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::assert_same;
use serde_json::json;

use super::{data_id, files_below, with_documents};
use crate::repos::{Place, timeless};

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
    for _ in 0..600 {
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
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
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

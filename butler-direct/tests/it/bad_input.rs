//! Mistakes and accidents are told in specific errors that say what and where; they leave the
//! repository as it was, and once they are mended, the same works.

use std::path::PathBuf;
use std::time::Duration;

use butler_core::collections::{CollectionType, CollectionWildcard};
use butler_core::datasets::{DatasetRef, FileDataset};
use butler_core::dimensions::DataIdValue;
use butler_core::error::{Error, Result};
use butler_core::progress::NoProgress;
use butler_core::registry::{CollectionQuery, Registry, RegistryWriter};
use butler_direct::DirectButler;
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::import::ImportOptions;
use butler_direct::ops::prune::Prune;
use butler_direct::resource::{ResourcePath, TransferMode};
use serde_json::json;
use sqlx::Connection as _;

use crate::operations::fixture::{Place, RUN, darks, images, register};
use crate::registry::fixture::hours;

type DataId = Vec<(&'static str, DataIdValue)>;

/// The data ID of the first image.
fn first() -> DataId {
    vec![
        ("instrument", "Cam1".into()),
        ("exposure", 1.into()),
        ("detector", 1.into()),
    ]
}

/// The same with all implied values.
fn full(physical_filter: &str) -> DataId {
    let mut data_id = first();
    data_id.extend([
        ("physical_filter", physical_filter.into()),
        ("band", "g".into()),
        ("day_obs", 20_200_101.into()),
        ("group", "group1".into()),
    ]);
    data_id
}

fn put<'b>(
    butler: &'b DirectButler,
    data_id: DataId,
    run: &'b str,
) -> impl Future<Output = Result<DatasetRef>> + 'b {
    butler.put(json!({"a": 1}), "image", data_id, Some(run))
}

/// Asserts that an error is of a variant, and that its message has all these words.
macro_rules! assert_error {
    ($error:expr, $variant:pat, $($word:expr),+) => {{
        let error: Error = $error;
        assert!(matches!(error, $variant), "{error:?}");
        let text = error.to_string();
        for word in [$($word.to_string()),+] {
            assert!(text.contains(&word), "'{word}' is not in: {text}");
        }
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn data_ids_that_do_not_suit() {
    for place in Place::both() {
        let (butler, _) = place.with_datasets().await;
        register(&butler, "new", CollectionType::Run).await;
        let before = place.state(&butler).await;
        let with = |name: &'static str, value: DataIdValue| {
            let mut data_id = first();
            data_id.retain(|(known, _)| *known != name);
            data_id.push((name, value));
            put(&butler, data_id, "new")
        };
        let error = with("colour", "red".into()).await.unwrap_err();
        assert_error!(error, Error::DimensionName(_), "colour");
        let error = put(&butler, full("Cam1-R2"), "new").await.unwrap_err();
        assert_error!(
            error,
            Error::InconsistentDataId(_),
            "physical_filter=Cam1-R2",
            "Cam1-G"
        );
        let error = with("detector", 99.into()).await.unwrap_err();
        assert_error!(error, Error::DataIdValue(_), "detector", "99");
        let error = put(&butler, first()[..2].to_vec(), "new").await;
        assert_error!(error.unwrap_err(), Error::DimensionName(_), "detector");
        before.assert_unchanged(&place.state(&butler).await, "bad data IDs");
        let dataset = put(&butler, full("Cam1-G"), "new").await.unwrap();
        assert_eq!(butler.get_json(&dataset).await.unwrap(), json!({"a": 1}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_that_are_not_there_or_of_another_type() {
    for place in Place::both() {
        let (butler, refs) = place.with_datasets().await;
        register(&butler, "tag", CollectionType::Tagged).await;
        let before = place.state(&butler).await;
        let error = put(&butler, first(), "nowhere").await.unwrap_err();
        assert_error!(error, Error::MissingCollection(_), "nowhere");
        let error = put(&butler, first(), "tag").await.unwrap_err();
        assert_error!(error, Error::CollectionType(_), "tag", "TAGGED", "RUN");
        let registry = butler.registry();
        let error = registry.associate(RUN, &refs).await.unwrap_err();
        assert_error!(error, Error::CollectionType(_), RUN, "TAGGED");
        let error = registry.associate("nowhere", &refs).await.unwrap_err();
        assert_error!(error, Error::MissingCollection(_), "nowhere");
        let error = registry
            .certify("tag", &refs[12..], hours(None, None))
            .await;
        assert_error!(
            error.unwrap_err(),
            Error::CollectionType(_),
            "tag",
            "CALIBRATION"
        );
        let runs = ["tag".to_owned()];
        let error = butler.remove_runs(&runs, false, &NoProgress).await;
        assert_error!(
            error.unwrap_err(),
            Error::CollectionType(_),
            "tag",
            "TAGGED"
        );
        before.assert_unchanged(&place.state(&butler).await, "unsuitable collections");
        registry.associate("tag", &refs).await.unwrap();
        register(&butler, "nowhere", CollectionType::Run).await;
        put(&butler, first(), "nowhere").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_and_validity_ranges_that_are_there_already() {
    for place in Place::both() {
        let (butler, refs) = place.with_datasets().await;
        let registry = butler.registry();
        register(&butler, "calib", CollectionType::Calibration).await;
        let darks = &refs[12..];
        let noon = hours(Some(0), Some(12));
        registry.certify("calib", darks, noon).await.unwrap();
        let before = place.state(&butler).await;
        let error = put(&butler, first(), RUN).await.unwrap_err();
        assert_error!(error, Error::ConflictingDefinition(_), "image", RUN);
        let error = butler.put_ref(json!({}), &refs[0]).await.unwrap_err();
        assert_error!(error, Error::ConflictingDefinition(_), refs[0].id());
        let late = hours(Some(11), Some(13));
        let error = registry.certify("calib", darks, late).await.unwrap_err();
        assert_error!(error, Error::ConflictingDefinition(_), "calib", "dark");
        before.assert_unchanged(&place.state(&butler).await, "conflicts");
        let purge = Prune::Purge;
        butler
            .prune_datasets(&refs[..1], &purge, &NoProgress)
            .await
            .unwrap();
        put(&butler, first(), RUN).await.unwrap();
        let evening = hours(Some(12), Some(13));
        registry.certify("calib", darks, evening).await.unwrap();
    }
}

/// The file of a dataset.
async fn file_of(butler: &DirectButler, dataset: &DatasetRef) -> PathBuf {
    let uri = butler.uris(dataset).await.unwrap().primary.unwrap();
    ResourcePath::new(&uri).unwrap().local_path().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_out_of_the_root() {
    for place in Place::both() {
        let (butler, refs) = place.with_datasets().await;
        let other = images(&butler, "other").remove(0);
        let outside = place.outside().join("outside.yaml");
        std::fs::write(&outside, "number: 100\n").unwrap();
        let ingest = |path: &str| {
            let file = FileDataset {
                path: path.to_owned(),
                refs: vec![other.clone()],
                formatter: None,
            };
            butler.ingest(vec![file], IngestOptions::new(None), false, &NoProgress)
        };
        let before = place.state(&butler).await;
        let error = ingest("../outside.yaml").await.unwrap_err();
        assert_error!(error, Error::PathEscapesRoot { .. }, "../outside.yaml");
        let error = ingest(outside.to_str().unwrap()).await.unwrap_err();
        assert_error!(error, Error::InvalidArgument(_), "outside.yaml", "in place");
        before.assert_unchanged(&place.state(&butler).await, "paths out of the root");
        std::fs::rename(&outside, place.root().join("inside.yaml")).unwrap();
        ingest("inside.yaml").await.unwrap();
        let found = butler.get_json(&other).await.unwrap();
        assert_eq!(found, json!({"number": 100}));

        // The same in a record that somebody has tampered with.
        let table = butler.registry().database().table("file_datastore_records");
        let dataset = &refs[0];
        let set = |path: String| {
            let id = match place.schema() {
                Some(_) => dataset.id().to_string(),
                None => dataset.id().simple().to_string(),
            };
            let sql = format!("UPDATE {table} SET path = '{path}' WHERE dataset_id = '{id}'");
            run_sql(&butler, sql)
        };
        let path = file_of(&butler, dataset).await;
        let path = path.strip_prefix(place.root()).unwrap().to_str().unwrap();
        set("../../etc/passwd".to_owned()).await;
        let error = butler.get_json(dataset).await.unwrap_err();
        assert_error!(error, Error::PathEscapesRoot { .. }, "../../etc/passwd");
        set(path.to_owned()).await;
        butler.get_json(dataset).await.unwrap();
    }
}

/// Runs a statement, which must change one row, behind the library's back.
async fn run_sql(butler: &DirectButler, sql: String) {
    let mut session = butler.registry().database().begin().await.unwrap();
    assert_eq!(session.execute(&sql, &[]).await.unwrap(), 1, "{sql}");
    session.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_corrupt() {
    for place in Place::both() {
        let (butler, _) = place.with_datasets().await;
        let table = butler.registry().database().table("collection");
        let set = |kind: i64| {
            let sql = format!("UPDATE {table} SET type = {kind} WHERE name = '{RUN}'");
            run_sql(&butler, sql)
        };
        set(99).await;
        let before = place.state(&butler).await;
        let query = CollectionQuery::new(CollectionWildcard::from_names([RUN.to_owned()]));
        let error = butler.registry().collections(&query).await.unwrap_err();
        assert_error!(error, Error::CorruptRecord { .. }, RUN, "99");
        let error = put(&butler, first(), RUN).await.unwrap_err();
        assert_error!(error, Error::CorruptRecord { .. }, RUN, "99");
        before.assert_unchanged(&place.state(&butler).await, "a corrupt record");
        set(1).await;
        assert_eq!(
            butler.registry().collections(&query).await.unwrap().len(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_truncated_gone_or_unreadable() {
    let place = Place::sqlite();
    let (butler, refs) = place.with_datasets().await;
    let file = file_of(&butler, &refs[0]).await;
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let content = std::fs::read(&file).unwrap();
    std::fs::write(&file, &content[..5]).unwrap();
    let error = butler.get_json(&refs[0]).await.unwrap_err();
    assert_error!(error, Error::FileIntegrity { .. }, name, content.len(), 5);
    // As long as it should be, but not YAML.
    std::fs::write(&file, vec![b'{'; content.len()]).unwrap();
    let error = butler.get_json(&refs[0]).await.unwrap_err();
    assert_error!(error, Error::CorruptRecord { .. }, name, "line 1");
    std::fs::remove_file(&file).unwrap();
    let error = butler.get_json(&refs[0]).await.unwrap_err();
    assert_error!(error, Error::FileNotFound(_), name);
    std::fs::write(&file, content).unwrap();
    assert_eq!(butler.get_json(&refs[0]).await.unwrap()["number"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn export_files_that_cannot_be_read() {
    for place in Place::both() {
        let butler = place.create().await;
        let options = ImportOptions::default();
        let import = |text: String| {
            let (butler, options) = (butler.clone(), options.clone());
            async move { butler.import_text(&text, &options, &NoProgress).await }
        };
        let good = "description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- type: dimension
  element: instrument
  records:
  - {name: Cam1}
- type: collection
  collection_type: RUN
  name: a/run
";
        let before = place.state(&butler).await;
        let error = import(good.replace("{name: Cam1}", "{name: [Cam1")).await;
        assert_error!(
            error.unwrap_err(),
            Error::CorruptRecord { .. },
            "export file",
            "line"
        );
        let error = import(good.replace("{name", "{title")).await.unwrap_err();
        assert_error!(
            error,
            Error::CorruptRecord { .. } | Error::InvalidArgument(_),
            "title"
        );
        let error = import(good.replace("collection_type: RUN", "collection_type: BAG")).await;
        let error = error.unwrap_err();
        assert_error!(
            error,
            Error::CorruptRecord { .. } | Error::InvalidArgument(_),
            "BAG"
        );
        let error = import(good.replace("1.0.2", "7.0.0")).await.unwrap_err();
        assert_error!(error, Error::UnsupportedVersion { .. }, "7.0.0");
        before.assert_unchanged(&place.state(&butler).await, "files that cannot be read");
        import(good.to_owned()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_in_the_middle() {
    let place = Place::postgres();
    let butler = place.with_records().await;
    let mut refs = images(&butler, RUN);
    refs.extend(darks(&butler, RUN));
    let files = place.files(&refs);
    let before = place.state(&butler).await;
    let schema = place.schema().unwrap();
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let mut other = sqlx::PgConnection::connect(schema.url()).await.unwrap();
    // The write gets stuck at the datastore's records, when all but them is written.
    let table = format!("{}.dataset_location", schema.name());
    let lock = format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE");
    run(lock).execute(&mut other).await.unwrap();
    let ingest = |butler: DirectButler| {
        let files = files.clone();
        async move {
            let copy = IngestOptions::new(Some(TransferMode::Copy));
            butler.ingest(files, copy, false, &NoProgress).await
        }
    };
    let writer = tokio::spawn(ingest(butler.clone()));
    let mut killer = sqlx::PgConnection::connect(schema.url()).await.unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
          WHERE NOT granted AND relation = '{table}'::regclass"
    );
    let killing = async {
        while !writer.is_finished() {
            run(kill.clone()).execute(&mut killer).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), killing)
        .await
        .unwrap();
    assert_error!(
        writer.await.unwrap().unwrap_err(),
        Error::Unavailable { .. },
        "dataset_location",
        "connection to the database was lost"
    );
    run("ROLLBACK".to_owned())
        .execute(&mut other)
        .await
        .unwrap();
    before.assert_unchanged(&place.state(&butler).await, "a lost connection");
    assert_eq!(ingest(butler.clone()).await.unwrap(), refs.len());
    let found = butler.get_json(refs.last().unwrap()).await.unwrap();
    assert_eq!(found["number"], 15);
}

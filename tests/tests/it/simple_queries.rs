//! The queries of one call have the same answers as those of the reference, cost as many statements
//! as they must, and end when nobody waits for them.

use std::sync::Arc;
use std::time::Duration;

use butler_core::butler::{Butler, ButlerDefaults, DefaultsOptions};
use butler_core::error::{Error, Result};
use butler_core::query::{QuerySource, ResultLimit, ResultPage, SimpleQuery};
use butler_direct::{DirectButler, OpenOptions};
use butler_tests::canonical::differences;
use butler_tests::python::Script;
use futures::StreamExt;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::queries::{error_name, rows};
use crate::repos::Place;
use crate::values::texts;

pub(crate) async fn answer(butler: &Butler, question: &Value) -> Result<Vec<Value>> {
    let mut options = SimpleQuery::new(question["where"].as_str().unwrap_or_default());
    if let Some(order_by) = question.get("order_by") {
        let terms = texts(order_by);
        options = options.order_by(terms.iter().map(String::as_str));
    }
    if let Some(limit) = question.get("limit") {
        options = options.limit(ResultLimit::from(limit.as_i64()));
    }
    options.with_dimension_records = question["records"] == true;
    options.find_first = question["find_first"] != false;
    let collections = question.get("collections").map(texts);
    let collections = collections.as_deref();
    let of = &question["of"];
    Ok(match question["method"].as_str().unwrap() {
        "query_datasets" => {
            let of = of.as_str().unwrap();
            let found = butler.query_datasets(of, collections, &options).await?;
            rows(&ResultPage::DatasetRefs(found))
        }
        "query_all_datasets" => {
            let names = texts(of);
            let found = butler.query_all_datasets(&names, collections, &options);
            rows(&ResultPage::DatasetRefs(found.await?))
        }
        "query_data_ids" => {
            let found = butler.query_data_ids(texts(of), &options).await?;
            rows(&ResultPage::DataCoordinates(found))
        }
        _ => {
            let of = of.as_str().unwrap();
            let found = butler.query_dimension_records(of, &options).await?;
            rows(&ResultPage::DimensionRecords(found))
        }
    })
}

pub(crate) fn questions() -> Value {
    let datasets = |of: &str, collections: &[&str], condition: &str| {
        json!({
            "method": "query_datasets", "of": of, "collections": collections, "where": condition,
        })
    };
    let data_ids = |of: &[&str], condition: &str| json!({"method": "query_data_ids", "of": of, "where": condition});
    let records = |of: &str, condition: &str| json!({"method": "query_dimension_records", "of": of, "where": condition});
    let with = |mut question: Value, more: Value| {
        let more = more.as_object().unwrap().clone();
        question.as_object_mut().unwrap().extend(more);
        question
    };
    json!([
        datasets("bias", &["imported_g", "imported_r"], "instrument = 'Cam1'"),
        datasets("bias", &["chain"], "instrument = 'Cam1' AND detector IN (1, 3..9:2)"),
        with(
            datasets("bias", &["chain"], "instrument = 'Cam1'"),
            json!({"order_by": ["-detector"], "limit": 3, "records": true}),
        ),
        with(
            datasets("bias", &["imported*"], "instrument = 'Cam1'"),
            json!({"find_first": false, "order_by": ["detector", "bias.run"]}),
        ),
        datasets("bias", &["imported*"], "instrument = 'Cam1'"),
        datasets("flat", &["chain"], "instrument = 'Cam1' AND band = 'r' AND detector.raft != 'A'"),
        datasets("flat", &["imported_r"], "instrument='Cam1' AND physical_filter IN ('Cam1-R1')"),
        datasets("flat", &["calibs"], "instrument = 'Cam1' AND detector = 2"),
        datasets("flat", &["imported_r"], "instrument = 'Cam1' AND (band = 'g' OR detector > 3)"),
        datasets("flat", &["imported_r"], "instrument = 'HSC'"),
        datasets("flat", &["nowhere"], ""),
        datasets("nothing", &["imported_r"], ""),
        datasets("flat", &["imported_r"], "detector = 2"),
        datasets("flat", &["imported_r"], "instrument = 'Cam1' AND visit = "),
        datasets("flat", &["imported_r"], "instrument = 'Cam1' AND flat.ingest_date > T'1999-01-01'"),
        datasets("calexp", &["HSC/runs/ci_hsc/20240806T180642Z"], "instrument = 'HSC' AND visit > 903334"),
        datasets(
            "calexp",
            &["HSC/runs/ci_hsc/20240806T180642Z"],
            "instrument = 'HSC' AND skymap = 'discrete/ci_hsc' AND tract = 0 AND patch = 69",
        ),
        datasets(
            "calexp",
            &["HSC/runs/ci_hsc/20240806T180642Z"],
            "instrument = 'HSC' AND visit_detector_region.region OVERLAPS POINT(320.8, -0.3)",
        ),
        data_ids(&["visit", "detector"], "instrument = 'Cam1' AND visit.exposure_time > 10"),
        data_ids(&["visit"], "instrument = 'HSC' AND visit.timespan OVERLAPS (T'2013-06-17', T'2013-06-18')"),
        data_ids(&["visit", "tract"], "instrument = 'Cam1' AND skymap = 'SkyMap1'"),
        data_ids(&["patch"], "skymap = 'SkyMap1' AND patch.cell_x = 1"),
        data_ids(&["patch"], "skymap = 'SkyMap1' AND NOT (tract = 0 OR patch IN (1, 2))"),
        data_ids(&["exposure"], "instrument = 'HSC' AND exposure.observation_type = 'science'"),
        data_ids(&["exposure"], "instrument = 'HSC' AND exposure.begin > T'2013-06-17T13:00:00'"),
        data_ids(&["band"], "instrument = 'Cam1'"),
        data_ids(&["nothing"], ""),
        with(data_ids(&["visit"], "instrument = 'HSC'"), json!({"records": true})),
        with(data_ids(&["visit"], "instrument = 'HSC'"), json!({"order_by": ["timespan.begin", "visit"]})),
        with(data_ids(&["visit"], "instrument = 'HSC'"), json!({"order_by": ["nothing"]})),
        records("detector", "instrument = 'HSC' AND detector.full_name GLOB '1_5*'"),
        records("detector", "instrument = 'HSC' AND detector.full_name > 'b'"),
        records("visit", "instrument = 'HSC' AND visit.zenith_angle < 40"),
        records("htm7", "htm7 = 231819"),
        records("physical_filter", "band IN ('r', 'i') AND instrument = 'HSC'"),
        with(records("detector", "instrument = 'Cam1'"), json!({"limit": 2, "order_by": ["-full_name"]})),
        {"method": "query_all_datasets", "of": ["*"], "collections": ["imported_g", "chain"],
         "where": "instrument = 'Cam1'"},
        {"method": "query_all_datasets", "of": ["b*", "flat"], "collections": ["imported_*"],
         "find_first": false, "where": "instrument = 'Cam1' AND detector < 3"},
        {"method": "query_all_datasets", "of": ["*"], "collections": ["calibs"], "find_first": false},
        {"method": "query_all_datasets", "of": ["nothing*"], "collections": ["chain"]},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_queries_have_the_same_answers() {
    for place in Place::both() {
        place.create_by_reference(&[]);
        let questions = questions();
        let expected = Script::new("simple_queries.py")
            .arg(place.root())
            .input(&questions)
            .run();
        let butler = place.open().await;
        let mut wrong = Vec::new();
        let expected = expected["answers"].as_array().unwrap();
        for (question, expected) in questions.as_array().unwrap().iter().zip(expected) {
            match (
                answer(&butler.reader(), question).await,
                expected.get("rows"),
            ) {
                (Ok(found), Some(rows)) => {
                    // The order of lists counts below "value" only.
                    let key = match question.get("order_by") {
                        Some(_) => "value",
                        None => "rows",
                    };
                    let found = differences(&json!({key: rows}), &json!({key: found}));
                    if !found.is_empty() {
                        wrong.push(format!("{question}: {found:?}"));
                    }
                }
                (Err(error), None)
                    if error_name(&error) == *expected["error"].as_str().unwrap() => {}
                // An unknown dimension is a mere KeyError there.
                (Err(Error::DimensionName(_)), None) if expected["error"] == "KeyError" => {}
                (found, _) => wrong.push(format!(
                    "{question}: not {expected}, but {}",
                    format!("{found:?}").chars().take(500).collect::<String>()
                )),
            }
        }
        butler.close().await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The number of statements that a query runs.
async fn statements(butler: &DirectButler, question: Value) -> u64 {
    let before = butler.registry().database().statement_count();
    answer(&butler.reader(), &question).await.unwrap();
    butler.registry().database().statement_count() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_cost_as_many_statements_as_documented() {
    for place in Place::both() {
        place.create_by_reference(&["--data", "base.yaml,datasets.yaml"]);
        let butler = place.open().await;
        let data_ids =
            json!({"method": "query_data_ids", "of": ["detector"], "where": "instrument = 'Cam1'"});
        assert_eq!(statements(&butler, data_ids.clone()).await, 1);
        let mut unlimited = data_ids.clone();
        unlimited["limit"] = Value::Null;
        assert_eq!(statements(&butler, unlimited).await, 1);
        let datasets = json!({
            "method": "query_datasets", "of": "bias", "collections": ["chain"],
            "where": "instrument = 'Cam1'",
        });
        // What the dataset type is is remembered.
        statements(&butler, datasets.clone()).await;
        assert_eq!(statements(&butler, datasets.clone()).await, 2);
        let mut unlimited = datasets.clone();
        unlimited["limit"] = Value::Null;
        assert_eq!(statements(&butler, unlimited).await, 2);
        let mut records = datasets.clone();
        records["records"] = true.into();
        // Those of instruments and detectors are fetched beforehand.
        assert_eq!(statements(&butler, records).await, 4);
        butler.close().await;
    }
}

/// The number of statements that wait for a lock on the table of visits.
async fn waiting(connection: &mut PgConnection, schema: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%visit%'",
    )
    .bind(schema)
    .fetch_one(connection)
    .await
    .unwrap()
}

async fn until(connection: &mut PgConnection, schema: &str, wanted: i64) {
    let came = async {
        while waiting(connection, schema).await != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(60), came).await;
    came.unwrap_or_else(|_| panic!("not {wanted} statements wait after a minute"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_queries_are_cancelled_on_the_server() {
    let place = Place::postgres();
    place.create_by_reference(&["--data", "base.yaml"]);
    let butler = place.open().await;
    let schema = place.schema().unwrap().name().to_owned();
    let options: PgConnectOptions = butler_tests::postgres::url().parse().unwrap();
    let mut holder = options.connect().await.unwrap();
    let mut observer = options.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "BEGIN; LOCK TABLE \"{schema}\".visit IN ACCESS EXCLUSIVE MODE"
    )))
    .execute(&mut holder)
    .await
    .unwrap();
    let defaults = ButlerDefaults::resolve(butler.registry(), DefaultsOptions::default());
    let defaults = Arc::new(defaults.await.unwrap());
    let query = butler_core::query::Query::new(butler.registry().query_driver(&defaults));
    let results = query.dimension_records("visit").unwrap();

    // A stream of which nothing has come yet, and which is dropped with who waits for it.
    let mut pages = results.pages();
    let reading = tokio::spawn(async move { pages.next().await.is_some() });
    until(&mut observer, &schema, 1).await;
    reading.abort();
    until(&mut observer, &schema, 0).await;

    // Something that is waited for, until it is not.
    let counting = tokio::spawn(async move { results.count(true, true).await });
    until(&mut observer, &schema, 1).await;
    counting.abort();
    until(&mut observer, &schema, 0).await;

    holder.close().await.unwrap();
    let found = answer(
        &butler.reader(),
        &json!({"method": "query_dimension_records", "of": "visit"}),
    )
    .await;
    assert!(matches!(found, Err(Error::EmptyQueryResult(_))));
    butler.close().await;
}

/// The process of the server behind the only connection, once it is back or closed.
async fn only_process(butler: &DirectButler) -> i32 {
    let database = butler.registry().database();
    let back = async {
        while let (open, idle) = database.pool_usage()
            && open != idle
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back)
        .await
        .unwrap();
    let session = database.read().await.unwrap();
    session.server_process().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_have_enough_rows_give_their_connection_back() {
    let place = Place::postgres();
    place.create_by_reference(&["--data", "base.yaml,spatial.yaml"]);
    let options = OpenOptions {
        max_connections: 1,
        ..OpenOptions::default()
    };
    let root = place.root();
    let butler = DirectButler::open(root.to_str().unwrap(), options)
        .await
        .unwrap();
    let question = json!({
        "method": "query_data_ids", "of": ["visit", "tract"], "limit": 1,
        "where": "instrument = 'Cam1' AND skymap = 'SkyMap1'",
    });
    // A busy machine may not be in time, but hardly every time.
    let mut kept = false;
    for _ in 0..20 {
        let before = only_process(&butler).await;
        // Rows are dropped after they have come, so that the statement itself has no limit.
        let found = answer(&butler.reader(), &question).await.unwrap();
        assert_eq!(found.len(), 1);
        kept |= only_process(&butler).await == before;
    }
    assert!(kept, "each query closed its connection");
    butler.close().await;
}

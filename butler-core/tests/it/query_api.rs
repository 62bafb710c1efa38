//! The fluent interface to queries, and the simple forms.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use butler_core::datasets::DatasetType;
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::query::{
    ColumnExpression, ComparisonOperator, DatasetField, GeneralColumns, OrderBy, Predicate, Query,
    ResultLimit, SimpleQuery, Where,
};
use butler_core::{Error, Result};
use futures::executor::block_on;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::query_fake::{FakeDriver, ROWS, universe};
use crate::support::fixture;

fn query() -> Query {
    FakeDriver::new().query().1
}

fn names(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn invalid<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::InvalidQuery(message)) => message,
        other => panic!("not an invalid query: {other:?}"),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A query or its results, while the steps of a row of the fixture are performed.
enum Subject {
    Query(Query),
    DataIds(butler_core::query::DataIds),
    Datasets(butler_core::query::Datasets),
    Records(butler_core::query::DimensionRecords),
    General(butler_core::query::GeneralRows),
}

fn condition(expression: &Value, data_id: &Value) -> Where {
    let values = data_id.as_object().unwrap().iter();
    values.fold(
        Where::expression(expression.as_str().unwrap()),
        |found, (name, value)| {
            let value: DataIdValue = serde_json::from_value(value.clone()).unwrap();
            found.value(name, value)
        },
    )
}

fn general_columns(step: &[Value]) -> GeneralColumns {
    let named = texts(&step[2]).unwrap().into_iter();
    let mut columns = named.fold(GeneralColumns::new(), GeneralColumns::name);
    for (element, fields) in step[3].as_object().unwrap() {
        for field in texts(fields).unwrap() {
            columns = columns.dimension_field(element, field);
        }
    }
    for (dataset_type, fields) in step[4].as_object().unwrap() {
        for field in texts(fields).unwrap() {
            let field = DatasetField::from_name(&field).unwrap();
            columns = columns.dataset_field(dataset_type.as_str(), field);
        }
    }
    columns
}

macro_rules! refine {
    ($results:expr, $step:expr, $kind:ident, $records:expr) => {
        Ok(Subject::$kind(match $step[0].as_str().unwrap() {
            "where" => $results.where_(condition(&$step[1], &$step[2]))?,
            "order_by" => $results.order_by(texts(&$step[1]).unwrap())?,
            "limit" => $results.limit($step[1].as_u64()),
            "with_dimension_records" => $records($results),
            other => panic!("unknown step {other}"),
        }))
    };
}

async fn perform(subject: Subject, step: &[Value]) -> Result<Subject> {
    let query = match subject {
        Subject::Query(query) => query,
        Subject::DataIds(results) => {
            return refine!(results, step, DataIds, |r: butler_core::query::DataIds| {
                r.with_dimension_records()
            });
        }
        Subject::Datasets(results) => {
            return refine!(
                results,
                step,
                Datasets,
                |r: butler_core::query::Datasets| { r.with_dimension_records() }
            );
        }
        Subject::Records(results) => return refine!(results, step, Records, |r| r),
        Subject::General(results) => {
            return refine!(
                results,
                step,
                General,
                |r: butler_core::query::GeneralRows| { r.with_dimension_records() }
            );
        }
    };
    Ok(match step[0].as_str().unwrap() {
        "join_dimensions" => Subject::Query(query.join_dimensions(texts(&step[1]).unwrap())?),
        "join_dataset_search" => {
            let collections = texts(&step[2]);
            let name = step[1].as_str().unwrap();
            Subject::Query(
                query
                    .join_dataset_search(name, collections.as_deref())
                    .await?,
            )
        }
        "where" => Subject::Query(query.where_(condition(&step[1], &step[2]))?),
        "materialize" => {
            let (dimensions, datasets) = (texts(&step[1]), texts(&step[2]));
            let dimensions: Option<Vec<&str>> = dimensions
                .as_ref()
                .map(|d| d.iter().map(String::as_str).collect());
            let datasets: Option<Vec<&str>> = datasets
                .as_ref()
                .map(|d| d.iter().map(String::as_str).collect());
            Subject::Query(
                query
                    .materialize(dimensions.as_deref(), datasets.as_deref())
                    .await?,
            )
        }
        "data_ids" => Subject::DataIds(match texts(&step[1]) {
            None => query.data_ids()?,
            Some(dimensions) => query.data_ids_of(dimensions)?,
        }),
        "datasets" => {
            let collections = texts(&step[2]);
            let name = step[1].as_str().unwrap();
            let find_first = step[3] == true;
            Subject::Datasets(
                query
                    .datasets_with(name, collections.as_deref(), find_first)
                    .await?,
            )
        }
        "dimension_records" => {
            Subject::Records(query.dimension_records(step[1].as_str().unwrap())?)
        }
        "general" => Subject::General(query.general(
            texts(&step[1]).unwrap(),
            general_columns(step),
            step[5].as_bool(),
        )?),
        other => panic!("unknown step {other}"),
    })
}

async fn perform_all(steps: &[Value]) -> Result<(Value, Value)> {
    let mut subject = Subject::Query(query());
    for step in steps {
        subject = perform(subject, step.as_array().unwrap()).await?;
    }
    let (tree, spec) = match &subject {
        Subject::Query(_) => panic!("no results were asked for"),
        Subject::DataIds(results) => (results.tree(), results.spec()),
        Subject::Datasets(results) => (results.tree(), results.spec()),
        Subject::Records(results) => (results.tree(), results.spec()),
        Subject::General(results) => (results.tree(), results.spec()),
    };
    Ok((tree.to_json()?, spec.to_json()?))
}

#[test]
fn calls_make_the_trees_and_errors_that_they_make_in_the_reference() {
    for row in fixture("query_api.json") {
        let steps = &row["steps"];
        match (
            block_on(perform_all(steps.as_array().unwrap())),
            row["error"].as_str(),
        ) {
            (Ok((tree, spec)), None) => {
                assert_eq!(tree, row["tree"], "{steps}");
                assert_eq!(spec, row["spec"], "{steps}");
            }
            (Ok(_), Some(error)) => panic!("{error} in Python, but no error here: {steps}"),
            (Err(error), None) => panic!("{error}: {steps}"),
            (Err(error), Some(expected)) => {
                let fits = match expected {
                    "MissingDatasetTypeError" => matches!(error, Error::MissingDatasetType(_)),
                    "InvalidQueryError" | "TypeError" => matches!(error, Error::InvalidQuery(_)),
                    _ => matches!(error, Error::DimensionName(_)),
                };
                assert!(fits, "{expected} in Python, {error:?} here: {steps}");
            }
        }
    }
}

#[test]
fn conditions_of_all_forms_are_combined() {
    let visit = ColumnExpression::dimension_key(universe().dimension("visit").unwrap()).unwrap();
    let predicate = Predicate::compare(visit, ComparisonOperator::Less, 9.into()).unwrap();
    let data_id =
        DataCoordinate::standardize(universe(), [("instrument", "HSC")], None, None).unwrap();
    let condition = Where::expression("detector IN (ds) OR visit = :v")
        .bind("v", 5)
        .bind("ds", vec![1, 2])
        .and_predicate(predicate)
        .and_data_id(&data_id)
        .value("visit", 7);
    let query = query().where_(condition).unwrap();
    assert_eq!(
        query.tree().predicate().to_string(),
        "(detector IN [1, 2] OR visit == 5) AND visit < 9 AND instrument == 'HSC' AND visit == 7"
    );
    assert!(query.dimensions().contains("detector"));
}

#[test]
fn values_of_data_ids_must_be_of_their_dimensions_types() {
    let error = query().where_(Where::new().value("vizit", 5)).unwrap_err();
    assert!(matches!(error, Error::DimensionName(_)), "{error:?}");
    invalid(query().where_(Where::new().value("visit", "five")));
}

#[test]
fn a_dataset_type_is_searched_in_one_list_of_collections() {
    block_on(async {
        let (a, b) = (names(&["a"]), names(&["b"]));
        let joined = query().join_dataset_search("raw", Some(&a)).await.unwrap();
        joined
            .clone()
            .join_dataset_search("raw", None)
            .await
            .unwrap();
        joined
            .clone()
            .join_dataset_search("raw", Some(&a))
            .await
            .unwrap();
        let message = invalid(joined.clone().join_dataset_search("raw", Some(&b)).await);
        assert!(message.contains("previously [a], now [b]"), "{message}");
        invalid(joined.datasets("raw", Some(&b)).await);
        let results = joined.datasets("raw", None).await.unwrap();
        assert_eq!(*results.tree().datasets()["raw"].collections, ["a"]);
    });
}

#[test]
fn without_collections_the_default_ones_are_searched() {
    block_on(async {
        let results = query().datasets("raw", None).await.unwrap();
        assert_eq!(*results.tree().datasets()["raw"].collections, ["default"]);
        let mut driver = FakeDriver::new();
        driver.default_collections.clear();
        let error = driver.query().1.datasets("raw", None).await.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    });
}

#[test]
fn definitions_of_dataset_types_are_compared_with_the_registered_ones() {
    block_on(async {
        let make = |dimension: &str, storage_class: &str| {
            let dimensions = universe().conform([dimension]).unwrap();
            DatasetType::new("sky", dimensions, storage_class, false).unwrap()
        };
        let registered = make("tract", "DataFrame");
        let results = query().datasets(registered.clone(), None).await.unwrap();
        assert_eq!(*results.dataset_type().await.unwrap(), registered);

        let error = query().datasets(make("visit", "DataFrame"), None).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::ConflictingDefinition(_)),
            "{error:?}"
        );

        let overridden = make("tract", "ArrowAstropy");
        let results = query().datasets(overridden.clone(), None).await.unwrap();
        assert_eq!(*results.dataset_type().await.unwrap(), overridden);
        let refs = results.collect().await.unwrap();
        assert_eq!(**refs[0].dataset_type(), overridden);
        invalid(query().join_dataset_search(overridden, None).await);

        let error = query().datasets(make("tract", "Exposure"), None).await;
        let error = error.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
    });
}

#[test]
fn components_cannot_be_searched_for() {
    let error = block_on(query().datasets("calexp.wcs", None)).unwrap_err();
    assert!(matches!(error, Error::MissingDatasetType(_)), "{error:?}");
    assert!(error.to_string().contains("'calexp'"), "{error}");
}

#[test]
fn results_are_sorted_by_what_they_have() {
    let visits = query().data_ids_of(["visit"]).unwrap();
    let sorted = visits
        .clone()
        .order_by(["-exposure_time", "visit"])
        .unwrap();
    let terms: Vec<String> = sorted
        .spec()
        .order_by
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(terms, ["visit.exposure_time DESC", "visit"]);
    let again = sorted.order_by(["visit.id"]).unwrap();
    assert_eq!(again.spec().order_by.len(), 1);
    assert!(
        again
            .clone()
            .order_by([] as [&str; 0])
            .unwrap()
            .spec()
            .order_by
            .is_empty()
    );
    let message = invalid(visits.clone().order_by(["tract"]));
    assert!(
        message.contains("Invalid columns: {skymap, tract}"),
        "{message}"
    );
    invalid(visits.clone().order_by(["region"]));
    invalid(visits.order_by([OrderBy::from("-")]));
}

#[test]
fn data_ids_of_datasets_are_results_of_the_same_query() {
    let datasets = block_on(query().datasets("raw", None)).unwrap();
    let data_ids = datasets.with_dimension_records().data_ids().unwrap();
    assert!(data_ids.has_dimension_records());
    assert!(data_ids.tree().datasets().contains_key("raw"));
    assert_eq!(block_on(data_ids.collect()).unwrap().len(), 10);
}

#[test]
fn uploaded_data_ids_are_sent_once_each() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let data_id = |detector: i64| {
            let values = [
                ("instrument", DataIdValue::from("HSC")),
                ("detector", detector.into()),
            ];
            DataCoordinate::standardize(universe(), values, None, None).unwrap()
        };
        let joined = query
            .join_data_coordinates([data_id(1), data_id(2), data_id(1)])
            .await
            .unwrap();
        assert_eq!(driver.uploaded.lock().unwrap().len(), 2);
        assert_eq!(joined.tree().data_coordinate_uploads().len(), 1);
        assert!(joined.dimensions().contains("detector"));

        invalid(query.join_data_coordinates([]).await);
        let other = DataCoordinate::standardize(universe(), [("band", "r")], None, None).unwrap();
        invalid(query.join_data_coordinates([data_id(1), other]).await);
    });
}

#[test]
fn tables_of_data_ids_take_missing_values_from_the_conditions() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let rows = [vec![DataIdValue::from(1)], vec![DataIdValue::from(2)]];
        let message = invalid(query.join_data_coordinate_table(&["detector"], &rows).await);
        assert!(message.contains("instrument"), "{message}");
        let fixed = query.where_("instrument = 'HSC'").unwrap();
        fixed
            .join_data_coordinate_table(&["detector"], &rows)
            .await
            .unwrap();
        assert_eq!(
            *driver.uploaded.lock().unwrap(),
            [vec!["HSC".into(), 1.into()], vec!["HSC".into(), 2.into()]]
        );
        invalid(fixed.join_data_coordinate_table(&["detector"], &[]).await);
        invalid(
            fixed
                .join_data_coordinate_table(&["detector"], &[vec![]])
                .await,
        );
        let error = fixed
            .join_data_coordinate_table(&["name"], &rows)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::DimensionName(_)), "{error:?}");
    });
}

#[test]
fn materialized_queries_start_anew_from_the_stored_rows() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let query = query.join_dataset_search("raw", None).await.unwrap();
        let query = query.where_("exposure > 5").unwrap();
        let stored = query.materialize(None, None).await.unwrap();
        assert!(stored.tree().predicate().is_true());
        assert_eq!(stored.dimensions(), query.dimensions());
        assert!(stored.tree().datasets().contains_key("raw"));
        invalid(query.materialize(None, Some(&["bias"])).await);
        invalid(query.materialize(Some(&["detector"]), None).await);
        let part = query
            .materialize(Some(&["detector"]), Some(&[]))
            .await
            .unwrap();
        assert_eq!(
            *part.dimensions(),
            universe().conform(["detector"]).unwrap()
        );
        // What is not valid is not stored.
        assert_eq!(driver.calls.lock().unwrap().len(), 2);
    });
}

#[test]
fn streams_run_only_as_far_as_they_are_read() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let results = query.data_ids_of(["visit"]).unwrap();
        let mut stream = results.stream();
        assert_eq!(driver.given.load(Ordering::Relaxed), 0);
        stream.next().await.unwrap().unwrap();
        drop(stream);
        assert_eq!(driver.given.load(Ordering::Relaxed), 4);
        let all: Vec<_> = results.stream().try_collect().await.unwrap();
        assert_eq!(all, results.collect().await.unwrap());
        assert_eq!(all.len() as u64, ROWS);
        assert_eq!(results.clone().limit(3).collect().await.unwrap().len(), 3);
        assert_eq!(results.limit(3).limit(None).pages().count().await, 3);
    });
}

#[test]
fn questions_about_results_reach_the_driver() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let results = query.dimension_records("detector").unwrap();
        assert_eq!(results.count(true, false).await.unwrap(), ROWS);
        assert!(results.any(true, false).await.unwrap());
        assert!(query.any(false, true).await.unwrap());
        assert_eq!(query.explain_no_results(false).await.unwrap().len(), 1);
        assert_eq!(
            *driver.calls.lock().unwrap(),
            [
                "count true false",
                "any true false",
                "any false true",
                "explain false"
            ]
        );
    });
}

#[test]
fn rows_give_values_data_ids_and_datasets() {
    block_on(async {
        let query = query().join_dataset_search("raw", None).await.unwrap();
        let columns = GeneralColumns::new()
            .name("exposure.dark_time")
            .dataset("raw");
        let rows = query.general(["detector"], columns, Some(true)).unwrap();
        let row = rows.stream().next().await.unwrap().unwrap();
        let shown: Vec<&str> = row.iter().map(|(name, _)| name).collect();
        assert!(
            shown.ends_with(&["exposure.dark_time", "raw.dataset_id", "raw.run"]),
            "{shown:?}"
        );
        assert_eq!(row.get("exposure.dark_time").unwrap().as_float(), Some(0.5));
        assert!(row.get("exposure.bogus").is_none());
        let registered = query.driver().dataset_type("raw").await.unwrap();
        let dataset = row.dataset(&registered).unwrap().unwrap();
        assert_eq!(*dataset.data_id(), row.data_id().unwrap());
        assert!(!dataset.data_id().has_records());
        let bias = query.driver().dataset_type("bias").await.unwrap();
        assert!(matches!(row.dataset(&bias), Err(Error::InvalidArgument(_))));

        let row = rows
            .with_dimension_records()
            .stream()
            .next()
            .await
            .unwrap()
            .unwrap();
        let data_id = row.data_id().unwrap();
        assert!(data_id.has_records());
        for (name, record) in data_id.records().unwrap() {
            let record = record.unwrap_or_else(|| panic!("no record of {name}"));
            assert_eq!(record.element().name(), name);
        }
        assert_eq!(
            row.get("detector.full_name").unwrap().as_str(),
            Some("text 0")
        );
        assert_eq!(row.get("exposure.obs_id").unwrap().as_str(), Some("text 0"));
    });
}

#[test]
fn searches_for_rows_must_say_whether_the_first_dataset_counts() {
    let query = block_on(query().join_dataset_search("raw", None)).unwrap();
    let raw = || GeneralColumns::new().dataset("raw");
    invalid(query.general(["detector"], raw(), None));
    let timespan = raw().dataset_field("raw", DatasetField::Timespan);
    invalid(query.general(["detector"], timespan.clone(), Some(true)));
    query.general(["detector"], timespan, Some(false)).unwrap();
    invalid(query.general(["detector"], GeneralColumns::new(), Some(true)));
    invalid(query.general(
        ["detector"],
        GeneralColumns::new().dataset("bias"),
        Some(true),
    ));
    invalid(query.general(
        ["visit"],
        GeneralColumns::new().name("visit.timespan.begin"),
        None,
    ));
}

/// What is warned of while something runs on this thread.
fn warnings<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    #[derive(Clone, Default)]
    struct Capture(Arc<Mutex<Vec<String>>>);

    impl tracing::field::Visit for Capture {
        fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            if field.name() == "message" {
                self.0.lock().unwrap().push(format!("{value:?}"));
            }
        }
    }

    impl tracing::Subscriber for Capture {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() <= tracing::Level::WARN
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(1)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    let capture = Capture::default();
    let result = tracing::subscriber::with_default(capture.clone(), run);
    let found = capture.0.lock().unwrap().clone();
    (result, found)
}

#[test]
fn limits_cut_off_and_warn_as_they_are_meant_to() {
    let query = query();
    let ask = |limit: ResultLimit| {
        let options = SimpleQuery::default().limit(limit);
        let (found, warned) = warnings(|| block_on(query.query_data_ids(["visit"], &options)));
        (found.unwrap().len(), warned)
    };
    assert_eq!(ask(ResultLimit::Unlimited), (10, vec![]));
    assert_eq!(ask(ResultLimit::AtMost(3)), (3, vec![]));
    assert_eq!(ask(ResultLimit::AtMost(0)), (0, vec![]));
    assert_eq!(ask(ResultLimit::WarnAbove(10)), (10, vec![]));
    let (n, warned) = ask(ResultLimit::WarnAbove(9));
    assert_eq!(n, 9);
    assert_eq!(
        warned,
        ["More data IDs are available than the requested limit of 9."]
    );
    assert_eq!(ResultLimit::from(Some(-20_000)), ResultLimit::default());
    assert_eq!(ResultLimit::from(Some(5)), ResultLimit::AtMost(5));
    assert_eq!(ResultLimit::from(None), ResultLimit::Unlimited);
    assert_eq!(
        ResultLimit::from(Some(i64::MIN)),
        ResultLimit::WarnAbove(1 << 63)
    );
}

#[test]
fn empty_results_are_explained_unless_that_is_not_wanted() {
    let mut driver = FakeDriver::new();
    driver.rows = 0;
    let (driver, query) = driver.query();
    let options = SimpleQuery::new("visit = 5");
    block_on(async {
        for result in [
            query
                .query_data_ids(["visit"], &options)
                .await
                .map(|rows| rows.len()),
            query
                .query_dimension_records("visit", &options)
                .await
                .map(|rows| rows.len()),
            query
                .query_datasets("calexp", None, &options)
                .await
                .map(|rows| rows.len()),
        ] {
            match result {
                Err(Error::EmptyQueryResult(reasons)) => {
                    assert_eq!(reasons, ["nothing satisfies visit == 5"]);
                }
                other => panic!("{other:?}"),
            }
        }
        let quiet = options.clone().without_explanation();
        assert!(
            query
                .query_data_ids(["visit"], &quiet)
                .await
                .unwrap()
                .is_empty()
        );
        let zero = options.limit(ResultLimit::AtMost(0));
        assert!(
            query
                .query_data_ids(["visit"], &zero)
                .await
                .unwrap()
                .is_empty()
        );
    });
    let calls = driver.calls.lock().unwrap();
    assert_eq!(
        calls
            .iter()
            .filter(|call| call.starts_with("explain"))
            .count(),
        3
    );
}

#[test]
fn simple_queries_are_sorted_limited_and_checked() {
    block_on(async {
        let query = query();
        let options = SimpleQuery::new("instrument = 'HSC'").order_by(["-visit"]);
        let found = query
            .query_datasets("calexp", None, &options)
            .await
            .unwrap();
        assert_eq!(found.len() as u64, ROWS);
        let records = query
            .query_dimension_records(
                "visit",
                &SimpleQuery::new(Where::new()).order_by(["visit.name"]),
            )
            .await
            .unwrap();
        assert_eq!(records.len() as u64, ROWS);
        invalid(
            query
                .query_data_ids(["visit"], &SimpleQuery::new("visit >"))
                .await,
        );
        let order = SimpleQuery::default().order_by(["tract"]);
        invalid(query.query_data_ids(["visit"], &order).await);
    });
}

#[test]
fn patterns_of_collections_are_for_unordered_searches() {
    block_on(async {
        let (driver, query) = FakeDriver::new().query();
        let patterns = names(&["?", "default"]);
        let options = SimpleQuery::default();
        invalid(query.query_datasets("raw", Some(&patterns), &options).await);
        let options = options.all_datasets();
        query
            .query_datasets("raw", Some(&patterns), &options)
            .await
            .unwrap();
        assert!(driver.calls.lock().unwrap()[0].starts_with("collections"));
        let names = names(&["a"]);
        query
            .query_datasets("raw", Some(&names), &options)
            .await
            .unwrap();
        let calls = driver.calls.lock().unwrap();
        assert_eq!(
            calls
                .iter()
                .filter(|call| call.starts_with("collections"))
                .count(),
            1
        );
    });
}

#[test]
fn all_datasets_come_type_by_type_from_where_they_may_be() {
    block_on(async {
        let query = query();
        let collections = names(&["a", "b"]);
        let options = SimpleQuery::default();
        let pages: Vec<_> = query
            .all_dataset_pages(&["*"], Some(&collections), &options)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let types: Vec<(&str, usize)> = pages
            .iter()
            .map(|page| (&*page.dataset_type, page.datasets.len()))
            .collect();
        assert_eq!(
            types,
            [
                ("bias", 4),
                ("bias", 4),
                ("bias", 2),
                ("raw", 4),
                ("raw", 4),
                ("raw", 2)
            ]
        );
        let all = query
            .query_all_datasets(&["*"], None, &options)
            .await
            .unwrap();
        assert_eq!(all.len(), 30);
    });
}

#[test]
fn the_limit_of_all_datasets_counts_all_types() {
    let query = query();
    let ask = |limit: ResultLimit| {
        let options = SimpleQuery::default().limit(limit);
        let (found, warned) =
            warnings(|| block_on(query.query_all_datasets(&["*"], None, &options)));
        let found = found.unwrap();
        let raw = found
            .iter()
            .filter(|found| **found.dataset_type().name() == *"calexp");
        (found.len(), raw.count(), warned.len())
    };
    assert_eq!(ask(ResultLimit::AtMost(13)), (13, 3, 0));
    assert_eq!(ask(ResultLimit::AtMost(10)), (10, 0, 0));
    assert_eq!(ask(ResultLimit::AtMost(0)), (0, 0, 0));
    assert_eq!(ask(ResultLimit::WarnAbove(12)), (12, 2, 1));
    assert_eq!(ask(ResultLimit::WarnAbove(30)), (30, 10, 0));
    let options = SimpleQuery::new("nonsense = 5").limit(ResultLimit::AtMost(0));
    invalid(block_on(query.query_all_datasets(&["*"], None, &options)));
}

#[test]
fn names_in_a_search_for_all_datasets_are_checked() {
    block_on(async {
        let query = query();
        let options = SimpleQuery::default();
        for types in [&["nothing*"][..], &["raw", "unknown"], &["unknown"], &[]] {
            let error = query
                .query_all_datasets(types, None, &options)
                .await
                .unwrap_err();
            assert!(
                matches!(error, Error::MissingDatasetType(_)),
                "{types:?}: {error:?}"
            );
        }
        let patterns = names(&["a*"]);
        invalid(
            query
                .query_all_datasets(&["raw"], Some(&patterns), &options)
                .await,
        );
        let unknown = names(&["unknown"]);
        let error = query
            .query_all_datasets(&["raw"], Some(&unknown), &options)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::MissingCollection(_)), "{error:?}");
        let none = query
            .query_all_datasets(&["raw"], Some(&[]), &options)
            .await
            .unwrap();
        assert!(none.is_empty());
    });
}

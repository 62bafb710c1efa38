//! The fluent interface to queries.

use std::sync::atomic::Ordering;

use butler_core::datasets::DatasetType;
use butler_core::dimensions::{DataCoordinate, DataIdValue};
use butler_core::query::{
    ColumnExpression, ComparisonOperator, DatasetField, GeneralColumns, OrderBy, Predicate, Query,
    Where,
};
use butler_core::{Error, Result};
use futures::executor::block_on;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::query_fake::{FakeDriver, ROWS, universe};

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

//! Queries in one call.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use butler_core::query::{Query, ResultLimit, SimpleQuery, Where};
use butler_core::{Error, Result};
use futures::TryStreamExt as _;
use futures::executor::block_on;

use crate::query_fake::{FakeDriver, ROWS};

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
            .map(|page| (&**page[0].dataset_type().name(), page.len()))
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

#[test]
fn results_come_before_all_are_there() {
    let (driver, query) = FakeDriver::new().query();
    let given = || driver.given.load(Ordering::Relaxed);
    let options = SimpleQuery::default().limit(ResultLimit::WarnAbove(6));
    block_on(async {
        let mut pages = query.data_id_pages(["visit"], &options).unwrap();
        assert_eq!(pages.try_next().await.unwrap().unwrap().len(), 4);
        assert_eq!(given(), 4);
        assert_eq!(pages.try_next().await.unwrap().unwrap().len(), 2);
        assert!(pages.try_next().await.unwrap().is_none());
        let mut pages = query.dimension_record_pages("visit", &options).unwrap();
        assert_eq!(pages.try_next().await.unwrap().unwrap().len(), 4);
        let before = given();
        let mut pages = query.dataset_pages("raw", None, &options).await.unwrap();
        assert_eq!(pages.try_next().await.unwrap().unwrap().len(), 4);
        assert_eq!(given(), before + 4);
    });
}

#[test]
fn the_dataset_types_of_collections_are_those_they_may_hold() {
    block_on(async {
        let query = query();
        let collections = names(&["a", "b"]);
        let found = query.dataset_types_in(&["*"], &collections).await.unwrap();
        let found: Vec<(&str, usize)> = found
            .iter()
            .map(|(held, collections)| (&**held.name(), collections.len()))
            .collect();
        assert_eq!(found, [("bias", 1), ("raw", 2)]);
    });
}

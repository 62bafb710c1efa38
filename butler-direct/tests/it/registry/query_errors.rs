//! Mistakes in queries are errors of the protocol's kinds, with texts that say what is wrong.

use std::sync::Arc;

use butler_core::butler::{ButlerDefaults, DefaultsOptions};
use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetIdMode;
use butler_core::error::Result;
use butler_core::query::{GeneralColumns, Query, QuerySource as _, SimpleQuery, Where};
use butler_core::registry::{Registry as _, RegistryWriter as _};

use super::fixture::{
    CALIBS, Repository, add_calibration_collection, add_calibrations, add_instruments,
    add_observations, add_skymap, certify_each, data_id, dataset_type, detector, hours, names,
    register,
};
use super::{assert_error, behaviours};

behaviours! {
    invalid_expressions_show_the_place,
    names_without_a_meaning_or_with_several,
    governors_without_a_value,
    what_cannot_be_known_without_looking_at_rows,
    unknown_dimensions,
    unknown_collections,
    unknown_dataset_types,
    unknown_values_of_dimensions,
    contradictory_data_ids,
    ambiguous_calibrations,
    no_results,
    unsupported_overlaps,
    too_many_joins_to_choose_from,
}

async fn query_with(repository: &Repository, options: DefaultsOptions) -> Query {
    let registry = &repository.registry;
    let defaults = ButlerDefaults::resolve(registry, options).await.unwrap();
    Query::new(registry.query_driver(&Arc::new(defaults)))
}

async fn query(repository: &Repository) -> Query {
    query_with(repository, DefaultsOptions::default()).await
}

/// Asserts that a result is an error with this name in the protocol, and that its text has all
/// these words.
#[track_caller]
fn assert_user_error<T: std::fmt::Debug>(result: Result<T>, name: &str, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.error_type(), Some(name), "{error:?}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "'{word}' is not in: {text}");
    }
}

async fn invalid_expressions_show_the_place(repository: &Repository) {
    let query = query(repository).await;
    for (expression, words) in [
        ("visit =", ["line 1, column 8", "visit ="]),
        ("visit = 5 AND (detector", ["line 1, column 24", "("]),
        ("visit = 'five'", ["column 1", "visit"]),
        ("visit.timespan OVERLAPS 5", ["column 1", "OVERLAPS"]),
        ("detector IN (:unbound)", ["unbound", "column 14"]),
        ("nearby(visit)", ["there is no function 'nearby'", "POINT"]),
        (
            "visit.region OVERLAPS POINT(0, 91)",
            ["column 29", "latitude"],
        ),
    ] {
        let result = query.clone().where_(expression);
        assert_user_error(result, "invalid_query", &words);
    }
}

async fn names_without_a_meaning_or_with_several(repository: &Repository) {
    let visits = query(repository).await.dimension_records("visit").unwrap();
    let result = visits.clone().where_("visit.exposure_tme > 5");
    assert_user_error(result, "invalid_query", &["Unrecognized", "exposure_tme"]);
    let result = visits.where_("nothing = 5");
    let words = ["Unrecognized identifier 'nothing'"];
    assert_user_error(result, "invalid_query", &words);
    let both = query(repository).await;
    let both = both.join_dimensions(["visit", "exposure"]).unwrap();
    let result = both.where_("exposure_time > 5");
    let words = ["Ambiguous identifier 'exposure_time' matches multiple fields"];
    assert_user_error(result, "invalid_query", &words);
}

async fn governors_without_a_value(repository: &Repository) {
    add_instruments(&repository.registry).await;
    let filters = SimpleQuery::new("physical_filter = 'Cam1-G'");
    let result = query(repository)
        .await
        .query_data_ids(["band"], &filters)
        .await;
    let words = [
        "references a dimension dependent on instrument without constraining it directly",
        "instrument = '…'",
    ];
    assert_user_error(result, "invalid_query", &words);
}

async fn what_cannot_be_known_without_looking_at_rows(repository: &Repository) {
    add_instruments(&repository.registry).await;
    add_observations(&repository.registry).await;
    add_skymap(&repository.registry).await;
    let visits = query(repository)
        .await
        .where_("instrument = 'Cam1' AND visit.region OVERLAPS CIRCLE(11, 0, 1)")
        .unwrap();
    let visits = visits.dimension_records("visit").unwrap();
    let result = visits.count(true, false).await;
    assert_user_error(result, "invalid_query", &["Cannot count query rows"]);
    let result = visits.any(false, true).await;
    assert_user_error(result, "invalid_query", &["Cannot obtain exact"]);
}

async fn unknown_dimensions(repository: &Repository) {
    let query = query(repository).await;
    let result = query.data_ids_of(["vizit"]);
    assert_user_error(result, "dimension_name", &["vizit"]);
    let result = query.dimension_records("vizit");
    assert_user_error(result, "dimension_name", &["vizit"]);
    let result = query.clone().join_dimensions(["vizit"]);
    assert_user_error(result, "dimension_name", &["vizit"]);
    let result = query.where_(Where::new().value("vizit", 5));
    assert_user_error(result, "dimension_name", &["vizit"]);
}

async fn unknown_collections(repository: &Repository) {
    add_calibrations(&repository.registry).await;
    let query = query(repository).await;
    let all = SimpleQuery::default();
    let collections = names(["imported_g", "nowhere"]);
    let result = query.query_datasets("bias", Some(&collections), &all).await;
    assert_user_error(result, "missing_collection", &["nowhere"]);
    let result = query
        .query_all_datasets(&["*"], Some(&collections), &all)
        .await;
    assert_user_error(result, "missing_collection", &["nowhere"]);
}

async fn unknown_dataset_types(repository: &Repository) {
    add_calibrations(&repository.registry).await;
    let query = query(repository).await;
    let all = SimpleQuery::default();
    let collections = names(["imported_g"]);
    let result = query.query_datasets("bais", Some(&collections), &all).await;
    assert_user_error(result, "missing_dataset_type", &["bais"]);
    let result = query
        .clone()
        .join_dataset_search("bias.wcs", Some(&collections))
        .await;
    assert_user_error(result, "missing_dataset_type", &["bias.wcs", "'bias'"]);
    let result = query
        .query_all_datasets(&["bias", "bais"], Some(&collections), &all)
        .await;
    assert_user_error(result, "missing_dataset_type", &["bais"]);
    // A column of a dataset that is not searched for has no values.
    let fields = GeneralColumns::new().name("bias.run");
    let result = query.general(["detector"], fields, Some(false));
    assert_user_error(result, "invalid_query", &["bias"]);
}

async fn unknown_values_of_dimensions(repository: &Repository) {
    add_instruments(&repository.registry).await;
    let options = DefaultsOptions {
        data_id: [("instrument".to_owned(), "Cam9".into())].into(),
        ..DefaultsOptions::default()
    };
    let result = ButlerDefaults::resolve(&repository.registry, options).await;
    assert_user_error(result, "data_id_value", &["Cam9", "instrument"]);
    let result = repository.registry.expand_data_ids(&[detector(99)]).await;
    assert_user_error(result, "data_id_value", &["99", "detector"]);
}

async fn contradictory_data_ids(repository: &Repository) {
    add_instruments(&repository.registry).await;
    let given = data_id([
        ("instrument", "Cam1".into()),
        ("physical_filter", "Cam1-G".into()),
        ("band", "r".into()),
    ]);
    let result = repository.registry.expand_data_ids(&[given]).await;
    assert_user_error(result, "inconsistent_data_id", &["Cam1-G", "band"]);
    // A condition that contradicts itself is no error: it says why it has no results.
    let detectors = query(repository)
        .await
        .dimension_records("detector")
        .unwrap();
    let nothing = detectors
        .where_("instrument = 'Cam1' AND detector = 1 AND detector = 2")
        .unwrap();
    let reasons = nothing.explain_no_results(true).await.unwrap();
    let wanted = "'where' expression requires both detector=2 and detector=1.";
    assert_eq!(reasons, [wanted]);
}

async fn ambiguous_calibrations(repository: &Repository) {
    let registry = &repository.registry;
    let biases = add_calibration_collection(registry).await;
    let (early, late) = (hours(None, Some(2)), hours(Some(2), None));
    certify_each(registry, &[(biases.g(2), early), (biases.r(2), late)]).await;
    let query = query(repository).await;
    let collections = names([CALIBS]);
    let all = SimpleQuery::new("instrument = 'Cam1'");
    let result = query.query_datasets("bias", Some(&collections), &all).await;
    let words = ["Ambiguous calibration validity range", "temporal join"];
    assert_user_error(result, "calibration_lookup", &words);
    // Once it is said when, there is one.
    let then = "instrument = 'Cam1' AND bias.timespan OVERLAPS T'2020-01-01T01:00:00'";
    let then = SimpleQuery::new(then);
    let found = query
        .query_datasets("bias", Some(&collections), &then)
        .await;
    assert_eq!(found.unwrap()[0].id(), biases.g(2).id());
}

async fn no_results(repository: &Repository) {
    add_calibrations(&repository.registry).await;
    register(&repository.registry, "empty", CollectionType::Run).await;
    let query = query(repository).await;
    let collections = names(["empty"]);
    let all = SimpleQuery::default();
    let result = query.query_datasets("bias", Some(&collections), &all).await;
    let text = assert_error!(result, EmptyQueryResult);
    assert!(
        text.contains("Possible reasons for empty result:"),
        "{text}"
    );
    assert!(
        text.contains("No datasets of type 'bias' in collection 'empty'."),
        "{text}"
    );
    let silent = all.without_explanation();
    let result = query
        .query_datasets("bias", Some(&collections), &silent)
        .await;
    assert!(result.unwrap().is_empty());
}

async fn unsupported_overlaps(repository: &Repository) {
    add_instruments(&repository.registry).await;
    add_observations(&repository.registry).await;
    add_skymap(&repository.registry).await;
    let query = query(repository).await;
    let within_or = "instrument = 'Cam1' AND (visit = 5 OR visit.region OVERLAPS CIRCLE(11, 0, 1))";
    let visits = query.clone().where_(within_or).unwrap();
    let result = visits.dimension_records("visit").unwrap().collect().await;
    assert_user_error(result, "unimplemented_query", &["OR or NOT"]);
    let pixels = query.join_dimensions(["htm4", "visit"]).unwrap();
    let pixels = pixels.where_("instrument = 'Cam1'").unwrap();
    let result = pixels.data_ids().unwrap().collect().await;
    assert_user_error(result, "unimplemented_query", &["htm4", "visit"]);
}

async fn too_many_joins_to_choose_from(repository: &Repository) {
    let registry = &repository.registry;
    add_instruments(registry).await;
    add_observations(registry).await;
    add_skymap(registry).await;
    let sky = dataset_type("sky", &["htm7"], "StructuredDataDict", false);
    registry.register_dataset_type(&sky).await.unwrap();
    register(registry, "run", CollectionType::Run).await;
    let pixel = [data_id([("htm7", 200_000.into())])];
    let mode = DatasetIdMode::Unique;
    registry
        .insert_datasets("sky", &pixel, "run", mode)
        .await
        .unwrap();
    let query = query(repository).await;
    let all = query.join_dimensions(["htm7", "visit", "tract"]).unwrap();
    let all = all
        .where_("instrument = 'Cam1' AND skymap = 'SkyMap1'")
        .unwrap();
    let result = all.data_ids().unwrap().collect().await;
    let words = [
        "Too many disconnected sets of spatial families",
        "explicit spatial joins",
    ];
    assert_user_error(result, "invalid_query", &words);
}

//! Errors: one line, a hint, and an exit code.

use crate::support::{Place, assert_command};

#[test]
fn a_missing_repository_is_reported() {
    assert_command!("no_repository", Place::empty(), "query-collections nowhere");
}

#[test]
fn a_missing_collection_is_reported() {
    assert_command!(
        "no_collection",
        Place::filled(),
        "query-datasets repo document --collections nothing"
    );
}

#[test]
fn a_malformed_condition_is_reported() {
    assert_command!(
        "malformed_condition",
        Place::filled(),
        "query-datasets repo document --collections docs --where \"detector >\""
    );
}

#[test]
fn an_unknown_dimension_is_reported() {
    assert_command!(
        "no_dimension",
        Place::filled(),
        "query-data-ids repo telescope"
    );
}

#[test]
fn data_ids_need_dimensions() {
    assert_command!("no_dimensions", Place::filled(), "query-data-ids repo");
}

#[test]
fn an_order_needs_one_dataset_type() {
    assert_command!(
        "order_of_many",
        Place::filled(),
        "query-datasets repo * --collections docs --order-by detector"
    );
}

#[test]
fn patterns_have_no_order() {
    assert_command!(
        "first_of_patterns",
        Place::filled(),
        "query-datasets repo document --collections d* --find-first"
    );
}

#[test]
fn an_unknown_choice_is_reported() {
    assert_command!(
        "unknown_choice",
        Place::filled(),
        "query-collections repo --chains ring"
    );
}

#[test]
fn an_unknown_key_of_the_configuration_is_reported() {
    assert_command!(
        "no_key",
        Place::filled(),
        "config-dump repo -s .datastore.colour"
    );
}

#[test]
fn colours_are_for_terminals() {
    let done = Place::empty().run("query-collections nowhere");
    assert!(!done.stderr.contains('\u{1b}'));
}

#[test]
fn messages_go_to_files_as_well_or_instead() {
    let place = Place::filled();
    let search = "query-datasets repo nothing --collections docs";
    let options = "--log-file log.txt --log-file log.json --no-log-tty --log-label run=night,a=b=c";
    let done = place.run(&format!("{search} {options}"));
    assert!(!done.stderr.contains("warning:"), "{}", done.stderr);
    let text = std::fs::read_to_string(place.path().join("log.txt")).unwrap();
    assert!(text.contains("WARN") && text.contains("nothing"), "{text}");
    let json = std::fs::read_to_string(place.path().join("log.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(record["levelname"], "WARNING");
    assert_eq!(
        record["MDC"],
        serde_json::json!({"RUN": "night", "A": "b=c"})
    );
    let done = place.run(&format!("{search} --log-file no/such/directory"));
    assert_eq!(done.status, 1, "{}", done.shown());
    let done = place.run(&format!("{search} --log-label night"));
    assert_eq!(done.status, 2, "{}", done.shown());
}

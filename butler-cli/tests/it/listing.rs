//! Listing what is in a repository.

use crate::support::{Place, assert_command};

#[test]
fn datasets_come_in_a_table_for_each_type() {
    assert_command!(
        "datasets_of_all_types",
        Place::filled(),
        "query-datasets repo * --collections docs,calib/run"
    );
}

#[test]
fn datasets_of_one_type_come_in_one_table() {
    assert_command!(
        "datasets_of_one_type",
        Place::filled(),
        "query-datasets repo document --collections docs"
    );
}

#[test]
fn conditions_select_datasets() {
    assert_command!(
        "datasets_with_condition",
        Place::filled(),
        "query-datasets repo document --collections docs --where \"instrument = 'Cam' AND detector > 1\" --order-by -detector"
    );
}

#[test]
fn uris_are_shown_on_demand() {
    assert_command!(
        "datasets_with_uris",
        Place::filled(),
        "query-datasets repo note --collections docs --show-uri"
    );
}

#[test]
fn limits_are_warned_of() {
    assert_command!(
        "datasets_limited",
        Place::filled(),
        "query-datasets repo document --collections docs --limit -1 --order-by detector"
    );
}

#[test]
fn unknown_dataset_types_have_no_datasets() {
    assert_command!(
        "datasets_of_unknown_type",
        Place::filled(),
        "query-datasets repo nothing --collections docs"
    );
}

#[test]
fn queries_without_results_say_why() {
    assert_command!(
        "datasets_none",
        Place::filled(),
        "query-datasets repo bias --collections docs"
    );
}

#[test]
fn datasets_in_several_collections_are_listed_once() {
    let place = Place::with_collections();
    assert_eq!(place.ids("document --collections docs,tag").len(), 3);
}

#[test]
fn data_ids_are_sorted_as_numbers() {
    assert_command!("data_ids", Place::filled(), "query-data-ids repo detector");
}

#[test]
fn data_ids_take_their_dimensions_from_datasets() {
    assert_command!(
        "data_ids_of_datasets",
        Place::filled(),
        "query-data-ids repo --datasets note,document --collections docs"
    );
}

#[test]
fn data_ids_without_results_say_why() {
    assert_command!(
        "data_ids_none",
        Place::filled(),
        "query-data-ids repo detector --where \"instrument = 'Cam' AND detector = 5\""
    );
}

#[test]
fn dimension_records_have_a_column_for_each_field() {
    assert_command!(
        "records",
        Place::filled(),
        "query-dimension-records repo visit"
    );
}

#[test]
fn dimension_records_are_constrained_by_datasets() {
    assert_command!(
        "records_of_datasets",
        Place::filled(),
        "query-dimension-records repo detector --datasets bias --collections calib/run"
    );
}

#[test]
fn dataset_types_are_shown_with_their_dimensions() {
    assert_command!(
        "dataset_types",
        Place::filled(),
        "query-dataset-types repo --verbose"
    );
}

#[test]
fn dataset_types_are_constrained_by_collections() {
    assert_command!(
        "dataset_types_of_collection",
        Place::filled(),
        "query-dataset-types repo --collections calib/*"
    );
}

#[test]
fn collections_are_shown_in_every_shape() {
    let place = Place::with_collections();
    for shape in [
        "table",
        "inverse-table",
        "tree",
        "inverse-tree",
        "flatten",
        "no-children",
    ] {
        let done = place.succeed(&format!("query-collections repo --chains {shape}"));
        insta::assert_snapshot!(format!("collections_{shape}"), done.text());
        let done = place.succeed(&format!(
            "query-collections repo --chains {shape} --show-dataset-types --exclude-dataset-types n*"
        ));
        insta::assert_snapshot!(format!("collections_{shape}_types"), done.text());
    }
}

#[test]
fn collections_are_selected_by_name_and_type() {
    assert_command!(
        "collections_selected",
        Place::with_collections(),
        "query-collections repo c*,d* --collection-type run"
    );
}

#[test]
fn configurations_are_shown_in_part() {
    let place = Place::filled();
    assert_command!("config_value", place, "config-dump repo -s .datastore.root");
    assert_command!(
        "config_map",
        place,
        "config-dump repo -s .datastore.records"
    );
}

#[test]
fn configurations_are_checked() {
    assert_command!("config_valid", Place::filled(), "config-validate repo");
}

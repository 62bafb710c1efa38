//! Changing what is in a repository.

use crate::support::{Place, assert_command};

fn collections(place: &Place) -> String {
    place
        .succeed("query-collections repo --chains no-children")
        .text()
        .to_owned()
}

#[test]
fn a_repository_is_not_made_twice() {
    let place = Place::empty();
    place.succeed("create repo");
    assert_command!("create_twice", place, "create repo");
}

#[test]
fn chains_are_changed_in_every_way() {
    let place = Place::with_collections();
    for (arguments, expected) in [
        ("new docs", "[docs]"),
        ("new --mode extend tag calib/run", "[docs, tag, calib/run]"),
        ("new --mode prepend tag", "[tag, docs, calib/run]"),
        ("new --mode remove docs", "[tag, calib/run]"),
        ("new --mode pop -- -1", "[tag]"),
        ("new --mode extend docs", "[tag, docs]"),
        ("new --mode pop", "[docs]"),
        ("new --flatten outer", "[tag, calib/run, docs]"),
    ] {
        let done = place.succeed(&format!("collection-chain repo {arguments}"));
        assert_eq!(done.text().trim(), expected, "{arguments}");
    }
}

#[test]
fn chains_need_children() {
    assert_command!(
        "chain_without_children",
        Place::filled(),
        "collection-chain repo new"
    );
}

#[test]
fn unknown_chains_are_not_popped() {
    let done = Place::filled().run("collection-chain repo new --mode pop");
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("new"), "{}", done.stderr);
}

#[test]
fn tagged_collections_hold_what_is_associated() {
    let place = Place::with_collections();
    assert_eq!(place.ids("* --collections tag").len(), 3);
    place.succeed("associate repo tag -d note --collections docs");
    assert_eq!(place.ids("* --collections tag").len(), 4);
}

#[test]
fn calibrations_are_certified_for_a_time() {
    let place = Place::filled();
    assert_command!(
        "certify",
        place,
        "certify-calibrations repo calib/run calib bias --begin-date 2025-01-01 --end-date 2025-02-01T12:00:00"
    );
    let again = "certify-calibrations repo calib/run calib bias --begin-date 2025-01-31";
    assert_eq!(place.run(again).status, 1, "validity ranges do not overlap");
}

#[test]
fn dataset_types_are_registered_once() {
    let place = Place::filled();
    let line = "register-dataset-type repo extra StructuredDataDict instrument visit";
    assert_command!("register_type", place, line);
    assert_command!("register_type_again", place, line);
    let other = "register-dataset-type repo extra StructuredDataDict instrument";
    assert_eq!(place.run(other).status, 1);
}

#[test]
fn components_are_not_registered() {
    assert_command!(
        "register_component",
        Place::filled(),
        "register-dataset-type repo document.part StructuredDataDict"
    );
}

#[test]
fn dataset_types_are_removed_if_there_are_no_datasets() {
    let place = Place::filled();
    place.succeed("register-dataset-type repo extra StructuredDataDict");
    assert_command!(
        "remove_types",
        place,
        "remove-dataset-type repo ext* absent"
    );
    assert_eq!(place.run("remove-dataset-type repo document").status, 1);
}

#[test]
fn collections_are_removed_after_confirmation() {
    let place = Place::with_collections();
    let line = "remove-collections repo tag --remove-from-parents";
    insta::assert_snapshot!(
        "remove_collections_declined",
        place.answer(line, "n\n").shown()
    );
    assert!(collections(&place).contains("tag"));
    insta::assert_snapshot!(
        "remove_collections_confirmed",
        place.answer(line, "y\n").shown()
    );
    assert!(!collections(&place).contains("tag"));
}

#[test]
fn nothing_is_removed_if_nobody_answers() {
    let place = Place::with_collections();
    assert_command!(
        "remove_collections_unanswered",
        place,
        "remove-collections repo outer"
    );
    assert!(collections(&place).contains("outer"));
}

#[test]
fn collections_in_chains_are_not_removed_unasked() {
    let place = Place::with_collections();
    assert_command!(
        "remove_collections_in_chain",
        place,
        "remove-collections repo tag --no-confirm"
    );
    assert!(collections(&place).contains("tag"));
}

#[test]
fn chains_go_before_what_is_in_them() {
    let place = Place::with_collections();
    place.succeed("remove-collections repo * --no-confirm --remove-from-parents");
    let left = collections(&place);
    assert_eq!(left.lines().count(), 4, "{left}");
    assert!(
        left.contains("docs") && left.contains("calib/run"),
        "{left}"
    );
}

#[test]
fn runs_are_removed_with_their_datasets() {
    let place = Place::filled();
    assert_command!("remove_runs", place, "remove-runs repo doc* --no-confirm");
    assert!(!collections(&place).contains("docs"));
}

#[test]
fn runs_in_chains_are_removed_by_force_only() {
    let place = Place::with_collections();
    assert_command!(
        "remove_runs_in_chain",
        place,
        "remove-runs repo docs --no-confirm"
    );
    place.succeed("remove-runs repo docs --no-confirm --force");
    assert!(!collections(&place).contains("docs"));
}

#[test]
fn datasets_are_pruned_after_confirmation() {
    let place = Place::filled();
    let line = "prune-datasets repo docs --datasets document --where \"instrument = 'Cam' AND detector = 2\" --purge docs";
    insta::assert_snapshot!("prune_declined", place.answer(line, "\n").shown());
    insta::assert_snapshot!("prune_confirmed", place.answer(line, "yes\n").shown());
    assert_eq!(place.ids("document --collections docs").len(), 2);
}

#[test]
fn a_dry_run_prunes_nothing() {
    let place = Place::filled();
    assert_command!(
        "prune_dry_run",
        place,
        "prune-datasets repo docs --datasets note --unstore --dry-run"
    );
    place.succeed("get repo note instrument=Cam visit=1 --collections docs");
}

#[test]
fn unstored_datasets_stay_registered() {
    let place = Place::filled();
    place.succeed("prune-datasets repo docs --datasets note --unstore --quiet");
    assert_eq!(place.ids("note --collections docs").len(), 1);
    assert_eq!(
        place
            .run("get repo note instrument=Cam visit=1 --collections docs")
            .status,
        1
    );
}

#[test]
fn datasets_are_taken_out_of_tagged_collections() {
    let place = Place::with_collections();
    place.succeed("prune-datasets repo --disassociate tag --datasets document --no-confirm");
    assert_eq!(place.ids("d* --collections tag").len(), 0);
    assert_eq!(place.ids("document --collections docs").len(), 3);
}

#[test]
fn pruning_says_what_it_needs() {
    let place = Place::filled();
    assert_command!("prune_no_operation", place, "prune-datasets repo docs");
    assert_command!(
        "prune_no_collections",
        place,
        "prune-datasets repo --unstore"
    );
    assert_command!(
        "prune_contradiction",
        place,
        "prune-datasets repo --purge docs --disassociate tag"
    );
}

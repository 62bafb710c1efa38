//! What the command says of itself.

use crate::support::{Place, assert_command};

#[test]
fn the_command_lists_what_it_can_do() {
    assert_command!("help", Place::empty(), "-h");
}

#[test]
fn every_sub_command_explains_its_options() {
    let place = Place::empty();
    for name in [
        "associate",
        "certify-calibrations",
        "collection-chain",
        "completions",
        "config-dump",
        "config-validate",
        "create",
        "demo",
        "export",
        "export-calibs",
        "get",
        "import",
        "ingest-files",
        "ingest-zip",
        "prune-datasets",
        "query-collections",
        "query-data-ids",
        "query-dataset-types",
        "query-datasets",
        "query-dimension-records",
        "register-dataset-type",
        "remove-collections",
        "remove-dataset-type",
        "remove-runs",
        "retrieve-artifacts",
        "serve",
        "transfer-datasets",
        "transfer-from",
    ] {
        let shown = place.succeed(&format!("{name} -h"));
        insta::assert_snapshot!(format!("help_{name}"), shown.text());
    }
}

#[test]
fn completions_know_the_sub_commands() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.succeed(&format!("completions {shell}"));
        assert!(script.text().contains("query-datasets"), "{shell}");
    }
}

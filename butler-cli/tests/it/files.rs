//! Bringing files into and out of repositories.

use std::fs;

use crate::support::{Place, assert_command};

const NOTE: &str = "03000000-0000-7000-8000-000000000001";

#[test]
fn datasets_are_fetched_by_identifier() {
    let done = Place::filled().succeed(&format!("get repo {NOTE}"));
    assert_eq!(done.text(), "{\"name\": \"note\"}\n");
}

#[test]
fn datasets_are_fetched_by_data_id_into_files() {
    let place = Place::filled();
    place.succeed("get repo document instrument=Cam detector=10 --collections docs -o ten.json");
    let text = fs::read_to_string(place.path().join("ten.json")).unwrap();
    assert_eq!(text, "{\"name\": \"ten\"}\n");
}

#[test]
fn datasets_are_fetched_by_alternative_keys() {
    let place = Place::filled();
    let done = place.succeed("get repo document instrument=Cam detector=Ba --collections docs");
    assert_eq!(done.text(), "{\"name\": \"ten\"}\n");
}

#[test]
fn absent_datasets_are_reported() {
    let place = Place::filled();
    assert_command!(
        "get_absent",
        place,
        "get repo note instrument=Cam visit=2 --collections docs"
    );
    assert_command!(
        "get_without_collections",
        place,
        "get repo note instrument=Cam visit=2"
    );
}

#[test]
fn artifacts_are_retrieved_with_their_paths() {
    let place = Place::filled();
    assert_command!(
        "retrieve",
        place,
        "retrieve-artifacts repo out -d document --collections docs -t copy"
    );
    assert!(place.path().join("out/_butler_zip_index.json").exists());
    assert_command!(
        "retrieve_again",
        place,
        "retrieve-artifacts repo out -d document --collections docs -t copy"
    );
    place.succeed("retrieve-artifacts repo out -d document --collections docs -t copy --clobber");
}

#[test]
fn zip_files_go_from_repository_to_repository() {
    let place = Place::filled();
    let made = place.succeed("retrieve-artifacts repo out --collections docs --zip");
    let file = made.text().trim().rsplit_once(' ').unwrap().1.to_owned();
    place.succeed("create other");
    let line = format!("ingest-zip other {file} --transfer-dimensions -t copy");
    assert_eq!(
        place.succeed(&format!("{line} --dry-run")).text(),
        "Number of datasets ingested: 4\n"
    );
    place.succeed(&line);
    let got = place.succeed(&format!("get other {NOTE}"));
    assert_eq!(got.text(), "{\"name\": \"note\"}\n");
    assert_eq!(place.run(&line).status, 1, "a second time");
}

#[test]
fn zip_files_need_dimension_records() {
    let place = Place::filled();
    let made = place.succeed("retrieve-artifacts repo out --collections docs --zip");
    let file = made.text().trim().rsplit_once(' ').unwrap().1.to_owned();
    place.succeed("create other");
    assert_eq!(
        place
            .run(&format!("ingest-zip other {file} -t copy"))
            .status,
        1
    );
}

#[test]
fn exports_are_imported_elsewhere() {
    let place = Place::with_collections();
    assert_command!(
        "export",
        place,
        "export repo out --collections docs,calib/run --save-collections tag,calib,chain"
    );
    place.succeed("create other");
    assert_command!("import", place, "import other out -t copy");
    let ours = place.succeed("query-collections repo t*,c* -t");
    let theirs = place.succeed("query-collections other t*,c* -t");
    assert_eq!(ours.text(), theirs.text());
    let got = place.succeed(&format!("get other {NOTE}"));
    assert_eq!(got.text(), "{\"name\": \"note\"}\n");
}

#[test]
fn export_files_are_not_replaced_unasked() {
    let place = Place::filled();
    place.succeed("export repo out --collections docs --no-files");
    assert_command!(
        "export_again",
        place,
        "export repo out --collections docs --no-files"
    );
    place.succeed("export repo out --collections docs --no-files --clobber");
}

#[test]
fn datasets_are_transferred_by_query() {
    let place = Place::filled();
    place.succeed("create other");
    let line = "transfer-datasets repo other -d note --collections docs --register-dataset-types";
    assert_command!("transfer_dry_run", place, &format!("{line} --dry-run"));
    assert_eq!(place.run(&format!("get other {NOTE}")).status, 1);
    assert_command!("transfer", place, line);
    place.succeed(&format!("get other {NOTE}"));
}

#[test]
fn datasets_are_transferred_by_identifier() {
    let place = Place::filled();
    place.succeed("create other");
    fs::write(place.path().join("ids.txt"), format!("{NOTE}\n")).unwrap();
    place.succeed("transfer-from other repo --ids-file ids.txt --register-dataset-types -t copy");
    place.succeed(&format!("get other {NOTE}"));
    assert_command!(
        "transfer_from_absent",
        place,
        "transfer-from other repo 00000000-0000-0000-0000-000000000000"
    );
}

#[test]
fn files_in_a_table_are_ingested() {
    let place = Place::filled();
    fs::create_dir(place.path().join("new")).unwrap();
    for name in ["a", "b"] {
        fs::write(
            place.path().join(format!("new/{name}.json")),
            "{\"new\": 1}",
        )
        .unwrap();
    }
    fs::write(
        place.path().join("files.csv"),
        "file,detector\na.json,1\nb.json,2\n",
    )
    .unwrap();
    assert_command!(
        "ingest_files",
        place,
        "ingest-files repo document new files.csv --data-id instrument=Cam --prefix new -t copy --formatter lsst.daf.butler.formatters.json.JsonFormatter --id-generation-mode dataid_type_run"
    );
    let got = place.succeed("get repo document instrument=Cam detector=2 --collections new");
    assert_eq!(got.text(), "{\"new\": 1}");
}

#[test]
fn tables_must_name_the_dimensions() {
    let place = Place::filled();
    fs::write(place.path().join("files.csv"), "file,detector\na.json,1\n").unwrap();
    assert_command!(
        "ingest_without_instrument",
        place,
        "ingest-files repo document new files.csv"
    );
    assert_command!(
        "ingest_unknown_dimension",
        place,
        "ingest-files repo document new files.csv --data-id telescope=1"
    );
}

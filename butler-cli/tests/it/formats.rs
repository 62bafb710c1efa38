//! Formats for machines.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use arrow::array::{Array as _, RecordBatch};
use arrow::ipc::reader::StreamReader;
use butler_tests::meter::process_memory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::demo;
use crate::support::{Place, assert_command};

const SEARCH: &str = "query-datasets repo document,note --collections docs";

#[test]
fn json_has_an_object_for_each_row() {
    let place = Place::filled();
    assert_command!(
        "json",
        place,
        "query-datasets repo document,note --collections docs --format json"
    );
}

#[test]
fn csv_has_the_columns_of_all_types() {
    assert_command!(
        "csv",
        Place::filled(),
        "query-datasets repo document,note --collections docs --format csv"
    );
}

#[test]
fn records_for_machines_have_both_ends_of_timespans() {
    let place = Place::filled();
    let rows = place.succeed("query-dimension-records repo visit --format json");
    let rows = rows.json();
    assert_eq!(rows[0]["timespan_begin"], "2025-01-01T05:00:00.000000000");
    assert_eq!(rows[0]["timespan_end"], "2025-01-01T05:00:30.000000000");
    assert_eq!(rows[1]["timespan_begin"], serde_json::Value::Null);
}

#[test]
fn collections_for_machines_have_lists() {
    let place = Place::with_collections();
    let rows = place.succeed("query-collections repo outer --chains table -t --format json");
    assert_eq!(
        rows.json(),
        serde_json::json!([{
            "name": "outer",
            "type": "CHAINED",
            "children": ["chain", "docs"],
            "dataset_types": ["bias", "document", "note"],
        }])
    );
}

#[test]
fn no_results_are_an_empty_list_for_machines() {
    let place = Place::filled();
    let rows = place.succeed("query-datasets repo x* --collections docs --format json");
    assert_eq!(rows.json(), serde_json::json!([]));
}

fn assert_table(batches: &[RecordBatch]) {
    let names: Vec<String> = batches[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let expected = "type run id instrument detector visit band day_obs physical_filter";
    assert_eq!(names.join(" "), expected);
    let sum = |number: fn(&RecordBatch) -> usize| batches.iter().map(number).sum::<usize>();
    assert_eq!(sum(RecordBatch::num_rows), 4);
    assert_eq!(sum(|batch| batch.column(4).null_count()), 1);
}

#[test]
fn arrow_comes_as_a_stream() {
    let done = Place::filled().succeed(&format!("{SEARCH} --format arrow"));
    let reader = StreamReader::try_new(done.stdout.as_slice(), None).unwrap();
    assert_table(&reader.map(Result::unwrap).collect::<Vec<_>>());
}

#[test]
fn parquet_goes_to_a_file() {
    let place = Place::filled();
    place.succeed(&format!("{SEARCH} --format parquet --output found.parquet"));
    let file = std::fs::File::open(place.path().join("found.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let reader = reader.build().unwrap();
    assert_table(&reader.map(Result::unwrap).collect::<Vec<_>>());
}

/// The most memory that a listing of so many data IDs has needed when its end is near.
fn peak_memory(rows: usize, format: &str) -> u64 {
    let limit = rows.to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_butler"))
        .arg("query-data-ids")
        .arg(demo::repository())
        .args(["exposure", "detector", "patch", "--limit", &limit])
        .args(["--format", format])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // More is still to come than fits into a pipe, so that the process is there.
    for _ in 0..rows - 5_000 {
        lines.next().unwrap().unwrap();
    }
    let (_, peak) = process_memory(child.id());
    assert!(lines.count() >= 5_000);
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
fn memory_does_not_grow_with_the_number_of_rows() {
    for format in ["csv", "json"] {
        let [few, many] = [6_000, 200_000].map(|rows| peak_memory(rows, format));
        assert!(many < few + (16 << 20), "{format}: {few}, {many}");
    }
}

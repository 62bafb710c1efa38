//! Formats for machines.

use arrow::array::{Array as _, RecordBatch};
use arrow::ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

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

fn assert_table(batch: &RecordBatch) {
    let names: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let expected = "type run id instrument detector visit band day_obs physical_filter";
    assert_eq!(names.join(" "), expected);
    assert_eq!(batch.num_rows(), 4);
    assert_eq!(batch.column(4).null_count(), 1);
}

#[test]
fn arrow_comes_as_a_stream() {
    let done = Place::filled().succeed(&format!("{SEARCH} --format arrow"));
    let mut reader = StreamReader::try_new(done.stdout.as_slice(), None).unwrap();
    assert_table(&reader.next().unwrap().unwrap());
}

#[test]
fn parquet_goes_to_a_file() {
    let place = Place::filled();
    place.succeed(&format!("{SEARCH} --format parquet --output found.parquet"));
    let file = std::fs::File::open(place.path().join("found.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_table(&reader.build().unwrap().next().unwrap().unwrap());
}

//! Lines of results: what the comparison with the reference's own pages does not show.

use std::sync::Arc;

use butler_core::Error;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionRecord, DimensionUniverse,
};
use butler_core::query::{ResultPage, ResultSpec};
use butler_core::storage_class::StorageClassRegistry;
use butler_core::wire::pages::{PageReader, write_dataset_ref, write_page};
use serde_json::{Value, json};
use uuid::Uuid;

fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

fn instrument(name: &str) -> DimensionRecord {
    let fields = [
        ("name", ColumnValue::Str(name.into())),
        ("class_name", ColumnValue::Str("\"quoted\"\n\u{1}é".into())),
    ];
    DimensionRecord::from_fields(universe().element("instrument").unwrap(), fields).unwrap()
}

fn dataset(dataset_type: &str, detector: i64) -> DatasetRef {
    let group = universe().conform(["detector"]).unwrap();
    let dataset_type = DatasetType::new(dataset_type, group.clone(), "ExposureF", true).unwrap();
    let values = [DataIdValue::from("Cam1"), DataIdValue::Int(detector)];
    let data_id = DataCoordinate::from_required_values(group, values).unwrap();
    DatasetRef::new(Arc::new(dataset_type), data_id, "run", Uuid::from_u128(7)).unwrap()
}

fn line(page: &ResultPage) -> String {
    let mut line = Vec::new();
    write_page(page, &mut line);
    String::from_utf8(line).unwrap()
}

fn records_reader() -> PageReader {
    let element = universe().element("instrument").unwrap();
    PageReader::new(&ResultSpec::dimension_records(element)).unwrap()
}

#[test]
fn a_dataset_has_its_serialized_form() {
    let classes = StorageClassRegistry::with_defaults();
    let image = dataset("image", 2);
    for dataset in [image.make_component("wcs", &classes).unwrap(), image] {
        let mut text = Vec::new();
        write_dataset_ref(&dataset, &mut text);
        let written: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(written, json!(dataset.to_simple(false)));
    }
}

#[test]
fn datasets_of_several_types_keep_theirs() {
    let datasets = vec![dataset("bias", 1), dataset("flat", 1), dataset("bias", 2)];
    let line = line(&ResultPage::DatasetRefs(datasets.clone()));
    let read = PageReader::of_datasets(universe()).read(line.as_bytes());
    let Ok(Some(ResultPage::DatasetRefs(read))) = read else {
        panic!("{read:?}");
    };
    assert_eq!(read, datasets);
}

#[test]
fn records_that_rows_share_come_with_each_row() {
    let record = Arc::new(instrument("Cam1"));
    let group = universe().conform(["instrument"]).unwrap();
    let data_id = DataCoordinate::from_required_values(group, [DataIdValue::from("Cam1")]).unwrap();
    let data_id = data_id.expanded(|_| Some(Arc::clone(&record))).unwrap();
    let page = ResultPage::DataCoordinates(vec![data_id.clone(), data_id.clone()]);
    let written: Value = serde_json::from_str(&line(&page)).unwrap();
    let row = json!(data_id);
    assert_eq!(written["rows"], json!([row, row]));
}

#[test]
fn text_of_any_kind_is_read_again() {
    let record = Arc::new(instrument("'\\\"\u{7f}\u{2028}\u{1f52d}\0"));
    let line = line(&ResultPage::DimensionRecords(vec![Arc::clone(&record)]));
    assert!(!line.contains('\n'));
    let read = records_reader().read(line.as_bytes());
    let Ok(Some(ResultPage::DimensionRecords(read))) = read else {
        panic!("{read:?}");
    };
    assert_eq!(read, [record]);
}

#[test]
fn numbers_that_json_has_no_form_for_are_null() {
    let rows = vec![vec![
        ColumnValue::Float(f64::NAN),
        ColumnValue::Float(f64::INFINITY),
    ]];
    let page = ResultPage::General {
        rows,
        dimension_records: None,
    };
    let expected = r#"{"type":"general","rows":[[null,null]],"dimension_records":null}"#;
    assert_eq!(line(&page), expected);
}

#[test]
fn a_page_without_rows_is_an_empty_list() {
    let page = ResultPage::DimensionRecords(Vec::new());
    assert_eq!(line(&page), r#"{"type":"dimension_record","rows":[]}"#);
}

#[test]
fn a_sign_of_life_is_no_page() {
    let read = records_reader().read(br#"{"type":"keep-alive"}"#).unwrap();
    assert!(read.is_none());
}

#[test]
fn an_error_on_the_line_is_the_error_of_the_query() {
    let line = br#"{"type":"error","error":{"error_type":"calibration_lookup","detail":"why"}}"#;
    let error = records_reader().read(line).unwrap_err();
    assert!(matches!(error, Error::CalibrationLookup(detail) if detail == "why"));
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_ignored() {
    let line = br#"{"new":{"a":[1]},"rows":[],"type":"dimension_record"}"#;
    let read = records_reader().read(line).unwrap();
    assert!(read.is_some_and(|page| page.is_empty()));
}

#[test]
fn what_is_no_page_of_the_kind_is_refused() {
    for line in [
        r#"{"type":"dataset_ref","rows":[]}"#,
        r#"{"type":"dimension_record"}"#,
        r#"{"rows":[]}"#,
        r#"{"type":"error"}"#,
        r#"{"type":"dimension_record","rows":[]} {}"#,
        r#"{"type":"dimension_record","rows":[{"definition":"nothing","record":{}}]}"#,
        r#"{"type":"dimension_record","rows":[{"definition":"instrument","record":{}}]}"#,
        r#"{"type":"dimension_record","rows":"#,
        "[]",
        "",
    ] {
        let error = records_reader().read(line.as_bytes()).unwrap_err();
        assert!(
            matches!(error, Error::CorruptRecord { .. }),
            "{line}: {error}"
        );
    }
}

#[test]
fn datasets_that_lack_something_are_refused() {
    for missing in ["datasetType", "dataId", "run"] {
        let mut row = json!(dataset("bias", 1).to_simple(false));
        row.as_object_mut().unwrap().remove(missing);
        let line = json!({"type": "dataset_ref", "rows": [row]}).to_string();
        let read = PageReader::of_datasets(universe()).read(line.as_bytes());
        assert!(read.is_err(), "without {missing}");
    }
}

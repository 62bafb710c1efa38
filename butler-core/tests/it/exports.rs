//! Export files: what the Python package reads and writes, and what files may get wrong.

use crate::support::python;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetType, FileDataset};
use butler_core::dimensions::{DimensionRecord, DimensionUniverse};
use butler_core::export_yaml::{CollectionExport, ExportWriter, ImportData};
use butler_core::time::format_tai_iso;
use butler_core::{Error, Timespan, yaml};
use serde_json::{Value, json};
use uuid::Uuid;

fn universe() -> DimensionUniverse {
    DimensionUniverse::default_universe()
}

/// A file with every kind of section, in the manner of releases old and new.
const FILE: &str = "\
description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- type: dimension
  element: instrument
  records:
  - name: Cam1
    visit_max: 10
    visit_system: 1
    exposure_max: 10
    detector_max: 4
    class_name: a.Cam
- type: dimension
  element: day_obs
  records:
  - instrument: Cam1
    id: 20130617
    datetime_begin: !butler_time/tai/iso '2013-06-17 00:00:00.000000001'
    datetime_end: 2013-06-18 00:00:00
- type: dimension
  element: detector
  records:
  - {instrument: Cam1, id: 1, full_name: Aa, name_in_raft: '1_000', raft: A, purpose: SCIENCE}
- {type: run, name: old}
- type: collection
  collection_type: RUN
  name: new
  host: null
  timespan_begin: null
  timespan_end: null
  doc: 'of: today'
- {type: collection, collection_type: TAGGED, name: tag}
- {type: collection, collection_type: CALIBRATION, name: calib}
- {type: collection, collection_type: CHAINED, name: chain, children: [new, [old, null]]}
- type: dataset_type
  name: bias
  dimensions: [instrument, detector]
  storage_class: ExposureF
  is_calibration: true
- type: dataset
  dataset_type: bias
  run: new
  records:
  - dataset_id: [!uuid e15ab039-bc8b-4135-87c5-90902a7c0b22]
    data_id: [{instrument: Cam1, detector: 1}]
    path: a/b.fits
    formatter: a.Formatter
- type: dataset
  dataset_type: other
  run: old
  records:
  - dataset_id: 7
    data_id: {instrument: Cam1, detector: 1, band: g}
- type: associations
  collection: tag
  collection_type: TAGGED
  dataset_ids: [7]
- type: associations
  collection: calib
  collection_type: CALIBRATION
  validity_ranges:
  - timespan: !lsst.daf.butler.Timespan
      begin: !butler_time/tai/iso '2020-01-01 00:00:00.000000000'
      end: null
    dataset_ids: [!uuid e15ab039-bc8b-4135-87c5-90902a7c0b22]
  - {begin: null, end: null, dataset_ids: [7]}
";

fn bias() -> Arc<DatasetType> {
    let group = universe().conform(["detector"]).unwrap();
    Arc::new(DatasetType::new("other", group, "ExposureF", false).unwrap())
}

#[test]
fn every_kind_of_section_is_read() {
    let mut data = ImportData::read(FILE, universe()).unwrap();
    assert_eq!(
        data.records.keys().copied().collect::<Vec<_>>(),
        ["instrument", "day_obs", "detector"]
    );
    let day = data.records["day_obs"][0].timespan().unwrap();
    assert_eq!(
        format_tai_iso(day.begin().unwrap(), 9),
        "2013-06-17 00:00:00.000000001"
    );
    // Times without a tag are UTC.
    assert_eq!(format_tai_iso(day.end().unwrap(), 0), "2013-06-18 00:00:35");
    assert_eq!(
        data.records["detector"][0]
            .get("name_in_raft")
            .unwrap()
            .as_str(),
        Some("1_000")
    );
    assert_eq!(data.runs.keys().collect::<Vec<_>>(), ["old", "new"]);
    assert_eq!(data.docs["new"], "of: today");
    assert_eq!(data.chains["chain"], ["new", "old"]);
    assert_eq!(data.collections["tag"], CollectionType::Tagged);
    assert!(data.dataset_types["bias"].is_calibration());
    assert_eq!(data.missing_dataset_types(), ["other"]);
    assert_eq!(data.dataset_count(), 2);

    let groups = data
        .take_datasets(|name| (name == "other").then(bias))
        .unwrap();
    let file = &groups[0].files[0];
    assert_eq!(file.path, "a/b.fits");
    assert_eq!(file.formatter.as_deref(), Some("a.Formatter"));
    assert_eq!(
        file.refs[0].id().to_string(),
        "e15ab039-bc8b-4135-87c5-90902a7c0b22"
    );
    let old = groups[1].files[0].refs[0].id();
    assert_eq!(data.tags["tag"], [old]);
    let ranges = &data.calibrations["calib"];
    assert_eq!(ranges[0].0.end(), None);
    assert_eq!(ranges[1], (Timespan::UNBOUNDED, vec![old]));
}

#[test]
fn datasets_need_their_dataset_types() {
    let mut data = ImportData::read(FILE, universe()).unwrap();
    let error = data.take_datasets(|_| None).unwrap_err();
    assert!(matches!(error, Error::MissingDatasetType(ref text) if text.contains("'other'")));
}

#[test]
fn mistakes_are_named_with_their_place() {
    let refuse = |from: &str, to: &str| {
        assert!(FILE.contains(from));
        let result = ImportData::read(&FILE.replacen(from, to, 1), universe());
        result.map(|_| ()).unwrap_err().to_string()
    };
    let text = refuse("version: 1.0.2", "version: 2.0.0");
    assert!(text.contains("2.0.0") && text.contains("1.0"), "{text}");
    assert!(refuse("version: 1.0.2", "version: 1.1.0").contains("1.1.0"));
    assert!(refuse("version: 1.0.2\n", "").contains("version"));
    assert!(refuse("type: run", "type: walk").contains("'walk'"));
    let text = refuse("!uuid e15ab039", "!uuid zzzab039");
    assert!(
        text.contains("dataset id") && text.contains("line 46"),
        "{text}"
    );
    assert!(refuse("element: detector", "element: nonsense").contains("nonsense"));
    assert!(refuse("full_name: Aa", "no_field: Aa").contains("no_field"));
    assert!(refuse("collection_type: TAGGED", "collection_type: NONE").contains("NONE"));
    assert!(refuse("[{instrument: Cam1, detector: 1}]", "[]").contains("a/b.fits"));
    assert!(refuse("dimensions: [instrument, detector]", "dimensions: [nope]").contains("nope"));
    let cut = &FILE[..FILE.len() - 60];
    assert!(ImportData::read(cut, universe()).is_err());
    assert!(ImportData::read("", universe()).is_err());
    assert!(ImportData::read("[1, 2]", universe()).is_err());
}

#[test]
fn what_is_written_is_read_back() {
    let mut data = ImportData::read(FILE, universe()).unwrap();
    let mut writer = ExportWriter::new(universe());
    let mut text = String::new();
    for (name, records) in &data.records {
        writer.dimension_records(universe().get(name).unwrap(), records);
        text.push_str(&writer.take());
    }
    for (name, run) in &data.runs {
        let what = CollectionExport::Run(run.host.as_deref(), run.timespan);
        writer.collection(name, data.docs.get(name).map(String::as_str), &what);
    }
    for (name, children) in &data.chains {
        writer.collection(name, None, &CollectionExport::Chained(children));
    }
    writer.collection("tag", None, &CollectionExport::Tagged);
    writer.collection("calib", None, &CollectionExport::Calibration);
    let groups = data.take_datasets(|_| Some(bias())).unwrap();
    for group in &groups {
        writer.datasets(&group.dataset_type, &group.run, &group.files);
    }
    for (name, ids) in &data.tags {
        writer.tags(name, ids.iter().copied());
    }
    for (name, ranges) in &data.calibrations {
        writer.calibrations(
            name,
            ranges.iter().map(|(span, ids)| (*span, ids.as_slice())),
        );
    }
    text.push_str(&writer.finish());

    let mut again = ImportData::read(&text, universe()).unwrap();
    assert_eq!(again.records, data.records);
    assert_eq!(again.runs, data.runs);
    assert_eq!(again.docs, data.docs);
    assert_eq!(again.chains, data.chains);
    assert_eq!(again.collections, data.collections);
    assert_eq!(again.tags, data.tags);
    assert_eq!(again.calibrations, data.calibrations);
    assert_eq!(again.take_datasets(|_| None).unwrap(), groups);
}

#[test]
fn an_export_of_nothing_is_a_file_too() {
    let text = ExportWriter::new(universe()).finish();
    let data = ImportData::read(&text, universe()).unwrap();
    assert_eq!(data.header.universe_version, universe().version());
    assert_eq!(data.dataset_count(), 0);
}

#[test]
fn many_datasets_are_read_in_one_go() {
    let group = universe().conform(["detector"]).unwrap();
    let dataset_type = Arc::new(DatasetType::new("bias", group, "ExposureF", true).unwrap());
    let files: Vec<FileDataset> = (0..5_000u128)
        .map(|number| {
            let data_id = butler_core::dimensions::DataCoordinate::from_required_values(
                dataset_type.dimensions().clone(),
                [number.to_string().into(), 1.into()],
            )
            .unwrap();
            let dataset = butler_core::datasets::DatasetRef::new(
                Arc::clone(&dataset_type),
                data_id,
                "run",
                Uuid::from_u128(number),
            );
            FileDataset {
                path: format!("a/{number}.fits"),
                refs: vec![dataset.unwrap()],
                formatter: Some("a.Formatter".into()),
            }
        })
        .collect();
    let mut writer = ExportWriter::new(universe());
    writer.datasets(&dataset_type, "run", &files);
    let mut data = ImportData::read(&writer.finish(), universe()).unwrap();
    assert_eq!(data.take_datasets(|_| None).unwrap()[0].files, files);
}

/// Records as rows of JSON, which can be compared without regard to how they were made.
fn rows(records: &[DimensionRecord]) -> Value {
    records
        .iter()
        .map(|record| json!(record.to_key_value()))
        .collect()
}

/// The identifiers of all datasets in a row of the Python package's.
fn ids(datasets: &Value) -> Vec<&Value> {
    let groups = datasets.as_array().unwrap().iter();
    let files = groups.flat_map(|group| group[2].as_array().unwrap());
    let refs = files.flat_map(|file| file[1].as_array().unwrap());
    refs.map(|dataset| &dataset[0]).collect()
}

/// What the Python package says of export files, the given ones or its own.
fn read_by_python(paths: &[&Path]) -> Vec<Value> {
    let python = python();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_exports.py");
    let output = Command::new(python)
        .arg(script)
        .args(paths)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn files_of_the_python_package_are_read_as_it_reads_them() {
    let files = read_by_python(&[]);
    assert_eq!(files.len(), 7);

    let mut known: HashMap<String, Arc<DatasetType>> = HashMap::new();
    let mut copies = Vec::new();
    for file in &files {
        let path = file["path"].as_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let mut data = ImportData::read(&text, universe()).unwrap();
        for (name, dataset_type) in &data.dataset_types {
            known.insert(name.to_string(), Arc::clone(dataset_type));
        }
        let records: Value = data
            .records
            .iter()
            .map(|(name, records)| ((*name).to_owned(), rows(records)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(records, file["records"], "{path}");
        let types: Vec<_> = data
            .dataset_types
            .values()
            .map(|t| t.to_simple(false))
            .collect();
        assert_eq!(json!(types), file["dataset_types"], "{path}");
        assert_eq!(
            json!(data.runs.keys().collect::<Vec<_>>()),
            file["runs"],
            "{path}"
        );
        let written = ImportData::read(file["written"].as_str().unwrap(), universe()).unwrap();
        assert_eq!(written.records, data.records, "{path}");

        let groups = data.take_datasets(|name| known.get(name).cloned()).unwrap();
        let actual: Vec<Value> = groups
            .iter()
            .map(|group| {
                let files: Vec<Value> = group
                    .files
                    .iter()
                    .map(|file| {
                        let refs: Vec<Value> = file
                            .refs
                            .iter()
                            .map(|r| json!([r.id(), r.data_id().to_serialized_data_id()]))
                            .collect();
                        let path = (!file.path.is_empty()).then_some(&file.path);
                        json!([path, refs])
                    })
                    .collect();
                json!([&**group.dataset_type.name(), &*group.run, files])
            })
            .collect();
        assert_eq!(json!(actual), file["datasets"], "{path}");

        let mut writer = ExportWriter::new(universe());
        // The Python package writes elements in the order in which it met them.
        let theirs = yaml::parse(file["written"].as_str().unwrap()).unwrap();
        for section in theirs.get("data").unwrap().as_seq().unwrap() {
            let Some(name) = section.get("element").and_then(yaml::Value::as_str) else {
                continue;
            };
            writer.dimension_records(universe().get(name).unwrap(), &data.records[name]);
        }
        for group in &groups {
            let formatter = Some("lsst.daf.butler.formatters.json.JsonFormatter".into());
            let files: Vec<FileDataset> = group
                .files
                .iter()
                .map(|file| FileDataset {
                    formatter: formatter.clone(),
                    ..file.clone()
                })
                .collect();
            writer.datasets(&group.dataset_type, &group.run, &files);
        }
        let ours = writer.finish();
        assert_eq!(yaml::parse(&ours).unwrap(), theirs, "{path}");

        let copy = std::env::temp_dir().join(format!("butler-export-{}.yaml", Uuid::new_v4()));
        std::fs::write(&copy, ours).unwrap();
        copies.push(copy);
    }

    // And the Python package reads what was written here.
    let paths: Vec<&Path> = copies.iter().map(PathBuf::as_path).collect();
    let again = read_by_python(&paths);
    for (copy, (ours, theirs)) in copies.iter().zip(again.iter().zip(&files)) {
        std::fs::remove_file(copy).unwrap();
        assert_eq!(ours["records"], theirs["records"], "{}", theirs["path"]);
        // Implied values are not written, so only the identifiers can be the same.
        assert_eq!(
            ids(&ours["datasets"]),
            ids(&theirs["datasets"]),
            "{}",
            theirs["path"]
        );
    }
}

//! The repository the workloads run on; `tests/README.md` describes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::{ColumnValue, DataCoordinate, DataIdValue, DimensionRecord};
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_direct::ops::create::CreateOptions;
use uuid::Uuid;

pub const INSTRUMENT: &str = "Bench";
pub const DETECTORS: i64 = 100;
pub const FIRST_EXPOSURE: i64 = 2_025_010_100_000;

/// When the first exposure begins, 2025-01-01T20:00:00 TAI, in nanoseconds.
pub const FIRST_NS: i64 = 1_735_761_600_000_000_000;

const JSON_FORMATTER: &str = "lsst.daf.butler.formatters.json.JsonFormatter";

/// Name of the dataset type.
pub const DATASET_TYPE: &str = "bench";

/// Creates a repository below a directory; with a URL, on PostgreSQL in a new schema.
pub async fn repository(root: &Path, url: Option<&str>) -> DirectButler {
    let mut config = Config::new();
    if let Some(url) = url {
        let schema = format!("bench_{}", Uuid::new_v4().simple());
        config.set(".registry.db", url).unwrap();
        config.set(".registry.namespace", schema).unwrap();
    }
    let options = CreateOptions {
        config,
        keep_roots: true,
        ..CreateOptions::default()
    };
    DirectButler::create(root.to_str().unwrap(), options)
        .await
        .unwrap()
}

/// Inserts what so many datasets need, and registers their type.
pub async fn prepare(butler: &DirectButler, datasets: i64) {
    let universe = butler.universe();
    let text = |text: &str| ColumnValue::Str(text.into());
    let of = ("instrument", text(INSTRUMENT));
    let insert = async |element: &str, rows: Vec<Vec<(&str, ColumnValue)>>| {
        let element = universe.element(element).unwrap();
        let records: Vec<DimensionRecord> = rows
            .into_iter()
            .map(|row| DimensionRecord::from_fields(element, row).unwrap())
            .collect();
        let registry = butler.registry();
        registry
            .insert_dimension_records(element, &records, InsertMode::Insert)
            .await
            .unwrap();
    };
    insert(
        "instrument",
        vec![vec![
            ("name", text(INSTRUMENT)),
            ("detector_max", ColumnValue::Int(DETECTORS)),
            ("class_name", text("bench.Instrument")),
        ]],
    )
    .await;
    insert(
        "physical_filter",
        vec![vec![
            of.clone(),
            ("name", text("Bench-R")),
            ("band", text("r")),
        ]],
    )
    .await;
    insert(
        "day_obs",
        vec![vec![of.clone(), ("id", ColumnValue::Int(20_250_101))]],
    )
    .await;
    let detector = |d: i64| {
        vec![
            of.clone(),
            ("id", ColumnValue::Int(d)),
            ("full_name", text(&format!("D{d:03}"))),
        ]
    };
    insert("detector", (0..DETECTORS).map(detector).collect()).await;
    let exposures = ((datasets + DETECTORS - 1) / DETECTORS).max(1);
    let group = |i: i64| vec![of.clone(), ("name", text(&format!("group{i}")))];
    insert("group", (0..exposures).map(group).collect()).await;
    insert("exposure", (0..exposures).map(exposure).collect()).await;
    let dimensions = universe
        .conform(["instrument", "exposure", "detector"])
        .unwrap();
    let dataset_type =
        DatasetType::new(DATASET_TYPE, dimensions, "StructuredDataDict", false).unwrap();
    butler
        .registry()
        .register_dataset_type(&dataset_type)
        .await
        .unwrap();
}

/// The fields of an exposure.
pub fn exposure(i: i64) -> Vec<(&'static str, ColumnValue)> {
    let text = |text: &str| ColumnValue::Str(text.into());
    let start = FIRST_NS + 40_000_000_000 * i;
    let timespan = Timespan::from_ns(start, start + 30_000_000_000);
    vec![
        ("instrument", text(INSTRUMENT)),
        ("id", ColumnValue::Int(FIRST_EXPOSURE + i)),
        ("obs_id", text(&format!("BE_O_20250101_{i:06}"))),
        ("physical_filter", text("Bench-R")),
        ("group", text(&format!("group{i}"))),
        ("day_obs", ColumnValue::Int(20_250_101)),
        ("exposure_time", ColumnValue::Float(30.0)),
        ("timespan", ColumnValue::Timespan(timespan)),
    ]
}

/// So many new datasets of a run, starting with the one numbered `first`.
pub async fn datasets(butler: &DirectButler, run: &str, first: i64, count: i64) -> Vec<DatasetRef> {
    let registry = butler.registry();
    registry
        .register_collection(run, CollectionType::Run, None)
        .await
        .unwrap();
    let dataset_type = registry.dataset_type(DATASET_TYPE).await.unwrap();
    let group = dataset_type.dimensions().clone();
    let (run, instrument): (Arc<str>, Arc<str>) = (run.into(), INSTRUMENT.into());
    (first..first + count)
        .map(|i| {
            let value = |name: &&str| match *name {
                "instrument" => DataIdValue::Str(Arc::clone(&instrument)),
                "exposure" => DataIdValue::Int(FIRST_EXPOSURE + i / DETECTORS),
                _ => DataIdValue::Int(i % DETECTORS),
            };
            let values: Vec<DataIdValue> = group.required().iter().map(value).collect();
            let data_id = DataCoordinate::from_required_values(group.clone(), values).unwrap();
            DatasetRef::new(
                Arc::clone(&dataset_type),
                data_id,
                Arc::clone(&run),
                Uuid::new_v4(),
            )
            .unwrap()
        })
        .collect()
}

/// Small JSON files, 1,000 to a directory, one for each of the datasets.
pub fn files(directory: &Path, datasets: Vec<DatasetRef>) -> Vec<FileDataset> {
    let mut folder = PathBuf::new();
    datasets
        .into_iter()
        .enumerate()
        .map(|(i, dataset)| {
            if i % 1000 == 0 {
                folder = directory.join(format!("{:04}", i / 1000));
                std::fs::create_dir_all(&folder).unwrap();
            }
            let path = folder.join(format!("{i:07}.json"));
            let padding = "x".repeat(70);
            std::fs::write(
                &path,
                format!("{{\"index\": {i}, \"padding\": \"{padding}\"}}"),
            )
            .unwrap();
            FileDataset {
                path: path.to_str().unwrap().to_owned(),
                refs: vec![dataset],
                formatter: Some(JSON_FORMATTER.into()),
            }
        })
        .collect()
}

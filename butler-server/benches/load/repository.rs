//! The repository under load: images of one telescope and a coadd of the sky, on PostgreSQL, files in a bucket that is
//! never asked.

use std::path::Path;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::config::Config;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::datastore::StoredFileInfo;
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionGroup, DimensionRecord, EncodedRegion,
};
use butler_core::registry::{InsertMode, Registry, RegistryWriter};
use butler_core::time::{TimeFormat, TimeScale, parse_time};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_direct::environment::Environment;
use butler_direct::ops::create::CreateOptions;
use butler_direct::registry::RecordMode;
use butler_direct::resource::Resources;
use butler_sphgeom::Region;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const DETECTORS: i64 = 100;
const FIRST_VISIT: i64 = 2_025_010_100_000;
const RUNS: i64 = 10;
const TRACTS: i64 = 100;
/// In each direction of a tract.
const PATCHES: i64 = 10;
/// Degrees.
const PATCH_SIZE: f64 = 0.2;
const BANDS: [&str; 5] = ["g", "r", "i", "z", "y"];
/// Datasets in one transaction.
const BATCH: usize = 50_000;
/// How many datasets the sample has of which requests are made.
const SAMPLE: i64 = 200;

/// Credentials with which servers sign URLs; nobody ever checks them.
pub(crate) const CREDENTIALS: [(&str, &str); 4] = [
    ("S3_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

/// Creates the repository in a new schema of the database, with about so many datasets. Returns the document of which
/// `bench_requests.py` makes requests.
pub(crate) async fn create(root: &Path, url: &str, schema: &str, datasets: i64) -> Value {
    let mut config = Config::new();
    config.set(".registry.db", url).unwrap();
    config.set(".registry.namespace", schema).unwrap();
    config.set(".datastore.root", "s3://bench/files/").unwrap();
    let options = CreateOptions {
        config,
        keep_roots: true,
        resources: Some(resources()),
        ..CreateOptions::default()
    };
    let butler = DirectButler::create(root.to_str().unwrap(), options)
        .await
        .unwrap();
    let coadds = TRACTS * PATCHES * PATCHES * BANDS.len() as i64;
    let visits = ((datasets - coadds) / DETECTORS).max(SAMPLE);
    insert_telescope(&butler, visits).await;
    insert_sky(&butler).await;
    let mut filler = Filler::new(&butler);
    filler.images(visits).await;
    filler.coadds().await;
    let runs: Vec<String> = (0..RUNS)
        .map(|run| format!("bench/run{run}"))
        .chain(["bench/coadd".to_owned()])
        .collect();
    let registry = butler.registry();
    registry
        .register_collection("bench/all", CollectionType::Chained, None)
        .await
        .unwrap();
    registry
        .set_collection_chain("bench/all", &runs)
        .await
        .unwrap();
    let sample = filler.sample;
    butler.close().await;
    let points: Vec<[f64; 2]> = (0..50_i64)
        .map(|i| [0.37 + 0.41 * f64_of(i), 0.03 + 0.037 * f64_of(i)])
        .collect();
    json!({
        "visits": visits,
        "first_visit": FIRST_VISIT,
        "detectors": DETECTORS,
        "collections": "bench/all",
        "points": points,
        "sample": sample,
    })
}

fn resources() -> Resources {
    let variables = CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Resources::builder()
        .environment(Environment::fixed(variables))
        .build()
}

fn f64_of(number: i64) -> f64 {
    number as f64
}

fn text(text: impl AsRef<str>) -> ColumnValue {
    ColumnValue::Str(text.as_ref().into())
}

async fn insert(butler: &DirectButler, element: &str, rows: Vec<Vec<(&str, ColumnValue)>>) {
    let element = butler.universe().element(element).unwrap();
    let records: Vec<DimensionRecord> = rows
        .into_iter()
        .map(|row| DimensionRecord::from_fields(element, row).unwrap())
        .collect();
    butler
        .registry()
        .insert_dimension_records(element, &records, InsertMode::Insert)
        .await
        .unwrap();
}

async fn insert_telescope(butler: &DirectButler, visits: i64) {
    let of = ("instrument", text("Bench"));
    let instrument = vec![
        ("name", text("Bench")),
        ("detector_max", ColumnValue::Int(DETECTORS)),
        ("class_name", text("bench.Instrument")),
    ];
    insert(butler, "instrument", vec![instrument]).await;
    let filters = BANDS
        .map(|band| {
            let name = ("name", text(format!("Bench-{band}")));
            vec![of.clone(), name, ("band", text(band))]
        })
        .to_vec();
    insert(butler, "physical_filter", filters).await;
    let day = vec![of.clone(), ("id", ColumnValue::Int(20_250_101))];
    insert(butler, "day_obs", vec![day]).await;
    let detector = |number: i64| {
        let name = ("full_name", text(format!("D{number:03}")));
        vec![of.clone(), ("id", ColumnValue::Int(number)), name]
    };
    insert(butler, "detector", (0..DETECTORS).map(detector).collect()).await;
    let begin = parse_time("2025-01-01T20:00:00", TimeFormat::Isot, TimeScale::Tai).unwrap();
    let visit = |number: i64| {
        let start = begin + 40_000_000_000 * number;
        let id = FIRST_VISIT + number;
        let band = BANDS[usize::try_from(number % 5).unwrap()];
        let (ra, dec) = (f64_of(number % 360), f64_of(number / 360 % 120) - 60.0);
        vec![
            of.clone(),
            ("id", ColumnValue::Int(id)),
            ("name", text(id.to_string())),
            ("physical_filter", text(format!("Bench-{band}"))),
            ("day_obs", ColumnValue::Int(20_250_101)),
            ("exposure_time", ColumnValue::Float(30.0)),
            (
                "timespan",
                ColumnValue::Timespan(Timespan::from_ns(start, start + 30_000_000_000)),
            ),
            ("region", square(ra, dec, 2.0)),
        ]
    };
    insert(butler, "visit", (0..visits).map(visit).collect()).await;
}

async fn insert_sky(butler: &DirectButler) {
    let map = vec![
        ("name", text("bench")),
        ("hash", ColumnValue::Bytes(vec![7; 20].into())),
        ("tract_max", ColumnValue::Int(TRACTS)),
        ("patch_nx_max", ColumnValue::Int(PATCHES)),
        ("patch_ny_max", ColumnValue::Int(PATCHES)),
    ];
    insert(butler, "skymap", vec![map]).await;
    let of = ("skymap", text("bench"));
    let (mut tracts, mut patches) = (Vec::new(), Vec::new());
    let side = PATCH_SIZE * f64_of(PATCHES);
    for tract in 0..TRACTS {
        let (ra, dec) = (f64_of(tract % 25) * side, f64_of(tract / 25) * side - 2.0);
        let id = ("id", ColumnValue::Int(tract));
        tracts.push(vec![of.clone(), id, ("region", square(ra, dec, side))]);
        for patch in 0..PATCHES * PATCHES {
            let (x, y) = (patch % PATCHES, patch / PATCHES);
            let corner = (ra + f64_of(x) * PATCH_SIZE, dec + f64_of(y) * PATCH_SIZE);
            patches.push(vec![
                of.clone(),
                ("tract", ColumnValue::Int(tract)),
                ("id", ColumnValue::Int(patch)),
                ("cell_x", ColumnValue::Int(x)),
                ("cell_y", ColumnValue::Int(y)),
                ("region", square(corner.0, corner.1, PATCH_SIZE)),
            ]);
        }
    }
    insert(butler, "tract", tracts).await;
    insert(butler, "patch", patches).await;
}

/// A square by its lower left corner and its side, in degrees.
fn square(ra: f64, dec: f64, side: f64) -> ColumnValue {
    let (right, top) = (ra + side, dec + side);
    let polygon = format!("POLYGON {ra} {dec} {right} {dec} {right} {top} {ra} {top}");
    let region = Region::from_ivoa_pos(&polygon).unwrap();
    ColumnValue::Region(EncodedRegion::encode(&region))
}

/// Imports datasets with their file records, batch by batch.
struct Filler<'b> {
    butler: &'b DirectButler,
    batch: Vec<DatasetRef>,
    sample: Vec<Value>,
    stored: usize,
}

impl<'b> Filler<'b> {
    fn new(butler: &'b DirectButler) -> Self {
        Self {
            butler,
            batch: Vec::with_capacity(BATCH),
            sample: Vec::new(),
            stored: 0,
        }
    }

    async fn register(&self, name: &str, dimensions: &[&str], runs: &[String]) -> Kind {
        let registry = self.butler.registry();
        let dimensions = self
            .butler
            .universe()
            .conform(dimensions.iter().copied())
            .unwrap();
        let dataset_type =
            DatasetType::new(name, dimensions.clone(), "StructuredDataDict", false).unwrap();
        registry.register_dataset_type(&dataset_type).await.unwrap();
        for run in runs {
            registry
                .register_collection(run, CollectionType::Run, None)
                .await
                .unwrap();
        }
        Kind {
            dataset_type: registry.dataset_type(name).await.unwrap(),
            dimensions,
        }
    }

    async fn images(&mut self, visits: i64) {
        let runs: Vec<String> = (0..RUNS).map(|run| format!("bench/run{run}")).collect();
        let kind = self.register("image", &["visit", "detector"], &runs).await;
        let every = (visits / SAMPLE).max(1);
        for number in 0..visits {
            let run: Arc<str> = runs[usize::try_from(number % RUNS).unwrap()]
                .as_str()
                .into();
            let visit = FIRST_VISIT + number;
            for detector in 0..DETECTORS {
                let dataset = kind.dataset(&run, |name| match name {
                    "instrument" => DataIdValue::from("Bench"),
                    "visit" => DataIdValue::Int(visit),
                    _ => DataIdValue::Int(detector),
                });
                if number % every == 0 && detector == number % DETECTORS {
                    self.sample.push(json!({
                        "id": dataset.id(),
                        "visit": visit,
                        "detector": detector,
                    }));
                }
                self.add(dataset).await;
            }
        }
        self.flush().await;
    }

    async fn coadds(&mut self) {
        let run = "bench/coadd".to_owned();
        let kind = self
            .register("coadd", &["patch", "band"], std::slice::from_ref(&run))
            .await;
        let run: Arc<str> = run.into();
        for number in 0..TRACTS * PATCHES * PATCHES {
            for band in BANDS {
                let dataset = kind.dataset(&run, |name| match name {
                    "skymap" => DataIdValue::from("bench"),
                    "band" => DataIdValue::from(band),
                    "tract" => DataIdValue::Int(number / (PATCHES * PATCHES)),
                    _ => DataIdValue::Int(number % (PATCHES * PATCHES)),
                });
                self.add(dataset).await;
            }
        }
        self.flush().await;
    }

    async fn add(&mut self, dataset: DatasetRef) {
        self.batch.push(dataset);
        if self.batch.len() == BATCH {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        let ids: Vec<Uuid> = self.batch.iter().map(DatasetRef::id).collect();
        let records: Vec<_> = ids.iter().map(|id| (*id, record(id))).collect();
        let mut transaction = self.butler.registry().begin().await.unwrap();
        transaction.import_datasets(&self.batch).await.unwrap();
        transaction
            .insert_locations("FileDatastore@s3://bench/files/", &ids, false)
            .await
            .unwrap();
        transaction
            .insert_file_records("file_datastore_records", &records, RecordMode::Insert)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        self.stored += ids.len();
        self.batch.clear();
        if self.stored.is_multiple_of(200_000) {
            eprintln!("  {} datasets stored", self.stored);
        }
    }
}

/// A dataset type and what is needed to make datasets of it.
struct Kind {
    dataset_type: Arc<DatasetType>,
    dimensions: DimensionGroup,
}

impl Kind {
    fn dataset(&self, run: &Arc<str>, value: impl Fn(&str) -> DataIdValue) -> DatasetRef {
        let values = self.dimensions.required().iter().map(|name| value(name));
        let data_id = DataCoordinate::from_required_values(
            self.dimensions.clone(),
            values.collect::<Vec<_>>(),
        );
        let id = Uuid::new_v4();
        DatasetRef::new(
            Arc::clone(&self.dataset_type),
            data_id.unwrap(),
            Arc::clone(run),
            id,
        )
        .unwrap()
    }
}

fn record(id: &Uuid) -> StoredFileInfo {
    StoredFileInfo {
        formatter: "lsst.daf.butler.formatters.yaml.YamlFormatter".into(),
        path: format!("{id}.yaml"),
        storage_class: "StructuredDataDict".into(),
        component: None,
        checksum: None,
        file_size: 1_000,
    }
}

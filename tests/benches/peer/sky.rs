//! The repository that queries are asked of; `bench_queries.py` asks the same one.

use std::f64::consts::PI;
use std::path::Path;
use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionRecord, EncodedRegion,
};
use butler_core::registry::{InsertMode, RegistryWriter};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_sphgeom::{ConvexPolygon, LonLat, Region, UnitVector3d};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::fixture::{self, DETECTORS, FIRST_EXPOSURE, FIRST_NS, INSTRUMENT};

/// Runs of datasets of type [`DATASET_TYPE`](fixture::DATASET_TYPE).
pub const BIG_RUN: &str = "big";
pub const STREAM_RUN: &str = "stream";

/// The type and collection of calibrations.
pub const CALIBRATION_TYPE: &str = "dark";
pub const CALIBRATIONS: &str = "calibs";
const VALIDITY_RANGES: i64 = 20;

const VISITS: i64 = 10_000;
const TRACTS: i64 = 400;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Datasets in the big run.
    pub big: i64,
    /// Datasets in the run that is streamed.
    pub stream: i64,
}

/// Datasets in one transaction.
const BATCH: i64 = 50_000;

/// Creates and fills the repository.
pub async fn repository(root: &Path, url: &str, sizes: Sizes) -> DirectButler {
    let butler = fixture::repository(root, Some(url)).await;
    fixture::prepare(&butler, sizes.big.max(sizes.stream)).await;
    complete_exposures(&butler, sizes.big / DETECTORS).await;
    for (run, count) in [(BIG_RUN, sizes.big), (STREAM_RUN, sizes.stream)] {
        for first in (0..count).step_by(BATCH as usize) {
            let size = BATCH.min(count - first);
            let datasets = fixture::datasets(&butler, run, first, size).await;
            butler.registry().import_datasets(&datasets).await.unwrap();
        }
    }
    insert_sky(&butler).await;
    certify(&butler, sizes.big / DETECTORS).await;
    settle(url).await;
    butler
}

/// Does what the server's own vacuuming does in time.
async fn settle(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE)")
        .execute(&mut connection)
        .await
        .unwrap();
}

fn text(text: &str) -> ColumnValue {
    ColumnValue::Str(text.into())
}

async fn insert(butler: &DirectButler, element: &str, rows: Vec<Vec<(&str, ColumnValue)>>) {
    let element = butler.universe().element(element).unwrap();
    let records: Vec<DimensionRecord> = rows
        .into_iter()
        .map(|row| DimensionRecord::from_fields(element, row).unwrap())
        .collect();
    butler
        .registry()
        .insert_dimension_records(element, &records, InsertMode::Replace)
        .await
        .unwrap();
}

/// Fills all fields of the exposures, as those of a telescope are.
async fn complete_exposures(butler: &DirectButler, count: i64) {
    let rows = (0..count).map(|i| {
        let mut fields = fixture::exposure(i);
        fields.extend([
            ("dark_time", ColumnValue::Float(30.5)),
            ("observation_type", text("science")),
            ("observation_reason", text("survey")),
            ("seq_num", ColumnValue::Int(i)),
            ("seq_start", ColumnValue::Int(i)),
            ("seq_end", ColumnValue::Int(i)),
            ("target_name", text("field_17")),
            ("science_program", text("BLOCK-365")),
            ("tracking_ra", ColumnValue::Float(i as f64 * 0.036)),
            ("tracking_dec", ColumnValue::Float(-12.345_678)),
            ("sky_angle", ColumnValue::Float(101.25)),
            ("azimuth", ColumnValue::Float(222.75)),
            ("zenith_angle", ColumnValue::Float(33.125)),
            ("has_simulated", ColumnValue::Bool(false)),
            ("can_see_sky", ColumnValue::Bool(true)),
        ]);
        fields
    });
    insert(butler, "exposure", rows.collect()).await;
}

/// A square with sides of twice so many degrees.
fn square(lon: f64, lat: f64, half: f64) -> ColumnValue {
    let wide = half / (lat * PI / 180.0).cos();
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    let corners = corners.map(|(x, y)| {
        let corner = LonLat::from_degrees((lon + x * wide).rem_euclid(360.0), lat + y * half);
        UnitVector3d::from_lonlat(&corner.unwrap())
    });
    let square = ConvexPolygon::convex_hull(&corners).unwrap();
    ColumnValue::Region(EncodedRegion::encode(&Region::ConvexPolygon(square)))
}

/// Inserts visits and tracts that cover a belt around the sky.
async fn insert_sky(butler: &DirectButler) {
    insert(
        butler,
        "skymap",
        vec![vec![
            ("name", text("bench")),
            ("hash", ColumnValue::Bytes(Arc::new([7; 20]))),
            ("tract_max", ColumnValue::Int(TRACTS)),
            ("patch_nx_max", ColumnValue::Int(1)),
            ("patch_ny_max", ColumnValue::Int(1)),
        ]],
    )
    .await;
    let place = |i: i64, count: i64| {
        let along = i as f64 / count as f64;
        (along * 360.0 * 10.0 % 360.0, along * 30.0 - 15.0)
    };
    let tract = |i: i64| {
        let (lon, lat) = place(i, TRACTS);
        vec![
            ("skymap", text("bench")),
            ("id", ColumnValue::Int(i)),
            ("region", square(lon, lat, 0.8)),
        ]
    };
    insert(butler, "tract", (0..TRACTS).map(tract).collect()).await;
    let visit = |i: i64| {
        let (lon, lat) = place(i * 3_001 % VISITS, VISITS);
        let start = FIRST_NS + 40_000_000_000 * i;
        vec![
            ("instrument", text(INSTRUMENT)),
            ("id", ColumnValue::Int(FIRST_EXPOSURE + i)),
            ("name", text(&format!("visit{i}"))),
            ("physical_filter", text("Bench-R")),
            ("day_obs", ColumnValue::Int(20_250_101)),
            ("exposure_time", ColumnValue::Float(30.0)),
            ("region", square(lon, lat, 1.75)),
            (
                "timespan",
                Timespan::from_ns(start, start + 30_000_000_000).into(),
            ),
        ]
    };
    insert(butler, "visit", (0..VISITS).map(visit).collect()).await;
}

/// Registers calibrations and makes them valid one after the other, for so many exposures.
async fn certify(butler: &DirectButler, exposures: i64) {
    let registry = butler.registry();
    let group = butler.universe().conform(["detector"]).unwrap();
    let dataset_type =
        DatasetType::new(CALIBRATION_TYPE, group.clone(), "StructuredDataDict", true);
    let dataset_type = Arc::new(dataset_type.unwrap());
    registry.register_dataset_type(&dataset_type).await.unwrap();
    registry
        .register_collection(CALIBRATIONS, CollectionType::Calibration, None)
        .await
        .unwrap();
    let instrument: Arc<str> = INSTRUMENT.into();
    for range in 0..VALIDITY_RANGES {
        let run = format!("dark_{range}");
        registry
            .register_collection(&run, CollectionType::Run, None)
            .await
            .unwrap();
        let dataset = |detector: i64| {
            let values = [
                DataIdValue::Str(Arc::clone(&instrument)),
                DataIdValue::Int(detector),
            ];
            let data_id = DataCoordinate::from_required_values(group.clone(), values).unwrap();
            DatasetRef::new(Arc::clone(&dataset_type), data_id, &*run, Uuid::now_v7()).unwrap()
        };
        let datasets: Vec<DatasetRef> = (0..DETECTORS).map(dataset).collect();
        registry.import_datasets(&datasets).await.unwrap();
        let edge = |range: i64| FIRST_NS + 40_000_000_000 * (exposures * range / VALIDITY_RANGES);
        let timespan = Timespan::from_ns(edge(range), edge(range + 1));
        registry
            .certify(CALIBRATIONS, &datasets, timespan)
            .await
            .unwrap();
    }
}

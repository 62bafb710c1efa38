//! A repository of more than 200,000 datasets: an instrument that takes exposures and visits of a
//! strip of the sky, what is made of them, calibrations with validity ranges, and collections of all
//! types over that.

use std::sync::Arc;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionGroup, DimensionRecord, EncodedRegion,
};
use butler_core::registry::{InsertMode, Registry as _, RegistryWriter as _};
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;
use butler_sphgeom::{HtmPixelization, Pixelization as _, Region};
use uuid::Uuid;

use crate::repos::Place;

const SECOND: i64 = 1_000_000_000;
const NIGHT: i64 = 86_400 * SECOND;
/// 2025-01-01T00:00:00 TAI.
const START: i64 = 1_735_689_600 * SECOND;

const DETECTORS: i64 = 60;
const EXPOSURES: i64 = 600;
const EXPOSURES_OF_A_NIGHT: i64 = 30;
/// Each fifth exposure is a visit.
const EXPOSURES_OF_A_VISIT: i64 = 5;
const FIRST_EXPOSURE: i64 = 1_000;
const TRACTS: i64 = 8;
/// In each direction.
const PATCHES: i64 = 5;
const BANDS: [&str; 6] = ["u", "g", "r", "i", "z", "y"];
/// Sets of calibrations, each valid for four nights.
const EPOCHS: i64 = 6;

type Fields = Vec<(&'static str, ColumnValue)>;

fn text(text: impl AsRef<str>) -> ColumnValue {
    ColumnValue::Str(text.as_ref().into())
}

fn int(number: i64) -> ColumnValue {
    ColumnValue::Int(number)
}

fn float(number: f64) -> ColumnValue {
    ColumnValue::Float(number)
}

fn of_instrument(fields: Fields) -> Fields {
    let mut all = vec![("instrument", text("Big"))];
    all.extend(fields);
    all
}

/// A rectangle by its corners, in degrees.
fn rectangle(lon: f64, lat: f64, width: f64, height: f64) -> ColumnValue {
    let (right, top) = (lon + width, lat + height);
    let pos = format!("POLYGON {lon} {lat} {right} {lat} {right} {top} {lon} {top}");
    ColumnValue::Region(EncodedRegion::encode(&Region::from_ivoa_pos(&pos).unwrap()))
}

/// Something between 0 and 1 that looks random.
fn noise(number: i64) -> f64 {
    let scrambled = number.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    scrambled as f64 / f64::from(1 << 24)
}

fn begin_of(exposure: i64) -> i64 {
    let (night, number) = (
        exposure / EXPOSURES_OF_A_NIGHT,
        exposure % EXPOSURES_OF_A_NIGHT,
    );
    START + night * NIGHT + number * 40 * SECOND
}

fn timespan_of(exposure: i64) -> ColumnValue {
    let begin = begin_of(exposure);
    ColumnValue::Timespan(Timespan::from_ns(begin, begin + 30 * SECOND))
}

fn filter_of(exposure: i64) -> String {
    format!("Big-{}", BANDS[(exposure / 50 % 6) as usize])
}

fn day_of(exposure: i64) -> i64 {
    20_250_101 + exposure / EXPOSURES_OF_A_NIGHT
}

fn visits() -> impl Iterator<Item = i64> {
    (0..EXPOSURES).step_by(EXPOSURES_OF_A_VISIT as usize)
}

/// The corner of a visit's field, which is a degree wide and high.
fn pointing(visit: i64) -> (f64, f64) {
    (10.0 + 7.0 * noise(visit), -0.8 + 0.6 * noise(visit + 7))
}

async fn insert(butler: &DirectButler, element: &str, rows: impl IntoIterator<Item = Fields>) {
    let element = butler.universe().element(element).unwrap();
    let record = |row| DimensionRecord::from_fields(element, row).unwrap();
    let records: Vec<DimensionRecord> = rows.into_iter().map(record).collect();
    butler
        .registry()
        .insert_dimension_records(element, &records, InsertMode::Insert)
        .await
        .unwrap();
}

async fn insert_records(butler: &DirectButler) {
    let instrument = vec![
        ("name", text("Big")),
        ("detector_max", int(DETECTORS)),
        ("class_name", text("big.Instrument")),
        ("visit_system", int(1)),
    ];
    insert(butler, "instrument", [instrument]).await;
    let filters = BANDS.map(|band| {
        let name = text(format!("Big-{band}"));
        of_instrument(vec![("name", name), ("band", text(band))])
    });
    insert(butler, "physical_filter", filters).await;
    let detectors = (0..DETECTORS).map(|d| {
        of_instrument(vec![
            ("id", int(d)),
            ("full_name", text(format!("R{}_S{}", d / 10, d % 10))),
            ("raft", text(format!("R{}", d / 10))),
            (
                "purpose",
                text(if d % 10 == 9 { "GUIDER" } else { "SCIENCE" }),
            ),
        ])
    });
    insert(butler, "detector", detectors).await;
    let nights = (0..EXPOSURES / EXPOSURES_OF_A_NIGHT).map(|night| {
        let begin = START + night * NIGHT;
        let span = Timespan::from_ns(begin, begin + NIGHT);
        of_instrument(vec![
            ("id", int(20_250_101 + night)),
            ("timespan", span.into()),
        ])
    });
    insert(butler, "day_obs", nights).await;
    let groups = (0..EXPOSURES).map(|i| of_instrument(vec![("name", text(format!("g{i}")))]));
    insert(butler, "group", groups).await;
    insert(butler, "exposure", (0..EXPOSURES).map(exposure)).await;
    let system = of_instrument(vec![("id", int(1)), ("name", text("one-to-one"))]);
    insert(butler, "visit_system", [system]).await;
    insert(butler, "visit", visits().map(visit)).await;
    let definitions = visits().map(|i| {
        let id = int(FIRST_EXPOSURE + i);
        of_instrument(vec![("exposure", id.clone()), ("visit", id)])
    });
    insert(butler, "visit_definition", definitions).await;
    let memberships = visits().map(|i| {
        let visit = int(FIRST_EXPOSURE + i);
        of_instrument(vec![("visit_system", int(1)), ("visit", visit)])
    });
    insert(butler, "visit_system_membership", memberships).await;
    let regions = visits().flat_map(|i| (0..DETECTORS).map(move |d| visit_detector_region(i, d)));
    insert(butler, "visit_detector_region", regions).await;
    insert_sky_map(butler).await;
}

fn exposure(i: i64) -> Fields {
    let kind = if i % 7 == 0 { "flat" } else { "science" };
    let mut fields = of_instrument(vec![
        ("id", int(FIRST_EXPOSURE + i)),
        ("obs_id", text(format!("BI_O_{i:06}"))),
        ("physical_filter", text(filter_of(i))),
        ("group", text(format!("g{i}"))),
        ("day_obs", int(day_of(i))),
        ("seq_num", int(i % EXPOSURES_OF_A_NIGHT)),
        ("exposure_time", float(15.0 + (i % 3) as f64)),
        ("observation_type", text(kind)),
        ("zenith_angle", float(60.0 * noise(i))),
        ("timespan", timespan_of(i)),
    ]);
    if i % 11 != 0 {
        fields.push(("can_see_sky", ColumnValue::Bool(i % 7 != 0)));
        fields.push(("target_name", text(format!("field {}", i % 13))));
    }
    fields
}

fn visit(i: i64) -> Fields {
    let (lon, lat) = pointing(i);
    of_instrument(vec![
        ("id", int(FIRST_EXPOSURE + i)),
        ("name", text(format!("visit {i}"))),
        ("physical_filter", text(filter_of(i))),
        ("day_obs", int(day_of(i))),
        ("seq_num", int(i % EXPOSURES_OF_A_NIGHT)),
        ("exposure_time", float(15.0 + (i % 3) as f64)),
        ("zenith_angle", float(60.0 * noise(i))),
        ("region", rectangle(lon, lat, 1.0, 1.0)),
        ("timespan", timespan_of(i)),
    ])
}

fn visit_detector_region(i: i64, detector: i64) -> Fields {
    let (lon, lat) = pointing(i);
    let (column, row) = ((detector % 10) as f64, (detector / 10) as f64);
    let region = rectangle(lon + column / 10.0, lat + row / 6.0, 0.1, 1.0 / 6.0);
    of_instrument(vec![
        ("visit", int(FIRST_EXPOSURE + i)),
        ("detector", int(detector)),
        ("region", region),
    ])
}

async fn insert_sky_map(butler: &DirectButler) {
    let map = vec![
        ("name", text("Wide")),
        ("hash", ColumnValue::Bytes(Arc::from([7_u8; 20]))),
        ("tract_max", int(TRACTS)),
        ("patch_nx_max", int(PATCHES)),
        ("patch_ny_max", int(PATCHES)),
    ];
    insert(butler, "skymap", [map]).await;
    // Tracts overlap their neighbours, and so do patches.
    let corner = |tract: i64| 10.0 + tract as f64;
    let tracts = (0..TRACTS).map(|tract| {
        vec![
            ("skymap", text("Wide")),
            ("id", int(tract)),
            ("region", rectangle(corner(tract), -0.55, 1.1, 1.1)),
        ]
    });
    insert(butler, "tract", tracts).await;
    let patches = (0..TRACTS).flat_map(|tract| {
        (0..PATCHES * PATCHES).map(move |patch| {
            let (x, y) = (patch % PATCHES, patch / PATCHES);
            let lon = corner(tract) + 0.22 * x as f64;
            vec![
                ("skymap", text("Wide")),
                ("tract", int(tract)),
                ("id", int(patch)),
                ("cell_x", int(x)),
                ("cell_y", int(y)),
                (
                    "region",
                    rectangle(lon, -0.55 + 0.22 * y as f64, 0.24, 0.24),
                ),
            ]
        })
    });
    insert(butler, "patch", patches).await;
}

/// Values of those dimensions that data IDs here are made of.
#[derive(Clone, Default)]
struct Key {
    exposure: i64,
    detector: i64,
    tract: i64,
    patch: i64,
    pixel: i64,
    filter: &'static str,
}

/// All pairs of an exposure (or a visit) and a detector.
fn with_detectors(exposures: impl Iterator<Item = i64>) -> impl Iterator<Item = Key> {
    exposures.flat_map(|exposure| {
        (0..DETECTORS).map(move |detector| Key {
            exposure: FIRST_EXPOSURE + exposure,
            detector,
            ..Key::default()
        })
    })
}

fn patches_and_bands() -> impl Iterator<Item = Key> {
    (0..TRACTS).flat_map(|tract| {
        (0..PATCHES * PATCHES).flat_map(move |patch| {
            BANDS.into_iter().map(move |filter| Key {
                tract,
                patch,
                filter,
                ..Key::default()
            })
        })
    })
}

fn filters_and_detectors() -> impl Iterator<Item = Key> {
    let filters = BANDS.into_iter();
    filters.flat_map(|filter| {
        (0..DETECTORS).map(move |detector| Key {
            filter,
            detector,
            ..Key::default()
        })
    })
}

fn pixels() -> impl Iterator<Item = Key> {
    let region = Region::from_ivoa_pos("RANGE 10 18 -1 1").unwrap();
    let htm = HtmPixelization::new(7).unwrap();
    let pixels: Vec<u64> = htm.envelope(&region, 0).values().collect();
    pixels.into_iter().map(|pixel| Key {
        pixel: i64::try_from(pixel).unwrap(),
        ..Key::default()
    })
}

/// Makes datasets, with IDs that are the same each time.
struct Maker<'b> {
    butler: &'b DirectButler,
    made: u64,
}

impl Maker<'_> {
    async fn dataset_type(&self, name: &str, dimensions: &[&str], is_calibration: bool) {
        let dimensions = self.butler.universe().conform(dimensions).unwrap();
        let class = "StructuredDataDict";
        let dataset_type = DatasetType::new(name, dimensions, class, is_calibration).unwrap();
        let registry = self.butler.registry();
        registry.register_dataset_type(&dataset_type).await.unwrap();
    }

    fn data_id(group: &DimensionGroup, key: &Key) -> DataCoordinate {
        let value = |name: &&str| match *name {
            "instrument" => "Big".into(),
            "skymap" => "Wide".into(),
            "exposure" | "visit" => key.exposure.into(),
            "detector" => key.detector.into(),
            "tract" => key.tract.into(),
            "patch" => key.patch.into(),
            "htm7" => key.pixel.into(),
            "band" => DataIdValue::from(key.filter),
            _ => DataIdValue::from(format!("Big-{}", key.filter)),
        };
        let values: Vec<DataIdValue> = group.required().iter().map(value).collect();
        DataCoordinate::from_required_values(group.clone(), values).unwrap()
    }

    async fn import(
        &mut self,
        dataset_type: &str,
        run: &str,
        keys: impl Iterator<Item = Key>,
    ) -> Vec<DatasetRef> {
        let registry = self.butler.registry();
        registry
            .register_collection(run, CollectionType::Run, None)
            .await
            .unwrap();
        let dataset_type = registry.dataset_type(dataset_type).await.unwrap();
        let group = dataset_type.dimensions();
        let run: Arc<str> = run.into();
        let mut datasets = Vec::new();
        for key in keys {
            self.made += 1;
            let id = Uuid::from_u64_pair(self.made.wrapping_mul(0x9E37_79B9_7F4A_7C15), self.made);
            let (dataset_type, data_id) = (Arc::clone(&dataset_type), Self::data_id(group, &key));
            datasets.push(DatasetRef::new(dataset_type, data_id, Arc::clone(&run), id).unwrap());
        }
        registry.import_datasets(&datasets).await.unwrap();
        datasets
    }

    async fn chain(&self, name: &str, children: &[&str]) {
        let registry = self.butler.registry();
        registry
            .register_collection(name, CollectionType::Chained, None)
            .await
            .unwrap();
        let children: Vec<String> = children.iter().map(|name| (*name).to_owned()).collect();
        registry
            .set_collection_chain(name, &children)
            .await
            .unwrap();
    }

    async fn science(&mut self) {
        let on_exposures = ["raw", "isr", "log", "metadata", "overscan"];
        for name in on_exposures {
            self.dataset_type(name, &["exposure", "detector"], false)
                .await;
            let run = if name == "raw" { "raws" } else { "exposures" };
            self.import(name, run, with_detectors(0..EXPOSURES)).await;
        }
        let mut tagged = Vec::new();
        for name in ["pvi", "src"] {
            self.dataset_type(name, &["visit", "detector"], false).await;
            let first = self
                .import(name, "visits/1", with_detectors(visits()))
                .await;
            let again = with_detectors(visits().filter(|visit| visit % 2 == 0));
            self.import(name, "visits/2", again).await;
            tagged.extend(first.into_iter().step_by(3));
        }
        self.dataset_type("visit_summary", &["visit"], false).await;
        let visits = visits().map(|visit| Key {
            exposure: FIRST_EXPOSURE + visit,
            ..Key::default()
        });
        tagged.extend(self.import("visit_summary", "visits/1", visits).await);
        self.dataset_type("coadd", &["patch", "band"], false).await;
        for run in ["coadds/1", "coadds/2"] {
            self.import("coadd", run, patches_and_bands()).await;
        }
        self.dataset_type("refcat", &["htm7"], false).await;
        self.import("refcat", "refcats", pixels()).await;
        let registry = self.butler.registry();
        registry
            .register_collection("tag", CollectionType::Tagged, None)
            .await
            .unwrap();
        registry.associate("tag", &tagged).await.unwrap();
    }

    async fn calibrations(&mut self) {
        self.dataset_type("bias", &["detector"], true).await;
        self.dataset_type("dark", &["detector"], true).await;
        self.dataset_type("flat", &["physical_filter", "detector"], true)
            .await;
        let registry = self.butler.registry();
        for name in ["calibs/1", "calibs/2"] {
            registry
                .register_collection(name, CollectionType::Calibration, None)
                .await
                .unwrap();
        }
        for epoch in 0..EPOCHS {
            let run = format!("calibs/runs/{epoch}");
            let mut all = Vec::new();
            for name in ["bias", "dark"] {
                let detectors = filters_and_detectors().take(DETECTORS as usize);
                all.extend(self.import(name, &run, detectors).await);
            }
            all.extend(self.import("flat", &run, filters_and_detectors()).await);
            let begin = START + 4 * epoch * NIGHT;
            let valid = Timespan::from_ns(begin, begin + 4 * NIGHT);
            registry.certify("calibs/1", &all, valid).await.unwrap();
            if epoch % 2 == 0 {
                let later = Timespan::from_ns(begin + NIGHT, begin + 6 * NIGHT);
                registry.certify("calibs/2", &all, later).await.unwrap();
            }
        }
    }
}

/// Makes the repository.
pub(super) async fn create(place: &Place) {
    let butler = place.create().await;
    insert_records(&butler).await;
    let mut maker = Maker {
        butler: &butler,
        made: 0,
    };
    maker.science().await;
    maker.calibrations().await;
    maker.chain("visits", &["visits/2", "visits/1"]).await;
    maker
        .chain("tag_first", &["tag", "visits", "coadds/2"])
        .await;
    maker.chain("calibs", &["calibs/2", "calibs/1"]).await;
    let everything = [
        "tag_first",
        "raws",
        "exposures",
        "coadds/1",
        "refcats",
        "calibs",
    ];
    maker.chain("all", &everything).await;
    assert!(maker.made > 200_000, "only {} datasets", maker.made);
    butler.close().await;
}

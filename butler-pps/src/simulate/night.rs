//! A night of LSSTCam, and what Prompt Processing makes of it.

use std::sync::Arc;
use std::time::Duration;

use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetIdMode, DatasetRef, DatasetType, FileDataset};
use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionRecord, DimensionUniverse, EncodedRegion,
};
use butler_core::error::{Error, Result};
use butler_core::progress::NoProgress;
use butler_core::registry::RegistryWriter as _;
use butler_core::time::{TimeScale, format_tai_isot};
use butler_core::timespan::Timespan;
use butler_direct::datastores::IngestOptions;
use butler_direct::ops::records::GatheredRecords;
use butler_direct::resource::{ResourcePath, Resources};
use butler_direct::{DirectButler, OpenOptions};
use butler_sphgeom::{ConvexPolygon, LonLat, Region, UnitVector3d};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::place::{Place, text};
use crate::clock::{Clock, Moment};
use crate::events::DatasetBatch;
use crate::state::RepositoryName;

const INSTRUMENT: &str = "LSSTCam";
const RUN: &str = "LSSTCam/prompt/output-2025-12-02";
const DAY_OBS: i64 = 20_251_202;

/// 2025-12-03T01:00:00 UTC, and how long the night is, in milliseconds.
const BEGIN: Moment = Moment(1_764_723_600_000);
const LENGTH: i64 = 8 * 3_600_000;

/// How long an exposure takes, in milliseconds.
const EXPOSURE: i64 = 30_000;

/// The detectors of which there are images: number, raft, and place in it; the offset on the sky in degrees.
const DETECTORS: [(i64, &str, &str, [f64; 2]); 4] = [
    (10, "R02", "S01", [-0.23, -1.4]),
    (11, "R02", "S02", [0.0, -1.4]),
    (94, "R22", "S11", [0.0, 0.0]),
    (95, "R22", "S12", [0.23, 0.0]),
];

/// Degrees along the side of a detector, and of the whole camera.
const SIDE: f64 = 0.226;
const FIELD: f64 = 3.2;

/// The filters, by turns, with their bands.
const FILTERS: [(&str, &str); 3] = [("g_6", "g"), ("r_57", "r"), ("z_20", "z")];

/// The types of datasets: one of each for every detector of a visit.
const TYPES: [(&str, &str); 5] = [
    ("preliminary_visit_image", "visit"),
    ("difference_image", "visit"),
    ("dia_source_apdb", "visit"),
    ("preloaded_dia_object", "visit"),
    ("isr_log", "exposure"),
];

const FORMATTER: &str = "lsst.daf.butler.formatters.json.JsonFormatter";

/// The visits of a night.
#[derive(Debug)]
pub(super) struct Night {
    visits: Vec<Visit>,
}

/// An exposure that is a visit.
#[derive(Debug, Clone, Copy)]
struct Visit {
    seq_num: i64,
    begin: Moment,
    filter: &'static str,
    /// Right ascension and declination, in degrees.
    pointing: [f64; 2],
}

impl Night {
    /// So many visits from dusk till dawn.
    pub(super) fn new(visits: u32) -> Self {
        let count = i64::from(visits.max(1));
        let visits = (0..count).map(|number| {
            let turn = usize::try_from(number).unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "there are few visits")]
            let part = number as f64 / count as f64;
            Visit {
                seq_num: number + 1,
                begin: BEGIN.plus(LENGTH * number / count),
                filter: FILTERS[turn % FILTERS.len()].0,
                pointing: [20.0 + 90.0 * part, -30.0 - 20.0 * part],
            }
        });
        Self {
            visits: visits.collect(),
        }
    }

    pub(super) fn begin(&self) -> Moment {
        BEGIN
    }

    /// Waits for each visit, and puts what Prompt Processing makes of it into the embargo repository, as its workers
    /// and the Butler writer do: files, records, and a batch file.
    pub(super) async fn observe(
        &self,
        place: &Place,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<()> {
        let root = place.repository(RepositoryName::Embargo);
        let butler = DirectButler::open(text(&root)?, OpenOptions::writeable()).await?;
        let types = dataset_types(&butler)?;
        let kind = CollectionType::Run;
        butler
            .registry()
            .register_collection(RUN, kind, None)
            .await?;
        for visit in &self.visits {
            let wait = visit.end().0.saturating_sub(clock.now().0).max(0);
            let wait = clock.real(Duration::from_millis(wait.unsigned_abs()));
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
            let ids = visit.process(&butler, &root, &types).await?;
            let batch = DatasetBatch {
                batch_id: Uuid::new_v4(),
                datasets: ids,
            };
            let name = format!("{}-{}.json", visit.id(), batch.batch_id);
            let batches = ResourcePath::from_local_directory(&place.batches())?;
            write(&batches.join(&name)?, &json!(batch)).await?;
        }
        butler.close().await;
        Ok(())
    }
}

fn dataset_types(butler: &DirectButler) -> Result<Vec<(Arc<DatasetType>, &'static str)>> {
    TYPES
        .into_iter()
        .map(|(name, of)| {
            let group = butler.universe().conform([of, "detector"])?;
            let made = DatasetType::new(name, group, "StructuredDataDict", false)?;
            Ok((Arc::new(made), of))
        })
        .collect()
}

impl Visit {
    fn id(&self) -> i64 {
        DAY_OBS * 100_000 + self.seq_num
    }

    fn name(&self) -> String {
        format!("MC_O_{DAY_OBS}_{:06}", self.seq_num)
    }

    fn end(&self) -> Moment {
        self.begin.plus(EXPOSURE)
    }

    /// Makes the datasets of the visit, and takes them in.
    async fn process(
        &self,
        butler: &DirectButler,
        root: &std::path::Path,
        types: &[(Arc<DatasetType>, &str)],
    ) -> Result<Vec<Uuid>> {
        let universe = butler.universe();
        let root = ResourcePath::from_local_directory(root)?;
        let mut files = Vec::new();
        for (dataset_type, of) in types {
            for (detector, ..) in DETECTORS {
                let values: [(&str, DataIdValue); 3] = [
                    ("instrument", INSTRUMENT.into()),
                    (of, self.id().into()),
                    ("detector", detector.into()),
                ];
                let group = dataset_type.dimensions();
                let data_id = DataCoordinate::standardize(universe, values, Some(group), None)?;
                let kind = Arc::clone(dataset_type);
                let dataset = DatasetRef::generate(kind, data_id, RUN, DatasetIdMode::Unique)?;
                let name = dataset_type.name();
                let path = format!("{RUN}/{name}/{0}/{name}_{0}_{detector}.json", self.id());
                let content = json!({
                    "id": dataset.id(),
                    "dataset_type": name,
                    *of: self.id(),
                    "detector": detector,
                    "physical_filter": self.filter,
                });
                write(&root.join(&path)?, &content).await?;
                files.push(FileDataset {
                    path,
                    refs: vec![dataset],
                    formatter: Some(Arc::from(FORMATTER)),
                });
            }
        }
        let ids = files.iter().flat_map(|file| &file.refs);
        let ids = ids.map(DatasetRef::id).collect();
        let mut records = GatheredRecords::default();
        for record in self.records(universe)? {
            records.add(Arc::new(record));
        }
        let options = IngestOptions {
            mode: None,
            record_validation_info: true,
        };
        butler
            .ingest_with_records(files, &records, options, true, &NoProgress)
            .await?;
        Ok(ids)
    }

    /// The dimension records that the datasets of the visit need.
    fn records(&self, universe: DimensionUniverse) -> Result<Vec<DimensionRecord>> {
        let noon = Moment(BEGIN.0.div_euclid(HALF_DAY) * HALF_DAY).minus(HALF_DAY);
        let day = Timespan::new(Some(tai(noon)), Some(tai(noon.plus(2 * HALF_DAY))))?;
        let (begin, end) = (tai(self.begin), tai(self.end()));
        let timespan = Timespan::new(Some(begin), Some(end))?;
        let group = format_tai_isot(begin - 40_000_000_000, 3);
        let [ra, dec] = self.pointing;
        let id = self.id();
        let make = |element: &str, fields: Fields<'_>| {
            let element = universe.element(element)?;
            let instrument = ("instrument", ColumnValue::from(INSTRUMENT));
            DimensionRecord::from_fields(element, std::iter::once(instrument).chain(fields))
        };
        // What exposures and visits have alike.
        let observed = || -> Fields<'static> {
            vec![
                ("id", id.into()),
                ("day_obs", DAY_OBS.into()),
                ("physical_filter", self.filter.into()),
                ("exposure_time", 30.0.into()),
                ("observation_reason", "science".into()),
                ("seq_num", self.seq_num.into()),
                ("target_name", "lowdust".into()),
                ("science_program", "BLOCK-407".into()),
                ("azimuth", (180.0 + ra / 2.0).into()),
                ("zenith_angle", (dec + 50.0).abs().into()),
                ("timespan", timespan.into()),
            ]
        };
        let mut exposure = observed();
        exposure.extend([
            ("group", (*group).into()),
            ("obs_id", (*self.name()).into()),
            ("dark_time", 30.93.into()),
            ("observation_type", "science".into()),
            ("seq_start", self.seq_num.into()),
            ("seq_end", self.seq_num.into()),
            ("tracking_ra", ra.into()),
            ("tracking_dec", dec.into()),
            ("sky_angle", 0.0.into()),
            ("has_simulated", true.into()),
            ("can_see_sky", true.into()),
        ]);
        let mut visit = observed();
        visit.extend([
            ("name", (*self.name()).into()),
            ("region", square(self.pointing, FIELD)?.into()),
        ]);
        let instrument = universe.element("instrument")?;
        let mut records = vec![
            DimensionRecord::from_fields(
                instrument,
                [
                    ("name", INSTRUMENT.into()),
                    ("visit_max", 7_050_123_199_999.into()),
                    ("visit_system", 2.into()),
                    ("exposure_max", 7_050_123_199_999.into()),
                    ("detector_max", 1_000.into()),
                    ("class_name", "lsst.obs.lsst.LsstCam".into()),
                ],
            )?,
            make(
                "day_obs",
                vec![("id", DAY_OBS.into()), ("timespan", day.into())],
            )?,
            make("group", vec![("name", (*group).into())])?,
            make("exposure", exposure)?,
            make("visit", visit)?,
            make(
                "visit_definition",
                vec![("exposure", id.into()), ("visit", id.into())],
            )?,
        ];
        for (name, band) in FILTERS {
            let fields = vec![("name", name.into()), ("band", band.into())];
            records.push(make("physical_filter", fields)?);
        }
        for (detector, raft, slot, [x, y]) in DETECTORS {
            let full_name = format!("{raft}_{slot}");
            let fields = vec![
                ("id", detector.into()),
                ("full_name", (*full_name).into()),
                ("name_in_raft", slot.into()),
                ("raft", raft.into()),
                ("purpose", "SCIENCE".into()),
            ];
            records.push(make("detector", fields)?);
            let center = [ra + x / dec.to_radians().cos(), dec + y];
            let fields = vec![
                ("visit", id.into()),
                ("detector", detector.into()),
                ("region", square(center, SIDE)?.into()),
            ];
            records.push(make("visit_detector_region", fields)?);
        }
        Ok(records)
    }
}

/// Fields of a record.
type Fields<'a> = Vec<(&'a str, ColumnValue)>;

const HALF_DAY: i64 = 12 * 3_600_000;

/// TAI nanoseconds of a moment.
fn tai(moment: Moment) -> i64 {
    let day = 2 * HALF_DAY;
    let (days, rest) = (moment.0.div_euclid(day), moment.0.rem_euclid(day));
    TimeScale::Utc.calendar_to_tai(days, rest * 1_000_000)
}

/// The region of a square on the sky, in degrees.
fn square([ra, dec]: [f64; 2], side: f64) -> Result<EncodedRegion> {
    let fail =
        |error: &dyn std::fmt::Display| Error::Internal(format!("a simulated region: {error}"));
    let half = side / 2.0;
    let mut corners = Vec::with_capacity(4);
    for (x, y) in [(-half, -half), (half, -half), (half, half), (-half, half)] {
        let lon = ra + x / dec.to_radians().cos();
        let corner = LonLat::from_degrees(lon, dec + y).map_err(|error| fail(&error))?;
        corners.push(UnitVector3d::from_lonlat(&corner));
    }
    let polygon = ConvexPolygon::convex_hull(&corners).map_err(|error| fail(&error))?;
    Ok(EncodedRegion::encode(&Region::from(polygon)))
}

async fn write(place: &ResourcePath, content: &serde_json::Value) -> Result<()> {
    let text = content.to_string().into_bytes();
    Resources::default().write(place, text.into(), true).await?;
    Ok(())
}

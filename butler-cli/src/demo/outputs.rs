//! Raw images and what Prompt Processing made of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use butler_core::collections::CollectionType;
use butler_core::datasets::{DatasetRef, DatasetType};
use butler_core::dimensions::DataIdValue;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::RegistryWriter as _;
use butler_core::time::{TimeScale, format_tai_isot, to_mjd};
use butler_direct::DirectButler;
use butler_direct::datastores::Table;
use serde_json::json;

use super::camera::{self, Detector, SIDE};
use super::fits::Image;
use super::numbers::Numbers;
use super::plan::{NIGHTS, Visit};
use super::{INSTRUMENT, RAWS, Stored, collection, dataset, dataset_type};

/// What can be downloaded, and what is over.
pub(super) const AVAILABLE: &str = "Prompt/Outputs/Available";
pub(super) const EXPIRED: &str = "Prompt/Outputs/Expired";

/// The dataset type that is stored as JSON.
pub(super) const VISIT_SUMMARY: &str = "preliminary_visit_summary";

/// The dataset types.
struct Types {
    raw: Arc<DatasetType>,
    image: Arc<DatasetType>,
    difference: Arc<DatasetType>,
    sources: Arc<DatasetType>,
    summary: Arc<DatasetType>,
}

/// Stores everything of all visits. Of the first night, difference images and sources have expired:
/// they are known, but there are no files any more.
pub(super) async fn store(
    butler: &DirectButler,
    visits: &[Visit],
    progress: &dyn Progress,
) -> Result<()> {
    let types = Types::register(butler).await?;
    collection(butler, RAWS, CollectionType::Run, "All raw images").await?;
    for (name, doc) in [
        (AVAILABLE, "Prompt data products that can be downloaded"),
        (
            EXPIRED,
            "Prompt data products whose files have been deleted",
        ),
    ] {
        collection(butler, name, CollectionType::Tagged, doc).await?;
    }
    let detectors = camera::imaged();
    for night in &NIGHTS {
        let run = run_of(night.day_obs);
        collection(
            butler,
            &run,
            CollectionType::Run,
            "Outputs of Prompt Processing",
        )
        .await?;
        let keeps_all = night.day_obs > NIGHTS[0].day_obs;
        let mut raws: Stored = Vec::new();
        let mut available: Stored = Vec::new();
        let mut expired = Vec::new();
        for visit in visits.iter().filter(|visit| visit.day_obs == night.day_obs) {
            available.push(summary(&types, visit)?);
            for detector in &detectors {
                raws.push(raw(&types, visit, detector)?);
                available.push(image(&types.image, visit, detector, 120.0)?);
                if keeps_all {
                    available.push(image(&types.difference, visit, detector, 0.0)?);
                    available.push(sources(&types, visit, detector)?);
                } else {
                    expired.push(of_visit(&types.difference, visit, detector)?);
                    expired.push(of_visit(&types.sources, visit, detector)?);
                }
            }
        }
        let made: Vec<DatasetRef> = available.iter().map(|(made, _)| made.clone()).collect();
        butler.put_many(raws, progress).await?;
        butler.put_many(available, progress).await?;
        let registry = butler.registry();
        registry.import_datasets(&expired).await?;
        registry.associate(AVAILABLE, &made).await?;
        registry.associate(EXPIRED, &expired).await?;
    }
    Ok(())
}

impl Types {
    async fn register(butler: &DirectButler) -> Result<Self> {
        let of_visit = ["instrument", "visit", "detector"];
        let register =
            |name, dimensions, class| dataset_type(butler, name, dimensions, class, false);
        let of_exposure = ["instrument", "exposure", "detector"];
        Ok(Self {
            raw: register("raw", &of_exposure, "Exposure").await?,
            image: register("preliminary_visit_image", &of_visit, "ExposureF").await?,
            difference: register("difference_image", &of_visit, "ExposureF").await?,
            sources: register("dia_source_detector", &of_visit, "ArrowAstropy").await?,
            summary: register(
                VISIT_SUMMARY,
                &["instrument", "visit"],
                "StructuredDataDict",
            )
            .await?,
        })
    }
}

/// The run of what was made of a night.
fn run_of(day_obs: i64) -> String {
    let (year, month, day) = (day_obs / 10_000, day_obs / 100 % 100, day_obs % 100);
    format!("LSSTCam/prompt/output-{year}-{month:02}-{day:02}")
}

fn of_visit(
    dataset_type: &Arc<DatasetType>,
    visit: &Visit,
    detector: &Detector,
) -> Result<DatasetRef> {
    let data_id: [(&str, DataIdValue); 3] = [
        ("instrument", INSTRUMENT.into()),
        ("visit", visit.id.into()),
        ("detector", detector.id.into()),
    ];
    dataset(dataset_type, data_id, &run_of(visit.day_obs))
}

type One = (DatasetRef, butler_direct::datastores::PutData);

fn raw(types: &Types, visit: &Visit, detector: &Detector) -> Result<One> {
    let data_id = [
        ("instrument", INSTRUMENT.into()),
        ("exposure", visit.id.into()),
        ("detector", detector.id.into()),
    ];
    let made = dataset(&types.raw, data_id, RAWS)?;
    let image = picture(visit, detector, 12.0).brighter(1120.0);
    Ok((made, image.integers().into()))
}

fn image(
    dataset_type: &Arc<DatasetType>,
    visit: &Visit,
    detector: &Detector,
    level: f64,
) -> Result<One> {
    let image = picture(visit, detector, 3.0).brighter(level);
    let made = of_visit(dataset_type, visit, detector)?;
    Ok((made, image.floats().into()))
}

/// The image of a detector with all that its header says.
fn picture(visit: &Visit, detector: &Detector, noise: f64) -> Image {
    let numbers = &mut Numbers::of(&[visit.id, detector.id]);
    Image::of_sky(visit.pointing, detector.center, SIDE, noise, numbers)
        .text("INSTRUME", INSTRUMENT, "instrument")
        .text("OBSID", &visit.name(), "observation")
        .integer("DAYOBS", visit.day_obs, "day of observation")
        .integer("SEQNUM", visit.seq_num, "number within the day")
        .text("DATE-BEG", &format_tai_isot(visit.begin, 3), "begin, TAI")
        .text("TIMESYS", "TAI", "time scale")
        .text("RAFTBAY", detector.raft, "raft")
        .text("CCDSLOT", &detector.name_in_raft, "place in the raft")
        .text("FILTER", visit.filter, "physical filter")
        .text("OBJECT", visit.target, "target")
        .number("EXPTIME", visit.exposure_time, "[s] exposure time")
        .number(
            "ROTPA",
            visit.pointing.rotation,
            "[deg] rotation of the camera",
        )
}

/// A table of sources.
fn sources(types: &Types, visit: &Visit, detector: &Detector) -> Result<One> {
    let numbers = &mut Numbers::of(&[3, visit.id, detector.id]);
    let number = 5 + visit.seq_num % 7;
    let mut places = Vec::new();
    let mut fluxes = Vec::new();
    for _ in 0..number {
        let mut offset = || numbers.between(-SIDE / 2.0, SIDE / 2.0);
        let place = [detector.center[0] + offset(), detector.center[1] + offset()];
        places.push(visit.pointing.to_degrees(place)?);
        fluxes.push(200.0 * 10f64.powf(numbers.between(0.0, 2.0)));
    }
    let first = (visit.id * 1000 + detector.id) * 100;
    let time = to_mjd(visit.begin, TimeScale::Tai);
    let integers = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
    let floats = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let ids: Vec<i64> = (first..first + number).collect();
    let repeated = |value| ids.iter().map(|_| value).collect::<Vec<i64>>();
    let batch = RecordBatch::try_from_iter([
        ("diaSourceId", integers(ids.clone())),
        ("visit", integers(repeated(visit.id))),
        ("detector", integers(repeated(detector.id))),
        ("ra", floats(places.iter().map(|[ra, _]| *ra).collect())),
        ("dec", floats(places.iter().map(|[_, dec]| *dec).collect())),
        ("psfFlux", floats(fluxes.clone())),
        (
            "psfFluxErr",
            floats(fluxes.iter().map(|flux| 10.0 + flux.sqrt()).collect()),
        ),
        ("midpointMjdTai", floats(ids.iter().map(|_| time).collect())),
    ]);
    let fail = |error| Error::Internal(format!("a table of the demo: {error}"));
    let batch = batch.map_err(fail)?;
    let table = Table::new(batch.schema(), vec![batch])?;
    Ok((of_visit(&types.sources, visit, detector)?, table.into()))
}

/// A few numbers about a visit.
fn summary(types: &Types, visit: &Visit) -> Result<One> {
    let data_id = [
        ("instrument", INSTRUMENT.into()),
        ("visit", visit.id.into()),
    ];
    let made = dataset(&types.summary, data_id, &run_of(visit.day_obs))?;
    let mut numbers = Numbers::of(&[5, visit.id]);
    let mut rounded = |least, most| (numbers.between(least, most) * 1000.0).round() / 1000.0;
    let contents = json!({
        "visit": visit.id,
        "band": visit.band,
        "psf_fwhm_arcsec": rounded(0.6, 1.3),
        "sky_magnitude": rounded(19.5, 22.3),
        "zero_point": rounded(27.0, 28.6),
        "airmass": (1000.0 / visit.zenith_angle.to_radians().cos()).round() / 1000.0,
    });
    Ok((made, contents.into()))
}

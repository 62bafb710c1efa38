//! Bias and flat-field images, and when they are valid.

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::error::{Error, Result};
use butler_core::progress::Progress;
use butler_core::registry::RegistryWriter as _;
use butler_core::time::tai_ns_of_date;
use butler_core::timespan::Timespan;
use butler_direct::DirectButler;

use super::fits::Image;
use super::numbers::Numbers;
use super::plan::FILTERS;
use super::{INSTRUMENT, Stored, camera, chain, collection, dataset, dataset_type};

/// The chain of calibrations.
pub(super) const CHAIN: &str = "LSSTCam/calib";
const COLLECTION: &str = "LSSTCam/calib/DM-53001";

/// Runs of bias images, and from when to when they are valid.
const BIAS_RUNS: [(&str, Bounds); 2] = [
    (
        "LSSTCam/calib/DM-53001/bias.20250901",
        (Some((2025, 9, 1)), Some((2025, 12, 3))),
    ),
    (
        "LSSTCam/calib/DM-53001/bias.20251203",
        (Some((2025, 12, 3)), None),
    ),
];
const FLAT_RUN: &str = "LSSTCam/calib/DM-53001/flat.20250901";
const FLAT_BOUNDS: Bounds = (Some((2025, 9, 1)), Some((2026, 3, 1)));

type Date = (i64, i64, i64);
type Bounds = (Option<Date>, Option<Date>);

/// Stores all calibrations, and makes them valid.
pub(super) async fn store(butler: &DirectButler, progress: &dyn Progress) -> Result<()> {
    let doc = "Calibrations of LSSTCam with their validity ranges";
    collection(butler, COLLECTION, CollectionType::Calibration, doc).await?;
    let dimensions = ["instrument", "detector"];
    let bias = dataset_type(butler, "bias", &dimensions, "ExposureF", true).await?;
    for (epoch, (run, bounds)) in (0..).zip(BIAS_RUNS) {
        collection(butler, run, CollectionType::Run, "Bias images").await?;
        let mut stored: Stored = Vec::new();
        for detector in camera::imaged() {
            let data_id = [
                ("instrument", INSTRUMENT.into()),
                ("detector", detector.id.into()),
            ];
            let image = Image::flat(0.0, 0.2, &mut Numbers::of(&[epoch, detector.id]))
                .text("IMGTYPE", "BIAS", "")
                .text("DETNAME", &detector.full_name(), "detector");
            stored.push((dataset(&bias, data_id, run)?, image.floats().into()));
        }
        certify(butler, stored, bounds, progress).await?;
    }
    let dimensions = ["instrument", "detector", "physical_filter"];
    let flat = dataset_type(butler, "flat", &dimensions, "ExposureF", true).await?;
    collection(butler, FLAT_RUN, CollectionType::Run, "Flat-field images").await?;
    let mut stored: Stored = Vec::new();
    for (number, (filter, _)) in (0..).zip(FILTERS) {
        for detector in camera::imaged() {
            let data_id = [
                ("instrument", INSTRUMENT.into()),
                ("detector", detector.id.into()),
                ("physical_filter", filter.into()),
            ];
            let image = Image::flat(1.0, 0.002, &mut Numbers::of(&[7, number, detector.id]))
                .text("IMGTYPE", "FLAT", "")
                .text("FILTER", filter, "physical filter")
                .text("DETNAME", &detector.full_name(), "detector");
            stored.push((dataset(&flat, data_id, FLAT_RUN)?, image.floats().into()));
        }
    }
    certify(butler, stored, FLAT_BOUNDS, progress).await?;
    chain(butler, CHAIN, &[COLLECTION]).await
}

async fn certify(
    butler: &DirectButler,
    stored: Stored,
    (begin, end): Bounds,
    progress: &dyn Progress,
) -> Result<()> {
    let datasets: Vec<DatasetRef> = stored.iter().map(|(dataset, _)| dataset.clone()).collect();
    butler.put_many(stored, progress).await?;
    let time = |date: Option<Date>| {
        let found = date.map(|(year, month, day)| {
            let time = tai_ns_of_date(year, month, day);
            time.ok_or_else(|| Error::Internal("a date of the demo is none".to_owned()))
        });
        found.transpose()
    };
    let timespan = Timespan::new(time(begin)?, time(end)?)?;
    let registry = butler.registry();
    registry.certify(COLLECTION, &datasets, timespan).await
}

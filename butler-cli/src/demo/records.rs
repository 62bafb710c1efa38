//! The dimension records.

use std::sync::Arc;

use butler_core::dimensions::{ColumnValue, DimensionElement, DimensionRecord, DimensionUniverse};
use butler_core::error::Result;
use butler_core::time::format_tai_isot;
use butler_core::timespan::Timespan;

use super::plan::{FILTERS, HOUR, NIGHTS, Visit};
use super::{INSTRUMENT, camera, skymap};

/// How exposures become visits: one by one.
const VISIT_SYSTEM: i64 = 0;

/// Makes records of one element.
pub(super) struct Maker {
    element: DimensionElement,
    made: Vec<DimensionRecord>,
}

impl Maker {
    pub(super) fn new(universe: DimensionUniverse, element: &str) -> Result<Self> {
        Ok(Self {
            element: universe.element(element)?,
            made: Vec::new(),
        })
    }

    /// Adds a record of the instrument.
    fn add<const N: usize>(&mut self, fields: [(&str, ColumnValue); N]) -> Result<()> {
        let instrument = [("instrument", ColumnValue::from(INSTRUMENT))];
        self.add_free(instrument.into_iter().chain(fields))
    }

    /// Adds a record.
    pub(super) fn add_free<'n>(
        &mut self,
        fields: impl IntoIterator<Item = (&'n str, ColumnValue)>,
    ) -> Result<()> {
        let record = DimensionRecord::from_fields(self.element, fields)?;
        self.made.push(record);
        Ok(())
    }

    pub(super) fn done(self) -> (DimensionElement, Vec<DimensionRecord>) {
        (self.element, self.made)
    }
}

/// All records, by element, in an order in which they can be inserted.
pub(super) fn all(
    universe: DimensionUniverse,
    visits: &[Visit],
) -> Result<Vec<(DimensionElement, Vec<DimensionRecord>)>> {
    let mut found = instrument(universe)?;
    found.extend(observations(universe, visits)?);
    found.extend(skymap::records(universe)?);
    Ok(found)
}

fn instrument(
    universe: DimensionUniverse,
) -> Result<Vec<(DimensionElement, Vec<DimensionRecord>)>> {
    let maker = |element| Maker::new(universe, element);
    let mut instruments = maker("instrument")?;
    instruments.add_free([
        ("name", INSTRUMENT.into()),
        ("visit_max", 7_050_123_199_999.into()),
        ("visit_system", 2.into()),
        ("exposure_max", 7_050_123_199_999.into()),
        ("detector_max", 1000.into()),
        ("class_name", "lsst.obs.lsst.LsstCam".into()),
    ])?;
    let mut detectors = maker("detector")?;
    for detector in camera::detectors() {
        detectors.add([
            ("id", detector.id.into()),
            ("full_name", (*detector.full_name()).into()),
            ("name_in_raft", (*detector.name_in_raft).into()),
            ("raft", detector.raft.into()),
            ("purpose", detector.purpose.into()),
        ])?;
    }
    let mut filters = maker("physical_filter")?;
    for (name, band) in FILTERS {
        filters.add([("name", name.into()), ("band", band.into())])?;
    }
    let mut systems = maker("visit_system")?;
    for (id, name) in [(VISIT_SYSTEM, "one-to-one"), (2, "by-seq-start-end")] {
        systems.add([("id", id.into()), ("name", name.into())])?;
    }
    Ok([instruments, detectors, filters, systems]
        .map(Maker::done)
        .into())
}

fn observations(
    universe: DimensionUniverse,
    visits: &[Visit],
) -> Result<Vec<(DimensionElement, Vec<DimensionRecord>)>> {
    let maker = |element| Maker::new(universe, element);
    let mut days = maker("day_obs")?;
    for night in &NIGHTS {
        let noon = night.noon()?;
        let timespan = Timespan::new(Some(noon), Some(noon + 24 * HOUR))?;
        days.add([("id", night.day_obs.into()), ("timespan", timespan.into())])?;
    }
    let mut groups = maker("group")?;
    let mut exposures = maker("exposure")?;
    let mut all_visits = maker("visit")?;
    let mut definitions = maker("visit_definition")?;
    let mut memberships = maker("visit_system_membership")?;
    let mut regions = maker("visit_detector_region")?;
    let detectors = camera::imaged();
    for visit in visits {
        let group = group_name(visit);
        groups.add([("name", (*group).into())])?;
        exposures.add(exposure(visit, &group)?)?;
        all_visits.add(visit_fields(visit)?)?;
        let id = || ColumnValue::from(visit.id);
        definitions.add([("exposure", id()), ("visit", id())])?;
        memberships.add([("visit_system", VISIT_SYSTEM.into()), ("visit", id())])?;
        for detector in &detectors {
            let region = visit.pointing.detector(detector)?;
            regions.add([
                ("detector", detector.id.into()),
                ("visit", id()),
                ("region", region.into()),
            ])?;
        }
    }
    Ok([
        days,
        groups,
        exposures,
        all_visits,
        definitions,
        memberships,
        regions,
    ]
    .map(Maker::done)
    .into())
}

/// The name of the group of a visit's exposure: when it was asked for.
fn group_name(visit: &Visit) -> String {
    format_tai_isot(visit.begin - 40_000_000_000, 3)
}

fn exposure(visit: &Visit, group: &str) -> Result<[(&'static str, ColumnValue); 22]> {
    Ok([
        ("id", visit.id.into()),
        ("day_obs", visit.day_obs.into()),
        ("group", group.into()),
        ("physical_filter", visit.filter.into()),
        ("obs_id", (*visit.name()).into()),
        ("exposure_time", visit.exposure_time.into()),
        ("dark_time", (visit.exposure_time + 0.93).into()),
        ("observation_type", "science".into()),
        ("observation_reason", (*visit.reason).into()),
        ("seq_num", visit.seq_num.into()),
        ("seq_start", visit.seq_num.into()),
        ("seq_end", visit.seq_num.into()),
        ("target_name", visit.target.into()),
        ("science_program", "BLOCK-407".into()),
        ("tracking_ra", visit.pointing.ra.into()),
        ("tracking_dec", visit.pointing.dec.into()),
        ("sky_angle", visit.pointing.rotation.into()),
        ("azimuth", visit.azimuth.into()),
        ("zenith_angle", visit.zenith_angle.into()),
        ("has_simulated", true.into()),
        ("can_see_sky", true.into()),
        ("timespan", timespan(visit)?.into()),
    ])
}

fn visit_fields(visit: &Visit) -> Result<[(&'static str, ColumnValue); 13]> {
    Ok([
        ("id", visit.id.into()),
        ("day_obs", visit.day_obs.into()),
        ("physical_filter", visit.filter.into()),
        ("name", (*visit.name()).into()),
        ("seq_num", visit.seq_num.into()),
        ("exposure_time", visit.exposure_time.into()),
        ("target_name", visit.target.into()),
        ("observation_reason", (*visit.reason).into()),
        ("science_program", "BLOCK-407".into()),
        ("azimuth", visit.azimuth.into()),
        ("zenith_angle", visit.zenith_angle.into()),
        ("region", visit.pointing.whole()?.into()),
        ("timespan", timespan(visit)?.into()),
    ])
}

fn timespan(visit: &Visit) -> Result<Timespan> {
    Timespan::new(Some(visit.begin), Some(visit.end()))
}

/// Bytes of a column that holds a hash.
pub(super) fn hash(bytes: &[u8]) -> ColumnValue {
    ColumnValue::Bytes(Arc::from(bytes))
}

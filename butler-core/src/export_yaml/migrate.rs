//! What changed in the dimensions since old files were written, and how their records are brought
//! into the present.

use std::collections::BTreeSet;

use super::reader::ExportHeader;
use super::scalar::optional_time;
use super::section::RawRecord;
use crate::dimensions::{DimensionElement, DimensionUniverse};
use crate::error::{Error, Result};
use crate::time::{NS_PER_DAY, NS_PER_SECOND, civil_from_days};
use crate::timespan::Timespan;
use crate::yaml::{Map, Value};

/// Tells the offset of an instrument's observing day from TAI midnight in seconds, if it is known.
pub(super) type DayObsOffset<'f> = &'f dyn Fn(&str) -> Option<i64>;

/// Which changes a file's records need, and what came up on the way.
#[derive(Debug, Default)]
pub(super) struct Migration {
    /// `visit_system` left the visit records for a membership table.
    visit_system: bool,
    /// `seeing` was dropped from visits.
    visit_seeing: bool,
    /// `group` became a dimension of exposures.
    group: bool,
    /// `day_obs` became a dimension of exposures.
    exposure_day_obs: bool,
    /// `day_obs` became a dimension of visits.
    visit_day_obs: bool,
    /// Visits did not know their observing day.
    add_visit_day_obs: bool,
    /// Observing days that records refer to but the file does not define.
    day_obs: BTreeSet<(String, i64)>,
}

/// An observing day: instrument, day, and the timespan if it is known.
pub(super) type DayObs = (String, i64, Option<Timespan>);

/// Records of one element.
pub(super) type ElementRecords = (&'static str, Vec<RawRecord>);

impl Migration {
    pub(super) fn new(header: &ExportHeader, universe: DimensionUniverse) -> Self {
        if header.universe_namespace != "daf_butler" {
            return Self::default();
        }
        let version = header.universe_version;
        let visit = universe.get("visit");
        let exposure = universe.get("exposure");
        let implies = |element: Option<DimensionElement>, name: &str| {
            element.is_some_and(|element| element.implied().contains(&name))
        };
        let has_field = |element: Option<DimensionElement>, name: &str| {
            element.is_some_and(|element| {
                element
                    .metadata_columns()
                    .iter()
                    .any(|column| &*column.name == name)
            })
        };
        Self {
            visit_system: version < 2 && universe.get("visit_system_membership").is_some(),
            visit_seeing: version < 1 && visit.is_some() && !has_field(visit, "seeing"),
            group: version < 6 && implies(exposure, "group"),
            exposure_day_obs: version < 6 && implies(exposure, "day_obs"),
            visit_day_obs: version < 6 && implies(visit, "day_obs"),
            add_visit_day_obs: version < 1
                && (implies(visit, "day_obs") || has_field(visit, "day_obs")),
            day_obs: BTreeSet::new(),
        }
    }

    /// The dimensions of a dataset type as they are today.
    pub(super) fn dimensions(&self, names: &mut Vec<String>) {
        let has = |name: &str| names.iter().any(|other| other == name);
        if self.visit_system && has("visit") && has("visit_system") {
            names.retain(|name| name != "visit_system");
        }
    }

    /// Brings the records of an element into the present; gives records of other elements that
    /// come of them.
    pub(super) fn records(
        &mut self,
        element: &str,
        records: &mut [RawRecord],
        offset: DayObsOffset<'_>,
    ) -> Result<Vec<ElementRecords>> {
        match element {
            "visit" => self.visits(records, offset),
            "exposure" => self.exposures(records),
            _ => Ok(Vec::new()),
        }
    }

    fn visits(
        &mut self,
        records: &mut [RawRecord],
        offset: DayObsOffset<'_>,
    ) -> Result<Vec<ElementRecords>> {
        let mut members = Vec::new();
        for record in records {
            if self.visit_system {
                let system = take(record, "visit", "visit_system")?;
                members.push(Map::from_iter([
                    (
                        "instrument".to_owned(),
                        field(record, "visit", "instrument")?.clone(),
                    ),
                    ("visit_system".to_owned(), system),
                    ("visit".to_owned(), field(record, "visit", "id")?.clone()),
                ]));
            }
            if self.visit_seeing {
                record.shift_remove("seeing");
            }
            if self.add_visit_day_obs {
                let instrument = text(record, "visit", "instrument")?;
                let begin = optional_time(field(record, "visit", "datetime_begin")?)?
                    .ok_or_else(|| missing("visit", "datetime_begin"))?;
                let shifted = begin - offset(&instrument).unwrap_or(0) * NS_PER_SECOND;
                let (year, month, day) = civil_from_days(shifted.div_euclid(NS_PER_DAY));
                record.insert(
                    "day_obs".into(),
                    Value::Int(year * 10_000 + month * 100 + day),
                );
            }
            if self.visit_day_obs {
                self.remember_day_obs("visit", record)?;
            }
        }
        Ok(if members.is_empty() {
            Vec::new()
        } else {
            vec![("visit_system_membership", members)]
        })
    }

    fn exposures(&mut self, records: &mut [RawRecord]) -> Result<Vec<ElementRecords>> {
        let mut groups: Vec<RawRecord> = Vec::new();
        for record in records {
            if self.group {
                let name = take(record, "exposure", "group_name")?;
                take(record, "exposure", "group_id")?;
                let group = Map::from_iter([
                    (
                        "instrument".to_owned(),
                        field(record, "exposure", "instrument")?.clone(),
                    ),
                    ("name".to_owned(), name.clone()),
                ]);
                if groups.last() != Some(&group) {
                    groups.push(group);
                }
                record.insert("group".into(), name);
            }
            if self.exposure_day_obs {
                self.remember_day_obs("exposure", record)?;
            }
        }
        Ok(if groups.is_empty() {
            Vec::new()
        } else {
            vec![("group", groups)]
        })
    }

    fn remember_day_obs(&mut self, element: &str, record: &RawRecord) -> Result<()> {
        let instrument = text(record, element, "instrument")?;
        match field(record, element, "day_obs")? {
            Value::Int(day_obs) => {
                self.day_obs.insert((instrument, *day_obs));
                Ok(())
            }
            other => Err(Error::corrupt(
                "export file",
                format!(
                    "'day_obs' of an {element} must be an integer, but it is {}",
                    other.kind()
                ),
            )),
        }
    }

    /// The observing days that old records refer to, with the timespan where the instrument's
    /// offset is known; and the instruments of which it is not.
    pub(super) fn day_obs_records(
        &self,
        offset: DayObsOffset<'_>,
    ) -> Result<(Vec<DayObs>, BTreeSet<String>)> {
        let mut records = Vec::new();
        let mut unknown = BTreeSet::new();
        for (instrument, day_obs) in &self.day_obs {
            let timespan = match offset(instrument) {
                Some(offset) => Some(Timespan::from_day_obs(*day_obs, offset)?),
                None => {
                    unknown.insert(instrument.clone());
                    None
                }
            };
            records.push((instrument.clone(), *day_obs, timespan));
        }
        Ok((records, unknown))
    }
}

fn missing(element: &str, name: &str) -> Error {
    Error::corrupt(
        "export file",
        format!("a record of '{element}' has no field '{name}'"),
    )
}

fn field<'r>(record: &'r RawRecord, element: &str, name: &str) -> Result<&'r Value> {
    record.get(name).ok_or_else(|| missing(element, name))
}

fn take(record: &mut RawRecord, element: &str, name: &str) -> Result<Value> {
    record
        .shift_remove(name)
        .ok_or_else(|| missing(element, name))
}

fn text(record: &RawRecord, element: &str, name: &str) -> Result<String> {
    field(record, element, name)?
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| missing(element, name))
}

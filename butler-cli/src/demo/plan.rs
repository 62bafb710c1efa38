//! What the imagined survey observed: a few nights of blocks, each in one filter, on neighbouring
//! tiles of the sky or again and again on a deep field.

use butler_core::error::{Error, Result};
use butler_core::time::tai_ns_of_date;

use super::camera::Pointing;
use super::numbers::Numbers;

/// A night: the day on which it begins, and the number of the next day.
pub(super) struct Night {
    /// Such as 20251201.
    pub(super) day_obs: i64,
    year: i64,
    month: i64,
    day: i64,
}

/// The nights.
pub(super) const NIGHTS: [Night; 4] = [night(1), night(2), night(3), night(4)];

const fn night(day: i64) -> Night {
    Night {
        day_obs: 20_251_200 + day,
        year: 2025,
        month: 12,
        day,
    }
}

impl Night {
    /// The noon before it, TAI in nanoseconds.
    pub(super) fn noon(&self) -> Result<i64> {
        let midnight = tai_ns_of_date(self.year, self.month, self.day);
        let midnight =
            midnight.ok_or_else(|| Error::Internal("a night of the demo is none".to_owned()))?;
        Ok(midnight + 12 * HOUR)
    }
}

/// Filters and their bands.
pub(super) const FILTERS: [(&str, &str); 6] = [
    ("u_24", "u"),
    ("g_6", "g"),
    ("r_57", "r"),
    ("i_39", "i"),
    ("z_20", "z"),
    ("y_10", "y"),
];

/// The deep fields: name, right ascension and declination in degrees.
pub(super) const DEEP_FIELDS: [(&str, f64, f64); 4] = [
    ("ELAISS1", 9.45, -44.02),
    ("ECDFS", 53.16, -28.10),
    ("EDFS_a", 58.90, -49.32),
    ("COSMOS", 150.11, 2.23),
];

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const HOUR: i64 = 3600 * SECOND;
const BLOCKS: i64 = 6;
const VISITS_OF_BLOCK: usize = 10;
/// From one block to the next.
const BLOCK_TIME: i64 = HOUR + 17 * 60 * SECOND;
/// From one visit to the next.
const VISIT_TIME: i64 = 39 * SECOND;
/// The observatory's, in degrees.
const LATITUDE: f64 = -30.2446;
const LONGITUDE: f64 = -70.7494;

/// A visit, of one exposure.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// Of the visit and the exposure.
    pub(super) id: i64,
    pub(super) day_obs: i64,
    pub(super) seq_num: i64,
    pub(super) pointing: Pointing,
    pub(super) filter: &'static str,
    pub(super) band: &'static str,
    pub(super) target: &'static str,
    pub(super) reason: String,
    /// TAI in nanoseconds.
    pub(super) begin: i64,
    /// In seconds.
    pub(super) exposure_time: f64,
    pub(super) azimuth: f64,
    pub(super) zenith_angle: f64,
}

impl Visit {
    pub(super) fn name(&self) -> String {
        format!("MC_O_{}_{:06}", self.day_obs, self.seq_num)
    }

    /// The whole seconds of the exposure.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn end(&self) -> i64 {
        self.begin + (self.exposure_time * 1e9) as i64
    }
}

/// All visits, in the order of time. A night whose noon is no date has none.
pub(super) fn visits() -> Vec<Visit> {
    let mut found = Vec::new();
    for night in &NIGHTS {
        let Ok(noon) = night.noon() else { continue };
        let mut numbers = Numbers::of(&[night.day_obs]);
        let mut seq_num = 40;
        for block in 0..BLOCKS {
            let begin = noon + 14 * HOUR + block * BLOCK_TIME;
            let (filter, band) = filter_of(block, night);
            let sidereal = sidereal(begin);
            let (target, places) = match deep_field(sidereal, block, night) {
                Some((name, ra, dec)) => (name, dithered(ra, dec, &mut numbers)),
                None => ("wide", tiles(sidereal, &mut numbers)),
            };
            for (place, begin) in places
                .into_iter()
                .zip((0..).map(|n| begin + n * VISIT_TIME))
            {
                let (azimuth, zenith_angle) = horizontal(place, begin);
                seq_num += 1;
                found.push(Visit {
                    id: night.day_obs * 100_000 + seq_num,
                    day_obs: night.day_obs,
                    seq_num,
                    pointing: Pointing {
                        ra: place[0],
                        dec: place[1],
                        rotation: numbers.between(0.0, 360.0),
                    },
                    filter,
                    band,
                    target,
                    reason: format!("pairs_{band}"),
                    begin,
                    exposure_time: if band == "u" { 38.0 } else { 30.0 },
                    azimuth,
                    zenith_angle,
                });
            }
            seq_num += 15;
        }
    }
    found
}

/// The filter of a block: not the same ones every night.
fn filter_of(block: i64, night: &Night) -> (&'static str, &'static str) {
    let place = (5 * block + 2 * night.day).rem_euclid(6);
    let mut filters = (0..).zip(FILTERS);
    let found = filters.find(|(index, _)| *index == place);
    found.map_or(FILTERS[0], |(_, filter)| filter)
}

/// The deep field that is observed in a block, if any.
fn deep_field(sidereal: f64, block: i64, night: &Night) -> Option<(&'static str, f64, f64)> {
    let wanted = (block + night.day) % 2 == 0;
    let mut fields = DEEP_FIELDS.iter();
    let high = fields.find(|(_, ra, _)| difference(*ra, sidereal).abs() < 25.0);
    high.copied().filter(|_| wanted)
}

/// Places close to a deep field.
fn dithered(ra: f64, dec: f64, numbers: &mut Numbers) -> Vec<[f64; 2]> {
    let mut around = || numbers.between(-0.7, 0.7);
    let place = |_| {
        let (x, y) = (around(), around());
        [(ra + x / dec.to_radians().cos()).rem_euclid(360.0), dec + y]
    };
    (0..VISITS_OF_BLOCK).map(place).collect()
}

/// Tiles next to each other, high in the sky.
fn tiles(sidereal: f64, numbers: &mut Numbers) -> Vec<[f64; 2]> {
    let center = [
        sidereal + numbers.between(-25.0, 25.0),
        numbers.between(-66.0, 2.0),
    ];
    let mut found = Vec::new();
    for ring in -25..2 {
        let dec = 2.9 * f64::from(ring);
        let number = (360.0 * dec.to_radians().cos() / 2.9).ceil().max(1.0);
        let step = 360.0 / number;
        let nearest = (center[0] / step).round();
        for offset in -6..=6 {
            let ra = (step * (nearest + f64::from(offset))).rem_euclid(360.0);
            let x = difference(ra, center[0]) * dec.to_radians().cos();
            found.push((x.hypot(dec - center[1]), [ra, dec]));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut chosen: Vec<[f64; 2]> = found.into_iter().map(|(_, place)| place).collect();
    chosen.truncate(VISITS_OF_BLOCK);
    chosen
}

/// How far an angle is from another, from -180 to 180 degrees.
fn difference(a: f64, b: f64) -> f64 {
    (a - b + 180.0).rem_euclid(360.0) - 180.0
}

/// The right ascension on the meridian, in degrees; good to some arc minutes.
#[allow(clippy::cast_precision_loss)]
fn sidereal(time: i64) -> f64 {
    let days = butler_core::time::to_mjd(time, butler_core::time::TimeScale::Utc) - 51_544.5;
    (280.460_618 + 360.985_647_37 * days + LONGITUDE).rem_euclid(360.0)
}

/// Azimuth (north over east) and distance from the zenith, in degrees.
fn horizontal([ra, dec]: [f64; 2], time: i64) -> (f64, f64) {
    let (sin_hour, cos_hour) = (sidereal(time) - ra).to_radians().sin_cos();
    let (sin_dec, cos_dec) = dec.to_radians().sin_cos();
    let (sin_lat, cos_lat) = LATITUDE.to_radians().sin_cos();
    let height = sin_lat * sin_dec + cos_lat * cos_dec * cos_hour;
    let north = cos_lat * sin_dec - sin_lat * cos_dec * cos_hour;
    let azimuth = (-cos_dec * sin_hour).atan2(north).to_degrees();
    (
        azimuth.rem_euclid(360.0),
        height.clamp(-1.0, 1.0).acos().to_degrees(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_visits_are_high_enough_and_at_night() {
        let visits = visits();
        assert_eq!(visits.len(), 240);
        for visit in &visits {
            assert!(visit.zenith_angle < 70.0, "{visit:?}");
            assert!((-80.0..20.0).contains(&visit.pointing.dec), "{visit:?}");
        }
        assert!(visits.is_sorted_by_key(|visit| visit.begin));
    }

    #[test]
    fn deep_fields_and_all_filters_are_there() {
        let visits = visits();
        assert!(visits.iter().any(|visit| visit.target != "wide"));
        let mut bands: Vec<&str> = visits.iter().map(|visit| visit.band).collect();
        bands.sort_unstable();
        bands.dedup();
        assert_eq!(bands.len(), FILTERS.len(), "{bands:?}");
    }
}

//! Time scales, and their relation to TAI.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use hifitime::leap_seconds::LatestLeapSeconds;
use hifitime::{Duration, Epoch};

use super::calendar::{NS_PER_DAY, NS_PER_SECOND};
use crate::error::Error;

/// A time scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeScale {
    /// International atomic time.
    Tai,
    /// Coordinated universal time, with leap seconds.
    Utc,
    /// Terrestrial time: TAI + 32.184 s.
    Tt,
    /// Barycentric dynamical time.
    Tdb,
    /// Barycentric coordinate time.
    Tcb,
    /// Geocentric coordinate time.
    Tcg,
}

/// TT − TAI.
const TT_MINUS_TAI: i64 = 32_184_000_000;
/// The day of 1972-01-01, from which UTC differs from TAI by whole seconds.
const FIRST_WHOLE_SECONDS: i64 = 730;
/// By how much a day of UTC was longer than 86400 s of TAI before 1972.
const EARLY_DRIFT: i64 = 2_592_000;
/// 2000-01-01T12:00:00, counted from 1970-01-01 in one scale.
const J2000: i64 = 946_728_000 * NS_PER_SECOND;
/// 1977-01-01T00:00:32.184, counted from 1970-01-01 in one scale; `hifitime` counts TCB from
/// 65.5 µs later.
const J1977: i64 = 220_924_832_184_000_000;
/// Days from 1900-01-01 to 1970-01-01.
const DAYS_1900_TO_1970: i64 = 25_567;

/// The first day (since 1970) and TAI − UTC in seconds, for every leap second.
fn leap_seconds() -> &'static [(i64, i64)] {
    static TABLE: OnceLock<Vec<(i64, i64)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let announced = LatestLeapSeconds::default().filter(|leap| leap.announced_by_iers);
        #[allow(clippy::cast_possible_truncation)]
        let row = |leap: hifitime::leap_seconds::LeapSecond| {
            let seconds_since_1900 = leap.timestamp_tai_s as i64;
            (
                seconds_since_1900 / 86_400 - DAYS_1900_TO_1970,
                leap.delta_at as i64,
            )
        };
        announced.map(row).collect()
    })
}

/// The TAI time at which a day of UTC begins.
fn utc_day_start(day: i64) -> i64 {
    let offset = if day < FIRST_WHOLE_SECONDS {
        // TAI − UTC = 4.21317 s + (MJD − 39126) × 2.592 ms, valid from February 1968.
        4_213_170_000 + (day + 40_587 - 39_126) * EARLY_DRIFT
    } else {
        let table = leap_seconds();
        let index = table.partition_point(|(first_day, _)| *first_day <= day);
        index.checked_sub(1).map_or(10, |index| table[index].1) * NS_PER_SECOND
    };
    day.saturating_mul(NS_PER_DAY).saturating_add(offset)
}

/// `value × numerator / NS_PER_DAY`, rounded to the nearest.
fn scaled(value: i64, numerator: i64, denominator: i64) -> i64 {
    let product = i128::from(value) * i128::from(numerator);
    let rounded = (product + i128::from(denominator) / 2).div_euclid(i128::from(denominator));
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

impl TimeScale {
    /// The scale's name, as astropy has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tai => "tai",
            Self::Utc => "utc",
            Self::Tt => "tt",
            Self::Tdb => "tdb",
            Self::Tcb => "tcb",
            Self::Tcg => "tcg",
        }
    }

    /// The TAI ns of a calendar day (since 1970-01-01) and nanoseconds into it, both in this scale.
    ///
    /// On a day of UTC that ends with a leap second, there are 86401 s of nanoseconds.
    #[must_use]
    pub fn calendar_to_tai(self, day: i64, ns: i64) -> i64 {
        if self == Self::Utc {
            let ns = if day < FIRST_WHOLE_SECONDS {
                scaled(ns, NS_PER_DAY + EARLY_DRIFT, NS_PER_DAY)
            } else {
                ns
            };
            return utc_day_start(day).saturating_add(ns);
        }
        self.label_to_tai(day.saturating_mul(NS_PER_DAY).saturating_add(ns))
    }

    /// The TAI ns of a day (since 1970-01-01) and a fraction of it, both in this scale.
    ///
    /// A day of UTC with a leap second is stretched, as in astropy's Julian dates.
    #[must_use]
    pub fn day_fraction_to_tai(self, day: i64, fraction: f64) -> i64 {
        let length = if self == Self::Utc {
            utc_day_start(day.saturating_add(1)).saturating_sub(utc_day_start(day))
        } else {
            NS_PER_DAY
        };
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let ns = (fraction * length as f64).round_ties_even() as i64;
        match self {
            Self::Utc => utc_day_start(day).saturating_add(ns),
            _ => self.label_to_tai(day.saturating_mul(NS_PER_DAY).saturating_add(ns)),
        }
    }

    /// The calendar day (since 1970-01-01) and the nanoseconds into it, both in this scale, of a
    /// time in TAI ns. In a leap second of UTC there are more than 86400 s of nanoseconds.
    #[must_use]
    pub fn tai_to_calendar(self, tai: i64) -> (i64, i64) {
        if self != Self::Utc {
            let label = self.tai_to_label(tai);
            return (label.div_euclid(NS_PER_DAY), label.rem_euclid(NS_PER_DAY));
        }
        let mut day = tai
            .saturating_sub(60 * NS_PER_SECOND)
            .div_euclid(NS_PER_DAY);
        while utc_day_start(day + 1) <= tai {
            day += 1;
        }
        let ns = tai - utc_day_start(day);
        if day < FIRST_WHOLE_SECONDS {
            (day, scaled(ns, NS_PER_DAY, NS_PER_DAY + EARLY_DRIFT))
        } else {
            (day, ns)
        }
    }

    /// The day (since 1970-01-01) and the fraction of it, both in this scale, of a time in TAI ns.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn tai_to_day_fraction(self, tai: i64) -> (i64, f64) {
        let (day, ns) = self.tai_to_calendar(tai);
        if self == Self::Utc {
            let start = utc_day_start(day);
            let length = utc_day_start(day + 1) - start;
            return (day, (tai - start) as f64 / length as f64);
        }
        (day, ns as f64 / NS_PER_DAY as f64)
    }

    /// The nanoseconds a calendar day (since 1970-01-01) of this scale has.
    pub(super) fn day_length(self, day: i64) -> i64 {
        if self == Self::Utc && day >= FIRST_WHOLE_SECONDS {
            utc_day_start(day + 1) - utc_day_start(day)
        } else {
            NS_PER_DAY
        }
    }

    /// The TAI ns of what a clock in this scale (not UTC) shows, counted from 1970-01-01.
    fn label_to_tai(self, label: i64) -> i64 {
        let from = |scale, reference: i64| {
            let since = Duration::from_truncated_nanoseconds(label.saturating_sub(reference));
            tai_of(Epoch::from_duration(since, scale))
        };
        match self {
            Self::Tai | Self::Utc => label,
            Self::Tt => label.saturating_sub(TT_MINUS_TAI),
            Self::Tdb => from(hifitime::TimeScale::TDB, J2000),
            Self::Tcb => from(hifitime::TimeScale::TCB, J1977 + 65_500),
            Self::Tcg => from(hifitime::TimeScale::TCG, J1977),
        }
    }

    /// What a clock in this scale (not UTC) shows at a time in TAI ns, counted from 1970-01-01.
    fn tai_to_label(self, tai: i64) -> i64 {
        let to = |scale, reference: i64| {
            let epoch = Epoch::from_tai_duration(
                Duration::from_truncated_nanoseconds(tai) + since_1900_to_1970(),
            );
            let since = epoch.to_time_scale(scale).duration.total_nanoseconds();
            i64::try_from(since)
                .unwrap_or(i64::MAX)
                .saturating_add(reference)
        };
        match self {
            Self::Tai | Self::Utc => tai,
            Self::Tt => tai.saturating_add(TT_MINUS_TAI),
            Self::Tdb => to(hifitime::TimeScale::TDB, J2000),
            Self::Tcb => to(hifitime::TimeScale::TCB, J1977 + 65_500),
            Self::Tcg => to(hifitime::TimeScale::TCG, J1977),
        }
    }
}

fn since_1900_to_1970() -> Duration {
    Duration::from_truncated_nanoseconds(DAYS_1900_TO_1970 * NS_PER_DAY)
}

fn tai_of(epoch: Epoch) -> i64 {
    let since_1970 = epoch.to_tai_duration() - since_1900_to_1970();
    i64::try_from(since_1970.total_nanoseconds()).unwrap_or(i64::MAX)
}

impl FromStr for TimeScale {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let all = [
            Self::Tai,
            Self::Utc,
            Self::Tt,
            Self::Tdb,
            Self::Tcb,
            Self::Tcg,
        ];
        all.into_iter()
            .find(|scale| scale.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                Error::InvalidArgument(format!(
                    "time scale '{name}' is not known; use tai, utc, tt, tdb, tcb or tcg"
                ))
            })
    }
}

impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

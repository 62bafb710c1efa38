//! Conversions between astronomers' time formats and integer nanoseconds of TAI.
//!
//! The library stores every time as nanoseconds since 1970-01-01T00:00:00 **TAI**. Leap seconds
//! come from the table in `hifitime`; between 1970 and 1972 UTC drifts as it was defined then.

mod calendar;
mod format;
mod parse;
mod scale;

pub use calendar::{NS_PER_DAY, NS_PER_SECOND, civil_from_days, days_from_civil, tai_ns_of_date};
pub use format::{
    format_iso, format_isot, format_tai_iso, format_tai_isot, to_jd, to_mjd, to_unix,
};
pub use parse::{TimeFormat, from_number, parse_time};
pub use scale::TimeScale;

use crate::timespan::Timespan;

/// Moves a time (TAI ns) into the range that repositories can store.
#[must_use]
pub fn clamp_ns(time: i64) -> i64 {
    time.clamp(Timespan::MIN_NS, Timespan::MAX_NS)
}

/// The current time in TAI ns, by the system's clock.
#[must_use]
pub fn now() -> i64 {
    let since_unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since_unix =
        since_unix.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX));
    let (day, ns) = (
        since_unix.div_euclid(NS_PER_DAY),
        since_unix.rem_euclid(NS_PER_DAY),
    );
    TimeScale::Utc.calendar_to_tai(day, ns)
}

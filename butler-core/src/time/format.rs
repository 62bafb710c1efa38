//! Times as text and numbers.

use super::calendar::{NS_PER_DAY, NS_PER_SECOND, civil_from_days};
use super::scale::TimeScale;

/// Formats a time (TAI ns) as `YYYY-MM-DDThh:mm:ss[.fff]` in the TAI scale, rounded to `digits`
/// (0–9) digits of the second.
#[must_use]
pub fn format_tai_isot(time: i64, digits: usize) -> String {
    format_isot(time, TimeScale::Tai, digits)
}

/// Formats a time (TAI ns) as `YYYY-MM-DD hh:mm:ss[.fff]` in the TAI scale, rounded to `digits`
/// (0–9) digits of the second.
#[must_use]
pub fn format_tai_iso(time: i64, digits: usize) -> String {
    format_iso(time, TimeScale::Tai, digits)
}

/// Formats a time (TAI ns) as `YYYY-MM-DDThh:mm:ss[.fff]` in a scale, rounded to `digits` (0–9)
/// digits of the second.
#[must_use]
pub fn format_isot(time: i64, scale: TimeScale, digits: usize) -> String {
    format_calendar(time, scale, digits, 'T')
}

/// Formats a time (TAI ns) as `YYYY-MM-DD hh:mm:ss[.fff]` in a scale, rounded to `digits` (0–9)
/// digits of the second.
#[must_use]
pub fn format_iso(time: i64, scale: TimeScale, digits: usize) -> String {
    format_calendar(time, scale, digits, ' ')
}

fn format_calendar(time: i64, scale: TimeScale, digits: usize, separator: char) -> String {
    let digits = u32::try_from(digits.min(9)).unwrap_or(9);
    let unit = 10_i64.pow(9 - digits);
    let (mut days, ns) = scale.tai_to_calendar(time);
    let mut ns = (ns + unit / 2) / unit * unit;
    let length = scale.day_length(days);
    if ns >= length {
        (days, ns) = (days + 1, ns - length);
    }
    let (year, month, day) = civil_from_days(days);
    let (seconds, fraction) = (ns / NS_PER_SECOND, ns % NS_PER_SECOND);
    // A leap second is the 61st second of the last minute.
    let leap = (seconds - 86_399).max(0);
    let seconds = seconds - leap;
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}{separator}{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60 + leap
    );
    if digits > 0 {
        text.push('.');
        text.push_str(&format!("{fraction:09}")[..digits as usize]);
    }
    text
}

/// The Julian date of a time (TAI ns) in a scale.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn to_jd(time: i64, scale: TimeScale) -> f64 {
    let (day, fraction) = scale.tai_to_day_fraction(time);
    (day + 2_440_587) as f64 + (fraction + 0.5)
}

/// The modified Julian date of a time (TAI ns) in a scale.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn to_mjd(time: i64, scale: TimeScale) -> f64 {
    let (day, fraction) = scale.tai_to_day_fraction(time);
    (day + 40_587) as f64 + fraction
}

/// The seconds since 1970-01-01T00:00:00 UTC, without leap seconds, of a time (TAI ns).
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn to_unix(time: i64) -> f64 {
    let (day, fraction) = TimeScale::Utc.tai_to_day_fraction(time);
    (day * (NS_PER_DAY / NS_PER_SECOND)) as f64 + fraction * 86_400.0
}

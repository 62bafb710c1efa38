//! Reading of times.

use std::fmt;
use std::str::FromStr;

use super::calendar::{NS_PER_DAY, NS_PER_SECOND, civil_from_days, days_from_civil};
use super::scale::TimeScale;
use crate::error::{Error, Result};

/// A format of times, by astropy's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeFormat {
    /// `YYYY-MM-DD[ hh:mm[:ss[.fff]]]`.
    Iso,
    /// `YYYY-MM-DD[Thh:mm[:ss[.fff]]]`.
    Isot,
    /// As [`TimeFormat::Isot`]; the year may have a sign.
    Fits,
    /// `YYYY:DDD[:hh:mm[:ss[.fff]]]`, with the day of the year.
    Yday,
    /// Julian date.
    Jd,
    /// Modified Julian date.
    Mjd,
    /// Julian epoch, as in 2000.0.
    Jyear,
    /// Besselian epoch, as in 1950.0.
    Byear,
    /// Year and its fraction.
    DecimalYear,
    /// Seconds from 1970-01-01T00:00:00 UTC, without leap seconds.
    Unix,
    /// Seconds from 1970-01-01T00:00:00 TAI.
    UnixTai,
    /// Seconds from 1998-01-01T00:00:00 TT.
    Cxcsec,
    /// Seconds from 1980-01-06T00:00:00 UTC, with leap seconds.
    Gps,
    /// Seconds from 1980-01-06T00:00:00 UTC, without leap seconds.
    Galexsec,
    /// Days of UTC, of which 0001-01-01 is the first.
    PlotDate,
}

const FORMATS: [(TimeFormat, &str); 15] = [
    (TimeFormat::Iso, "iso"),
    (TimeFormat::Isot, "isot"),
    (TimeFormat::Fits, "fits"),
    (TimeFormat::Yday, "yday"),
    (TimeFormat::Jd, "jd"),
    (TimeFormat::Mjd, "mjd"),
    (TimeFormat::Jyear, "jyear"),
    (TimeFormat::Byear, "byear"),
    (TimeFormat::DecimalYear, "decimalyear"),
    (TimeFormat::Unix, "unix"),
    (TimeFormat::UnixTai, "unix_tai"),
    (TimeFormat::Cxcsec, "cxcsec"),
    (TimeFormat::Gps, "gps"),
    (TimeFormat::Galexsec, "galexsec"),
    (TimeFormat::PlotDate, "plot_date"),
];

impl TimeFormat {
    /// The format's name, as astropy has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        FORMATS
            .iter()
            .find(|(format, _)| *format == self)
            .map_or("", |(_, name)| name)
    }

    /// The scale that times of this format are in when none is given in a query expression.
    #[must_use]
    pub const fn default_scale(self) -> TimeScale {
        match self {
            Self::Iso | Self::Isot | Self::Fits | Self::Yday | Self::Unix => TimeScale::Utc,
            Self::Cxcsec => TimeScale::Tt,
            _ => TimeScale::Tai,
        }
    }

    /// Whether times of this format are text, not numbers.
    #[must_use]
    pub const fn is_calendar(self) -> bool {
        matches!(self, Self::Iso | Self::Isot | Self::Fits | Self::Yday)
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TimeFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = FORMATS
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|(format, _)| *format).ok_or_else(|| {
            let known: Vec<_> = FORMATS.iter().map(|(_, name)| *name).collect();
            Error::InvalidArgument(format!(
                "time format '{name}' is not known; use one of {}",
                known.join(", ")
            ))
        })
    }
}

/// Reads a time in a known format and scale into TAI ns. Calendar dates that 64 bits do not reach
/// are moved to the last day that they do.
///
/// # Errors
/// [`Error::InvalidArgument`] if the text is not of that format.
pub fn parse_time(text: &str, format: TimeFormat, scale: TimeScale) -> Result<i64> {
    let bad = || Error::InvalidArgument(format!("'{text}' is not a time of format '{format}'"));
    if format.is_calendar() {
        let (day, ns) = parse_calendar(text.trim(), format).ok_or_else(bad)?;
        Ok(scale.calendar_to_tai(day, ns))
    } else {
        let value: f64 = text.trim().parse().map_err(|_| bad())?;
        from_number(value, format, scale).map_err(|_| bad())
    }
}

/// Converts a time in a numeric format and a scale into TAI ns.
///
/// The formats that count seconds have their own scale; `scale` does not change their meaning.
///
/// # Errors
/// [`Error::InvalidArgument`] if `value` is not finite, is out of range (before the year −4712 or
/// after the year 9999), or if `format` is not numeric.
pub fn from_number(value: f64, format: TimeFormat, scale: TimeScale) -> Result<i64> {
    let bad = || Error::InvalidArgument(format!("{value} is not a time of format '{format}'"));
    if !value.is_finite() || value.abs() > 1e12 {
        return Err(bad());
    }
    #[allow(clippy::cast_possible_truncation)]
    let split = |value: f64| (value.floor() as i64, value - value.floor());
    let (day, fraction) = match format {
        TimeFormat::Jd => split_jd(value, 0.0),
        TimeFormat::Mjd => {
            let (day, fraction) = split(value);
            (day - 40_587, fraction)
        }
        TimeFormat::Jyear => split_jd(2_451_545.0, (value - 2000.0) * 365.25),
        TimeFormat::Byear => {
            let (day, fraction) = split(15_019.813_52 + (value - 1900.0) * 365.242_198_781);
            (day - 40_587, fraction)
        }
        TimeFormat::DecimalYear => return decimal_year(value, scale).ok_or_else(bad),
        TimeFormat::PlotDate => {
            let (day, fraction) = split(value);
            let day = in_range(day - 719_163).ok_or_else(bad)?;
            return Ok(TimeScale::Utc.day_fraction_to_tai(day, fraction));
        }
        TimeFormat::Unix | TimeFormat::Galexsec => {
            let (seconds, fraction) = split(value);
            let seconds = match format {
                TimeFormat::Galexsec => seconds + 315_964_800,
                _ => seconds,
            };
            #[allow(clippy::cast_precision_loss)]
            let into_day = seconds.rem_euclid(86_400) as f64 + fraction;
            in_range(seconds.div_euclid(86_400)).ok_or_else(bad)?;
            let day = seconds.div_euclid(86_400);
            return Ok(TimeScale::Utc.day_fraction_to_tai(day, into_day / 86_400.0));
        }
        TimeFormat::UnixTai | TimeFormat::Cxcsec | TimeFormat::Gps => {
            let epoch = match format {
                // 1998-01-01T00:00:00 TT.
                TimeFormat::Cxcsec => 883_612_800 * NS_PER_SECOND - 32_184_000_000,
                // 1980-01-06T00:00:19 TAI.
                TimeFormat::Gps => 315_964_819 * NS_PER_SECOND,
                _ => 0,
            };
            let (seconds, fraction) = split(value);
            in_range(seconds.div_euclid(86_400)).ok_or_else(bad)?;
            #[allow(clippy::cast_possible_truncation)]
            let ns = (fraction * 1e9).round_ties_even() as i64;
            return Ok(epoch + seconds * NS_PER_SECOND + ns);
        }
        TimeFormat::Iso | TimeFormat::Isot | TimeFormat::Fits | TimeFormat::Yday => {
            return Err(bad());
        }
    };
    in_range(day).ok_or_else(bad)?;
    Ok(scale.day_fraction_to_tai(day, fraction))
}

/// The last day since 1970 that nanoseconds in 64 bits reach, in round numbers.
const LAST_DAY: i64 = 106_000;

/// Days since 1970 as far as nanoseconds in 64 bits reach.
fn in_range(day: i64) -> Option<i64> {
    (-LAST_DAY..=LAST_DAY).contains(&day).then_some(day)
}

/// The day since 1970-01-01 and its fraction of a Julian date in two parts.
#[allow(clippy::cast_possible_truncation)]
fn split_jd(whole: f64, rest: f64) -> (i64, f64) {
    let (whole_days, rest_days) = (whole.floor(), rest.floor());
    let mut day = whole_days as i64 + rest_days as i64 - 2_440_588;
    let mut fraction = (whole - whole_days) + (rest - rest_days) + 0.5;
    while fraction >= 1.0 {
        fraction -= 1.0;
        day += 1;
    }
    (day, fraction)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn decimal_year(value: f64, scale: TimeScale) -> Option<i64> {
    let year = value.floor() as i64;
    in_range(days_from_civil(year, 1, 1))?;
    let start = scale.calendar_to_tai(days_from_civil(year, 1, 1), 0);
    let end = scale.calendar_to_tai(days_from_civil(year + 1, 1, 1), 0);
    Some(start + ((value - value.floor()) * (end - start) as f64).round_ties_even() as i64)
}

/// The day since 1970-01-01 and the nanoseconds into it of a calendar time.
fn parse_calendar(text: &str, format: TimeFormat) -> Option<(i64, i64)> {
    let (day, clock) = if format == TimeFormat::Yday {
        let mut parts = text.splitn(3, ':');
        let year = number(parts.next()?, 4, 4)?;
        let day_of_year = number(parts.next()?, 1, 3)?;
        let day = days_from_civil(year, 1, 1) + day_of_year - 1;
        if day_of_year < 1 || civil_from_days(day).0 != year {
            return None;
        }
        (day, parts.next())
    } else {
        let (date, clock) = match text.split_once([' ', 'T', 't']) {
            Some((date, clock)) => (date, Some(clock)),
            None => (text, None),
        };
        // With a sign, FITS has five digits for the year.
        let (date, year_digits) = match date.strip_prefix('+') {
            Some(date) if format == TimeFormat::Fits => (date, 5),
            _ => (date, 4),
        };
        let mut parts = date.split('-');
        let year = number(parts.next()?, year_digits, year_digits)?;
        let (month, day) = (number(parts.next()?, 1, 2)?, number(parts.next()?, 1, 2)?);
        let days = days_from_civil(year, month, day);
        if parts.next().is_some()
            || !(1..=12).contains(&month)
            || civil_from_days(days) != (year, month, day)
        {
            return None;
        }
        (days, clock)
    };
    // Days are moved to the ends of what nanoseconds in 64 bits reach, a century beyond the range
    // that repositories store.
    Some((
        day.clamp(-LAST_DAY, LAST_DAY),
        clock.map_or(Some(0), parse_clock)?,
    ))
}

/// The nanoseconds of `hh:mm[:ss[.fff]]`; a leap second is allowed in the last minute of a day.
fn parse_clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hour = number(parts.next()?, 1, 2)?;
    let minute = number(parts.next()?, 1, 2)?;
    let second = match parts.next() {
        Some(second) => parse_seconds(second)?,
        None => 0,
    };
    let seconds = if (hour, minute) == (23, 59) { 61 } else { 60 };
    if parts.next().is_some() || hour > 23 || minute > 59 || second >= seconds * NS_PER_SECOND {
        return None;
    }
    let ns = (hour * 60 + minute) * 60 * NS_PER_SECOND + second;
    (ns < NS_PER_DAY + NS_PER_SECOND).then_some(ns)
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = number(whole, 1, 2)?;
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut ns = 0;
    for index in 0..9 {
        ns = ns * 10
            + i64::from(
                fraction
                    .as_bytes()
                    .get(index)
                    .map_or(0, |digit| digit - b'0'),
            );
    }
    let round_up = fraction
        .as_bytes()
        .get(9)
        .is_some_and(|digit| *digit >= b'5');
    Some(whole * NS_PER_SECOND + ns + i64::from(round_up))
}

/// A number of at least `least` and at most `most` digits.
fn number(text: &str, least: usize, most: usize) -> Option<i64> {
    let digits = text.bytes().all(|digit| digit.is_ascii_digit());
    ((least..=most).contains(&text.len()) && digits).then(|| text.parse().ok())?
}

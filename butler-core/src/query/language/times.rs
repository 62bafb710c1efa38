//! Time literals: the text between the quotes of `T'...'`.

use crate::error::{Error, Result};
use crate::time::{TimeFormat, TimeScale, clamp_ns, from_number, parse_time};

/// Reads a time literal of the query language, `[format/]value[/scale]`, into TAI ns, moved into
/// the range that repositories can store.
///
/// Without a format, a number with a decimal point is a modified Julian date, and text a calendar
/// date: ISO with a space or a `T` before the time of day, FITS (with a sign and five digits for
/// the year), or year and day of the year, with colons. Without a scale, it is the format's
/// [default](TimeFormat::default_scale). A time zone cannot be given, except `+00:00`.
///
/// Formats are astropy's, by name: `jd`, `mjd`, `jyear`, `byear`, `decimalyear`, `unix`,
/// `unix_tai`, `cxcsec`, `gps`, `galexsec`, `plot_date`, `iso`, `isot`, `fits` and `yday`. Scales
/// are `tai`, `utc`, `tt`, `tdb`, `tcb` and `tcg`.
///
/// # Errors
/// [`Error::InvalidArgument`] saying what cannot be read.
pub fn parse_time_literal(text: &str) -> Result<i64> {
    let bad = |why: &str| Error::InvalidArgument(format!("'{text}' is not a time: {why}"));
    let cleaned = text.replace("+00:00", "");
    let parts: Vec<&str> = cleaned.split('/').collect();
    let (format, value, scale) = match parts[..] {
        [value] => (None, value, None),
        [format, value] if is_word(format) => (Some(format), value, None),
        [value, scale] => (None, value, Some(scale)),
        [format, value, scale] => (Some(format), value, Some(scale)),
        _ => return Err(bad("it has more than three parts (format/value/scale)")),
    };
    let format = format.map(str::parse::<TimeFormat>).transpose()?;
    let scale = scale.map(str::parse::<TimeScale>).transpose()?;
    let (guessed, written) = guess(value).ok_or_else(|| {
        bad(
            "expected a date like 2020-03-30 or 2020-03-30 12:20:33, a day of the year like \
             2020:090, or a number with a decimal point",
        )
    })?;
    let format = match (format, guessed) {
        (Some(format), _) | (None, Some(format)) => format,
        (None, None) => {
            return Err(bad(&format!(
                "it could have several formats; write 'mjd/{value}', or another format, or a \
                 decimal point",
            )));
        }
    };
    if !written.fits(format) {
        return Err(bad(&format!("'{value}' is not of format '{format}'")));
    }
    let scale = scale.unwrap_or(format.default_scale());
    match written {
        Written::Number(value) => number(value, format, scale),
        Written::Date { .. } | Written::DayOfYear => parse_time(value, format, scale).map(clamp_ns),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// How a value is written.
enum Written {
    Number(f64),
    Date {
        /// What stands between the date and the time of day.
        separator: Option<char>,
    },
    DayOfYear,
}

impl Written {
    fn fits(&self, format: TimeFormat) -> bool {
        match (self, format) {
            (Self::Number(_), format) => !format.is_calendar(),
            (Self::DayOfYear, format) => format == TimeFormat::Yday,
            (Self::Date { separator }, TimeFormat::Iso) => matches!(separator, None | Some(' ')),
            (Self::Date { separator }, TimeFormat::Isot | TimeFormat::Fits) => {
                matches!(separator, None | Some('T'))
            }
            (Self::Date { .. }, _) => false,
        }
    }
}

/// The format a value has by its looks, if it has one, and how it is written; `None` if it looks
/// like no time. The details of dates are left to their readers.
fn guess(value: &str) -> Option<(Option<TimeFormat>, Written)> {
    let known = |byte: u8| byte.is_ascii_digit() || b"+-.: Tt".contains(&byte);
    if !value.bytes().all(known) || !value.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unsigned = value.trim_start_matches(['+', '-']);
    if unsigned
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let number = value.parse().ok().filter(|_| !value.starts_with('+'))?;
        let format = value.contains('.').then_some(TimeFormat::Mjd);
        return Some((format, Written::Number(number)));
    }
    if unsigned.contains('-') {
        let separator = unsigned.chars().find(|c| matches!(c, ' ' | 'T' | 't'));
        let format = match (value.starts_with('+'), separator) {
            (true, _) => TimeFormat::Fits,
            (false, Some('T' | 't')) => TimeFormat::Isot,
            (false, _) => TimeFormat::Iso,
        };
        return Some((Some(format), Written::Date { separator }));
    }
    Some((Some(TimeFormat::Yday), Written::DayOfYear))
}

/// A time given as a number. Times far outside the range that can be stored are moved to its ends
/// before they are converted, as conversions have ends of their own.
fn number(value: f64, format: TimeFormat, scale: TimeScale) -> Result<i64> {
    const UNIX_1960: f64 = -315_619_200.0;
    const UNIX_2110: f64 = 4_417_977_600.0;
    let (least, most) = match format {
        TimeFormat::Jd => (2_436_934.5, 2_491_721.5),
        TimeFormat::PlotDate => (715_510.0, 770_297.0),
        TimeFormat::Jyear | TimeFormat::Byear | TimeFormat::DecimalYear => (1960.0, 2110.0),
        TimeFormat::Unix | TimeFormat::UnixTai => (UNIX_1960, UNIX_2110),
        TimeFormat::Cxcsec => (UNIX_1960 - 883_612_800.0, UNIX_2110 - 883_612_800.0),
        TimeFormat::Gps | TimeFormat::Galexsec => {
            (UNIX_1960 - 315_964_800.0, UNIX_2110 - 315_964_800.0)
        }
        _ => (36_934.0, 91_721.0),
    };
    from_number(value.clamp(least, most), format, scale).map(clamp_ns)
}

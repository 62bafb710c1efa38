use butler_core::query::language::parse_time_literal;
use butler_core::time::{self, TimeFormat, TimeScale};
use serde_json::Value;

use crate::support::fixture;

fn rows(part: usize) -> Vec<Value> {
    fixture("times.json")[part].as_array().unwrap().clone()
}

fn scale(value: &Value) -> TimeScale {
    value.as_str().unwrap().parse().unwrap()
}

/// How far from astropy a conversion may be, in nanoseconds: the relativistic scales depend on
/// series of different length.
fn tolerance(scale: TimeScale) -> i64 {
    match scale {
        TimeScale::Tai | TimeScale::Utc | TimeScale::Tt => 0,
        TimeScale::Tcg => 1,
        TimeScale::Tdb | TimeScale::Tcb => 60_000,
    }
}

#[test]
fn calendar_times_are_read_as_astropy_reads_them() {
    for row in rows(0) {
        let text = row[0].as_str().unwrap();
        let format: TimeFormat = row[1].as_str().unwrap().parse().unwrap();
        let scale = scale(&row[2]);
        let expected = row[3].as_i64().unwrap();
        let found = time::clamp_ns(time::parse_time(text, format, scale).unwrap());
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance(scale),
            "{row}: {found}, off by {difference} ns"
        );
    }
}

#[test]
fn numeric_times_are_read_as_astropy_reads_them() {
    for row in rows(1) {
        let value = row[0].as_f64().unwrap();
        let format: TimeFormat = row[1].as_str().unwrap().parse().unwrap();
        let expected = row[3].as_i64().unwrap();
        let found = time::from_number(value, format, scale(&row[2])).unwrap();
        let found = time::clamp_ns(found);
        // A number of seconds near 10⁹ resolves 120 ns, a year 2 µs, and a Julian date 40 µs;
        // astropy and we agree on what the number means to this many nanoseconds:
        let allowed = match format {
            TimeFormat::Byear | TimeFormat::Jyear => 20_000,
            TimeFormat::DecimalYear => 8_000,
            _ => 2,
        };
        let difference = (found - expected).abs();
        assert!(
            difference <= allowed,
            "{row}: {found}, off by {difference} ns"
        );
    }
}

#[test]
fn times_are_shown_as_astropy_shows_them() {
    for row in rows(2) {
        let ns = row[0].as_i64().unwrap();
        let scale = scale(&row[1]);
        let digits = usize::try_from(row[2].as_u64().unwrap()).unwrap();
        assert_eq!(
            time::format_isot(ns, scale, digits),
            row[3].as_str().unwrap(),
            "{row}"
        );
        assert!(
            (time::to_mjd(ns, scale) - row[4].as_f64().unwrap()).abs() < 2e-11,
            "{row}"
        );
        assert!(
            (time::to_jd(ns, scale) - row[5].as_f64().unwrap()).abs() < 1e-9,
            "{row}"
        );
        assert!(
            (time::to_unix(ns) - row[6].as_f64().unwrap()).abs() < 1e-6,
            "{row}"
        );
    }
}

#[test]
fn literals_of_the_query_language_mean_what_they_mean_to_the_reference() {
    for row in rows(3) {
        let text = row[0].as_str().unwrap();
        let found = parse_time_literal(text);
        match row[1].as_i64() {
            Some(expected) => {
                let found = found.unwrap();
                let allowed = if text.contains("year") { 20_000 } else { 1 };
                assert!(
                    (found - expected).abs() <= allowed,
                    "{text}: {found}, not {expected}"
                );
            }
            None => assert!(found.is_err(), "{text} should be refused, not {found:?}"),
        }
    }
}

#[test]
fn leap_seconds_go_both_ways() {
    for text in [
        "2016-12-31T23:59:60.123456789",
        "2016-12-31T23:59:59.5",
        "2017-01-01T00:00:00.0",
    ] {
        let ns = time::parse_time(text, TimeFormat::Isot, TimeScale::Utc).unwrap();
        let shown = time::format_isot(ns, TimeScale::Utc, 9);
        assert_eq!(shown.trim_end_matches('0'), text.trim_end_matches('0'));
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for value in [f64::NAN, f64::INFINITY, 1e300, -1e11, 1e9] {
        assert!(
            time::from_number(value, TimeFormat::Mjd, TimeScale::Utc).is_err(),
            "{value}"
        );
    }
}

#[test]
fn now_is_after_this_was_written_and_before_the_end_of_time() {
    let now = time::now();
    assert!(now > 1_770_000_000 * time::NS_PER_SECOND);
    assert_eq!(time::clamp_ns(now), now);
}

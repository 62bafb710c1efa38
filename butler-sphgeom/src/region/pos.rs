//! IVOA POS strings (SIA 2.0, section 2.1.1), as the query language accepts them.
//!
//! * `CIRCLE <longitude> <latitude> <radius>`
//! * `RANGE <longitude1> <longitude2> <latitude1> <latitude2>`; infinities stand for the ends of
//!   the coordinate ranges
//! * `POLYGON <longitude1> <latitude1> …`, at least three points
//!
//! All numbers are in degrees.

use std::fmt::Write;

use crate::angle::Angle;
use crate::circle::Circle;
use crate::error::GeometryError;
use crate::lonlat::LonLat;
use crate::lonlat_box::Box;
use crate::polygon::ConvexPolygon;
use crate::region::Region;
use crate::vector::UnitVector3d;

impl Region {
    /// Reads a POS string.
    ///
    /// # Errors
    /// [`GeometryError::InvalidPos`] if the string does not follow the syntax, and the errors of
    /// latitudes out of range and of points that span no polygon.
    pub fn from_ivoa_pos(pos: &str) -> Result<Self, GeometryError> {
        let invalid = |reason: String| GeometryError::InvalidPos {
            pos: pos.to_owned(),
            reason,
        };
        let mut words = pos.split_whitespace();
        let shape = words.next().ok_or_else(|| {
            invalid("it is blank; expected CIRCLE, RANGE or POLYGON and coordinates".to_owned())
        })?;
        let numbers = words
            .map(|word| {
                parse_number(word)
                    .ok_or_else(|| invalid(format!("'{word}' is not a number of degrees")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        match (shape, numbers.as_slice()) {
            ("CIRCLE", &[lon, lat, radius]) => Self::circle_degrees(lon, lat, radius),
            ("RANGE", &[lon1, lon2, lat1, lat2]) => {
                let lon = |x: f64| finite_or(x, 0.0, 360.0);
                let lat = |x: f64| finite_or(x, -90.0, 90.0);
                Ok(Box::from_corners(
                    &LonLat::from_degrees(lon(lon1), lat(lat1))?,
                    &LonLat::from_degrees(lon(lon2), lat(lat2))?,
                )
                .into())
            }
            ("POLYGON", numbers) if numbers.len() % 2 == 0 && numbers.len() >= 6 => {
                let points = numbers
                    .chunks_exact(2)
                    .map(|p| {
                        Ok(UnitVector3d::from_lonlat(&LonLat::from_degrees(
                            p[0], p[1],
                        )?))
                    })
                    .collect::<Result<Vec<_>, GeometryError>>()?;
                Ok(ConvexPolygon::convex_hull(&points)?.into())
            }
            ("CIRCLE", n) => Err(invalid(format!(
                "CIRCLE takes 3 numbers (lon lat radius), got {}",
                n.len()
            ))),
            ("RANGE", n) => Err(invalid(format!(
                "RANGE takes 4 numbers (lon1 lon2 lat1 lat2), got {}",
                n.len()
            ))),
            ("POLYGON", n) => Err(invalid(format!(
                "POLYGON takes pairs of numbers (lon lat) for at least 3 points, got {} numbers",
                n.len()
            ))),
            _ => Err(invalid(format!(
                "unknown shape '{shape}'; expected CIRCLE, RANGE or POLYGON"
            ))),
        }
    }

    /// Writes a POS string, with the shortest decimal numbers that read back as the same doubles.
    ///
    /// # Errors
    /// [`GeometryError::NoPosForm`] for ellipses and compound regions.
    pub fn to_ivoa_pos(&self) -> Result<String, GeometryError> {
        Ok(match self {
            Self::Circle(c) => circle_pos(c),
            Self::Box(b) => format!(
                "RANGE {} {} {} {}",
                python_repr(b.lon().a().degrees()),
                python_repr(b.lon().b().degrees()),
                python_repr(b.lat().a().degrees()),
                python_repr(b.lat().b().degrees()),
            ),
            Self::ConvexPolygon(p) => polygon_pos(p),
            Self::Ellipse(_) | Self::Union(_) | Self::Intersection(_) => {
                return Err(GeometryError::NoPosForm { kind: self.kind() });
            }
        })
    }
}

fn circle_pos(c: &Circle) -> String {
    let center = LonLat::from_vector(c.center());
    let radius: Angle = c.opening_angle();
    format!(
        "CIRCLE {} {} {}",
        python_repr(center.lon().degrees()),
        python_repr(center.lat().degrees()),
        python_repr(radius.degrees()),
    )
}

fn polygon_pos(p: &ConvexPolygon) -> String {
    let mut pos = String::from("POLYGON");
    for v in p.vertices() {
        let point = LonLat::from_vector(v);
        let (lon, lat) = (
            python_repr(point.lon().degrees()),
            python_repr(point.lat().degrees()),
        );
        // Writing to a string cannot fail.
        let _ = write!(pos, " {lon} {lat}");
    }
    pos
}

/// Replaces an infinite coordinate by the end of its range.
fn finite_or(x: f64, min: f64, max: f64) -> f64 {
    if x == f64::INFINITY {
        max
    } else if x == f64::NEG_INFINITY {
        min
    } else {
        x
    }
}

/// Reads a number as Python's `float` does, with underscores between digits allowed.
fn parse_number(word: &str) -> Option<f64> {
    if !word.contains('_') {
        return word.parse().ok();
    }
    let bytes = word.as_bytes();
    let between_digits = bytes
        .iter()
        .enumerate()
        .filter(|&(_, &c)| c == b'_')
        .all(|(i, _)| {
            let digit =
                |j: Option<usize>| j.and_then(|j| bytes.get(j)).is_some_and(u8::is_ascii_digit);
            digit(i.checked_sub(1)) && digit(i.checked_add(1))
        });
    between_digits
        .then(|| word.replace('_', "").parse().ok())
        .flatten()
}

/// Writes a double as Python's `repr` does: shortest digits, in exponent notation below 1e-4 and
/// from 1e16 on.
fn python_repr(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() {
            "nan".to_owned()
        } else if x > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    if x == 0.0 {
        return format!("{x:?}");
    }
    // The shortest number of digits that identifies the double, then the nearest decimal with that
    // many: where two are equally near, Rust's shortest form is not always the even one.
    let shortest = format!("{x:e}");
    let digits = shortest
        .bytes()
        .take_while(|&c| c != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let scientific = format!("{x:.*e}", digits - 1);
    if !(1e-4..1e16).contains(&x.abs()) {
        return python_exponent(&scientific);
    }
    let Some((_, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    // At most 17 digits, of which `exponent + 1` stand before the point.
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let decimals = usize::try_from(digits as i64 - 1 - exponent)
        .unwrap_or(0)
        .max(1);
    format!("{x:.decimals$}")
}

/// Writes an exponent as Python does, with a sign and at least two digits.
fn python_exponent(scientific: &str) -> String {
    match scientific.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => scientific.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_in_degrees() {
        let c = Region::from_ivoa_pos("CIRCLE 12.3 45.6 0.7").expect("valid circle");
        let Region::Circle(c) = c else {
            panic!("not a circle: {c:?}")
        };
        assert!((c.opening_angle().degrees() - 0.7).abs() < 1e-12);
        let b = Region::from_ivoa_pos(" RANGE 350  10 -Inf +inf ").expect("valid box");
        let Region::Box(b) = b else {
            panic!("not a box: {b:?}")
        };
        assert!(b.lon().wraps());
        assert!((b.lat().b().degrees() - 90.0).abs() < 1e-12);
        assert!(Region::from_ivoa_pos("POLYGON 0 0 0 10 10 0 10 10").is_ok());
    }

    #[test]
    fn wrong_strings_say_what_was_expected() {
        for (pos, expected) in [
            ("", "expected CIRCLE, RANGE or POLYGON"),
            ("SQUARE 1 2 3", "unknown shape 'SQUARE'"),
            ("circle 1 2 3", "unknown shape 'circle'"),
            ("CIRCLE 1 2", "takes 3 numbers"),
            ("CIRCLE 1 2 x", "'x' is not a number"),
            ("RANGE 1 2 3", "takes 4 numbers"),
            ("POLYGON 1 2 3 4", "at least 3 points"),
            ("POLYGON 1 2 3 4 5 6 7", "pairs"),
            ("CIRCLE 0 91 1", "latitude 91"),
            ("POLYGON 0 0 1 0 2 0", "great circle"),
        ] {
            let error = Region::from_ivoa_pos(pos).expect_err(pos).to_string();
            assert!(error.contains(expected), "{pos}: {error}");
        }
    }

    #[test]
    fn pos_round_trips() {
        for pos in ["RANGE 10.0 20.0 -5.0 5.0", "RANGE 0.0 360.0 -90.0 90.0"] {
            let region = Region::from_ivoa_pos(pos).expect("valid");
            assert_eq!(region.to_ivoa_pos().expect("has a POS form"), pos);
        }
    }

    #[test]
    fn numbers_are_written_as_python_does() {
        for (x, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1e-4, "0.0001"),
            (0.00012345, "0.00012345"),
            (9.5e-5, "9.5e-05"),
            (1e16, "1e+16"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (1e15, "1000000000000000.0"),
            (0.1, "0.1"),
            (-12.0, "-12.0"),
            // Exactly between two decimals of 17 digits.
            (180.001_373_291_015_63, "180.00137329101562"),
            (1.5e300, "1.5e+300"),
            (-2e-100, "-2e-100"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(python_repr(x), expected);
        }
    }

    #[test]
    fn underscores_separate_digits_only() {
        assert_eq!(parse_number("1_000.5"), Some(1000.5));
        assert_eq!(parse_number("_1"), None);
        assert_eq!(parse_number("1__0"), None);
        assert_eq!(parse_number("1_.5"), None);
    }
}

//! Numerical constants shared by the geometry, chosen so that tolerances agree with `lsst.sphgeom`.

/// π.
pub const PI: f64 = std::f64::consts::PI;

/// Radians in one degree.
pub const RAD_PER_DEG: f64 = 0.017_453_292_519_943_295;

/// Degrees in one radian.
pub const DEG_PER_RAD: f64 = 57.295_779_513_082_32;

/// Upper bound, in radians, on the error of an angle recovered through `asin` of a half chord.
pub const MAX_ASIN_ERROR: f64 = 1.5e-8;

/// Upper bound on the error of a squared chord length between two nominally unit vectors.
pub const MAX_SQUARED_CHORD_LENGTH_ERROR: f64 = 2.5e-15;

/// Half the distance between 1 and the next larger double.
pub(crate) const EPSILON: f64 = 1.110_223_024_625_156_5e-16;

/// The smaller of two numbers; the first one if they compare equal or are unordered.
///
/// `f64::min` leaves the sign of a zero unspecified, which would make encodings irreproducible.
#[inline]
pub(crate) fn fmin(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// The larger of two numbers; the first one if they compare equal or are unordered.
#[inline]
pub(crate) fn fmax(a: f64, b: f64) -> f64 {
    if a < b { b } else { a }
}

//! Angles in radians, free ([`Angle`]) and reduced to one turn ([`NormalizedAngle`]).

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::consts::{DEG_PER_RAD, PI, RAD_PER_DEG, fmin};
use crate::lonlat::LonLat;
use crate::vector::Vector3d;

/// An angle held in radians. It may be NaN, which stands for "no angle".
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Angle(f64);

impl Angle {
    /// The angle that is not a number.
    pub const NAN: Self = Self(f64::NAN);

    /// Makes an angle from radians.
    #[inline]
    pub const fn from_radians(radians: f64) -> Self {
        Self(radians)
    }

    /// Makes an angle from degrees.
    #[inline]
    pub fn from_degrees(degrees: f64) -> Self {
        Self(degrees * RAD_PER_DEG)
    }

    /// This angle in radians.
    #[inline]
    pub const fn radians(self) -> f64 {
        self.0
    }

    /// This angle in degrees.
    #[inline]
    pub fn degrees(self) -> f64 {
        self.0 * DEG_PER_RAD
    }

    /// Whether this angle is NaN.
    #[inline]
    pub const fn is_nan(self) -> bool {
        self.0.is_nan()
    }

    /// Whether this angle lies in `[0, 2π]`.
    #[inline]
    pub fn is_normalized(self) -> bool {
        self.0 >= 0.0 && self.0 <= 2.0 * PI
    }

    /// The angle without its sign.
    #[inline]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Sine.
    #[inline]
    pub fn sin(self) -> f64 {
        self.0.sin()
    }

    /// Cosine.
    #[inline]
    pub fn cos(self) -> f64 {
        self.0.cos()
    }

    /// Tangent.
    #[inline]
    pub fn tan(self) -> f64 {
        self.0.tan()
    }
}

impl Neg for Angle {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Add for Angle {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Angle {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<f64> for Angle {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

impl Div<f64> for Angle {
    type Output = Self;
    #[inline]
    fn div(self, divisor: f64) -> Self {
        Self(self.0 / divisor)
    }
}

/// An angle reduced to `[0, 2π]` radians, or NaN. Both 0 and 2π occur: a longitude interval needs
/// the latter as the upper end of a full turn.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct NormalizedAngle(f64);

impl NormalizedAngle {
    /// The normalized angle that is not a number.
    pub const NAN: Self = Self(f64::NAN);

    /// Reduces an angle in radians to one turn. Infinities become NaN.
    #[inline]
    pub fn from_radians(radians: f64) -> Self {
        const TURN: f64 = 2.0 * PI;
        if radians < 0.0 {
            Self(radians % TURN + TURN)
        } else if radians > TURN {
            Self(radians % TURN)
        } else {
            Self(radians)
        }
    }

    /// Reduces an angle in degrees to one turn.
    #[inline]
    pub fn from_degrees(degrees: f64) -> Self {
        Self::from_radians(degrees * RAD_PER_DEG)
    }

    /// The angle between two vectors, which need not be normalized.
    pub fn between_vectors(u: &Vector3d, v: &Vector3d) -> Self {
        let s = u.cross(v).norm();
        let c = u.dot(v);
        // atan2(±0, -0) would be ±π.
        Self(if s == 0.0 && c == 0.0 {
            0.0
        } else {
            s.atan2(c)
        })
    }

    /// The angular separation of two points (haversine formula).
    pub fn between_points(p: &LonLat, q: &LonLat) -> Self {
        let x = ((p.lon().angle() - q.lon().angle()) * 0.5).sin();
        let y = ((p.lat() - q.lat()) * 0.5).sin();
        let z = ((p.lat() + q.lat()) * 0.5).cos();
        let (x, y, z) = (x * x, y * y, z * z);
        let quarter_chord2 = x * (z - y) + y;
        if quarter_chord2 < 0.0 {
            Self(0.0)
        } else if quarter_chord2 >= 1.0 {
            Self(PI)
        } else {
            Self(2.0 * quarter_chord2.sqrt().asin())
        }
    }

    /// The smaller of the two angles between `self` and `other`, at most π.
    pub fn separation(self, other: Self) -> Self {
        let direct = (self.0 - other.0).abs();
        Self(fmin(direct, 2.0 * PI - direct))
    }

    /// The middle of the interval that starts at `self` and increases (modulo one turn) to `end`.
    pub fn midpoint_to(self, end: Self) -> Self {
        let c = 0.5 * (self.0 + end.0);
        if self <= end {
            Self(c)
        } else if c < PI {
            Self(c + PI)
        } else {
            Self(c - PI)
        }
    }

    /// The angle in `[0, 2π]` by which `self` must grow to reach `end`.
    #[inline]
    pub fn angle_to(self, end: Self) -> Self {
        let d = end.0 - self.0;
        Self(if d < 0.0 { 2.0 * PI + d } else { d })
    }

    /// This angle in radians.
    #[inline]
    pub const fn radians(self) -> f64 {
        self.0
    }

    /// This angle in degrees.
    #[inline]
    pub fn degrees(self) -> f64 {
        self.0 * DEG_PER_RAD
    }

    /// The same angle without the promise that it is normalized.
    #[inline]
    pub const fn angle(self) -> Angle {
        Angle(self.0)
    }

    /// Whether this angle is NaN.
    #[inline]
    pub const fn is_nan(self) -> bool {
        self.0.is_nan()
    }
}

impl From<Angle> for NormalizedAngle {
    #[inline]
    fn from(angle: Angle) -> Self {
        Self::from_radians(angle.0)
    }
}

impl From<NormalizedAngle> for Angle {
    #[inline]
    fn from(angle: NormalizedAngle) -> Self {
        angle.angle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizing_keeps_a_full_turn_and_wraps_the_rest() {
        assert_eq!(NormalizedAngle::from_radians(2.0 * PI).radians(), 2.0 * PI);
        assert_eq!(NormalizedAngle::from_degrees(-90.0).radians(), 1.5 * PI);
        assert!((NormalizedAngle::from_degrees(725.0).degrees() - 5.0).abs() < 1e-12);
        assert!(NormalizedAngle::from_radians(f64::INFINITY).is_nan());
    }

    #[test]
    fn midpoint_follows_increasing_longitude() {
        let a = NormalizedAngle::from_degrees(350.0);
        let b = NormalizedAngle::from_degrees(20.0);
        assert!((a.midpoint_to(b).degrees() - 5.0).abs() < 1e-12);
        assert!((b.midpoint_to(a).degrees() - 185.0).abs() < 1e-12);
        assert!((a.angle_to(b).degrees() - 30.0).abs() < 1e-12);
        assert!((a.separation(b).degrees() - 30.0).abs() < 1e-12);
    }
}

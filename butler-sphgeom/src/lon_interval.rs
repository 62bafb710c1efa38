//! Closed intervals of longitude, which may wrap around.

use crate::angle::{Angle, NormalizedAngle};
use crate::consts::PI;
use crate::error::GeometryError;
use crate::relationship::Relationship;

/// A closed interval of normalized angles. It starts at `a` and increases to `b`, through 2π if
/// `a > b`. NaN ends make it empty; `[0, 2π]` is the full circle.
#[derive(Debug, Clone, Copy)]
pub struct NormalizedAngleInterval {
    a: NormalizedAngle,
    b: NormalizedAngle,
}

impl NormalizedAngleInterval {
    /// The empty interval.
    pub const EMPTY: Self = Self {
        a: NormalizedAngle::NAN,
        b: NormalizedAngle::NAN,
    };

    /// All longitudes.
    pub fn full() -> Self {
        Self {
            a: NormalizedAngle::from_radians(0.0),
            b: NormalizedAngle::from_radians(2.0 * PI),
        }
    }

    /// Makes an interval from normalized ends.
    #[inline]
    pub const fn new(a: NormalizedAngle, b: NormalizedAngle) -> Self {
        Self { a, b }
    }

    /// The interval of one longitude.
    #[inline]
    pub const fn point(x: NormalizedAngle) -> Self {
        Self { a: x, b: x }
    }

    /// Makes an interval from any two angles; a span of one turn or more becomes the full circle.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLongitudeInterval`] if an end is not normalized and `a > b`.
    pub fn from_angles(a: Angle, b: Angle) -> Result<Self, GeometryError> {
        if a.is_nan() || b.is_nan() {
            return Ok(Self::EMPTY);
        }
        if !a.is_normalized() || !b.is_normalized() {
            if a > b {
                return Err(GeometryError::InvalidLongitudeInterval {
                    a: a.radians(),
                    b: b.radians(),
                });
            }
            if (b - a).radians() >= 2.0 * PI {
                return Ok(Self::full());
            }
        }
        Ok(Self {
            a: a.into(),
            b: b.into(),
        })
    }

    /// Like [`Self::from_angles`], from degrees.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLongitudeInterval`] as there.
    pub fn from_degrees(a: f64, b: f64) -> Result<Self, GeometryError> {
        Self::from_angles(Angle::from_degrees(a), Angle::from_degrees(b))
    }

    /// Like [`Self::from_angles`], from radians.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLongitudeInterval`] as there.
    pub fn from_radians(a: f64, b: f64) -> Result<Self, GeometryError> {
        Self::from_angles(Angle::from_radians(a), Angle::from_radians(b))
    }

    /// Start of the interval.
    #[inline]
    pub const fn a(&self) -> NormalizedAngle {
        self.a
    }

    /// End of the interval.
    #[inline]
    pub const fn b(&self) -> NormalizedAngle {
        self.b
    }

    /// Whether no longitude is in this interval.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.a.is_nan() || self.b.is_nan()
    }

    /// Whether this is the full circle.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.a.radians() == 0.0 && self.b.radians() == 2.0 * PI
    }

    /// Whether the interval passes through longitude 2π = 0.
    #[inline]
    pub fn wraps(&self) -> bool {
        self.a > self.b
    }

    /// The middle.
    pub fn center(&self) -> NormalizedAngle {
        self.a.midpoint_to(self.b)
    }

    /// The length, from 0 to 2π.
    pub fn size(&self) -> NormalizedAngle {
        self.a.angle_to(self.b)
    }

    /// Whether a longitude is inside; NaN stands for nothing, which is inside everything.
    #[inline]
    pub fn contains(&self, x: NormalizedAngle) -> bool {
        x.is_nan() || self.touches(x)
    }

    /// Whether a longitude is inside; NaN is not.
    #[inline]
    pub fn touches(&self, x: NormalizedAngle) -> bool {
        if self.wraps() {
            x <= self.b || self.a <= x
        } else {
            self.a <= x && x <= self.b
        }
    }

    /// Whether another interval is entirely inside.
    pub fn contains_interval(&self, x: &Self) -> bool {
        if x.is_empty() {
            return true;
        }
        if self.is_empty() {
            return false;
        }
        match (self.wraps(), x.wraps()) {
            (false, true) => self.is_full(),
            (true, false) => x.a >= self.a || x.b <= self.b,
            _ => x.a >= self.a && x.b <= self.b,
        }
    }

    /// Whether another interval has a longitude in common with this one.
    pub fn intersects(&self, x: &Self) -> bool {
        if self.is_empty() || x.is_empty() {
            return false;
        }
        if self.wraps() && x.wraps() {
            return true;
        }
        // One test per end suffices, but a wrapping interval satisfies it through either end.
        if self.wraps() || x.wraps() {
            x.a <= self.b || x.b >= self.a
        } else {
            x.a <= self.b && x.b >= self.a
        }
    }

    /// How this interval relates to another one.
    pub fn relate(&self, x: &Self) -> Relationship {
        use Relationship as R;
        match (self.is_empty(), x.is_empty()) {
            (true, true) => return R::CONTAINS | R::DISJOINT | R::WITHIN,
            (true, false) => return R::DISJOINT | R::WITHIN,
            (false, true) => return R::CONTAINS | R::DISJOINT,
            (false, false) => {}
        }
        if self.a == x.a && self.b == x.b {
            return R::CONTAINS | R::WITHIN;
        }
        match (self.wraps(), x.wraps()) {
            (true, false) => Self::relate_wrapping(self, x),
            (false, true) => Self::relate_wrapping(x, self).inverted(),
            (wrapping, _) => {
                if self.a <= x.a && self.b >= x.b {
                    R::CONTAINS
                } else if self.a >= x.a && self.b <= x.b {
                    R::WITHIN
                } else if wrapping || (self.a <= x.b && self.b >= x.a) {
                    R::INTERSECTS
                } else {
                    R::DISJOINT
                }
            }
        }
    }

    /// Relates an interval that wraps to one that does not.
    fn relate_wrapping(w: &Self, x: &Self) -> Relationship {
        if x.is_full() {
            Relationship::WITHIN
        } else if w.a <= x.a || w.b >= x.b {
            Relationship::CONTAINS
        } else if w.a > x.b && w.b < x.a {
            Relationship::DISJOINT
        } else {
            Relationship::INTERSECTS
        }
    }

    /// The smallest interval that contains the intersection with another one.
    #[must_use]
    pub fn clipped_to(&self, x: &Self) -> Self {
        if x.is_empty() {
            return Self::EMPTY;
        }
        match (self.contains(x.a), self.contains(x.b)) {
            // Either x is inside, or the two overlap at both ends: keep the shorter one.
            (true, true) if self.size() >= x.size() => *x,
            (true, true) => *self,
            (true, false) => Self { a: x.a, b: self.b },
            (false, true) => Self { a: self.a, b: x.b },
            (false, false) if x.touches(self.a) => *self,
            (false, false) => Self::EMPTY,
        }
    }

    /// The smallest interval that contains this one and another.
    #[must_use]
    pub fn expanded_to(&self, x: &Self) -> Self {
        if x.is_empty() {
            return *self;
        }
        match (self.contains(x.a), self.contains(x.b)) {
            // Either x is inside, or the two cover the circle together.
            (true, true) if self.wraps() != x.wraps() => Self::full(),
            (true, true) => *self,
            (true, false) => Self { a: self.a, b: x.b },
            (false, true) => Self { a: x.a, b: self.b },
            (false, false) if self.is_empty() || x.contains(self.a) => *x,
            // Disjoint: close the smaller gap.
            (false, false) if self.b.angle_to(x.a) < x.b.angle_to(self.a) => {
                Self { a: self.a, b: x.b }
            }
            (false, false) => Self { a: x.a, b: self.b },
        }
    }

    /// This interval with both ends moved outwards (inwards, for a negative amount); full or empty
    /// once the ends meet.
    #[must_use]
    pub fn dilated_by(&self, amount: Angle) -> Self {
        const TURN: f64 = 2.0 * PI;
        let r = amount.radians();
        if self.is_empty() || self.is_full() || r == 0.0 || r.is_nan() {
            return *self;
        }
        let (mut a, mut b) = (self.a.radians() - r, self.b.radians() + r);
        let met = if r > 0.0 {
            if r >= PI {
                return Self::full();
            }
            if self.wraps() {
                a <= b
            } else {
                let mut met = false;
                if a < 0.0 {
                    a += TURN;
                    met = a <= b;
                }
                if !met && b > TURN {
                    b -= TURN;
                    met = a <= b;
                }
                met
            }
        } else {
            if r <= -PI {
                return Self::EMPTY;
            }
            if self.wraps() {
                let mut met = false;
                if a > TURN {
                    a -= TURN;
                    met = a > b;
                }
                if !met && b < 0.0 {
                    b += TURN;
                    met = a > b;
                }
                met
            } else {
                a > b
            }
        };
        match (met, r > 0.0) {
            (true, true) => Self::full(),
            (true, false) => Self::EMPTY,
            // The ends are normalized by now, except for rounding; then the span decides.
            (false, _) => Self::from_radians(a, b).unwrap_or_else(|_| Self::full()),
        }
    }
}

impl PartialEq for NormalizedAngleInterval {
    /// Equal ends, or both empty.
    fn eq(&self, x: &Self) -> bool {
        (self.a == x.a && self.b == x.b) || (self.is_empty() && x.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deg(a: f64, b: f64) -> NormalizedAngleInterval {
        NormalizedAngleInterval::from_degrees(a, b).expect("valid interval")
    }

    #[test]
    fn wrapping_intervals_relate_through_zero() {
        let w = deg(350.0, 10.0);
        assert_eq!(w.relate(&deg(355.0, 358.0)), Relationship::CONTAINS);
        assert_eq!(deg(1.0, 2.0).relate(&w), Relationship::WITHIN);
        assert_eq!(w.relate(&deg(20.0, 30.0)), Relationship::DISJOINT);
        assert_eq!(w.relate(&deg(5.0, 30.0)), Relationship::INTERSECTS);
        assert_eq!(
            w.relate(&NormalizedAngleInterval::full()),
            Relationship::WITHIN
        );
        assert!(!w.intersects(&deg(20.0, 30.0)) && w.intersects(&deg(5.0, 30.0)));
    }

    #[test]
    fn expanding_closes_the_smaller_gap() {
        assert_eq!(
            deg(350.0, 355.0).expanded_to(&deg(5.0, 10.0)),
            deg(350.0, 10.0)
        );
        assert_eq!(
            deg(5.0, 10.0).expanded_to(&deg(350.0, 355.0)),
            deg(350.0, 10.0)
        );
        assert!(deg(0.0, 200.0).expanded_to(&deg(190.0, 0.0)).is_full());
    }

    #[test]
    fn dilation_wraps_and_fills() {
        let d = deg(1.0, 2.0).dilated_by(Angle::from_degrees(2.0));
        assert!((d.a().degrees() - 359.0).abs() < 1e-12 && (d.b().degrees() - 4.0).abs() < 1e-12);
        assert!(
            deg(1.0, 350.0)
                .dilated_by(Angle::from_degrees(10.0))
                .is_full()
        );
        assert!(
            deg(1.0, 3.0)
                .dilated_by(Angle::from_degrees(-2.0))
                .is_empty()
        );
    }

    #[test]
    fn decreasing_interval_needs_normalized_ends() {
        assert!(NormalizedAngleInterval::from_degrees(370.0, 5.0).is_err());
        assert!(deg(-10.0, 400.0).is_full());
    }
}

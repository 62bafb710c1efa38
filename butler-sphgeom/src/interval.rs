//! Closed intervals of a line: latitudes and Cartesian coordinates.

use crate::angle::Angle;
use crate::relationship::Relationship;

/// What an [`Interval`] is made of: an ordered number with a NaN.
pub trait Scalar: Copy + PartialOrd {
    /// The number 0 and the number 1, as ends of the canonical empty interval `[1, 0]`.
    const ZERO_ONE: (Self, Self);
    /// The value as a plain number.
    fn value(self) -> f64;
    /// The plain number as a value.
    fn of(value: f64) -> Self;
}

impl Scalar for f64 {
    const ZERO_ONE: (Self, Self) = (0.0, 1.0);
    #[inline]
    fn value(self) -> f64 {
        self
    }
    #[inline]
    fn of(value: f64) -> Self {
        value
    }
}

impl Scalar for Angle {
    const ZERO_ONE: (Self, Self) = (Angle::from_radians(0.0), Angle::from_radians(1.0));
    #[inline]
    fn value(self) -> f64 {
        self.radians()
    }
    #[inline]
    fn of(value: f64) -> Self {
        Angle::from_radians(value)
    }
}

/// A closed interval `[a, b]`; empty unless `a <= b`.
#[derive(Debug, Clone, Copy)]
pub struct Interval<T> {
    a: T,
    b: T,
}

/// An interval of real numbers.
pub type Interval1d = Interval<f64>;

/// An interval of angles that do not wrap, such as latitudes.
pub type AngleInterval = Interval<Angle>;

impl<T: Scalar> Interval<T> {
    /// The canonical empty interval.
    pub const EMPTY: Self = Self {
        a: T::ZERO_ONE.1,
        b: T::ZERO_ONE.0,
    };

    /// Makes an interval from its ends.
    #[inline]
    pub const fn new(a: T, b: T) -> Self {
        Self { a, b }
    }

    /// The interval of one point.
    #[inline]
    pub const fn point(x: T) -> Self {
        Self { a: x, b: x }
    }

    /// Lower end.
    #[inline]
    pub const fn a(&self) -> T {
        self.a
    }

    /// Upper end.
    #[inline]
    pub const fn b(&self) -> T {
        self.b
    }

    /// Whether no number is in this interval.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Not `a > b`, so that NaN ends count as empty.
        !matches!(
            self.a.partial_cmp(&self.b),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
        )
    }

    /// The middle.
    #[inline]
    pub fn center(&self) -> T {
        T::of(0.5 * (self.a.value() + self.b.value()))
    }

    /// The length.
    #[inline]
    pub fn size(&self) -> T {
        T::of(self.b.value() - self.a.value())
    }

    /// Whether a number is inside; NaN stands for nothing, which is inside everything.
    #[inline]
    pub fn contains(&self, x: T) -> bool {
        self.touches(x) || x.value().is_nan()
    }

    /// Whether a number is inside; NaN is not.
    #[inline]
    pub fn touches(&self, x: T) -> bool {
        self.a <= x && x <= self.b
    }

    /// Whether another interval is entirely inside.
    pub fn contains_interval(&self, x: &Self) -> bool {
        x.is_empty() || (!self.is_empty() && self.a <= x.a && self.b >= x.b)
    }

    /// Whether another interval has a number in common with this one.
    pub fn intersects(&self, x: &Self) -> bool {
        !self.is_empty() && !x.is_empty() && self.a <= x.b && self.b >= x.a
    }

    /// How this interval relates to another one (exactly).
    pub fn relate(&self, x: &Self) -> Relationship {
        use Relationship as R;
        match (self.is_empty(), x.is_empty()) {
            (true, true) => R::CONTAINS | R::DISJOINT | R::WITHIN,
            (true, false) => R::DISJOINT | R::WITHIN,
            (false, true) => R::CONTAINS | R::DISJOINT,
            (false, false) if self.a > x.b || self.b < x.a => R::DISJOINT,
            (false, false) => {
                let contains = self.a <= x.a && self.b >= x.b;
                let within = x.a <= self.a && x.b >= self.b;
                let mut r = R::INTERSECTS;
                if contains {
                    r = r | R::CONTAINS;
                }
                if within {
                    r = r | R::WITHIN;
                }
                r
            }
        }
    }

    /// The part inside another interval.
    #[must_use]
    pub fn clipped_to(&self, x: &Self) -> Self {
        if x.is_empty() {
            *x
        } else if self.is_empty() {
            *self
        } else {
            Self {
                a: if self.a < x.a { x.a } else { self.a },
                b: if x.b < self.b { x.b } else { self.b },
            }
        }
    }

    /// The smallest interval that contains this one and another.
    #[must_use]
    pub fn expanded_to(&self, x: &Self) -> Self {
        if self.is_empty() {
            *x
        } else if x.is_empty() {
            *self
        } else {
            Self {
                a: if x.a < self.a { x.a } else { self.a },
                b: if self.b < x.b { x.b } else { self.b },
            }
        }
    }

    /// This interval with both ends moved outwards (inwards, for a negative amount).
    #[must_use]
    pub fn dilated_by(&self, amount: T) -> Self {
        let r = amount.value();
        if r.is_nan() || self.is_empty() {
            *self
        } else {
            Self {
                a: T::of(self.a.value() - r),
                b: T::of(self.b.value() + r),
            }
        }
    }
}

impl<T: Scalar> PartialEq for Interval<T> {
    /// Equal ends, or both empty.
    fn eq(&self, x: &Self) -> bool {
        (self.a == x.a && self.b == x.b) || (self.is_empty() && x.is_empty())
    }
}

impl AngleInterval {
    /// Makes an interval from ends in radians.
    pub const fn from_radians(a: f64, b: f64) -> Self {
        Self::new(Angle::from_radians(a), Angle::from_radians(b))
    }

    /// Makes an interval from ends in degrees.
    pub fn from_degrees(a: f64, b: f64) -> Self {
        Self::new(Angle::from_degrees(a), Angle::from_degrees(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_cover_touching_and_equal_intervals() {
        let i = Interval1d::new(0.0, 1.0);
        assert_eq!(i.relate(&i), Relationship::CONTAINS | Relationship::WITHIN);
        assert_eq!(
            i.relate(&Interval1d::new(1.0, 2.0)),
            Relationship::INTERSECTS
        );
        assert_eq!(i.relate(&Interval1d::new(1.5, 2.0)), Relationship::DISJOINT);
        assert_eq!(i.relate(&Interval1d::new(0.0, 0.5)), Relationship::CONTAINS);
        assert_eq!(
            i.relate(&Interval1d::EMPTY),
            Relationship::CONTAINS | Relationship::DISJOINT
        );
    }

    #[test]
    fn nan_ends_make_an_empty_interval() {
        assert!(Interval1d::new(f64::NAN, 1.0).is_empty());
        assert_eq!(Interval1d::point(f64::NAN), Interval1d::EMPTY);
    }
}

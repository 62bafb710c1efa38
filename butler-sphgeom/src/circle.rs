//! Circular regions.

use crate::angle::{Angle, NormalizedAngle};
use crate::box3d::Box3d;
use crate::consts::{MAX_ASIN_ERROR, PI, fmax, fmin};
use crate::interval::Interval1d;
use crate::lonlat::LonLat;
use crate::lonlat_box::Box;
use crate::relationship::Relationship;
use crate::vector::UnitVector3d;

/// A closed circle (spherical cap) around a center.
///
/// It is held as the squared length of the chord from the center to the boundary, which makes the
/// test of a point cheap and accurate, together with the opening angle (the angular radius).
/// A negative chord length makes it empty, one of 4 or more makes it the whole sphere.
#[derive(Debug, Clone, Copy)]
pub struct Circle {
    center: UnitVector3d,
    squared_chord: f64,
    opening_angle: Angle,
}

/// Error allowance when angles between centers and opening angles are compared.
const ANGLE_ERROR: f64 = 4.0 * MAX_ASIN_ERROR;

impl Circle {
    /// The empty circle.
    pub const EMPTY: Self = Self {
        center: UnitVector3d::Z,
        squared_chord: -1.0,
        opening_angle: Angle::from_radians(-1.0),
    };

    /// The whole sphere.
    pub const FULL: Self = Self {
        center: UnitVector3d::Z,
        squared_chord: 4.0,
        opening_angle: Angle::from_radians(PI),
    };

    /// Makes a circle from its center and opening angle (angular radius).
    pub fn new(center: UnitVector3d, opening_angle: Angle) -> Self {
        Self {
            center,
            squared_chord: Self::squared_chord_for(opening_angle),
            opening_angle,
        }
    }

    /// Makes a circle from its center and the squared chord length to its boundary.
    pub fn from_squared_chord(center: UnitVector3d, squared_chord: f64) -> Self {
        Self {
            center,
            squared_chord,
            opening_angle: Self::opening_angle_for(squared_chord),
        }
    }

    /// Makes a circle from stored numbers, without checking that they agree.
    pub(crate) const fn from_parts(
        center: UnitVector3d,
        squared_chord: f64,
        opening_angle: Angle,
    ) -> Self {
        Self {
            center,
            squared_chord,
            opening_angle,
        }
    }

    /// The circle of one point.
    pub fn point(center: UnitVector3d) -> Self {
        Self::from_parts(center, 0.0, Angle::from_radians(0.0))
    }

    /// The squared chord length for an opening angle: -1 if negative, 4 from π on.
    pub fn squared_chord_for(opening_angle: Angle) -> f64 {
        let a = opening_angle.radians();
        if a < 0.0 {
            -1.0
        } else if a >= PI {
            4.0
        } else {
            let s = (0.5 * a).sin();
            4.0 * s * s
        }
    }

    /// The opening angle for a squared chord length: -1 if negative, π from 4 on.
    pub fn opening_angle_for(squared_chord: f64) -> Angle {
        Angle::from_radians(if squared_chord < 0.0 {
            -1.0
        } else if squared_chord >= 4.0 {
            PI
        } else {
            2.0 * (0.5 * squared_chord.sqrt()).asin()
        })
    }

    /// The center.
    pub const fn center(&self) -> &UnitVector3d {
        &self.center
    }

    /// The squared chord length from the center to the boundary.
    pub const fn squared_chord(&self) -> f64 {
        self.squared_chord
    }

    /// The opening angle (angular radius).
    pub const fn opening_angle(&self) -> Angle {
        self.opening_angle
    }

    /// Whether no point is in this circle.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // NaN counts as empty.
        self.squared_chord < 0.0 || self.squared_chord.is_nan()
    }

    /// Whether this is the whole sphere.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.squared_chord >= 4.0
    }

    /// Whether a point is inside.
    #[inline]
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        self.is_full() || v.squared_chord_to(&self.center) <= self.squared_chord
    }

    /// The solid angle covered, in steradians.
    pub fn area(&self) -> f64 {
        PI * fmax(0.0, fmin(self.squared_chord, 4.0))
    }

    fn separation(&self, c: &Self) -> f64 {
        NormalizedAngle::between_vectors(&self.center, &c.center).radians()
    }

    /// How this circle relates to another one.
    pub fn relate(&self, c: &Self) -> Relationship {
        use Relationship as R;
        match (self.is_empty(), c.is_empty()) {
            (true, true) => return R::CONTAINS | R::DISJOINT | R::WITHIN,
            (true, false) => return R::DISJOINT | R::WITHIN,
            (false, true) => return R::CONTAINS | R::DISJOINT,
            (false, false) => {}
        }
        match (self.is_full(), c.is_full()) {
            (true, true) => return R::CONTAINS | R::WITHIN,
            (true, false) => return R::CONTAINS,
            (false, true) => return R::WITHIN,
            (false, false) => {}
        }
        if self == c {
            // Rounding would hide this below.
            return R::CONTAINS | R::WITHIN;
        }
        let d = self.separation(c);
        let (r, s) = (self.opening_angle.radians(), c.opening_angle.radians());
        if d > r + s + ANGLE_ERROR {
            R::DISJOINT
        } else if d + s + ANGLE_ERROR <= r {
            R::CONTAINS
        } else if d + r + ANGLE_ERROR <= s {
            R::WITHIN
        } else {
            R::INTERSECTS
        }
    }

    /// Whether another circle certainly has no point in common with this one.
    pub(crate) fn is_disjoint_from(&self, c: &Self) -> bool {
        if self.is_empty() || c.is_empty() {
            return true;
        }
        if self.is_full() || c.is_full() {
            return false;
        }
        self.separation(c) > self.opening_angle.radians() + c.opening_angle.radians() + ANGLE_ERROR
    }

    /// A circle that contains the intersection with another one: the smaller of the two, or the
    /// empty circle if they are certainly disjoint.
    #[must_use]
    pub fn clipped_to(&self, c: &Self) -> Self {
        if self.is_empty() || c.is_full() {
            *self
        } else if self.is_full() || c.is_empty() {
            *c
        } else if self.is_disjoint_from(c) {
            Self::EMPTY
        } else if c.opening_angle < self.opening_angle {
            *c
        } else {
            *self
        }
    }

    /// A circle that contains this one and another, as small as rounding allows.
    #[must_use]
    pub fn expanded_to(&self, c: &Self) -> Self {
        if self.is_empty() || c.is_full() {
            return *c;
        }
        if c.is_empty() || self.is_full() {
            return *self;
        }
        let d = self.separation(c);
        let (r, s) = (self.opening_angle.radians(), c.opening_angle.radians());
        if d + s + ANGLE_ERROR <= r {
            return *self;
        }
        if d + r + ANGLE_ERROR <= s {
            return *c;
        }
        // The bounding circle spans the great circle through both centers from the far side of
        // one circle to the far side of the other.
        let opening = 0.5 * (d + r + s);
        if opening + 2.0 * MAX_ASIN_ERROR >= PI {
            return Self::FULL;
        }
        let axis = UnitVector3d::orthogonal_to_both(&self.center, &c.center);
        let turn = opening - r;
        let center = (*self.center * turn.cos() + axis.cross(&self.center) * turn.sin())
            .normalized()
            .unwrap_or(self.center);
        Self::new(center, Angle::from_radians(opening + MAX_ASIN_ERROR))
    }

    /// This circle with its opening angle increased (decreased, for a negative angle). Empty and
    /// full circles stay what they are.
    #[must_use]
    pub fn dilated_by(&self, r: Angle) -> Self {
        let changes = r.radians() > 0.0 || r.radians() < 0.0;
        if self.is_empty() || self.is_full() || !changes {
            *self
        } else {
            Self::new(self.center, self.opening_angle + r)
        }
    }

    /// The closure of everything outside this circle.
    #[must_use]
    pub fn complemented(&self) -> Self {
        if self.is_empty() {
            Self {
                squared_chord: 4.0,
                opening_angle: Angle::from_radians(PI),
                ..*self
            }
        } else if self.is_full() {
            Self {
                squared_chord: -1.0,
                opening_angle: Angle::from_radians(-1.0),
                ..*self
            }
        } else {
            Self {
                center: -self.center,
                squared_chord: 4.0 - self.squared_chord,
                opening_angle: Angle::from_radians(PI) - self.opening_angle,
            }
        }
    }

    /// A longitude/latitude box that contains this circle.
    pub fn bounding_box(&self) -> Box {
        let center = LonLat::from_vector(&self.center);
        let height = self.opening_angle + Angle::from_radians(2.0 * MAX_ASIN_ERROR);
        let half_width = Box::half_width_for_circle(height, center.lat());
        let width = NormalizedAngle::from(half_width.angle() + Angle::from_radians(MAX_ASIN_ERROR));
        Box::around(&center, width.angle(), height)
    }

    /// A Cartesian box that contains this circle.
    pub fn bounding_box3d(&self) -> Box3d {
        /// More than the rounding error of a boundary coordinate (5.5 · 2⁻⁵³).
        const BOUNDARY_ERROR: f64 = 6.2e-16;
        if self.is_empty() {
            return Box3d::EMPTY;
        }
        if self.is_full() {
            return Box3d::AROUND_UNIT_SPHERE;
        }
        let (s, c) = (self.opening_angle.sin(), self.opening_angle.cos());
        // Along each axis the center coordinate is the sine of a latitude: the boundary reaches
        // the sines of that latitude ± the opening angle, and ±1 if an axis point is inside.
        let extent = |z: f64| {
            let d = (1.0 - z * z).sqrt();
            let (up, down) = (z * c + d * s, z * c - d * s);
            let mut top = if 2.0 - 2.0 * z <= self.squared_chord {
                1.0
            } else {
                -1.0
            };
            let mut bottom = if 2.0 + 2.0 * z <= self.squared_chord {
                -1.0
            } else {
                1.0
            };
            for boundary in [up, down] {
                top = fmax(top, boundary + BOUNDARY_ERROR);
                bottom = fmin(bottom, boundary - BOUNDARY_ERROR);
            }
            Interval1d::new(fmax(-1.0, bottom), fmin(1.0, top))
        };
        Box3d::new(
            extent(self.center.x),
            extent(self.center.y),
            extent(self.center.z),
        )
    }
}

impl PartialEq for Circle {
    /// Equal numbers, or both empty, or both full.
    fn eq(&self, c: &Self) -> bool {
        (self.is_empty() && c.is_empty())
            || (self.is_full() && c.is_full())
            || (self.center == c.center
                && self.squared_chord == c.squared_chord
                && self.opening_angle == c.opening_angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(lon: f64, lat: f64, radius: f64) -> Circle {
        let center = LonLat::from_degrees(lon, lat).expect("valid latitude");
        Circle::new(
            UnitVector3d::from_lonlat(&center),
            Angle::from_degrees(radius),
        )
    }

    #[test]
    fn circles_relate_by_distance_and_radius() {
        let c = circle(10.0, 20.0, 5.0);
        assert_eq!(c.relate(&c), Relationship::CONTAINS | Relationship::WITHIN);
        assert_eq!(c.relate(&circle(10.0, 21.0, 1.0)), Relationship::CONTAINS);
        assert_eq!(circle(10.0, 21.0, 1.0).relate(&c), Relationship::WITHIN);
        assert_eq!(c.relate(&circle(10.0, 26.0, 2.0)), Relationship::INTERSECTS);
        assert_eq!(c.relate(&circle(10.0, 28.0, 2.0)), Relationship::DISJOINT);
        assert_eq!(c.relate(&Circle::FULL), Relationship::WITHIN);
        assert_eq!(
            c.relate(&Circle::EMPTY),
            Relationship::CONTAINS | Relationship::DISJOINT
        );
    }

    /// Points on the boundary of a circle, moved a little inwards.
    fn rim(c: &Circle) -> impl Iterator<Item = UnitVector3d> {
        let start = UnitVector3d::north_from(c.center());
        let r = c.opening_angle() * (1.0 - 1e-12);
        let (center, along) = (*c.center(), (r.cos(), r.sin()));
        (0..36).map(move |i| {
            let turn = Angle::from_degrees(10.0 * f64::from(i));
            let direction = start.rotated_around(&center, turn);
            (*center * along.0 + direction * along.1)
                .normalized()
                .expect("not zero")
        })
    }

    #[test]
    fn bounds_contain_the_circle() {
        for lat in [-89.5, -20.0, 0.0, 75.0, 90.0] {
            let c = circle(359.9, lat, 1.0);
            let (b, b3) = (c.bounding_box(), c.bounding_box3d());
            assert!(
                rim(&c).all(|v| c.contains(&v) && b.contains(&v) && b3.contains(&v)),
                "{lat}"
            );
        }
    }

    #[test]
    fn union_bound_contains_both() {
        let (a, b) = (circle(10.0, 20.0, 5.0), circle(40.0, -3.0, 2.0));
        let u = a.expanded_to(&b);
        assert!(rim(&a).chain(rim(&b)).all(|v| u.contains(&v)));
        assert_eq!(a.expanded_to(&Circle::EMPTY), a);
        assert!(a.expanded_to(&a.complemented()).is_full());
    }
}

//! Elliptical regions.

use crate::angle::{Angle, NormalizedAngle};
use crate::box3d::Box3d;
use crate::circle::Circle;
use crate::consts::{MAX_ASIN_ERROR, PI};
use crate::error::GeometryError;
use crate::lonlat_box::Box;
use crate::relationship::Relationship;
use crate::vector::{Matrix3d, UnitVector3d};

/// A closed ellipse: the points for which the sum of the angles to two foci is at most twice the
/// semi-axis angle `alpha`. Larger than half the sphere is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Ellipse {
    /// Rotation to the frame of the ellipse; its rows are the semi-axis directions and the center.
    pub(crate) frame: Matrix3d,
    /// First semi-axis angle minus π/2, in radians.
    pub(crate) a: f64,
    /// Second semi-axis angle minus π/2, in radians.
    pub(crate) b: f64,
    /// Half the angle between the foci, in radians.
    pub(crate) gamma: f64,
    /// `|tan a|`.
    pub(crate) tan_a: f64,
    /// `|tan b|`.
    pub(crate) tan_b: f64,
}

impl Ellipse {
    /// The empty ellipse.
    pub const EMPTY: Self = Self {
        frame: Matrix3d::IDENTITY,
        a: -2.0,
        b: -2.0,
        gamma: 0.0,
        tan_a: f64::INFINITY,
        tan_b: f64::INFINITY,
    };

    /// The whole sphere.
    pub fn full() -> Self {
        Self::EMPTY.complemented()
    }

    /// The ellipse that is a circle.
    ///
    /// # Errors
    /// [`GeometryError::InvalidEllipse`] if the opening angle is NaN.
    pub fn from_circle(c: &Circle) -> Result<Self, GeometryError> {
        Self::from_foci(c.center(), c.center(), c.opening_angle())
    }

    /// The ellipse with the given foci and first semi-axis angle.
    ///
    /// # Errors
    /// [`GeometryError::InvalidEllipse`] if `alpha` is NaN.
    pub fn from_foci(
        f1: &UnitVector3d,
        f2: &UnitVector3d,
        alpha: Angle,
    ) -> Result<Self, GeometryError> {
        if alpha.is_nan() {
            return Err(GeometryError::InvalidEllipse {
                reason: "the semi-axis angle is NaN",
            });
        }
        let a = alpha.radians() - 0.5 * PI;
        let gamma = if f1 == f2 {
            0.0
        } else if *f1 == -*f2 {
            0.5 * PI
        } else {
            NormalizedAngle::between_vectors(f1, f2).radians() * 0.5
        };
        if 0.5 * PI + a < gamma {
            return Ok(Self::EMPTY);
        }
        if 0.5 * PI - a <= gamma {
            return Ok(Self::full());
        }
        if gamma == 0.0 {
            return Ok(Self::with_frame(circle_frame(f1), a, a, 0.0));
        }
        // The foci are neither equal nor antipodal (that would be empty or full): both sum and
        // difference are nonzero, and orthogonal.
        let degenerate = GeometryError::InvalidEllipse {
            reason: "the foci are not unit vectors",
        };
        let (across, along) = (**f1 - **f2, **f1 + **f2);
        let rows = [across, across.cross(&along), along];
        let [Some(b0), Some(b1), Some(b2)] = rows.map(|r| r.normalized()) else {
            return Err(degenerate);
        };
        let ratio = alpha.cos() / Angle::from_radians(gamma).cos();
        let mut b = ratio.clamp(-1.0, 1.0).acos() - 0.5 * PI;
        // Rounding must not make the second semi-axis the longer one (relative to π/2).
        if (a <= 0.0 && b > a) || (a > 0.0 && b < a) {
            b = a;
        }
        Ok(Self::with_frame(
            Matrix3d::from_rows(*b0, *b1, *b2),
            a,
            b,
            gamma,
        ))
    }

    /// The ellipse with the given center, semi-axis angles and orientation of the first axis, east
    /// of north.
    ///
    /// # Errors
    /// [`GeometryError::InvalidEllipse`] if an angle is NaN, the orientation is not finite, or the
    /// semi-axis angles lie on different sides of π/2.
    pub fn new(
        center: &UnitVector3d,
        alpha: Angle,
        beta: Angle,
        orientation: Angle,
    ) -> Result<Self, GeometryError> {
        const QUARTER: f64 = 0.5 * PI;
        if !orientation.radians().is_finite() {
            return Err(GeometryError::InvalidEllipse {
                reason: "the orientation is not finite",
            });
        }
        let (al, be) = (alpha.radians(), beta.radians());
        if al.is_nan() || be.is_nan() {
            return Err(GeometryError::InvalidEllipse {
                reason: "a semi-axis angle is NaN",
            });
        }
        if (al < QUARTER && be >= QUARTER)
            || (al > QUARTER && be <= QUARTER)
            || (al == QUARTER && be != QUARTER)
        {
            return Err(GeometryError::InvalidEllipse {
                reason: "both semi-axis angles must be below, equal to, or above 90 deg",
            });
        }
        if al < 0.0 || be < 0.0 {
            return Ok(Self::EMPTY);
        }
        if al > PI || be > PI || (al == PI && be == PI) {
            return Ok(Self::full());
        }
        if al == be {
            return Ok(Self::with_frame(
                circle_frame(center),
                al - QUARTER,
                al - QUARTER,
                0.0,
            ));
        }
        // The first semi-axis is the one on which the foci lie.
        let swap = (al < QUARTER && al < be) || (al > QUARTER && al > be);
        let (al, be, orientation) = if swap {
            (be, al, orientation + Angle::from_radians(QUARTER))
        } else {
            (al, be, orientation)
        };
        let not_unit = || GeometryError::InvalidEllipse {
            reason: "the center is not a unit vector",
        };
        let b0 = UnitVector3d::north_from(center)
            .rotated_around(center, -orientation)
            .normalized()
            .ok_or_else(not_unit)?;
        let b1 = b0.cross(center).normalized().ok_or_else(not_unit)?;
        let gamma = (al.cos() / be.cos()).clamp(-1.0, 1.0).acos();
        let frame = Matrix3d::from_rows(*b0, *b1, **center);
        Ok(Self::with_frame(frame, al - QUARTER, be - QUARTER, gamma))
    }

    fn with_frame(frame: Matrix3d, a: f64, b: f64, gamma: f64) -> Self {
        Self {
            frame,
            a,
            b,
            gamma,
            tan_a: a.tan().abs(),
            tan_b: b.tan().abs(),
        }
    }

    /// Whether no point is in this ellipse.
    pub fn is_empty(&self) -> bool {
        0.5 * PI + self.a < self.gamma
    }

    /// Whether this is the whole sphere.
    pub fn is_full(&self) -> bool {
        0.5 * PI - self.a <= self.gamma
    }

    /// The center.
    pub fn center(&self) -> UnitVector3d {
        let c = &self.frame.rows[2];
        UnitVector3d::from_normalized(c.x, c.y, c.z)
    }

    /// The semi-axis angle along the line of the foci.
    pub fn alpha(&self) -> Angle {
        Angle::from_radians(0.5 * PI + self.a)
    }

    /// The other semi-axis angle.
    pub fn beta(&self) -> Angle {
        Angle::from_radians(0.5 * PI + self.b)
    }

    /// Half the angle between the foci.
    pub fn gamma(&self) -> Angle {
        Angle::from_radians(self.gamma)
    }

    /// The closure of everything outside this ellipse.
    #[must_use]
    pub fn complemented(&self) -> Self {
        let [r0, r1, r2] = self.frame.rows;
        Self {
            frame: Matrix3d::from_rows(-r0, r1, -r2),
            a: -self.a,
            b: -self.b,
            ..*self
        }
    }

    /// Whether a point is inside.
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        let center = self.center();
        let cos_distance = v.dot(&center);
        // Near the center and its antipode, rotate only the difference to it (and add the rotated
        // pole exactly), so that small ellipses lose no accuracy.
        let (rest, pole) = if cos_distance > 0.5 {
            (**v - *center, 1.0)
        } else if cos_distance < -0.5 {
            (**v + *center, -1.0)
        } else {
            (**v, 0.0)
        };
        let u = self.frame.apply(&rest);
        let (x, y, z) = (u.x * self.tan_a, u.y * self.tan_b, u.z + pole);
        let d = (x * x + y * y) - z * z;
        if self.a > 0.0 {
            z >= 0.0 || d >= 0.0
        } else {
            z >= 0.0 && d <= 0.0
        }
    }

    /// A circle around the center that contains this ellipse.
    pub fn bounding_circle(&self) -> Circle {
        let (alpha, beta) = (self.alpha(), self.beta());
        let r = if alpha < beta { beta } else { alpha };
        Circle::new(self.center(), r + Angle::from_radians(2.0 * MAX_ASIN_ERROR))
    }

    /// A longitude/latitude box that contains this ellipse.
    pub fn bounding_box(&self) -> Box {
        self.bounding_circle().bounding_box()
    }

    /// A Cartesian box that contains this ellipse.
    pub fn bounding_box3d(&self) -> Box3d {
        self.bounding_circle().bounding_box3d()
    }

    /// How this ellipse relates to another one; approximated by bounding circles, which can prove
    /// only that they are disjoint.
    pub fn relate(&self, e: &Self) -> Relationship {
        self.bounding_circle().relate(&e.bounding_circle()) & Relationship::DISJOINT
    }
}

/// Some frame whose third axis is the center of a circle.
fn circle_frame(center: &UnitVector3d) -> Matrix3d {
    let b0 = UnitVector3d::orthogonal_to(center).unwrap_or(UnitVector3d::X);
    let b1 = center.cross(&b0).normalized().unwrap_or(UnitVector3d::Y);
    Matrix3d::from_rows(*b0, *b1, **center)
}

impl PartialEq for Ellipse {
    /// Equal frames and semi-axes.
    fn eq(&self, e: &Self) -> bool {
        self.frame == e.frame && self.a == e.a && self.b == e.b
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lonlat::LonLat;

    fn at(lon: f64, lat: f64) -> UnitVector3d {
        UnitVector3d::from_lonlat(&LonLat::from_degrees(lon, lat).expect("valid latitude"))
    }

    fn deg(a: f64) -> Angle {
        Angle::from_degrees(a)
    }

    #[test]
    fn axes_and_orientation_decide_what_is_inside() {
        let e = Ellipse::new(&at(0.0, 0.0), deg(10.0), deg(5.0), deg(0.0)).expect("valid");
        assert!(e.contains(&at(0.0, 9.9)) && !e.contains(&at(9.9, 0.0)));
        let turned = Ellipse::new(&at(0.0, 0.0), deg(10.0), deg(5.0), deg(90.0)).expect("valid");
        assert!(!turned.contains(&at(0.0, 9.9)) && turned.contains(&at(9.9, 0.0)));
        assert!(!e.complemented().contains(&at(0.0, 9.9)));
    }

    #[test]
    fn foci_too_far_apart_leave_nothing() {
        let e = Ellipse::from_foci(&at(0.0, 0.0), &at(20.0, 0.0), deg(9.0)).expect("valid");
        assert!(e.is_empty());
        let e = Ellipse::from_foci(&at(0.0, 0.0), &at(20.0, 0.0), deg(11.0)).expect("valid");
        assert!(e.contains(&at(20.5, 0.0)) && !e.is_empty() && !e.is_full());
    }

    #[test]
    fn contradictory_axes_are_refused() {
        for (alpha, beta) in [(80.0, 100.0), (100.0, 80.0), (90.0, 91.0), (f64::NAN, 1.0)] {
            assert!(Ellipse::new(&at(0.0, 0.0), deg(alpha), deg(beta), deg(0.0)).is_err());
        }
    }
}

//! Vectors in ℝ³, general and of unit length, and the small matrices that rotate them.

use std::ops::{Add, Deref, Mul, Neg, Sub};

use crate::angle::{Angle, NormalizedAngle};
use crate::error::GeometryError;
use crate::lonlat::LonLat;

/// A vector in ℝ³ with double precision components.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vector3d {
    /// First component, towards longitude 0 on the equator.
    pub x: f64,
    /// Second component, towards longitude π/2 on the equator.
    pub y: f64,
    /// Third component, towards the north pole.
    pub z: f64,
}

impl Vector3d {
    /// Makes a vector from its components.
    #[inline]
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self { x, y, z }
    }

    /// The components as an array.
    #[inline]
    pub const fn components(&self) -> [f64; 3] {
        [self.x, self.y, self.z]
    }

    /// Scalar product.
    #[inline]
    pub fn dot(&self, v: &Self) -> f64 {
        self.x * v.x + self.y * v.y + self.z * v.z
    }

    /// Vector product.
    #[inline]
    pub fn cross(&self, v: &Self) -> Self {
        Self::new(
            self.y * v.z - self.z * v.y,
            self.z * v.x - self.x * v.z,
            self.x * v.y - self.y * v.x,
        )
    }

    /// Square of the length.
    #[inline]
    pub fn squared_norm(&self) -> f64 {
        self.dot(self)
    }

    /// Length.
    #[inline]
    pub fn norm(&self) -> f64 {
        self.squared_norm().sqrt()
    }

    /// Whether every component is zero.
    #[inline]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The unit vector in this direction together with this vector's length, or `None` for the
    /// zero vector. Components are scaled by the largest one first, so neither overflow nor
    /// underflow can occur.
    #[inline]
    pub(crate) fn split(&self) -> Option<(UnitVector3d, f64)> {
        let (ax, ay, az) = (self.x.abs(), self.y.abs(), self.z.abs());
        // The two smaller components enter symmetrically: only the largest one must be known.
        let (largest, s, t) = if ax > ay && ax > az {
            (ax, self.y, self.z)
        } else if ay > az {
            (ay, self.x, self.z)
        } else {
            (az, self.x, self.y)
        };
        if largest == 0.0 {
            return None;
        }
        let (s, t) = (s / largest, t / largest);
        let norm = (1.0 + (s * s + t * t)).sqrt();
        let unit = Self::new(
            self.x / largest / norm,
            self.y / largest / norm,
            self.z / largest / norm,
        );
        Some((UnitVector3d(unit), norm * largest))
    }

    /// The unit vector in this direction, or `None` for the zero vector.
    #[inline]
    pub fn normalized(&self) -> Option<UnitVector3d> {
        self.split().map(|(unit, _)| unit)
    }

    /// This vector turned by an angle around an axis (Rodrigues' formula).
    pub fn rotated_around(&self, axis: &UnitVector3d, angle: Angle) -> Self {
        let (s, c) = (angle.sin(), angle.cos());
        *self * c + axis.cross(self) * s + **axis * (axis.dot(self) * (1.0 - c))
    }
}

impl Neg for Vector3d {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self::new(-self.x, -self.y, -self.z)
    }
}

impl Add for Vector3d {
    type Output = Self;
    #[inline]
    fn add(self, v: Self) -> Self {
        Self::new(self.x + v.x, self.y + v.y, self.z + v.z)
    }
}

impl Sub for Vector3d {
    type Output = Self;
    #[inline]
    fn sub(self, v: Self) -> Self {
        Self::new(self.x - v.x, self.y - v.y, self.z - v.z)
    }
}

impl Mul<f64> for Vector3d {
    type Output = Self;
    #[inline]
    fn mul(self, s: f64) -> Self {
        Self::new(self.x * s, self.y * s, self.z * s)
    }
}

/// A vector of length one (within rounding): a point on the sphere.
///
/// It dereferences to [`Vector3d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitVector3d(Vector3d);

impl Deref for UnitVector3d {
    type Target = Vector3d;
    #[inline]
    fn deref(&self) -> &Vector3d {
        &self.0
    }
}

impl UnitVector3d {
    /// The point at longitude 0 on the equator.
    pub const X: Self = Self(Vector3d::new(1.0, 0.0, 0.0));
    /// The point at longitude π/2 on the equator.
    pub const Y: Self = Self(Vector3d::new(0.0, 1.0, 0.0));
    /// The north pole.
    pub const Z: Self = Self(Vector3d::new(0.0, 0.0, 1.0));

    /// Makes a unit vector from components of any (nonzero) length.
    ///
    /// # Errors
    /// [`GeometryError::ZeroVector`] if all components are zero.
    pub fn new(x: f64, y: f64, z: f64) -> Result<Self, GeometryError> {
        Vector3d::new(x, y, z)
            .normalized()
            .ok_or(GeometryError::ZeroVector)
    }

    /// Takes components on trust: they are not normalized again, so that bytes read are bytes
    /// written.
    #[inline]
    pub const fn from_normalized(x: f64, y: f64, z: f64) -> Self {
        Self(Vector3d::new(x, y, z))
    }

    /// The unit vector of a point in spherical coordinates.
    pub fn from_lonlat(p: &LonLat) -> Self {
        Self::from_angles(p.lon().angle(), p.lat())
    }

    /// The unit vector at a longitude and latitude.
    pub fn from_angles(lon: Angle, lat: Angle) -> Self {
        let (sin_lon, cos_lon) = (lon.sin(), lon.cos());
        let (sin_lat, cos_lat) = (lat.sin(), lat.cos());
        Self::from_normalized(cos_lon * cos_lat, sin_lon * cos_lat, sin_lat)
    }

    /// The normal of the meridian plane at a longitude.
    pub fn meridian_normal(lon: NormalizedAngle) -> Self {
        Self::from_normalized(-lon.angle().sin(), lon.angle().cos(), 0.0)
    }

    /// Some unit vector orthogonal to `v`, or `None` if `v` is zero.
    pub fn orthogonal_to(v: &Vector3d) -> Option<Self> {
        if v.x.abs() > v.y.abs() {
            Vector3d::new(-v.z, 0.0, v.x).normalized()
        } else {
            Vector3d::new(0.0, v.z, -v.y).normalized()
        }
    }

    /// A unit vector orthogonal to two others, whatever the angle between them.
    pub(crate) fn orthogonal_to_both(u: &Self, v: &Self) -> Self {
        u.robust_cross(v)
            .normalized()
            .or_else(|| Self::orthogonal_to(u))
            .unwrap_or(Self::X)
    }

    /// The direction of north in the tangent plane at `v`; at a pole, an arbitrary direction.
    pub fn north_from(v: &Vector3d) -> Self {
        let north = Vector3d::new(-v.x * v.z, -v.y * v.z, v.x * v.x + v.y * v.y);
        north
            .normalized()
            .unwrap_or_else(|| Self::from_normalized(-1.0_f64.copysign(v.z), 0.0, 0.0))
    }

    /// Twice the vector product, computed so that it keeps its accuracy, and stays nonzero, for
    /// nearly parallel vectors.
    #[inline]
    pub fn robust_cross(&self, v: &Self) -> Vector3d {
        (v.0 + self.0).cross(&(v.0 - self.0))
    }

    /// Square of the straight-line distance to another point.
    #[inline]
    pub fn squared_chord_to(&self, v: &Self) -> f64 {
        (self.0 - v.0).squared_norm()
    }
}

impl Neg for UnitVector3d {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// A 3×3 matrix, stored by rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix3d {
    /// The rows, from first to last.
    pub rows: [Vector3d; 3],
}

impl Matrix3d {
    /// The identity matrix.
    pub const IDENTITY: Self = Self {
        rows: [
            Vector3d::new(1.0, 0.0, 0.0),
            Vector3d::new(0.0, 1.0, 0.0),
            Vector3d::new(0.0, 0.0, 1.0),
        ],
    };

    /// Makes a matrix from its rows.
    pub const fn from_rows(r0: Vector3d, r1: Vector3d, r2: Vector3d) -> Self {
        Self { rows: [r0, r1, r2] }
    }

    /// Matrix times column vector.
    #[inline]
    pub fn apply(&self, v: &Vector3d) -> Vector3d {
        Vector3d::new(
            self.rows[0].dot(v),
            self.rows[1].dot(v),
            self.rows[2].dot(v),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalizing_survives_extreme_magnitudes() {
        let tiny = Vector3d::new(3e-300, 0.0, 4e-300)
            .split()
            .expect("not zero");
        assert!((tiny.0.x - 0.6).abs() < 1e-15 && (tiny.0.z - 0.8).abs() < 1e-15);
        assert!((tiny.1 / 5e-300 - 1.0).abs() < 1e-15);
        let huge = UnitVector3d::new(-1e300, 1e300, 0.0).expect("not zero");
        assert!((huge.squared_norm() - 1.0).abs() < 1e-15);
        assert_eq!(
            UnitVector3d::new(0.0, 0.0, 0.0),
            Err(GeometryError::ZeroVector)
        );
    }

    #[test]
    fn robust_cross_separates_neighbouring_vectors() {
        let u = UnitVector3d::X;
        let v = UnitVector3d::from_normalized(1.0, 1e-20, 0.0);
        assert!(u.robust_cross(&v).z > 0.0);
    }

    #[test]
    fn rotation_turns_counter_clockwise() {
        let v = UnitVector3d::X.rotated_around(&UnitVector3d::Z, Angle::from_degrees(90.0));
        assert!((v - *UnitVector3d::Y).norm() < 1e-15);
    }
}

//! Longitude/latitude pairs.

use crate::angle::{Angle, NormalizedAngle};
use crate::consts::PI;
use crate::error::GeometryError;
use crate::vector::Vector3d;

/// A point in spherical coordinates: longitude in `[0, 2π]`, latitude in `[-π/2, π/2]`.
///
/// If one coordinate is NaN, both are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LonLat {
    lon: NormalizedAngle,
    lat: Angle,
}

impl LonLat {
    /// Makes a point from a longitude and a latitude.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLatitude`] if the latitude lies beyond a pole.
    pub fn new(lon: NormalizedAngle, lat: Angle) -> Result<Self, GeometryError> {
        if lat.radians().abs() > 0.5 * PI {
            return Err(GeometryError::InvalidLatitude {
                degrees: lat.degrees(),
            });
        }
        Ok(Self::consistent(lon, lat))
    }

    /// Makes a point from degrees; the longitude may be any number of turns.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLatitude`] if the latitude lies beyond a pole.
    pub fn from_degrees(lon: f64, lat: f64) -> Result<Self, GeometryError> {
        Self::new(NormalizedAngle::from_degrees(lon), Angle::from_degrees(lat))
    }

    /// Makes a point from radians; the longitude may be any number of turns.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLatitude`] if the latitude lies beyond a pole.
    pub fn from_radians(lon: f64, lat: f64) -> Result<Self, GeometryError> {
        Self::new(NormalizedAngle::from_radians(lon), Angle::from_radians(lat))
    }

    /// The point towards which a vector, of any length, points.
    pub fn from_vector(v: &Vector3d) -> Self {
        Self::consistent(Self::longitude_of(v), Self::latitude_of(v))
    }

    /// Builds a point whose latitude is already known to be in range (or NaN).
    fn consistent(lon: NormalizedAngle, lat: Angle) -> Self {
        if lon.is_nan() || lat.is_nan() {
            Self {
                lon: NormalizedAngle::NAN,
                lat: Angle::NAN,
            }
        } else {
            Self { lon, lat }
        }
    }

    /// The latitude of a vector.
    pub fn latitude_of(v: &Vector3d) -> Angle {
        if v.z == 0.0 {
            return Angle::from_radians(0.0);
        }
        let lat = v.z.atan2((v.x * v.x + v.y * v.y).sqrt());
        Angle::from_radians(if lat.abs() > 0.5 * PI {
            (0.5 * PI).copysign(lat)
        } else {
            lat
        })
    }

    /// The longitude of a vector; 0 at the poles.
    pub fn longitude_of(v: &Vector3d) -> NormalizedAngle {
        if v.x * v.x + v.y * v.y == 0.0 {
            return NormalizedAngle::from_radians(0.0);
        }
        let lon = v.y.atan2(v.x);
        NormalizedAngle::from_radians(if lon < 0.0 { lon + 2.0 * PI } else { lon })
    }

    /// The longitude.
    #[inline]
    pub const fn lon(&self) -> NormalizedAngle {
        self.lon
    }

    /// The latitude.
    #[inline]
    pub const fn lat(&self) -> Angle {
        self.lat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latitude_beyond_a_pole_is_refused() {
        assert_eq!(
            LonLat::from_degrees(0.0, 90.5),
            Err(GeometryError::InvalidLatitude { degrees: 90.5 })
        );
        assert!(LonLat::from_degrees(0.0, 90.0).is_ok());
    }

    #[test]
    fn nan_spreads_to_both_coordinates() {
        let p = LonLat::from_degrees(f64::NAN, 3.0).expect("NaN is not out of range");
        assert!(p.lon().is_nan() && p.lat().is_nan());
    }

    #[test]
    fn poles_have_longitude_zero() {
        let p = LonLat::from_vector(&Vector3d::new(0.0, 0.0, -2.0));
        assert_eq!((p.lon().radians(), p.lat().radians()), (0.0, -0.5 * PI));
    }
}

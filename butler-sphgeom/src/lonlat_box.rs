//! Rectangular regions in longitude and latitude.

use crate::angle::{Angle, NormalizedAngle};
use crate::box3d::Box3d;
use crate::chord;
use crate::circle::Circle;
use crate::consts::{EPSILON, MAX_ASIN_ERROR, MAX_SQUARED_CHORD_LENGTH_ERROR, PI, fmax, fmin};
use crate::error::GeometryError;
use crate::interval::{AngleInterval, Interval1d};
use crate::lon_interval::NormalizedAngleInterval;
use crate::lonlat::LonLat;
use crate::relationship::Relationship;
use crate::vector::UnitVector3d;

/// A closed rectangle in longitude and latitude; latitudes lie in `[-π/2, π/2]`. If one interval is
/// empty, both are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Box {
    lon: NormalizedAngleInterval,
    lat: AngleInterval,
}

impl Box {
    /// The empty box.
    pub const EMPTY: Self = Self {
        lon: NormalizedAngleInterval::EMPTY,
        lat: AngleInterval::EMPTY,
    };

    /// All latitudes.
    const ALL_LATITUDES: AngleInterval = AngleInterval::from_radians(-0.5 * PI, 0.5 * PI);

    /// The whole sphere.
    pub fn full() -> Self {
        Self {
            lon: NormalizedAngleInterval::full(),
            lat: Self::ALL_LATITUDES,
        }
    }

    /// Makes a box from intervals; latitudes beyond the poles are cut off.
    pub fn new(lon: NormalizedAngleInterval, lat: AngleInterval) -> Self {
        let lat = lat.clipped_to(&Self::ALL_LATITUDES);
        if lat.is_empty() {
            Self {
                lon: NormalizedAngleInterval::EMPTY,
                lat,
            }
        } else if lon.is_empty() {
            Self {
                lon,
                lat: AngleInterval::EMPTY,
            }
        } else {
            Self { lon, lat }
        }
    }

    /// The box of one point.
    pub fn point(p: &LonLat) -> Self {
        Self::new(
            NormalizedAngleInterval::point(p.lon()),
            AngleInterval::point(p.lat()),
        )
    }

    /// The box that starts at the longitude and latitude of `p` and increases to those of `q`.
    pub fn from_corners(p: &LonLat, q: &LonLat) -> Self {
        Self::new(
            NormalizedAngleInterval::new(p.lon(), q.lon()),
            AngleInterval::new(p.lat(), q.lat()),
        )
    }

    /// The box around a center with the given half-width (longitude) and half-height (latitude).
    pub fn around(center: &LonLat, half_width: Angle, half_height: Angle) -> Self {
        Self::new(
            NormalizedAngleInterval::point(center.lon()).dilated_by(half_width),
            AngleInterval::point(center.lat()).dilated_by(half_height),
        )
    }

    /// Makes a box from degrees.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLongitudeInterval`] if the longitudes decrease and are not
    /// normalized.
    pub fn from_degrees(lon1: f64, lat1: f64, lon2: f64, lat2: f64) -> Result<Self, GeometryError> {
        Ok(Self::new(
            NormalizedAngleInterval::from_degrees(lon1, lon2)?,
            AngleInterval::from_degrees(lat1, lat2),
        ))
    }

    /// Makes a box from radians.
    ///
    /// # Errors
    /// [`GeometryError::InvalidLongitudeInterval`] if the longitudes decrease and are not
    /// normalized.
    pub fn from_radians(lon1: f64, lat1: f64, lon2: f64, lat2: f64) -> Result<Self, GeometryError> {
        Ok(Self::new(
            NormalizedAngleInterval::from_radians(lon1, lon2)?,
            AngleInterval::from_radians(lat1, lat2),
        ))
    }

    /// Half of the longitude extent of a circle with opening angle `r` centered at latitude `lat`:
    /// `asin(sin r / cos lat)`, or π if the circle contains a pole.
    pub fn half_width_for_circle(r: Angle, lat: Angle) -> NormalizedAngle {
        let half_width = if r.radians() <= 0.0 {
            0.0
        } else if lat.abs().radians() + r.radians() >= 0.5 * PI {
            PI
        } else {
            let s = (r.sin() / lat.cos()).abs();
            if s >= 1.0 { 0.5 * PI } else { s.asin() }
        };
        NormalizedAngle::from_radians(half_width)
    }

    /// The longitudes.
    pub const fn lon(&self) -> &NormalizedAngleInterval {
        &self.lon
    }

    /// The latitudes.
    pub const fn lat(&self) -> &AngleInterval {
        &self.lat
    }

    /// Whether no point is in this box.
    pub fn is_empty(&self) -> bool {
        self.lat.is_empty()
    }

    /// Whether this is the whole sphere.
    pub fn is_full(&self) -> bool {
        self.lon.is_full() && self.lat == Self::ALL_LATITUDES
    }

    /// The middle in both coordinates; NaN if the box is empty.
    pub fn center(&self) -> LonLat {
        LonLat::new(self.lon.center(), self.lat.center()).unwrap_or_else(|_| {
            // The middle of latitudes in range is in range; only an empty box gets here.
            LonLat::from_vector(&crate::Vector3d::new(f64::NAN, f64::NAN, f64::NAN))
        })
    }

    /// The solid angle covered, in steradians.
    pub fn area(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        (self.lon.size().radians() * (self.lat.b().sin() - self.lat.a().sin())).abs()
    }

    /// Whether a point is inside.
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        self.contains_lonlat(&LonLat::from_vector(v))
    }

    /// Whether a point in spherical coordinates is inside.
    pub fn contains_lonlat(&self, p: &LonLat) -> bool {
        self.lat.contains(p.lat()) && self.lon.contains(p.lon())
    }

    /// Whether another box has a point in common with this one.
    pub fn intersects(&self, b: &Self) -> bool {
        self.lat.intersects(&b.lat) && self.lon.intersects(&b.lon)
    }

    /// How this box relates to another one.
    pub fn relate(&self, b: &Self) -> Relationship {
        Relationship::of_product(&[self.lon.relate(&b.lon), self.lat.relate(&b.lat)])
    }

    /// The smallest box that contains this one and another.
    #[must_use]
    pub fn expanded_to(&self, b: &Self) -> Self {
        Self {
            lon: self.lon.expanded_to(&b.lon),
            lat: self.lat.expanded_to(&b.lat),
        }
    }

    /// The smallest box that contains the intersection with another one.
    #[must_use]
    pub fn clipped_to(&self, b: &Self) -> Self {
        Self::new(self.lon.clipped_to(&b.lon), self.lat.clipped_to(&b.lat))
    }

    /// How this box relates to a circle.
    pub fn relate_circle(&self, c: &Circle) -> Relationship {
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
        let limit = c.squared_chord();
        let west = self.side(self.lon.a());
        let east = self.side(self.lon.b());
        // Vertices on both sides of the circle, or too close to call, mean that boundaries cross.
        let mut inside = None;
        for v in [&west.south, &west.north, &east.south, &east.north] {
            let d = v.squared_chord_to(c.center());
            let is_inside = d < limit;
            if (d - limit).abs() < MAX_SQUARED_CHORD_LENGTH_ERROR
                || inside.is_some_and(|i| i != is_inside)
            {
                return R::INTERSECTS;
            }
            inside = Some(is_inside);
        }
        if inside == Some(true) {
            self.relate_circle_around_vertices(c, &west, &east)
        } else {
            self.relate_circle_beside_vertices(c, &west, &east)
        }
    }

    /// The case of a circle that contains all vertices: look for edge points outside of it.
    fn relate_circle_around_vertices(&self, c: &Circle, west: &Side, east: &Side) -> Relationship {
        let limit = c.squared_chord() - MAX_SQUARED_CHORD_LENGTH_ERROR;
        for side in [west, east] {
            let d = chord::max_to_edge(c.center(), &side.north, &side.south, &side.normal);
            if d > limit {
                return Relationship::INTERSECTS;
            }
        }
        let antipode = LonLat::from_vector(&-*c.center());
        if self.lon.contains(antipode.lon()) {
            let nearest = self.latitude_gap(antipode.lat());
            if Circle::squared_chord_for(Angle::from_radians(PI) - nearest) > limit {
                return Relationship::INTERSECTS;
            }
        }
        // The boundary of the box is inside the circle, but the box may still contain the whole
        // outside of the circle; then it contains the antipode of the center.
        if self.contains_lonlat(&antipode) {
            Relationship::INTERSECTS
        } else {
            Relationship::WITHIN
        }
    }

    /// The case of a circle that contains no vertex: look for edge points inside of it.
    fn relate_circle_beside_vertices(&self, c: &Circle, west: &Side, east: &Side) -> Relationship {
        let limit = c.squared_chord() + MAX_SQUARED_CHORD_LENGTH_ERROR;
        for side in [west, east] {
            let d = chord::min_to_edge(c.center(), &side.north, &side.south, &side.normal);
            if d < limit {
                return Relationship::INTERSECTS;
            }
        }
        let center = LonLat::from_vector(c.center());
        if self.lon.contains(center.lon())
            && Circle::squared_chord_for(self.latitude_gap(center.lat())) < limit
        {
            return Relationship::INTERSECTS;
        }
        // The boundaries do not meet: the circle is all inside or all outside.
        if self.contains_lonlat(&center) {
            Relationship::CONTAINS
        } else {
            Relationship::DISJOINT
        }
    }

    /// The distance from a latitude to the nearer of the two parallels that bound this box.
    fn latitude_gap(&self, lat: Angle) -> Angle {
        let (to_south, to_north) = ((lat - self.lat.a()).abs(), (lat - self.lat.b()).abs());
        if to_north < to_south {
            to_north
        } else {
            to_south
        }
    }

    /// The meridian edge at a longitude.
    fn side(&self, lon: NormalizedAngle) -> Side {
        Side {
            south: UnitVector3d::from_angles(lon.angle(), self.lat.a()),
            north: UnitVector3d::from_angles(lon.angle(), self.lat.b()),
            normal: UnitVector3d::meridian_normal(lon),
        }
    }

    /// A circle that contains this box, close to the smallest one.
    pub fn bounding_circle(&self) -> Circle {
        if self.is_empty() {
            return Circle::EMPTY;
        }
        if self.is_full() {
            return Circle::FULL;
        }
        let width = self.lon.size().radians();
        if width <= PI {
            self.narrow_bounding_circle(width)
        } else {
            self.wide_bounding_circle(width)
        }
    }

    /// The bounding circle of a box at most half a turn wide.
    ///
    /// Its center lies on the middle meridian, at the latitude where the larger of the distances to
    /// the southern and to the northern corners is smallest: where the two distances are equal, if
    /// that is between their minima, else at one of the minima. With half-width `w` and boundary
    /// latitudes `s` and `n` these are `atan(cos w · tan((s + n)/2))`, `atan(tan s / cos w)` and
    /// `atan(tan n / cos w)`.
    fn narrow_bounding_circle(&self, width: f64) -> Circle {
        let (south, north) = (self.lat.a(), self.lat.b());
        let (west, east) = (self.side(self.lon.a()), self.side(self.lon.b()));
        let c = (0.5 * width).cos();
        let (at_south, at_north, between) = if c == 0.0 {
            (
                (0.5 * PI).copysign(south.radians()),
                (0.5 * PI).copysign(north.radians()),
                0.0,
            )
        } else {
            (
                (south.tan() / c).atan(),
                (north.tan() / c).atan(),
                (c * self.lat.center().tan()).atan(),
            )
        };
        let meridian = self.lon.center().angle();
        let on_meridian = |lat: f64| UnitVector3d::from_angles(meridian, Angle::from_radians(lat));
        let center = if at_south <= between && between <= at_north {
            on_meridian(between)
        } else {
            let (p, q) = (on_meridian(at_south), on_meridian(at_north));
            if p.dot(&west.south) > q.dot(&west.north) {
                q
            } else {
                p
            }
        };
        let reach = [&west.south, &west.north, &east.south, &east.north]
            .into_iter()
            .map(|v| center.squared_chord_to(v))
            .fold(0.0, fmax);
        Circle::from_squared_chord(center, reach + 2.0 * MAX_SQUARED_CHORD_LENGTH_ERROR)
    }

    /// The bounding circle of a box more than half a turn wide: the smallest of those around a
    /// pole or around the equatorial point opposite to the gap.
    fn wide_bounding_circle(&self, width: f64) -> Circle {
        let (south, north) = (self.lat.a(), self.lat.b());
        let (mut center, mut r) = if south.abs() <= north.abs() {
            (UnitVector3d::Z, 0.5 * PI - south.radians())
        } else {
            (-UnitVector3d::Z, north.radians() + 0.5 * PI)
        };
        if !self.lon.is_full() && 0.5 * width < r {
            r = 0.5 * width;
            center = UnitVector3d::from_angles(self.lon.center().angle(), Angle::from_radians(0.0));
        }
        Circle::new(center, Angle::from_radians(r + 4.0 * MAX_ASIN_ERROR))
    }

    /// A Cartesian box that contains this box.
    pub fn bounding_box3d(&self) -> Box3d {
        if self.is_empty() {
            return Box3d::EMPTY;
        }
        if self.is_full() {
            return Box3d::AROUND_UNIT_SPHERE;
        }
        let (sin_south, cos_south) = (self.lat.a().sin(), self.lat.a().cos());
        let (sin_north, cos_north) = (self.lat.b().sin(), self.lat.b().cos());
        let (west, east) = (self.lon.a().angle(), self.lon.b().angle());
        let spans_equator = self.lat.contains(Angle::from_radians(0.0));
        let reach = if spans_equator {
            1.0
        } else {
            fmax(cos_south, cos_north) + EPSILON
        };
        // Along x (and y) the extrema are at corners, where edge meridians cross the equator, or
        // where the widest parallel passes the axis.
        let extent = |w: f64, e: f64, up: f64, down: f64| {
            let corners = [w * cos_south, e * cos_south, w * cos_north, e * cos_north];
            let mut lo = corners.into_iter().fold(f64::INFINITY, fmin) - 2.5 * EPSILON;
            let mut hi = corners.into_iter().fold(f64::NEG_INFINITY, fmax) + 2.5 * EPSILON;
            if spans_equator {
                lo = fmin(lo, fmin(w, e) - EPSILON);
                hi = fmax(hi, fmax(w, e) + EPSILON);
            }
            if self.lon.contains(NormalizedAngle::from_radians(up)) {
                hi = fmax(hi, reach);
            }
            if self.lon.contains(NormalizedAngle::from_radians(down)) {
                lo = fmin(lo, -reach);
            }
            Interval1d::new(fmax(-1.0, lo), fmin(1.0, hi))
        };
        Box3d::new(
            extent(west.cos(), east.cos(), 0.0, PI),
            extent(west.sin(), east.sin(), 0.5 * PI, 1.5 * PI),
            Interval1d::new(
                fmax(-1.0, sin_south - EPSILON),
                fmin(1.0, sin_north + EPSILON),
            ),
        )
    }
}

/// An edge of a box that runs along a meridian.
struct Side {
    south: UnitVector3d,
    north: UnitVector3d,
    /// Normal of the meridian plane.
    normal: UnitVector3d,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deg(lon1: f64, lat1: f64, lon2: f64, lat2: f64) -> Box {
        Box::from_degrees(lon1, lat1, lon2, lat2).expect("valid box")
    }

    fn circle(lon: f64, lat: f64, radius: f64) -> Circle {
        let center = LonLat::from_degrees(lon, lat).expect("valid latitude");
        Circle::new(
            UnitVector3d::from_lonlat(&center),
            Angle::from_degrees(radius),
        )
    }

    #[test]
    fn boxes_relate_by_both_coordinates() {
        let b = deg(350.0, -5.0, 10.0, 5.0);
        assert_eq!(
            b.relate(&deg(355.0, -1.0, 5.0, 1.0)),
            Relationship::CONTAINS
        );
        assert_eq!(
            b.relate(&deg(20.0, -1.0, 25.0, 1.0)),
            Relationship::DISJOINT
        );
        assert_eq!(
            b.relate(&deg(5.0, 3.0, 25.0, 9.0)),
            Relationship::INTERSECTS
        );
        assert_eq!(b.relate(&Box::full()), Relationship::WITHIN);
        assert_eq!(
            Box::EMPTY.relate(&b),
            Relationship::DISJOINT | Relationship::WITHIN
        );
    }

    #[test]
    fn circle_that_contains_all_corners_may_miss_the_middle() {
        // A band around the pole: corners and edges inside, pole region outside.
        let band = deg(0.0, 60.0, 300.0, 70.0);
        assert_eq!(
            band.relate_circle(&circle(0.0, 90.0, 31.0)),
            Relationship::WITHIN
        );
        assert_eq!(
            band.relate_circle(&circle(0.0, 90.0, 10.0)),
            Relationship::DISJOINT
        );
        let almost_all = circle(0.0, 0.0, 179.0);
        assert_eq!(
            deg(170.0, -10.0, 190.0, 10.0).relate_circle(&almost_all),
            Relationship::INTERSECTS
        );
        assert_eq!(
            deg(0.0, 0.0, 10.0, 10.0).relate_circle(&circle(5.0, 5.0, 1.0)),
            Relationship::CONTAINS
        );
    }

    #[test]
    fn bounding_circle_contains_the_box() {
        for b in [
            deg(0.0, 10.0, 20.0, 30.0),
            deg(0.0, 60.0, 170.0, 89.0),
            deg(10.0, -80.0, 300.0, 10.0),
            deg(0.0, -90.0, 360.0, -80.0),
        ] {
            assert!(b.relate_circle(&b.bounding_circle()).is_within(), "{b:?}");
        }
    }

    #[test]
    fn latitudes_are_cut_at_the_poles() {
        let b = deg(0.0, 80.0, 10.0, 100.0);
        assert_eq!(b.lat().b().radians(), 0.5 * PI);
        assert!(
            Box::from_degrees(0.0, 91.0, 10.0, 95.0)
                .expect("empty box")
                .is_empty()
        );
    }
}

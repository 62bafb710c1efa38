//! Bounds of polygons given as slices of vertices.

use crate::angle::Angle;
use crate::box3d::Box3d;
use crate::circle::Circle;
use crate::consts::{MAX_SQUARED_CHORD_LENGTH_ERROR, PI, fmax, fmin};
use crate::interval::{AngleInterval, Interval1d};
use crate::lon_interval::NormalizedAngleInterval;
use crate::lonlat::LonLat;
use crate::lonlat_box::Box;
use crate::orientation::axis_orientation;
use crate::polygon::relate::edges;
use crate::vector::{UnitVector3d, Vector3d};

/// The center of mass: the sum over edges of unit normal times arc length (J. E. Brock, "The
/// centroid and inertia tensor for a spherical triangle", 1974), or `None` if that vanishes or an
/// edge has no normal.
pub(super) fn centroid(vertices: &[UnitVector3d]) -> Option<UnitVector3d> {
    let mut sum = Vector3d::default();
    for (a, b) in edges(vertices) {
        let (normal, length) = a.robust_cross(b).split()?;
        let (s, c) = (0.5 * length, a.dot(b));
        let arc = if s == 0.0 && c == 0.0 {
            0.0
        } else {
            s.atan2(c)
        };
        sum = sum + *normal * arc;
    }
    sum.normalized()
}

/// A circle around the centroid that contains the polygon.
pub(super) fn bounding_circle(vertices: &[UnitVector3d]) -> Circle {
    let Some(center) = centroid(vertices) else {
        return Circle::FULL;
    };
    let reach = vertices
        .iter()
        .map(|v| v.squared_chord_to(&center))
        .fold(0.0, fmax);
    // Twice the error of a squared chord, so that the circle certainly contains the polygon.
    Circle::from_squared_chord(center, reach + 2.0 * MAX_SQUARED_CHORD_LENGTH_ERROR)
}

/// A longitude/latitude box that contains the polygon.
///
/// It is the union of small boxes around the vertices, extended to the latitude extrema inside
/// edges, and to all longitudes if the polygon contains a pole.
pub(super) fn bounding_box(vertices: &[UnitVector3d]) -> Box {
    /// Margin around vertices and extrema: 0.1 milliarcseconds.
    const MARGIN: Angle = Angle::from_radians(5.0e-10);
    let mut lon = NormalizedAngleInterval::EMPTY;
    let mut lat = AngleInterval::EMPTY;
    let (mut turns_west, mut turns_east) = (false, false);
    for (a, b) in edges(vertices) {
        let vertex = Box::around(&LonLat::from_vector(b), MARGIN, MARGIN);
        lon = lon.expanded_to(vertex.lon());
        lat = lat.expanded_to(vertex.lat());
        if !(turns_west && turns_east) {
            let turn = axis_orientation(2, a, b);
            turns_east |= turn > 0;
            turns_west |= turn < 0;
        }
        // The northernmost direction of the great circle; it matters if it (or its antipode, the
        // southernmost) is inside the edge.
        let n = a.robust_cross(b);
        let north = Vector3d::new(-n.x * n.z, -n.y * n.z, n.x * n.x + n.y * n.y);
        if north.is_zero() {
            continue;
        }
        let side = |v: &UnitVector3d| v.y * n.x - v.x * n.y;
        let (side_a, side_b) = (side(a), side(b));
        let extremum = if side_a > 0.0 && side_b < 0.0 {
            LonLat::latitude_of(&north) + MARGIN
        } else if side_a < 0.0 && side_b > 0.0 {
            LonLat::latitude_of(&-north) - MARGIN
        } else {
            continue;
        };
        let extended = Box::new(lon, lat.expanded_to(&AngleInterval::point(extremum)));
        (lon, lat) = (*extended.lon(), *extended.lat());
    }
    let pole = if !turns_west {
        0.5 * PI
    } else if !turns_east {
        -0.5 * PI
    } else {
        return Box::new(lon, lat);
    };
    let pole = AngleInterval::point(Angle::from_radians(pole));
    Box::new(lon, lat).expanded_to(&Box::new(NormalizedAngleInterval::full(), pole))
}

/// A Cartesian box that contains the polygon.
pub(super) fn bounding_box3d(vertices: &[UnitVector3d]) -> Box3d {
    let extent = |axis: usize| extent_along(vertices, axis);
    Box3d::new(extent(0), extent(1), extent(2))
}

/// The extent of a polygon along a coordinate axis.
fn extent_along(vertices: &[UnitVector3d], axis: usize) -> Interval1d {
    /// More than the rounding errors of the extrema inside edges.
    const ERROR: f64 = 1.0e-14;
    let along = |v: &Vector3d| v.components()[axis];
    let mut lo = vertices.iter().map(|v| along(v)).fold(f64::INFINITY, fmin);
    let mut hi = vertices
        .iter()
        .map(|v| along(v))
        .fold(f64::NEG_INFINITY, fmax);
    // Whether the axis point, and its antipode, are on the inner side of all edges.
    let (mut has_top, mut has_bottom) = (true, true);
    for (a, b) in edges(vertices) {
        if let Some(n) = a.robust_cross(b).normalized() {
            let ni = along(&n);
            let d = (1.0 - ni * ni).abs();
            if d > 0.0 {
                // The lowest point of the great circle with normal n; the edge has it, or its
                // antipode, inside if that lies between the planes through n and either vertex.
                let mut lowest = (*n * ni).components();
                lowest[axis] = -d;
                let across = Vector3d::new(lowest[0], lowest[1], lowest[2]).cross(&n);
                let (from_a, from_b) = (across.dot(a), across.dot(b));
                if from_a >= 0.0 && from_b <= 0.0 {
                    lo = fmin(lo, -d.sqrt());
                }
                if from_a <= 0.0 && from_b >= 0.0 {
                    hi = fmax(hi, d.sqrt());
                }
            }
        }
        let turn = axis_orientation(axis, a, b);
        has_bottom &= turn <= 0;
        has_top &= turn >= 0;
    }
    Interval1d::new(
        if has_bottom {
            -1.0
        } else {
            fmax(-1.0, lo - ERROR)
        },
        if has_top { 1.0 } else { fmin(1.0, hi + ERROR) },
    )
}

//! Distances, as squared chord lengths, from a point to the interior of a great circle segment.

use crate::consts::PI;
use crate::vector::Vector3d;

/// The squared chord length that belongs to an angle.
fn squared_chord(angle: f64) -> f64 {
    let d = (0.5 * angle).sin();
    4.0 * d * d
}

/// The smallest squared chord length between the unit vector `v` and a point in the interior of
/// the segment from `a` to `b`, whose plane has normal `n`; 4 if the nearest point of the great
/// circle is not inside the segment (an end point is nearest then).
pub(crate) fn min_to_edge(v: &Vector3d, a: &Vector3d, b: &Vector3d, n: &Vector3d) -> f64 {
    let vxn = v.cross(n);
    if !(vxn.dot(a) > 0.0 && vxn.dot(b) < 0.0) {
        return 4.0;
    }
    let (s, c) = (v.dot(n).abs(), vxn.norm());
    squared_chord(if c == 0.0 { 0.5 * PI } else { (s / c).atan() })
}

/// The largest squared chord length between the unit vector `v` and a point in the interior of the
/// segment from `a` to `b`, whose plane has normal `n`; 0 if the farthest point of the great
/// circle is not inside the segment.
pub(crate) fn max_to_edge(v: &Vector3d, a: &Vector3d, b: &Vector3d, n: &Vector3d) -> f64 {
    let vxn = v.cross(n);
    if !(vxn.dot(a) < 0.0 && vxn.dot(b) > 0.0) {
        return 0.0;
    }
    let (s, c) = (v.dot(n).abs(), -vxn.norm());
    squared_chord(s.atan2(c))
}

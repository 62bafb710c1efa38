//! Convex hulls on the sphere, by exact orientation tests.

use crate::error::GeometryError;
use crate::orientation::orientation;
use crate::vector::UnitVector3d;

/// The convex hull of points: at least three vertices in counter-clockwise order.
///
/// A first triangle is extended by one point at a time. Which vertex comes first depends on the
/// order of the points in a way that readers of encoded regions may rely on.
pub(super) fn convex_hull(points: &[UnitVector3d]) -> Result<Vec<UnitVector3d>, GeometryError> {
    let (triangle, rest) = first_triangle(points)?;
    let mut hull = Vec::with_capacity(rest.len() + 3);
    hull.extend(triangle);
    for v in rest {
        extend(&mut hull, v)?;
    }
    Ok(hull)
}

/// Finds the first three points that are a triangle, skipping repeated points and merging
/// coplanar ones into the longest arc. Returns the triangle and the points not looked at.
fn first_triangle(
    points: &[UnitVector3d],
) -> Result<([UnitVector3d; 3], &[UnitVector3d]), GeometryError> {
    let (&first, others) = points
        .split_first()
        .ok_or(GeometryError::DegeneratePolygon)?;
    let mut start = first;
    let mut candidates = others.iter();
    let mut end = loop {
        let v = candidates.next().ok_or(GeometryError::DegeneratePolygon)?;
        if start == -*v {
            return Err(GeometryError::HullIsSphere);
        }
        if start != *v {
            break *v;
        }
    };
    // Nonzero, since the two points are distinct and not antipodal; a NaN is refused here.
    let plane = start
        .robust_cross(&end)
        .normalized()
        .ok_or(GeometryError::DegeneratePolygon)?;
    while let Some(v) = candidates.next() {
        match orientation(&start, &end, v) {
            1.. => return Ok(([start, end, *v], candidates.as_slice())),
            ..=-1 => return Ok(([end, start, *v], candidates.as_slice())),
            0 => {}
        }
        if *v == start || *v == end {
            continue;
        }
        if *v == -start || *v == -end {
            return Err(GeometryError::HullIsSphere);
        }
        // On the great circle of the arc: the point is inside it, or prolongs it at one end.
        let start_to_v = orientation(&plane, &start, v);
        let v_to_end = orientation(&plane, v, &end);
        let start_to_end = orientation(&plane, &start, &end);
        if start_to_v == v_to_end && v_to_end == start_to_end {
            continue;
        }
        if start_to_end == start_to_v && start_to_end == -v_to_end {
            end = *v;
        } else if start_to_end == v_to_end && start_to_end == -start_to_v {
            start = *v;
        } else {
            // Neither: the three points span more than half of the great circle.
            return Err(GeometryError::HullIsSphere);
        }
    }
    Err(GeometryError::DegeneratePolygon)
}

/// Extends a hull by one point.
///
/// Seen from a point outside, the edges of a convex polygon fall into one run that is
/// counter-clockwise (the far side, which stays) and one that is not (the near side, which the
/// point replaces).
fn extend(hull: &mut Vec<UnitVector3d>, v: &UnitVector3d) -> Result<(), GeometryError> {
    let n = hull.len();
    // Edge k runs from vertex k - 1 to vertex k.
    let is_far = |k: usize| orientation(v, &hull[(k + n - 1) % n], &hull[k]) > 0;
    let first_is_far = is_far(0);
    let (mut far_begins, mut far_ends) = (None, None);
    let mut previous = first_is_far;
    for k in 1..=n {
        let far = if k == n { first_is_far } else { is_far(k) };
        if far && !previous {
            // The far side starts at the vertex before edge k.
            far_begins = Some(k - 1);
        } else if previous && !far {
            far_ends = Some(k % n);
        }
        previous = far;
    }
    let (Some(begin), Some(end)) = (far_begins, far_ends) else {
        // All edges alike: the point is inside, or its antipode is.
        return if first_is_far {
            Ok(())
        } else {
            Err(GeometryError::HullIsSphere)
        };
    };
    // Keep the vertices of the far side, from `begin` through the one before `end`.
    if begin < end {
        hull.truncate(end);
        hull.drain(..begin);
        hull.push(*v);
    } else if begin == end && end == 0 {
        hull.push(*v);
    } else {
        hull.splice(end..begin, [*v]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lonlat::LonLat;

    fn points(lonlats: &[(f64, f64)]) -> Vec<UnitVector3d> {
        lonlats
            .iter()
            .map(|&(lon, lat)| {
                UnitVector3d::from_lonlat(&LonLat::from_degrees(lon, lat).expect("valid latitude"))
            })
            .collect()
    }

    #[test]
    fn interior_and_repeated_points_are_dropped() {
        let p = points(&[
            (0.0, 0.0),
            (0.0, 0.0),
            (10.0, 0.0),
            (10.0, 10.0),
            (5.0, 4.0),
            (0.0, 10.0),
            (3.0, 3.0),
        ]);
        let hull = convex_hull(&p).expect("a square");
        assert_eq!(hull.len(), 4);
        for k in 0..4 {
            assert!(orientation(&hull[k], &hull[(k + 1) % 4], &hull[(k + 2) % 4]) > 0);
        }
    }

    #[test]
    fn clockwise_points_are_turned_around() {
        let hull = convex_hull(&points(&[(0.0, 0.0), (0.0, 10.0), (10.0, 0.0)])).expect("triangle");
        assert_eq!(orientation(&hull[0], &hull[1], &hull[2]), 1);
    }

    #[test]
    fn too_few_points_are_refused() {
        for p in [
            vec![],
            points(&[(0.0, 0.0)]),
            points(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]),
        ] {
            assert_eq!(convex_hull(&p), Err(GeometryError::DegeneratePolygon));
        }
    }

    #[test]
    fn antipodal_points_are_refused() {
        let antipodal = [UnitVector3d::X, -UnitVector3d::X, UnitVector3d::Y];
        assert_eq!(convex_hull(&antipodal), Err(GeometryError::HullIsSphere));
        let around = points(&[(0.0, 0.0), (120.0, 0.0), (240.0, 0.0), (0.0, 45.0)]);
        assert_eq!(convex_hull(&around), Err(GeometryError::HullIsSphere));
        let all = points(&[(0.0, -30.0), (120.0, -30.0), (240.0, -30.0), (0.0, 90.0)]);
        assert_eq!(convex_hull(&all), Err(GeometryError::HullIsSphere));
    }

    #[test]
    fn coplanar_points_extend_the_first_arc() {
        let p = points(&[
            (10.0, 0.0),
            (20.0, 0.0),
            (5.0, 0.0),
            (30.0, 0.0),
            (15.0, 5.0),
        ]);
        let hull = convex_hull(&p).expect("triangle");
        assert_eq!(hull, [p[2], p[3], p[4]]);
    }
}

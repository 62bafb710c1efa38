//! How polygons, given as slices of vertices, relate to points and other regions.
//!
//! Slices let pixel searches test pixels without building polygons.

use smallvec::SmallVec;

use crate::chord;
use crate::circle::Circle;
use crate::consts::MAX_SQUARED_CHORD_LENGTH_ERROR;
use crate::lonlat_box::Box;
use crate::orientation::{orientation, side_of};
use crate::polygon::bounds;
use crate::relationship::Relationship;
use crate::vector::{UnitVector3d, Vector3d};

/// The edges of a polygon as pairs of vertices, starting with the one that ends at vertex 0.
pub(crate) fn edges(
    vertices: &[UnitVector3d],
) -> impl Iterator<Item = (&UnitVector3d, &UnitVector3d)> {
    let before = vertices.last().into_iter().chain(vertices);
    before.zip(vertices)
}

/// Whether a point is inside a polygon.
pub(crate) fn contains_point(vertices: &[UnitVector3d], v: &UnitVector3d) -> bool {
    edges(vertices).all(|(a, b)| orientation(v, a, b) >= 0)
}

/// Whether vertices really are those of a convex polygon in counter-clockwise order.
pub(crate) fn is_convex(vertices: &[UnitVector3d]) -> bool {
    vertices.len() >= 3
        && edges(vertices).all(|(a, b)| {
            let mut inside = false;
            vertices.iter().all(|v| {
                let side = orientation(v, a, b);
                inside |= side > 0;
                side >= 0
            }) && inside
        })
}

/// Relates a polygon to a box through the polygon's bounding box, which can prove that they are
/// disjoint or that the polygon is within the box, but no more.
pub(crate) fn relate_box(vertices: &[UnitVector3d], b: &Box) -> Relationship {
    bounds::bounding_box(vertices).relate(b) & (Relationship::DISJOINT | Relationship::WITHIN)
}

/// Relates a polygon to a circle.
pub(crate) fn relate_circle(vertices: &[UnitVector3d], c: &Circle) -> Relationship {
    use Relationship as R;
    if c.is_empty() {
        return R::CONTAINS | R::DISJOINT;
    }
    if c.is_full() {
        return R::WITHIN;
    }
    let (center, limit) = (c.center(), c.squared_chord());
    // Vertices on both sides of the circle, or too close to call, mean that boundaries cross.
    let mut inside = None;
    for v in vertices {
        let d = v.squared_chord_to(center);
        let is_inside = d < limit;
        if (d - limit).abs() < MAX_SQUARED_CHORD_LENGTH_ERROR
            || inside.is_some_and(|i| i != is_inside)
        {
            return R::INTERSECTS;
        }
        inside = Some(is_inside);
    }
    if inside == Some(true) {
        let limit = limit - MAX_SQUARED_CHORD_LENGTH_ERROR;
        if edges(vertices)
            .any(|(a, b)| chord::max_to_edge(center, a, b, &a.robust_cross(b)) > limit)
        {
            return R::INTERSECTS;
        }
        // The boundary is inside the circle, but the polygon may still contain everything outside
        // of it; then it contains the antipode of the center.
        if contains_point(vertices, &-*center) {
            R::INTERSECTS
        } else {
            R::WITHIN
        }
    } else {
        let limit = limit + MAX_SQUARED_CHORD_LENGTH_ERROR;
        if edges(vertices)
            .any(|(a, b)| chord::min_to_edge(center, a, b, &a.robust_cross(b)) < limit)
        {
            return R::INTERSECTS;
        }
        if contains_point(vertices, center) {
            R::CONTAINS
        } else {
            R::DISJOINT
        }
    }
}

/// An edge with the normal of its plane.
struct Edge<'a> {
    a: &'a UnitVector3d,
    b: &'a UnitVector3d,
    normal: Vector3d,
}

impl Edge<'_> {
    fn side(&self, v: &UnitVector3d) -> i32 {
        side_of(v, self.a, self.b, &self.normal)
    }
}

fn edges_with_normals(vertices: &[UnitVector3d]) -> SmallVec<[Edge<'_>; 6]> {
    edges(vertices)
        .map(|(a, b)| Edge {
            a,
            b,
            normal: a.cross(b),
        })
        .collect()
}

/// Relates two polygons, exactly.
pub(crate) fn relate_vertices(p: &[UnitVector3d], q: &[UnitVector3d]) -> Relationship {
    use Relationship as R;
    let (p_edges, q_edges) = (edges_with_normals(p), edges_with_normals(q));
    let (p_all, p_any) = vertices_inside(p, &q_edges);
    let (q_all, q_any) = vertices_inside(q, &p_edges);
    if p_all || q_all {
        return (if p_all { R::WITHIN } else { R::INTERSECTS })
            | (if q_all { R::CONTAINS } else { R::INTERSECTS });
    }
    if p_any || q_any {
        return R::INTERSECTS;
    }
    // No vertex of either polygon is inside the other: they overlap only if edges cross.
    let crossing = p_edges
        .iter()
        .any(|e| q_edges.iter().any(|f| edges_cross(e, f)));
    if crossing { R::INTERSECTS } else { R::DISJOINT }
}

/// Whether all, and whether any, of some points are on the inner side of all edges.
fn vertices_inside(points: &[UnitVector3d], edges: &[Edge<'_>]) -> (bool, bool) {
    let (mut all, mut any) = (true, false);
    for v in points {
        let inside = edges.iter().all(|e| e.side(v) >= 0);
        all &= inside;
        any |= inside;
        if any && !all {
            // Nothing further can change either answer.
            break;
        }
    }
    (all, any)
}

/// Whether two great circle segments cross at a point interior to both: each separates the end
/// points of the other, in the same sense.
fn edges_cross(e: &Edge<'_>, f: &Edge<'_>) -> bool {
    let turn = f.side(e.a);
    turn != 0 && f.side(e.b) == -turn && e.side(f.a) == -turn && e.side(f.b) == turn
}

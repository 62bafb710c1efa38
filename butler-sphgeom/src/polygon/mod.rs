//! Convex spherical polygons.

mod bounds;
mod hull;
mod relate;

use smallvec::SmallVec;

use crate::box3d::Box3d;
use crate::circle::Circle;
use crate::error::GeometryError;
use crate::lonlat_box::Box;
use crate::relationship::Relationship;
use crate::vector::UnitVector3d;

pub(crate) use relate::{
    contains_point, edges, is_convex, relate_box, relate_circle, relate_vertices,
};

/// Polygon vertices; those of detectors, patches and pixels need no allocation.
type Vertices = SmallVec<[UnitVector3d; 4]>;

/// A closed convex polygon on the sphere, with great circle edges.
///
/// Vertices are in counter-clockwise order as seen from outside the sphere.
#[derive(Debug, Clone)]
pub struct ConvexPolygon {
    vertices: Vertices,
}

impl ConvexPolygon {
    /// The convex hull of points in any order. Vertices come out in the order in which
    /// `lsst.sphgeom` produces them.
    ///
    /// # Errors
    /// [`GeometryError::DegeneratePolygon`] if fewer than three points are distinct and not on one
    /// great circle; [`GeometryError::HullIsSphere`] if the hull has antipodal points.
    pub fn convex_hull(points: &[UnitVector3d]) -> Result<Self, GeometryError> {
        Ok(Self {
            vertices: hull::convex_hull(points)?.into(),
        })
    }

    /// Takes vertices on trust that they are convex and counter-clockwise.
    pub(crate) fn from_vertices_unchecked(
        vertices: impl IntoIterator<Item = UnitVector3d>,
    ) -> Self {
        Self {
            vertices: vertices.into_iter().collect(),
        }
    }

    /// The vertices.
    pub fn vertices(&self) -> &[UnitVector3d] {
        &self.vertices
    }

    /// The center of mass, or `None` if the vertices (read from bytes) are degenerate.
    pub fn centroid(&self) -> Option<UnitVector3d> {
        bounds::centroid(&self.vertices)
    }

    /// Whether a point is inside.
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        contains_point(&self.vertices, v)
    }

    /// How this polygon relates to a box; approximated by the bounding box of the polygon.
    pub fn relate_box(&self, b: &Box) -> Relationship {
        relate_box(&self.vertices, b)
    }

    /// How this polygon relates to a circle.
    pub fn relate_circle(&self, c: &Circle) -> Relationship {
        relate_circle(&self.vertices, c)
    }

    /// How this polygon relates to another one.
    pub fn relate(&self, p: &Self) -> Relationship {
        relate_vertices(&self.vertices, &p.vertices)
    }

    /// A circle around the centroid that contains this polygon; the whole sphere if the vertices
    /// (read from bytes) have no centroid.
    pub fn bounding_circle(&self) -> Circle {
        bounds::bounding_circle(&self.vertices)
    }

    /// A longitude/latitude box that contains this polygon.
    pub fn bounding_box(&self) -> Box {
        bounds::bounding_box(&self.vertices)
    }

    /// A Cartesian box that contains this polygon.
    pub fn bounding_box3d(&self) -> Box3d {
        bounds::bounding_box3d(&self.vertices)
    }
}

impl PartialEq for ConvexPolygon {
    /// The same cycle of vertices, wherever it starts.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.vertices, &other.vertices);
        a.len() == b.len()
            && b.iter().position(|v| *v == a[0]).is_some_and(|start| {
                let (tail, head) = b.split_at(start);
                a.iter().eq(head.iter().chain(tail))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lonlat::LonLat;

    fn polygon(points: &[(f64, f64)]) -> ConvexPolygon {
        let points: Vec<_> = points
            .iter()
            .map(|&(lon, lat)| {
                UnitVector3d::from_lonlat(&LonLat::from_degrees(lon, lat).expect("valid latitude"))
            })
            .collect();
        ConvexPolygon::convex_hull(&points).expect("valid polygon")
    }

    fn square(lon: f64, lat: f64, half: f64) -> ConvexPolygon {
        polygon(&[
            (lon - half, lat - half),
            (lon + half, lat - half),
            (lon + half, lat + half),
            (lon - half, lat + half),
        ])
    }

    #[test]
    fn equality_ignores_where_the_cycle_starts() {
        let p = square(0.0, 0.0, 1.0);
        let mut turned = p.vertices.clone();
        turned.rotate_left(1);
        assert_eq!(p, ConvexPolygon::from_vertices_unchecked(turned));
        assert_ne!(p, square(0.0, 0.0, 2.0));
    }

    #[test]
    fn polygons_relate_to_polygons() {
        let p = square(10.0, 10.0, 2.0);
        assert_eq!(p.relate(&p), Relationship::CONTAINS | Relationship::WITHIN);
        assert_eq!(p.relate(&square(10.0, 10.0, 1.0)), Relationship::CONTAINS);
        assert_eq!(p.relate(&square(10.0, 10.0, 5.0)), Relationship::WITHIN);
        assert_eq!(p.relate(&square(13.0, 10.0, 2.0)), Relationship::INTERSECTS);
        assert_eq!(p.relate(&square(20.0, 10.0, 2.0)), Relationship::DISJOINT);
        // A cross: no vertex of either is inside the other.
        let wide = polygon(&[(0.0, 9.0), (20.0, 9.0), (20.0, 11.0), (0.0, 11.0)]);
        assert_eq!(p.relate(&wide), Relationship::INTERSECTS);
    }

    #[test]
    fn bounds_contain_the_polygon() {
        for p in [
            square(0.0, 0.0, 3.0),
            square(359.0, -70.0, 10.0),
            polygon(&[(0.0, 80.0), (90.0, 80.0), (180.0, 80.0), (270.0, 80.0)]),
        ] {
            assert!(p.relate_circle(&p.bounding_circle()).is_within());
            assert!(p.relate_box(&p.bounding_box()).is_within());
            assert!(p.vertices().iter().all(|v| p.bounding_box3d().contains(v)));
            assert!(p.contains(&p.centroid().expect("not degenerate")));
        }
    }

    #[test]
    fn polygon_around_a_pole_spans_all_longitudes() {
        let p = polygon(&[(0.0, 80.0), (120.0, 80.0), (240.0, 80.0)]);
        assert!(p.bounding_box().lon().is_full());
        assert_eq!(p.bounding_box3d().z().b(), 1.0);
    }
}

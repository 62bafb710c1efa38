//! Searching the mesh for the triangles that meet, or lie inside, a region.

use super::{HtmPixelization, Trixel, child, midpoints, root_trixel};
use crate::circle::Circle;
use crate::lonlat_box::Box;
use crate::pixelization::Pixelization;
use crate::polygon::{is_convex, relate_box, relate_circle, relate_vertices};
use crate::range_set::RangeSet;
use crate::region::Region;
use crate::relationship::Relationship;
use crate::vector::{UnitVector3d, Vector3d};

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Triangles that may meet the region.
    Envelope,
    /// Triangles within the region.
    Interior,
}

/// Searches the mesh. For compound regions the limit on the number of ranges holds per operand.
pub(super) fn search(
    htm: &HtmPixelization,
    region: &Region,
    max_ranges: usize,
    goal: Goal,
) -> RangeSet {
    let level = i32::from(htm.level);
    match region {
        Region::Circle(c) => Search::run(c, level, max_ranges, goal),
        Region::Ellipse(e) => Search::run(&e.bounding_circle(), level, max_ranges, goal),
        Region::Box(b) => Search::run(b, level, max_ranges, goal),
        Region::ConvexPolygon(p) => {
            Search::run(&PolygonTarget::new(p.vertices()), level, max_ranges, goal)
        }
        Region::Union(u) => u
            .operands()
            .iter()
            .map(|r| search(htm, r, max_ranges, goal))
            .fold(RangeSet::new(), |all, s| all.union(&s)),
        Region::Intersection(i) => i
            .operands()
            .iter()
            .map(|r| search(htm, r, max_ranges, goal))
            .fold(htm.universe(), |all, s| all.intersection(&s)),
    }
}

/// What triangles are related to: as little as can be tested fast.
trait Target {
    /// How a triangle relates to the target.
    fn relate(&self, trixel: &Trixel) -> Relationship;
}

impl Target for Circle {
    fn relate(&self, trixel: &Trixel) -> Relationship {
        relate_circle(trixel, self)
    }
}

impl Target for Box {
    fn relate(&self, trixel: &Trixel) -> Relationship {
        relate_box(trixel, self)
    }
}

/// A polygon with edge normals computed once, to reject most triangles with a few products.
struct PolygonTarget<'a> {
    vertices: &'a [UnitVector3d],
    /// Normals of the edges, if the polygon is known to be convex; else empty.
    normals: smallvec::SmallVec<[Vector3d; 4]>,
}

impl<'a> PolygonTarget<'a> {
    fn new(vertices: &'a [UnitVector3d]) -> Self {
        // The check is quadratic; polygons with many vertices do without the shortcut.
        let normals = if vertices.len() <= 16 && is_convex(vertices) {
            crate::polygon::edges(vertices)
                .map(|(a, b)| a.cross(b))
                .collect()
        } else {
            smallvec::SmallVec::new()
        };
        Self { vertices, normals }
    }
}

/// Whether all points are on the outer side of a plane, by more than rounding errors.
fn all_outside(points: &[UnitVector3d], normal: &Vector3d) -> bool {
    points.iter().all(|v| v.dot(normal) < -2.0e-15)
}

impl Target for PolygonTarget<'_> {
    fn relate(&self, trixel: &Trixel) -> Relationship {
        // Convex polygons are disjoint if the plane of an edge separates them.
        if !self.normals.is_empty() {
            let separated = (0..3)
                .any(|i| all_outside(self.vertices, &trixel[i].cross(&trixel[(i + 1) % 3])))
                || self.normals.iter().any(|n| all_outside(trixel, n));
            if separated {
                return Relationship::DISJOINT;
            }
        }
        relate_vertices(trixel, self.vertices)
    }
}

/// A depth-first descent from the root triangles.
struct Search<'a, T> {
    target: &'a T,
    goal: Goal,
    max_ranges: usize,
    /// The level to which indexes in `found` belong.
    level: i32,
    /// The level to which the descent goes; less than `level` once the ranges have become too many.
    depth: i32,
    found: RangeSet,
}

impl<'a, T: Target> Search<'a, T> {
    fn run(target: &'a T, level: i32, max_ranges: usize, goal: Goal) -> RangeSet {
        let max_ranges = if max_ranges == 0 {
            usize::MAX
        } else {
            max_ranges
        };
        let mut search = Self {
            target,
            goal,
            max_ranges,
            level,
            depth: level,
            found: RangeSet::new(),
        };
        for root in 0..8 {
            search.visit(&root_trixel(root), 8 + root as u64, 0);
        }
        search.found
    }

    fn visit(&mut self, trixel: &Trixel, index: u64, level: i32) {
        if level > self.depth {
            return;
        }
        let r = self.target.relate(trixel);
        if r.is_disjoint() {
            return;
        }
        if r.is_within() {
            self.add(index, level);
        } else if level == self.depth {
            if self.goal == Goal::Envelope {
                self.add(index, level);
            }
        } else {
            let mid = midpoints(trixel);
            for which in 0..4 {
                self.visit(&child(trixel, &mid, which), 4 * index + which, level + 1);
            }
        }
    }

    /// Adds the descendants of a triangle. If that makes too many ranges, searches less deeply from
    /// here on, and rounds what was found to a coarser level: outwards for an envelope, inwards for
    /// an interior.
    fn add(&mut self, index: u64, level: i32) {
        let mut shift = 2 * (self.level - level).unsigned_abs();
        self.found
            .insert_range(index << shift, (index + 1) << shift);
        while self.found.len() > self.max_ranges {
            self.depth -= 1;
            shift += 2;
            if self.goal == Goal::Interior {
                let mut outside = self.found.complement();
                outside.simplify(shift);
                self.found = outside.complement();
            } else {
                self.found.simplify(shift);
            }
        }
    }
}

//! Unions and intersections of regions.

use crate::box3d::Box3d;
use crate::circle::Circle;
use crate::lonlat_box::Box;
use crate::region::Region;
use crate::relationship::TriState;
use crate::vector::UnitVector3d;

/// The union of regions. Without operands it is empty. Unions among the operands are dissolved
/// into their own operands.
#[derive(Debug, Clone, PartialEq)]
pub struct UnionRegion {
    operands: Vec<Region>,
}

/// The intersection of regions. Without operands it is the whole sphere. Intersections among the
/// operands are dissolved into their own operands.
#[derive(Debug, Clone, PartialEq)]
pub struct IntersectionRegion {
    operands: Vec<Region>,
}

impl UnionRegion {
    /// Makes the union of regions.
    pub fn new(operands: impl IntoIterator<Item = Region>) -> Self {
        let mut flat = Vec::new();
        for operand in operands {
            match operand {
                // Operands of a union are flat already.
                Region::Union(u) => flat.extend(u.operands),
                other => flat.push(other),
            }
        }
        Self { operands: flat }
    }

    /// The regions united.
    pub fn operands(&self) -> &[Region] {
        &self.operands
    }

    /// Whether every operand is empty.
    pub fn is_empty(&self) -> bool {
        self.operands.iter().all(Region::is_empty)
    }

    /// Whether a point is inside an operand.
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        self.operands.iter().any(|r| r.contains_point(v))
    }

    /// A longitude/latitude box that contains all operands.
    pub fn bounding_box(&self) -> Box {
        let bounds = self.operands.iter().map(Region::bounding_box);
        bounds
            .reduce(|a, b| a.expanded_to(&b))
            .unwrap_or(Box::EMPTY)
    }

    /// A Cartesian box that contains all operands.
    pub fn bounding_box3d(&self) -> Box3d {
        let bounds = self.operands.iter().map(Region::bounding_box3d);
        bounds
            .reduce(|a, b| a.expanded_to(&b))
            .unwrap_or(Box3d::EMPTY)
    }

    /// A circle that contains all operands.
    pub fn bounding_circle(&self) -> Circle {
        let bounds = self.operands.iter().map(Region::bounding_circle);
        bounds
            .reduce(|a, b| a.expanded_to(&b))
            .unwrap_or(Circle::EMPTY)
    }
}

impl IntersectionRegion {
    /// Makes the intersection of regions.
    pub fn new(operands: impl IntoIterator<Item = Region>) -> Self {
        let mut flat = Vec::new();
        for operand in operands {
            match operand {
                // Operands of an intersection are flat already.
                Region::Intersection(i) => flat.extend(i.operands),
                other => flat.push(other),
            }
        }
        Self { operands: flat }
    }

    /// The regions intersected.
    pub fn operands(&self) -> &[Region] {
        &self.operands
    }

    /// Whether the intersection is known to be empty: all operands are, or two are disjoint.
    pub fn is_empty(&self) -> bool {
        (!self.operands.is_empty() && self.operands.iter().all(Region::is_empty))
            || self.operands.iter().enumerate().any(|(i, r)| {
                self.operands[i + 1..]
                    .iter()
                    .any(|s| r.overlaps(s) == TriState::False)
            })
    }

    /// Whether a point is inside every operand.
    pub fn contains(&self, v: &UnitVector3d) -> bool {
        self.operands.iter().all(|r| r.contains_point(v))
    }

    /// A longitude/latitude box that contains the intersection.
    pub fn bounding_box(&self) -> Box {
        let bounds = self.operands.iter().map(Region::bounding_box);
        bounds
            .reduce(|a, b| a.clipped_to(&b))
            .unwrap_or_else(Box::full)
    }

    /// A Cartesian box that contains the intersection.
    pub fn bounding_box3d(&self) -> Box3d {
        let bounds = self.operands.iter().map(Region::bounding_box3d);
        bounds
            .reduce(|a, b| a.clipped_to(&b))
            .unwrap_or(Box3d::AROUND_UNIT_SPHERE)
    }

    /// A circle that contains the intersection.
    pub fn bounding_circle(&self) -> Circle {
        let bounds = self.operands.iter().map(Region::bounding_circle);
        bounds
            .reduce(|a, b| a.clipped_to(&b))
            .unwrap_or(Circle::FULL)
    }
}

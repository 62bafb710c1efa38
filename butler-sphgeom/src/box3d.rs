//! Axis-aligned boxes in ℝ³, used as Cartesian bounds of regions.

use crate::interval::Interval1d;
use crate::relationship::Relationship;
use crate::vector::Vector3d;

/// A closed axis-aligned box in ℝ³. If one extent is empty, all are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Box3d {
    x: Interval1d,
    y: Interval1d,
    z: Interval1d,
}

impl Box3d {
    /// The empty box.
    pub const EMPTY: Self = Self {
        x: Interval1d::EMPTY,
        y: Interval1d::EMPTY,
        z: Interval1d::EMPTY,
    };

    /// The box around the unit sphere.
    pub const AROUND_UNIT_SPHERE: Self = {
        const SIDE: Interval1d = Interval1d::new(-1.0, 1.0);
        Self {
            x: SIDE,
            y: SIDE,
            z: SIDE,
        }
    };

    /// Makes a box from its extents.
    pub fn new(x: Interval1d, y: Interval1d, z: Interval1d) -> Self {
        if x.is_empty() || y.is_empty() || z.is_empty() {
            Self::EMPTY
        } else {
            Self { x, y, z }
        }
    }

    /// Extent along the first axis.
    pub const fn x(&self) -> &Interval1d {
        &self.x
    }

    /// Extent along the second axis.
    pub const fn y(&self) -> &Interval1d {
        &self.y
    }

    /// Extent along the third axis.
    pub const fn z(&self) -> &Interval1d {
        &self.z
    }

    /// Whether no point is in this box.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Whether a point is inside.
    pub fn contains(&self, v: &Vector3d) -> bool {
        self.x.contains(v.x) && self.y.contains(v.y) && self.z.contains(v.z)
    }

    /// Whether another box has a point in common with this one.
    pub fn intersects(&self, b: &Self) -> bool {
        self.x.intersects(&b.x) && self.y.intersects(&b.y) && self.z.intersects(&b.z)
    }

    /// How this box relates to another one (exactly).
    pub fn relate(&self, b: &Self) -> Relationship {
        Relationship::of_product(&[
            self.x.relate(&b.x),
            self.y.relate(&b.y),
            self.z.relate(&b.z),
        ])
    }

    /// The smallest box that contains this one and another.
    #[must_use]
    pub fn expanded_to(&self, b: &Self) -> Self {
        Self {
            x: self.x.expanded_to(&b.x),
            y: self.y.expanded_to(&b.y),
            z: self.z.expanded_to(&b.z),
        }
    }

    /// The part inside another box.
    #[must_use]
    pub fn clipped_to(&self, b: &Self) -> Self {
        Self::new(
            self.x.clipped_to(&b.x),
            self.y.clipped_to(&b.y),
            self.z.clipped_to(&b.z),
        )
    }
}

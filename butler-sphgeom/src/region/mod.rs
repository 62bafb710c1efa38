//! Regions of any kind, and the operations that take any pair of them.

mod codec;
mod compound;
mod pos;
mod relate;

use crate::angle::Angle;
use crate::box3d::Box3d;
use crate::circle::Circle;
use crate::ellipse::Ellipse;
use crate::lonlat::LonLat;
use crate::lonlat_box::Box;
use crate::polygon::ConvexPolygon;
use crate::vector::UnitVector3d;

pub use compound::{IntersectionRegion, UnionRegion};

/// A closed region of the sphere, of any kind that `lsst.sphgeom` has.
#[derive(Debug, Clone, PartialEq)]
pub enum Region {
    /// A rectangle in longitude and latitude.
    Box(Box),
    /// A circle.
    Circle(Circle),
    /// A convex polygon.
    ConvexPolygon(ConvexPolygon),
    /// An ellipse.
    Ellipse(Ellipse),
    /// A union of regions.
    Union(UnionRegion),
    /// An intersection of regions.
    Intersection(IntersectionRegion),
}

impl Region {
    /// The name of the kind of region, as the Python class is called.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Box(_) => "Box",
            Self::Circle(_) => "Circle",
            Self::ConvexPolygon(_) => "ConvexPolygon",
            Self::Ellipse(_) => "Ellipse",
            Self::Union(_) => "UnionRegion",
            Self::Intersection(_) => "IntersectionRegion",
        }
    }

    /// Whether the region certainly has no point. Intersections may be empty without it being
    /// known. A polygon is never empty.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Box(b) => b.is_empty(),
            Self::Circle(c) => c.is_empty(),
            Self::ConvexPolygon(_) => false,
            Self::Ellipse(e) => e.is_empty(),
            Self::Union(u) => u.is_empty(),
            Self::Intersection(i) => i.is_empty(),
        }
    }

    /// Whether a point is inside.
    pub fn contains_point(&self, v: &UnitVector3d) -> bool {
        match self {
            Self::Box(b) => b.contains(v),
            Self::Circle(c) => c.contains(v),
            Self::ConvexPolygon(p) => p.contains(v),
            Self::Ellipse(e) => e.contains(v),
            Self::Union(u) => u.contains(v),
            Self::Intersection(i) => i.contains(v),
        }
    }

    /// Whether a point in spherical coordinates is inside, tested through its unit vector.
    pub fn contains_lonlat(&self, p: &LonLat) -> bool {
        self.contains_point(&UnitVector3d::from_lonlat(p))
    }

    /// A longitude/latitude box that contains this region.
    pub fn bounding_box(&self) -> Box {
        match self {
            Self::Box(b) => *b,
            Self::Circle(c) => c.bounding_box(),
            Self::ConvexPolygon(p) => p.bounding_box(),
            Self::Ellipse(e) => e.bounding_box(),
            Self::Union(u) => u.bounding_box(),
            Self::Intersection(i) => i.bounding_box(),
        }
    }

    /// A Cartesian box that contains this region.
    pub fn bounding_box3d(&self) -> Box3d {
        match self {
            Self::Box(b) => b.bounding_box3d(),
            Self::Circle(c) => c.bounding_box3d(),
            Self::ConvexPolygon(p) => p.bounding_box3d(),
            Self::Ellipse(e) => e.bounding_box3d(),
            Self::Union(u) => u.bounding_box3d(),
            Self::Intersection(i) => i.bounding_box3d(),
        }
    }

    /// A circle that contains this region.
    pub fn bounding_circle(&self) -> Circle {
        match self {
            Self::Box(b) => b.bounding_circle(),
            Self::Circle(c) => *c,
            Self::ConvexPolygon(p) => p.bounding_circle(),
            Self::Ellipse(e) => e.bounding_circle(),
            Self::Union(u) => u.bounding_circle(),
            Self::Intersection(i) => i.bounding_circle(),
        }
    }

    /// The operands of a compound region, or the region itself.
    pub fn parts(&self) -> &[Region] {
        match self {
            Self::Union(u) => u.operands(),
            Self::Intersection(i) => i.operands(),
            simple => std::slice::from_ref(simple),
        }
    }

    /// A circular region around a point in degrees.
    ///
    /// # Errors
    /// [`crate::GeometryError::InvalidLatitude`] if the latitude lies beyond a pole.
    pub fn circle_degrees(lon: f64, lat: f64, radius: f64) -> Result<Self, crate::GeometryError> {
        let center = UnitVector3d::from_lonlat(&LonLat::from_degrees(lon, lat)?);
        Ok(Circle::new(center, Angle::from_degrees(radius)).into())
    }
}

macro_rules! into_region {
    ($($kind:ident($type:ty)),+ $(,)?) => {$(
        impl From<$type> for Region {
            fn from(region: $type) -> Self {
                Self::$kind(region)
            }
        }
    )+};
}

into_region!(
    Box(Box),
    Circle(Circle),
    ConvexPolygon(ConvexPolygon),
    Ellipse(Ellipse),
    Union(UnionRegion),
    Intersection(IntersectionRegion),
);

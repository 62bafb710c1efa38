//! Relations between regions of any two kinds.
//!
//! Everything here is conservative: facts are stated only if they certainly hold, so "disjoint"
//! is never stated of regions that touch, while "not disjoint" may be wrong. Ellipses take part
//! through their bounding circles, polygons meet boxes through their bounding boxes.

use crate::region::Region;
use crate::relationship::{Relationship, TriState};

use super::{IntersectionRegion, UnionRegion};

impl Region {
    /// How this region relates to another one: the facts that certainly hold.
    pub fn relate(&self, other: &Region) -> Relationship {
        use Region as K;
        use Relationship as R;
        match (self, other) {
            (K::Union(u), _) => u.relate(other),
            (K::Intersection(i), _) => i.relate(other),
            (_, K::Union(u)) => u.relate(self).inverted(),
            (_, K::Intersection(i)) => i.relate(self).inverted(),

            (K::Box(a), K::Box(b)) => b.relate(a).inverted(),
            (K::Box(b), K::Circle(c)) => b.relate_circle(c),
            (K::Circle(a), K::Circle(b)) => a.relate(b),
            (K::ConvexPolygon(p), K::Box(b)) => p.relate_box(b),
            (K::ConvexPolygon(p), K::Circle(c)) => p.relate_circle(c),
            (K::ConvexPolygon(a), K::ConvexPolygon(b)) => b.relate(a).inverted(),

            (K::Ellipse(e), K::Box(b)) => {
                b.relate_circle(&e.bounding_circle()).inverted() & (R::DISJOINT | R::WITHIN)
            }
            (K::Ellipse(e), K::Circle(c)) => {
                e.bounding_circle().relate(c) & (R::DISJOINT | R::WITHIN)
            }
            (K::Ellipse(e), K::ConvexPolygon(p)) => {
                p.relate_circle(&e.bounding_circle()).inverted() & (R::DISJOINT | R::WITHIN)
            }
            (K::Ellipse(a), K::Ellipse(b)) => a.relate(b),

            (K::Box(_), K::ConvexPolygon(_) | K::Ellipse(_))
            | (K::Circle(_), K::Box(_) | K::ConvexPolygon(_) | K::Ellipse(_))
            | (K::ConvexPolygon(_), K::Ellipse(_)) => other.relate(self).inverted(),
        }
    }

    /// Whether this region has a point in common with another one, if that can be told.
    ///
    /// To filter without losing anything, keep what [`TriState::possible`] holds for.
    pub fn overlaps(&self, other: &Region) -> TriState {
        use Region as K;
        match (self, other) {
            (K::Union(u), _) => u.overlaps(other),
            (K::Intersection(i), _) => i.overlaps(other),
            (_, K::Union(u)) => u.overlaps(self),
            (_, K::Intersection(i)) => i.overlaps(self),

            // Exact relations: what is not disjoint overlaps.
            (K::Box(a), K::Box(b)) => b.intersects(a).into(),
            (K::Box(b), K::Circle(c)) | (K::Circle(c), K::Box(b)) => {
                (!b.relate_circle(c).is_disjoint()).into()
            }
            (K::Circle(a), K::Circle(b)) => (!a.is_disjoint_from(b)).into(),
            (K::ConvexPolygon(p), K::Circle(c)) | (K::Circle(c), K::ConvexPolygon(p)) => {
                (!p.relate_circle(c).is_disjoint()).into()
            }
            (K::ConvexPolygon(a), K::ConvexPolygon(b)) => (!b.relate(a).is_disjoint()).into(),

            // Approximations of one of the regions.
            (K::Ellipse(_), _)
            | (_, K::Ellipse(_))
            | (K::Box(_), K::ConvexPolygon(_))
            | (K::ConvexPolygon(_), K::Box(_)) => self.relate(other).overlap(),
        }
    }

    /// Whether this region certainly contains another one.
    pub fn contains(&self, other: &Region) -> bool {
        self.relate(other).is_contains()
    }

    /// Whether this region is certainly within another one.
    pub fn is_within(&self, other: &Region) -> bool {
        self.relate(other).is_within()
    }

    /// Whether this region certainly has no point in common with another one.
    pub fn is_disjoint(&self, other: &Region) -> bool {
        self.relate(other).is_disjoint()
    }

    /// Whether this region may have a point in common with another one.
    pub fn intersects(&self, other: &Region) -> bool {
        !self.is_disjoint(other)
    }
}

impl UnionRegion {
    /// How this union relates to a region.
    pub fn relate(&self, other: &Region) -> Relationship {
        use Relationship as R;
        if self.operands().is_empty() {
            return R::DISJOINT;
        }
        // Disjoint (or within) if all operands are, containing if one is.
        let mut result = R::DISJOINT | R::WITHIN;
        for operand in self.operands() {
            let r = operand.relate(other);
            result = (result & (r | R::CONTAINS)) | (r & R::CONTAINS);
            if result == R::CONTAINS {
                break;
            }
        }
        result
    }

    /// Whether this union has a point in common with a region, if that can be told.
    pub fn overlaps(&self, other: &Region) -> TriState {
        let mut result = TriState::False;
        for operand in self.operands() {
            result = result.or(operand.overlaps(other));
            if result == TriState::True {
                break;
            }
        }
        result
    }
}

impl IntersectionRegion {
    /// How this intersection relates to a region.
    pub fn relate(&self, other: &Region) -> Relationship {
        use Relationship as R;
        // Containing if all operands are, disjoint (or within) if one is.
        let mut result = R::CONTAINS;
        for operand in self.operands() {
            let r = operand.relate(other);
            if !r.is_contains() {
                result = result.without(R::CONTAINS);
            }
            result = result | (r & (R::DISJOINT | R::WITHIN));
            if result == R::DISJOINT | R::WITHIN {
                break;
            }
        }
        result
    }

    /// Whether this intersection has a point in common with a region, if that can be told: only
    /// disjointness from an operand can prove anything.
    pub fn overlaps(&self, other: &Region) -> TriState {
        if self.operands().is_empty() {
            // The whole sphere.
            return (!other.is_empty()).into();
        }
        if self
            .operands()
            .iter()
            .any(|r| r.overlaps(other) == TriState::False)
        {
            TriState::False
        } else {
            TriState::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Box, Circle};

    fn circle(lon: f64, lat: f64, radius: f64) -> Region {
        Region::circle_degrees(lon, lat, radius).expect("valid circle")
    }

    #[test]
    fn union_is_disjoint_only_if_all_operands_are() {
        let u = Region::from(UnionRegion::new([
            circle(0.0, 0.0, 1.0),
            circle(90.0, 0.0, 1.0),
        ]));
        assert!(u.is_disjoint(&circle(45.0, 0.0, 1.0)));
        assert!(u.intersects(&circle(89.0, 0.0, 1.0)));
        assert!(u.contains(&circle(90.0, 0.0, 0.5)));
        assert!(circle(45.0, 0.0, 60.0).contains(&u));
        assert_eq!(u.overlaps(&circle(91.0, 0.0, 1.0)), TriState::True);
        assert_eq!(u.overlaps(&circle(45.0, 0.0, 1.0)), TriState::False);
    }

    #[test]
    fn intersection_is_disjoint_if_one_operand_is() {
        let i = Region::from(IntersectionRegion::new([
            circle(0.0, 0.0, 5.0),
            circle(8.0, 0.0, 5.0),
        ]));
        assert!(i.is_disjoint(&circle(-6.0, 0.0, 2.0)));
        assert!(i.contains(&circle(4.0, 0.0, 0.5)));
        assert_eq!(i.overlaps(&circle(4.0, 0.0, 0.5)), TriState::Unknown);
        assert!(!i.is_empty());
        assert!(
            Region::from(IntersectionRegion::new([
                circle(0.0, 0.0, 1.0),
                circle(8.0, 0.0, 1.0)
            ]))
            .is_empty()
        );
    }

    #[test]
    fn compounds_without_operands_are_nothing_and_everything() {
        let nothing = Region::from(UnionRegion::new([]));
        let everything = Region::from(IntersectionRegion::new([]));
        let c = circle(1.0, 2.0, 3.0);
        assert!(nothing.is_empty() && nothing.is_disjoint(&c));
        assert_eq!(nothing.overlaps(&c), TriState::False);
        assert_eq!(everything.overlaps(&c), TriState::True);
        assert_eq!(everything.overlaps(&nothing), TriState::False);
        assert_eq!(everything.bounding_box(), Box::full());
        assert_eq!(nothing.bounding_circle(), Circle::EMPTY);
    }

    #[test]
    fn relations_invert_when_regions_are_exchanged() {
        let regions = [
            circle(10.0, 10.0, 5.0),
            Region::from(Box::from_degrees(5.0, 5.0, 15.0, 15.0).expect("valid box")),
            Region::from_ivoa_pos("POLYGON 9 9 11 9 11 11 9 11").expect("valid polygon"),
            Region::from(UnionRegion::new([circle(10.0, 10.0, 0.5)])),
        ];
        for a in &regions {
            for b in &regions {
                assert_eq!(
                    a.relate(b),
                    b.relate(a).inverted(),
                    "{} {}",
                    a.kind(),
                    b.kind()
                );
            }
        }
    }
}

//! The HEALPix pixelization (Górski et al. 2005), NESTED numbering.
//!
//! Cell arithmetic (projected centers, neighbours) comes from `cdshealpix`. Which pixels belong to
//! the envelope and the interior of a region is decided as the Python package decides it, including
//! its generosity; see [`HealpixPixelization`].

mod cell;
mod search;
mod shape;

use cdshealpix::nested;

use crate::error::PixelizationError;
use crate::lonlat::LonLat;
use crate::pixelization::Pixelization;
use crate::polygon::ConvexPolygon;
use crate::range_set::RangeSet;
use crate::region::Region;
use crate::vector::UnitVector3d;
use search::Found;

/// The HEALPix pixelization at one level (order), with 12 · 4^level pixels.
///
/// * The envelope is found at 16 times the resolution, where every pixel that overlaps the region
///   is taken (and perhaps a few more), then all neighbours of these; so it reaches beyond the
///   region by up to an eighth of a pixel.
/// * The interior is made of the pixels with all four corners inside the region. For a region that
///   is not convex, or has features smaller than a pixel, that does not mean that all of the pixel
///   is inside.
/// * A pixel region is the convex hull of 16 points on the boundary of the pixel, whose edges are
///   not quite great circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HealpixPixelization {
    level: u8,
}

const SYSTEM: &str = "HEALPix";

/// How many levels finer than the pixels envelopes are searched.
const ENVELOPE_REFINEMENT: u8 = 4;

impl HealpixPixelization {
    /// The finest level.
    pub const MAX_LEVEL: u8 = 17;

    /// Makes the pixelization of a level.
    ///
    /// # Errors
    /// [`PixelizationError::Level`] if the level exceeds [`Self::MAX_LEVEL`].
    pub fn new(level: u32) -> Result<Self, PixelizationError> {
        match u8::try_from(level) {
            Ok(level) if level <= Self::MAX_LEVEL => Ok(Self { level }),
            _ => Err(PixelizationError::Level {
                system: SYSTEM,
                level,
                max: Self::MAX_LEVEL,
            }),
        }
    }

    /// The number of pixels along the side of a base pixel, 2^level.
    pub const fn nside(&self) -> u64 {
        1 << self.level
    }

    fn check(&self, index: u64) -> Result<(), PixelizationError> {
        if index < 12 << (2 * self.level) {
            Ok(())
        } else {
            Err(PixelizationError::Index {
                system: SYSTEM,
                index,
            })
        }
    }

    /// Applies a search for simple regions to any region.
    fn search_parts(
        &self,
        region: &Region,
        simple: &impl Fn(&Self, &Region) -> RangeSet,
    ) -> RangeSet {
        let parts = region
            .parts()
            .iter()
            .map(|part| self.search_parts(part, simple));
        match region {
            Region::Union(_) => parts.fold(RangeSet::new(), |all, part| all.union(&part)),
            Region::Intersection(_) => {
                parts.fold(self.universe(), |all, part| all.intersection(&part))
            }
            _ => simple(self, region),
        }
    }

    /// The envelope of a region that is not compound.
    fn simple_envelope(&self, region: &Region) -> RangeSet {
        let mut ranges = Vec::new();
        search::search(region, self.level + ENVELOPE_REFINEMENT, &mut |found| {
            self.add_with_neighbours(&found, &mut ranges);
        });
        ranges.sort_unstable();
        ranges.into_iter().collect()
    }

    /// Adds the pixels that overlap or touch a cell of any order.
    fn add_with_neighbours(&self, found: &Found, ranges: &mut Vec<(u64, u64)>) {
        let mut around = Vec::with_capacity(9);
        if found.order >= self.level {
            nested::get(found.order).append_bulk_neighbours(found.cell, &mut around);
            around.push(found.cell);
            for cell in &mut around {
                *cell >>= 2 * (found.order - self.level);
            }
        } else {
            let delta = self.level - found.order;
            let pixels = found.descendants(self.level);
            for rim in cell::rim(delta) {
                nested::get(self.level).append_bulk_neighbours(pixels.start + rim, &mut around);
            }
            ranges.push((pixels.start, pixels.end));
        }
        around.sort_unstable();
        around.dedup();
        ranges.extend(around.into_iter().map(|pixel| (pixel, pixel + 1)));
    }

    /// The interior of a region that is not compound.
    fn simple_interior(&self, region: &Region) -> RangeSet {
        let mut ranges = Vec::new();
        search::search(region, self.level, &mut |found| {
            let pixels = found.descendants(self.level);
            if found.certain && found.order < self.level {
                // A box may contain the surroundings of a pole, yet not the longitude that is
                // given to the pole: pixels with a corner there, which come first or last among
                // the descendants, are never certain.
                let (first, last) = (pixels.start, pixels.end - 1);
                ranges.push((first + 1, last));
                for pixel in [first, last] {
                    if self.has_all_corners(pixel, region) {
                        ranges.push((pixel, pixel + 1));
                    }
                }
            } else {
                ranges.extend(
                    pixels
                        .filter(|&pixel| self.has_all_corners(pixel, region))
                        .map(|pixel| (pixel, pixel + 1)),
                );
            }
        });
        ranges.into_iter().collect()
    }

    /// Whether all corners of a pixel are inside a region.
    fn has_all_corners(&self, pixel: u64, region: &Region) -> bool {
        cell::boundary(self.level, pixel, 1).all(|corner| {
            LonLat::from_radians(corner.lon(), corner.lat())
                .is_ok_and(|p| region.contains_lonlat(&p))
        })
    }
}

impl Pixelization for HealpixPixelization {
    fn level(&self) -> u8 {
        self.level
    }

    fn universe(&self) -> RangeSet {
        RangeSet::from_range(0, 12 << (2 * self.level))
    }

    fn index(&self, v: &UnitVector3d) -> u64 {
        cell::index(self.level, v)
    }

    fn pixel(&self, index: u64) -> Result<Region, PixelizationError> {
        self.check(index)?;
        let points: Vec<_> = cell::boundary(self.level, index, 4)
            .map(|p| p.vector())
            .collect();
        // Points on the boundary of a pixel span at least its diamond of corners.
        ConvexPolygon::convex_hull(&points)
            .map(Region::from)
            .map_err(|_| PixelizationError::Index {
                system: SYSTEM,
                index,
            })
    }

    fn to_string(&self, index: u64) -> Result<String, PixelizationError> {
        self.check(index)?;
        Ok(index.to_string())
    }

    fn envelope(&self, region: &Region, max_ranges: usize) -> RangeSet {
        let mut pixels = self.search_parts(region, &Self::simple_envelope);
        for shift in (2..).step_by(2) {
            if max_ranges == 0 || pixels.len() <= max_ranges {
                break;
            }
            pixels.simplify(shift);
        }
        pixels.intersection(&self.universe())
    }

    fn interior(&self, region: &Region, max_ranges: usize) -> RangeSet {
        let mut pixels = self.search_parts(region, &Self::simple_interior);
        for shift in (2..).step_by(2) {
            if max_ranges == 0 || pixels.len() <= max_ranges {
                break;
            }
            let mut outside = pixels.complement();
            outside.simplify(shift);
            pixels = outside.complement();
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healpix(level: u32) -> HealpixPixelization {
        HealpixPixelization::new(level).expect("valid level")
    }

    fn points() -> impl Iterator<Item = UnitVector3d> {
        (0..72).flat_map(|i| {
            (-18..=18).map(move |j| {
                let p = LonLat::from_degrees(f64::from(i) * 5.0 + 0.1, f64::from(j) * 5.0);
                UnitVector3d::from_lonlat(&p.expect("valid latitude"))
            })
        })
    }

    #[test]
    fn index_agrees_with_cdshealpix() {
        for level in [0_u8, 1, 5, 17] {
            for v in points() {
                let p = LonLat::from_vector(&v);
                let expected = nested::hash(level, p.lon().radians(), p.lat().radians());
                assert_eq!(
                    healpix(level.into()).index(&v),
                    expected,
                    "level {level}, {p:?}"
                );
            }
        }
    }

    #[test]
    fn pixels_have_their_centers_inside() {
        for level in [0, 1, 3, 17] {
            let healpix = healpix(level);
            for v in points() {
                let index = healpix.index(&v);
                let pixel = healpix.pixel(index).expect("valid index");
                let center = pixel.bounding_circle();
                assert_eq!(healpix.index(center.center()), index);
                assert!(pixel.contains_point(center.center()));
            }
        }
    }

    #[test]
    fn invalid_levels_and_indexes_are_refused() {
        assert!(HealpixPixelization::new(18).is_err());
        let refused = Err(PixelizationError::Index {
            system: "HEALPix",
            index: 48,
        });
        assert_eq!(healpix(1).to_string(48), refused);
        assert!(healpix(1).pixel(48).is_err());
        assert_eq!(healpix(1).to_string(47).as_deref(), Ok("47"));
    }

    #[test]
    fn envelope_covers_and_interior_is_covered() {
        for pos in [
            "CIRCLE 33 -12 4",
            "RANGE 350 20 60 70",
            "POLYGON 0 80 90 80 180 85 270 80",
        ] {
            let region = Region::from_ivoa_pos(pos).expect("valid POS");
            let healpix = healpix(5);
            let (envelope, interior) = (healpix.envelope(&region, 0), healpix.interior(&region, 0));
            assert!(
                !interior.is_empty() && envelope.contains_set(&interior),
                "{pos}"
            );
            for v in points().filter(|v| region.contains_point(v)) {
                assert!(envelope.contains(healpix.index(&v)), "{pos}");
            }
        }
    }

    #[test]
    fn bands_and_arcs_have_envelopes() {
        let healpix = healpix(3);
        let envelope =
            |pos: &str| healpix.envelope(&Region::from_ivoa_pos(pos).expect("valid POS"), 0);
        let cap = envelope("RANGE 0 360 80 90");
        assert!([63, 127, 191, 255].iter().all(|&pixel| cap.contains(pixel)));
        assert!(!envelope("RANGE 10 10 10 20").is_empty());
        assert!(!envelope("RANGE 10 20 10 10").is_empty());
        assert_eq!(envelope("RANGE 0 360 -90 90"), healpix.universe());
    }

    #[test]
    fn empty_regions_have_no_pixels() {
        for empty in [crate::Circle::EMPTY.into(), Region::from(crate::Box::EMPTY)] {
            assert!(healpix(4).envelope(&empty, 0).is_empty());
            assert!(healpix(4).interior(&empty, 0).is_empty());
        }
    }

    #[test]
    fn limits_on_ranges_widen_envelopes_and_narrow_interiors() {
        let region = Region::circle_degrees(33.0, -12.0, 5.0).expect("valid circle");
        let healpix = healpix(7);
        let (all, few) = (healpix.envelope(&region, 0), healpix.envelope(&region, 3));
        assert!(all.len() > 3 && few.len() <= 3 && few.contains_set(&all));
        let (all, few) = (healpix.interior(&region, 0), healpix.interior(&region, 3));
        assert!(all.len() > 3 && few.len() <= 3 && all.contains_set(&few));
    }
}

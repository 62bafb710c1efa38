//! The Hierarchical Triangular Mesh: the octahedron's faces, divided into four triangles again and
//! again.

mod search;

use crate::error::PixelizationError;
use crate::orientation::orientation;
use crate::pixelization::Pixelization;
use crate::polygon::ConvexPolygon;
use crate::range_set::RangeSet;
use crate::region::Region;
use crate::vector::UnitVector3d;

/// The vertices of a triangle of the mesh, counter-clockwise.
type Trixel = [UnitVector3d; 3];

/// The Hierarchical Triangular Mesh at one subdivision level.
///
/// An index is a leading 1, the number of a root triangle (3 bits, southern ones first), and two
/// bits per level for the child triangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HtmPixelization {
    level: u8,
}

const SYSTEM: &str = "HTM";

impl HtmPixelization {
    /// The finest subdivision level.
    pub const MAX_LEVEL: u8 = 24;

    /// Makes the mesh of a level; pixels shrink from 90 deg at level 0 by a factor of two per
    /// level.
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

    /// The level to which an index belongs.
    ///
    /// # Errors
    /// [`PixelizationError::Index`] if it belongs to none.
    pub fn level_of(index: u64) -> Result<u8, PixelizationError> {
        // The number of bits is 4 for a root and grows by 2 per level.
        let bits = u64::BITS - index.leading_zeros();
        match bits.checked_sub(4) {
            Some(extra) if extra % 2 == 0 && extra / 2 <= u32::from(Self::MAX_LEVEL) => {
                Ok((extra / 2) as u8)
            }
            _ => Err(PixelizationError::Index {
                system: SYSTEM,
                index,
            }),
        }
    }

    /// The triangle of an index of any level.
    ///
    /// # Errors
    /// [`PixelizationError::Index`] if there is no such triangle.
    pub fn triangle(index: u64) -> Result<ConvexPolygon, PixelizationError> {
        let level = u32::from(Self::level_of(index)?);
        let root = (index >> (2 * level)) & 7;
        let trixel = (0..level)
            .rev()
            .fold(root_trixel(root as usize), |parent, l| {
                child(&parent, &midpoints(&parent), (index >> (2 * l)) & 3)
            });
        Ok(ConvexPolygon::from_vertices_unchecked(trixel))
    }

    /// The name of an index of any level: the hemisphere (N or S), the root triangle in it, and the
    /// child triangles (0 to 3), such as `N0123`.
    ///
    /// # Errors
    /// [`PixelizationError::Index`] if there is no such triangle.
    pub fn name(index: u64) -> Result<String, PixelizationError> {
        let level = u32::from(Self::level_of(index)?);
        let hemisphere = if (index >> (2 * level + 2)) & 1 == 0 {
            'S'
        } else {
            'N'
        };
        let digits = (0..=level)
            .rev()
            .map(|l| char::from(b'0' + ((index >> (2 * l)) & 3) as u8));
        Ok(std::iter::once(hemisphere).chain(digits).collect())
    }
}

impl Pixelization for HtmPixelization {
    fn level(&self) -> u8 {
        self.level
    }

    fn universe(&self) -> RangeSet {
        RangeSet::from_range(8 << (2 * self.level), 16 << (2 * self.level))
    }

    fn index(&self, v: &UnitVector3d) -> u64 {
        let root = root_of(v);
        let mut trixel = root_trixel(root as usize);
        let mut index = 8 + root;
        for _ in 0..self.level {
            let mid = midpoints(&trixel);
            // A point on a shared edge belongs to the first child that has it.
            let which = if orientation(v, &mid[2], &mid[1]) >= 0 {
                0
            } else if orientation(v, &mid[0], &mid[2]) >= 0 {
                1
            } else if orientation(v, &mid[1], &mid[0]) >= 0 {
                2
            } else {
                3
            };
            trixel = child(&trixel, &mid, which);
            index = 4 * index + which;
        }
        index
    }

    fn pixel(&self, index: u64) -> Result<Region, PixelizationError> {
        Self::triangle(index).map(Region::from)
    }

    fn to_string(&self, index: u64) -> Result<String, PixelizationError> {
        Self::name(index)
    }

    fn envelope(&self, region: &Region, max_ranges: usize) -> RangeSet {
        search::search(self, region, max_ranges, search::Goal::Envelope)
    }

    fn interior(&self, region: &Region, max_ranges: usize) -> RangeSet {
        search::search(self, region, max_ranges, search::Goal::Interior)
    }
}

/// The vertices of a root triangle, 0 to 7.
fn root_trixel(root: usize) -> Trixel {
    const POS_X: UnitVector3d = UnitVector3d::X;
    const POS_Y: UnitVector3d = UnitVector3d::Y;
    const POS_Z: UnitVector3d = UnitVector3d::Z;
    // As negating the positive ones gives them: with negative zeros, which encodings show.
    const NEG_X: UnitVector3d = UnitVector3d::from_normalized(-1.0, -0.0, -0.0);
    const NEG_Y: UnitVector3d = UnitVector3d::from_normalized(-0.0, -1.0, -0.0);
    const NEG_Z: UnitVector3d = UnitVector3d::from_normalized(-0.0, -0.0, -1.0);
    const ROOTS: [Trixel; 8] = [
        [POS_X, NEG_Z, POS_Y],
        [POS_Y, NEG_Z, NEG_X],
        [NEG_X, NEG_Z, NEG_Y],
        [NEG_Y, NEG_Z, POS_X],
        [POS_X, POS_Z, NEG_Y],
        [NEG_Y, POS_Z, NEG_X],
        [NEG_X, POS_Z, POS_Y],
        [POS_Y, POS_Z, POS_X],
    ];
    ROOTS[root % 8]
}

/// The root triangle of a point. Points on shared edges go to the one that is counter-clockwise
/// from the edge, except on the equator, which is northern.
fn root_of(v: &UnitVector3d) -> u64 {
    // Quadrants of longitude from x towards y.
    let quadrant = if v.y > 0.0 {
        if v.x > 0.0 { 0 } else { 1 }
    } else if v.y == 0.0 {
        if v.x >= 0.0 { 0 } else { 2 }
    } else if v.x < 0.0 {
        2
    } else {
        3
    };
    if v.z < 0.0 { quadrant } else { 7 - quadrant }
}

/// The midpoints of the edges opposite to vertices 0, 1 and 2.
fn midpoints(t: &Trixel) -> Trixel {
    let mid = |a: &UnitVector3d, b: &UnitVector3d| {
        // Vertices of a trixel are at most a quarter turn apart: their sum is not zero.
        (**a + **b).normalized().unwrap_or(*a)
    };
    [mid(&t[1], &t[2]), mid(&t[2], &t[0]), mid(&t[0], &t[1])]
}

/// A child triangle: 0, 1 and 2 are at the vertices of the same number, 3 is in the middle.
fn child(t: &Trixel, mid: &Trixel, which: u64) -> Trixel {
    match which {
        0 => [t[0], mid[2], mid[1]],
        1 => [t[1], mid[0], mid[2]],
        2 => [t[2], mid[1], mid[0]],
        _ => *mid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lonlat::LonLat;

    fn htm(level: u32) -> HtmPixelization {
        HtmPixelization::new(level).expect("valid level")
    }

    fn points() -> impl Iterator<Item = UnitVector3d> {
        (0..36).flat_map(|i| {
            (-9..=9).map(move |j| {
                let p = LonLat::from_degrees(f64::from(i) * 10.0, f64::from(j) * 10.0);
                UnitVector3d::from_lonlat(&p.expect("valid latitude"))
            })
        })
    }

    #[test]
    fn pixels_contain_the_points_that_index_to_them() {
        for level in [0, 1, 7, 24] {
            for v in points() {
                let index = htm(level).index(&v);
                assert_eq!(HtmPixelization::level_of(index), Ok(level as u8));
                let pixel = htm(level).pixel(index).expect("valid index");
                assert!(pixel.contains_point(&v), "level {level}, {v:?}");
            }
        }
    }

    #[test]
    fn names_spell_the_path_from_the_root() {
        assert_eq!(HtmPixelization::name(8).as_deref(), Ok("S0"));
        assert_eq!(HtmPixelization::name(15).as_deref(), Ok("N3"));
        assert_eq!(
            HtmPixelization::name(0b11_1000_0111).as_deref(),
            Ok("N2013")
        );
    }

    #[test]
    fn invalid_levels_and_indexes_are_refused() {
        assert!(HtmPixelization::new(25).is_err());
        for index in [0, 1, 7, 16, 31, u64::MAX, 1 << 53] {
            let refused = PixelizationError::Index {
                system: "HTM",
                index,
            };
            assert_eq!(HtmPixelization::level_of(index), Err(refused), "{index}");
        }
        assert_eq!(HtmPixelization::level_of((1 << 52) - 1), Ok(24));
    }

    #[test]
    fn envelope_covers_and_interior_is_covered() {
        let region = Region::circle_degrees(33.0, -12.0, 2.0).expect("valid circle");
        let htm = htm(7);
        let envelope = htm.envelope(&region, 0);
        let interior = htm.interior(&region, 0);
        assert!(envelope.contains_set(&interior) && !interior.is_empty());
        for index in envelope.values() {
            let pixel = htm.pixel(index).expect("valid index");
            assert!(region.intersects(&pixel));
            assert_eq!(region.contains(&pixel), interior.contains(index));
        }
    }

    #[test]
    fn limits_on_ranges_widen_envelopes_and_narrow_interiors() {
        let region = Region::circle_degrees(33.0, -12.0, 5.0).expect("valid circle");
        let htm = htm(9);
        let all = htm.envelope(&region, 0);
        let few = htm.envelope(&region, 4);
        assert!(few.len() <= 4 && all.len() > 4 && few.contains_set(&all));
        let all = htm.interior(&region, 0);
        let few = htm.interior(&region, 4);
        assert!(few.len() <= 4 && all.contains_set(&few));
    }
}

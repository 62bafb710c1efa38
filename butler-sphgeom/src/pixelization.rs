//! Divisions of the sphere into indexed pixels.

use crate::error::PixelizationError;
use crate::range_set::RangeSet;
use crate::region::Region;
use crate::vector::UnitVector3d;

/// A division of the sphere into pixels, each with an integer index.
pub trait Pixelization: std::fmt::Debug + Send + Sync {
    /// The subdivision level.
    fn level(&self) -> u8;

    /// All pixel indexes.
    fn universe(&self) -> RangeSet;

    /// The index of the pixel that contains a point.
    fn index(&self, v: &UnitVector3d) -> u64;

    /// The region that a pixel covers.
    ///
    /// # Errors
    /// [`PixelizationError::Index`] if there is no such pixel.
    fn pixel(&self, index: u64) -> Result<Region, PixelizationError>;

    /// The name of a pixel.
    ///
    /// # Errors
    /// [`PixelizationError::Index`] if there is no such pixel.
    fn to_string(&self, index: u64) -> Result<String, PixelizationError>;

    /// All pixels that may have a point in common with a region, and perhaps more. At most
    /// `max_ranges` ranges are used (per operand of a compound region), at the price of more
    /// pixels; 0 means no limit.
    fn envelope(&self, region: &Region, max_ranges: usize) -> RangeSet;

    /// Pixels that are within a region, but perhaps not all of them. At most `max_ranges` ranges
    /// are used (per operand of a compound region), at the price of fewer pixels; 0 means no limit.
    fn interior(&self, region: &Region, max_ranges: usize) -> RangeSet;
}

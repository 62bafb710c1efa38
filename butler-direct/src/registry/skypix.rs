//! The common skypix dimension, by which spatial dimensions are related to one another.

use butler_core::dimensions::{
    DataIdValue, DimensionElement, DimensionRecord, DimensionUniverse, EncodedRegion,
};
use butler_core::error::{Error, Result};
use butler_sphgeom::Region;

/// System name and level of the common skypix dimension.
pub(super) fn common(universe: DimensionUniverse) -> (&'static str, i16) {
    let (system, level) = universe
        .common_skypix()
        .skypix()
        .expect("the common skypix dimension is a skypix one");
    // Levels go up to 24.
    (system.name(), i16::try_from(level).unwrap_or(i16::MAX))
}

/// The pixels of the common skypix dimension that a region may overlap, as half-open ranges.
///
/// # Errors
/// [`Error::CorruptRecord`] when the region cannot be decoded.
pub(super) fn common_envelope(
    universe: DimensionUniverse,
    region: &EncodedRegion,
) -> Result<Vec<(i64, i64)>> {
    envelope(universe.common_skypix(), &region.decode()?)
}

/// The pixels of a skypix dimension that a region may overlap, as half-open ranges.
///
/// # Errors
/// [`Error::InvalidArgument`] when the dimension is no skypix one.
pub(super) fn envelope(dimension: DimensionElement, region: &Region) -> Result<Vec<(i64, i64)>> {
    let envelope = dimension.pixelization()?.envelope(region, 0);
    // Indices are non-negative and, at any level, below 2^63.
    let index = |index: u64| i64::try_from(index).unwrap_or(i64::MAX);
    Ok(envelope
        .ranges()
        .map(|(begin, end)| (index(begin), index(end)))
        .collect())
}

/// The record of a skypix dimension: its region follows from its index.
///
/// # Errors
/// [`Error::DataIdValue`] when there is no such pixel.
pub(super) fn record(element: DimensionElement, key: &[DataIdValue]) -> Result<DimensionRecord> {
    let pixel = match key.first() {
        Some(DataIdValue::Int(index)) => Some(*index),
        _ => None,
    };
    let Some(pixel) = pixel else {
        return Err(Error::DataIdValue(format!(
            "a value of '{element}' is an integer"
        )));
    };
    DimensionRecord::of_pixel(element, pixel)
}

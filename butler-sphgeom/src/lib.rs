//! Spherical geometry for data repositories: regions, their encoding, their relations, and
//! pixelizations of the sphere.
//!
//! This crate is compatible with the Python package `lsst.sphgeom`: the bytes of encoded regions
//! are the same, and relations, bounds and pixelizations give the same answers, because floating
//! point operations are done in the same order wherever that shows in a result.
//!
//! # Contents
//! * [`Angle`], [`NormalizedAngle`], [`LonLat`], [`UnitVector3d`]: coordinates, in radians.
//! * [`Region`]: [`Box`], [`Circle`], [`ConvexPolygon`], [`Ellipse`], [`UnionRegion`],
//!   [`IntersectionRegion`], with [`Region::relate`], [`Region::overlaps`], bounds, binary
//!   encoding ([`Region::encode`], [`Region::decode`], hexadecimal and base64 forms) and IVOA POS
//!   strings ([`Region::from_ivoa_pos`], [`Region::to_ivoa_pos`]).
//! * [`Pixelization`]: [`HtmPixelization`] (levels 0 to 24) and [`HealpixPixelization`] (levels 0
//!   to 17), which give [`RangeSet`]s of pixel indexes.
//!
//! # Conservative answers
//! A [`Relationship`] states only what certainly holds. Regions are never called disjoint that have
//! a point in common, whatever the rounding; regions not called disjoint may still be so. Tests of
//! polygons and points rest on an exact orientation predicate and do not round at all.
//!
//! # Agreement with `lsst.sphgeom`
//! The differential tests pose the same problems to both, several hundred thousand of them from
//! fixed seeds, and tolerate no difference: encodings, bounds, relations, overlaps, pixel regions
//! and ranges must be equal to the last bit. (That holds where both use the same C library for
//! sines and their kind; elsewhere expect differences of one unit in the last place, and HEALPix
//! searches for regions below 1e-8 rad that differ by a pixel.)
//!
//! Where the Python package is mistaken, this crate does not follow it:
//! * A polygon is not empty, so it overlaps an intersection without operands (the whole sphere).
//! * Points on one great circle that surround the sphere have no convex hull
//!   ([`GeometryError::HullIsSphere`]).
//! * HTM searches for ellipses are safe; there they may crash.
//! * HEALPix envelopes exist for boxes that span all longitudes or have no width or height, for
//!   polygons within 1e-8 rad of a pole, and for compound regions; there they are empty or refused.
//!   HEALPix searches take a limit on the number of ranges.
//! * Degenerate polygons that come from bytes have bounds (the whole sphere); there they are refused.
//!
//! ```
//! use butler_sphgeom::{HtmPixelization, Pixelization, Region};
//!
//! let visit = Region::from_ivoa_pos("POLYGON 10 -1 12 -1 12 1 10 1")?;
//! let query = Region::from_ivoa_pos("CIRCLE 11.5 0.2 0.1")?;
//! assert!(visit.overlaps(&query).possible());
//!
//! let htm7 = HtmPixelization::new(7)?;
//! let pixels = htm7.envelope(&visit, 0);
//! assert!(pixels.intersects(&htm7.envelope(&query, 0)));
//! assert_eq!(Region::decode(&visit.encode())?, visit);
//! # Ok::<(), std::boxed::Box<dyn std::error::Error>>(())
//! ```

mod angle;
mod box3d;
mod chord;
mod circle;
mod consts;
mod ellipse;
mod error;
mod healpix;
mod htm;
mod interval;
mod lon_interval;
mod lonlat;
mod lonlat_box;
mod orientation;
mod pixelization;
mod polygon;
mod range_set;
mod region;
mod relationship;
mod vector;

pub use angle::{Angle, NormalizedAngle};
pub use box3d::Box3d;
pub use circle::Circle;
pub use consts::{DEG_PER_RAD, MAX_ASIN_ERROR, MAX_SQUARED_CHORD_LENGTH_ERROR, PI, RAD_PER_DEG};
pub use ellipse::Ellipse;
pub use error::{DecodeError, GeometryError, PixelizationError};
pub use healpix::HealpixPixelization;
pub use htm::HtmPixelization;
pub use interval::{AngleInterval, Interval, Interval1d, Scalar};
pub use lon_interval::NormalizedAngleInterval;
pub use lonlat::LonLat;
pub use lonlat_box::Box;
pub use orientation::orientation;
pub use pixelization::Pixelization;
pub use polygon::ConvexPolygon;
pub use range_set::RangeSet;
pub use region::{IntersectionRegion, Region, UnionRegion};
pub use relationship::{Relationship, TriState};
pub use vector::{Matrix3d, UnitVector3d, Vector3d};

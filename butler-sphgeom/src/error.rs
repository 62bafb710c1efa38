//! What can go wrong: geometry that does not exist, bytes that are no region, strings that are no
//! POS value, pixels that are outside a pixelization.

use thiserror::Error;

/// A geometric object that cannot be built from what was given.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// A direction was asked of the zero vector.
    #[error("the zero vector has no direction; give at least one component that is not zero")]
    ZeroVector,
    /// A latitude lies beyond a pole.
    #[error("latitude {degrees} deg is out of range; it must lie between -90 and +90 deg")]
    InvalidLatitude {
        /// The latitude given, in degrees.
        degrees: f64,
    },
    /// A longitude interval runs backwards between angles that are not normalized.
    #[error(
        "longitude interval [{a}, {b}] rad is invalid: an interval that decreases must have both \
         ends in [0, 2 pi]"
    )]
    InvalidLongitudeInterval {
        /// Lower end given, in radians.
        a: f64,
        /// Upper end given, in radians.
        b: f64,
    },
    /// Points that do not span a polygon.
    #[error(
        "the points do not span a convex polygon; at least 3 distinct points that are not on one \
         great circle are needed"
    )]
    DegeneratePolygon,
    /// Points whose convex hull is the whole sphere.
    #[error("the convex hull of the points is the whole sphere, because it has antipodal points")]
    HullIsSphere,
    /// Ellipse parameters that contradict each other.
    #[error("invalid ellipse: {reason}")]
    InvalidEllipse {
        /// What is wrong with the parameters.
        reason: &'static str,
    },
    /// A POS string that does not follow the IVOA syntax.
    #[error("invalid POS string '{pos}': {reason}")]
    InvalidPos {
        /// The string given.
        pos: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A region that has no POS equivalent.
    #[error(
        "a region of type {kind} has no IVOA POS form; only Circle, Box and ConvexPolygon have one"
    )]
    NoPosForm {
        /// The type of the region.
        kind: &'static str,
    },
}

/// Bytes (or text made from bytes) that do not encode a region.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("an encoded region cannot be empty")]
    Empty,
    /// The first byte names no known region type.
    #[error(
        "byte {code:#04x} is not a region type code; expected one of b, c, e, i, p, u (is this an \
         encoded region?)"
    )]
    UnknownType {
        /// The first byte.
        code: u8,
    },
    /// The number of bytes does not fit the region type.
    #[error("an encoded {kind} has {expected} bytes, but there are {found}")]
    WrongLength {
        /// The type that the first byte names.
        kind: &'static str,
        /// What the length must be.
        expected: &'static str,
        /// How many bytes there are.
        found: usize,
    },
    /// A compound region ends in the middle of an operand.
    #[error(
        "an encoded {kind} is truncated at byte {offset}: {needed} more bytes were announced, \
         {found} remain"
    )]
    Truncated {
        /// The compound type.
        kind: &'static str,
        /// Where the missing bytes should start.
        offset: usize,
        /// How many bytes are needed there.
        needed: u64,
        /// How many bytes remain.
        found: usize,
    },
    /// Compound regions nested beyond any sensible depth.
    #[error("an encoded region nests compound regions more than {limit} deep")]
    TooDeep {
        /// The largest depth that is read.
        limit: usize,
    },
    /// Numbers that do not describe a region of the named type.
    #[error("an encoded {kind} holds invalid numbers: {source}")]
    Invalid {
        /// The type that the first byte names.
        kind: &'static str,
        /// What is wrong with them.
        source: GeometryError,
    },
    /// Text that is not hexadecimal.
    #[error("an encoded region is not hexadecimal text: {reason} at character {offset}")]
    Hex {
        /// Position of the offending character.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Text that is not base64.
    #[error("an encoded region is not base64 text: {0}")]
    Base64(#[from] base64::DecodeError),
    /// A term of an overlap expression without its two regions.
    #[error("term {term} of an encoded overlap expression has no '&' between two regions")]
    OverlapTerm {
        /// Index of the term, from 0.
        term: usize,
    },
}

/// A pixelization, or a pixel of one, that does not exist.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PixelizationError {
    /// A subdivision level outside the supported range.
    #[error("{system} level {level} is out of range; levels 0 to {max} are supported")]
    Level {
        /// Name of the pixelization system.
        system: &'static str,
        /// The level given.
        level: u32,
        /// The largest level.
        max: u8,
    },
    /// An index that is not a pixel.
    #[error("{index} is not a {system} pixel index")]
    Index {
        /// Name of the pixelization system.
        system: &'static str,
        /// The index given.
        index: u64,
    },
}

//! The binary encoding of regions, and its hexadecimal and base64 text forms.
//!
//! A region is a type code (the first letter of its kind) followed by little-endian doubles; a
//! compound region is a type code followed by its encoded operands, each after its length as a
//! little-endian 64-bit integer. The encoding is that of `lsst.sphgeom`, byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::angle::Angle;
use crate::circle::Circle;
use crate::ellipse::Ellipse;
use crate::error::DecodeError;
use crate::interval::AngleInterval;
use crate::lon_interval::NormalizedAngleInterval;
use crate::lonlat_box::Box;
use crate::polygon::ConvexPolygon;
use crate::region::{IntersectionRegion, Region, UnionRegion};
use crate::relationship::TriState;
use crate::vector::{Matrix3d, UnitVector3d, Vector3d};

const BOX: u8 = b'b';
const CIRCLE: u8 = b'c';
const ELLIPSE: u8 = b'e';
const INTERSECTION: u8 = b'i';
const POLYGON: u8 = b'p';
const UNION: u8 = b'u';

/// How deep compound regions may nest in bytes that are decoded. Regions that were built nest
/// unions and intersections in alternation, rarely more than two deep; corrupt bytes must not be
/// able to exhaust the stack.
const MAX_DEPTH: usize = 64;

impl Region {
    /// The binary encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut bytes);
        bytes
    }

    /// Number of bytes in the encoding.
    fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Box(_) => 4 * 8,
            Self::Circle(_) => 5 * 8,
            Self::Ellipse(_) => 14 * 8,
            Self::ConvexPolygon(p) => p.vertices().len() * 3 * 8,
            Self::Union(_) | Self::Intersection(_) => {
                self.parts().iter().map(|r| 8 + r.encoded_len()).sum()
            }
        }
    }

    /// Appends the binary encoding to a buffer.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Box(b) => {
                bytes.push(BOX);
                put(bytes, &[b.lon().a().radians(), b.lon().b().radians()]);
                put(bytes, &[b.lat().a().radians(), b.lat().b().radians()]);
            }
            Self::Circle(c) => {
                bytes.push(CIRCLE);
                put(bytes, &c.center().components());
                put(bytes, &[c.squared_chord(), c.opening_angle().radians()]);
            }
            Self::Ellipse(e) => {
                bytes.push(ELLIPSE);
                for row in &e.frame.rows {
                    put(bytes, &row.components());
                }
                put(bytes, &[e.a, e.b, e.gamma, e.tan_a, e.tan_b]);
            }
            Self::ConvexPolygon(p) => {
                bytes.push(POLYGON);
                for v in p.vertices() {
                    put(bytes, &v.components());
                }
            }
            Self::Union(_) | Self::Intersection(_) => {
                bytes.push(if matches!(self, Self::Union(_)) {
                    UNION
                } else {
                    INTERSECTION
                });
                for operand in self.parts() {
                    bytes.extend_from_slice(&(operand.encoded_len() as u64).to_le_bytes());
                    operand.encode_into(bytes);
                }
            }
        }
    }

    /// Reads the binary encoding. Numbers are taken as they are, so that re-encoding gives the
    /// same bytes (nested unions in unions, and intersections in intersections, are flattened).
    ///
    /// # Errors
    /// [`DecodeError`], whatever the bytes are; there is no input that panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_nested(bytes, 0)
    }

    /// The binary encoding as lower-case hexadecimal text, as JSON models of regions hold it.
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.encode();
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Reads the binary encoding from hexadecimal text of either case.
    ///
    /// # Errors
    /// [`DecodeError`] if the text is not hexadecimal or the bytes are no region.
    pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
        let digit = |offset: usize, c: u8| {
            (c as char)
                .to_digit(16)
                .map(|d| d as u8)
                .ok_or(DecodeError::Hex {
                    offset,
                    reason: "expected a hexadecimal digit",
                })
        };
        let text = text.as_bytes();
        let pairs = text.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(DecodeError::Hex {
                offset: text.len(),
                reason: "expected an even number of digits",
            });
        }
        let bytes = pairs
            .enumerate()
            .map(|(i, pair)| Ok(digit(2 * i, pair[0])? << 4 | digit(2 * i + 1, pair[1])?))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        Self::decode(&bytes)
    }

    /// The binary encoding as base64 text (standard alphabet, padded), as query results hold it.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.encode())
    }

    /// Reads one or more encoded regions from base64 text. Several, separated by `:`, become a
    /// union; the empty string is the empty union.
    ///
    /// # Errors
    /// [`DecodeError`] if the text is not base64 or the bytes are no region.
    pub fn from_base64(text: &str) -> Result<Self, DecodeError> {
        if text.is_empty() {
            return Ok(UnionRegion::new([]).into());
        }
        if !text.contains(':') {
            return Self::decode(&BASE64.decode(text)?);
        }
        let operands = text
            .split(':')
            .map(|part| Self::decode(&BASE64.decode(part)?))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        Ok(UnionRegion::new(operands).into())
    }

    /// Evaluates an overlap expression in base64 text: pairs of regions `a&b`, joined by `|`; is
    /// there a pair that overlaps? The empty string has none.
    ///
    /// # Errors
    /// [`DecodeError`] if a term that must be looked at is malformed. Terms after one that
    /// certainly overlaps are not looked at.
    pub fn decode_overlaps_base64(text: &str) -> Result<TriState, DecodeError> {
        let mut result = TriState::False;
        if text.is_empty() {
            return Ok(result);
        }
        for (term, pair) in text.split('|').enumerate() {
            let (a, b) = pair
                .split_once('&')
                .ok_or(DecodeError::OverlapTerm { term })?;
            let a = Self::decode(&BASE64.decode(a)?)?;
            let b = Self::decode(&BASE64.decode(b)?)?;
            result = result.or(a.overlaps(&b));
            if result == TriState::True {
                break;
            }
        }
        Ok(result)
    }
}

/// Appends doubles.
fn put(bytes: &mut Vec<u8>, numbers: &[f64]) {
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

fn decode_nested(bytes: &[u8], depth: usize) -> Result<Region, DecodeError> {
    let (&code, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    match code {
        BOX => {
            let [lon_a, lon_b, lat_a, lat_b] = doubles(body, "Box", "33")?;
            let lon = NormalizedAngleInterval::from_radians(lon_a, lon_b).map_err(|source| {
                DecodeError::Invalid {
                    kind: "Box",
                    source,
                }
            })?;
            Ok(Box::new(lon, AngleInterval::from_radians(lat_a, lat_b)).into())
        }
        CIRCLE => {
            let [x, y, z, chord, angle] = doubles(body, "Circle", "41")?;
            let center = UnitVector3d::from_normalized(x, y, z);
            Ok(Circle::from_parts(center, chord, Angle::from_radians(angle)).into())
        }
        ELLIPSE => {
            let [
                ux,
                uy,
                uz,
                vx,
                vy,
                vz,
                wx,
                wy,
                wz,
                a,
                b,
                gamma,
                tan_a,
                tan_b,
            ] = doubles(body, "Ellipse", "113")?;
            let frame = Matrix3d::from_rows(
                Vector3d::new(ux, uy, uz),
                Vector3d::new(vx, vy, vz),
                Vector3d::new(wx, wy, wz),
            );
            Ok(Ellipse {
                frame,
                a,
                b,
                gamma,
                tan_a,
                tan_b,
            }
            .into())
        }
        POLYGON => {
            let vertices = body.chunks_exact(24);
            if vertices.len() < 3 || !vertices.remainder().is_empty() {
                return Err(DecodeError::WrongLength {
                    kind: "ConvexPolygon",
                    expected: "1 + 24 n (n >= 3)",
                    found: bytes.len(),
                });
            }
            let vertices = vertices.map(|v| {
                let (x, y, z) = (double_at(v, 0), double_at(v, 1), double_at(v, 2));
                UnitVector3d::from_normalized(x, y, z)
            });
            Ok(ConvexPolygon::from_vertices_unchecked(vertices).into())
        }
        UNION => Ok(UnionRegion::new(operands(bytes, "UnionRegion", depth)?).into()),
        INTERSECTION => {
            Ok(IntersectionRegion::new(operands(bytes, "IntersectionRegion", depth)?).into())
        }
        code => Err(DecodeError::UnknownType { code }),
    }
}

/// The double at an index of a buffer known to hold it.
fn double_at(bytes: &[u8], index: usize) -> f64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[8 * index..8 * index + 8]);
    f64::from_le_bytes(raw)
}

/// Reads exactly `N` doubles.
fn doubles<const N: usize>(
    body: &[u8],
    kind: &'static str,
    expected: &'static str,
) -> Result<[f64; N], DecodeError> {
    if body.len() != 8 * N {
        return Err(DecodeError::WrongLength {
            kind,
            expected,
            found: body.len() + 1,
        });
    }
    Ok(std::array::from_fn(|i| double_at(body, i)))
}

/// Reads the operands of a compound region.
fn operands(bytes: &[u8], kind: &'static str, depth: usize) -> Result<Vec<Region>, DecodeError> {
    if depth >= MAX_DEPTH {
        return Err(DecodeError::TooDeep { limit: MAX_DEPTH });
    }
    let truncated = |rest: &[u8], needed: u64| DecodeError::Truncated {
        kind,
        offset: bytes.len() - rest.len(),
        needed,
        found: rest.len(),
    };
    let mut regions = Vec::new();
    let mut rest = &bytes[1..];
    while !rest.is_empty() {
        let (length, body) = rest.split_first_chunk().ok_or_else(|| truncated(rest, 8))?;
        let length = u64::from_le_bytes(*length);
        let (operand, after) = usize::try_from(length)
            .ok()
            .and_then(|n| body.split_at_checked(n))
            .ok_or_else(|| truncated(body, length))?;
        regions.push(decode_nested(operand, depth + 1)?);
        rest = after;
    }
    Ok(regions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples() -> Vec<Region> {
        let circle = Region::circle_degrees(10.0, -20.0, 3.0).expect("valid circle");
        let polygon = Region::from_ivoa_pos("POLYGON 0 0 10 0 10 10").expect("valid polygon");
        let boxed = Region::from_ivoa_pos("RANGE 350 10 -5 5").expect("valid box");
        let Region::Circle(c) = &circle else {
            unreachable!("a circle was made")
        };
        let ellipse = Ellipse::new(
            c.center(),
            Angle::from_degrees(2.0),
            Angle::from_degrees(1.0),
            Angle::from_degrees(30.0),
        )
        .expect("valid ellipse");
        let union = Region::from(UnionRegion::new([circle.clone(), polygon.clone()]));
        let both = Region::from(IntersectionRegion::new([union.clone(), boxed.clone()]));
        vec![circle, polygon, boxed, ellipse.into(), union, both]
    }

    #[test]
    fn every_kind_survives_bytes_hex_and_base64() {
        for region in samples() {
            let bytes = region.encode();
            assert_eq!(bytes.len(), region.encoded_len());
            assert_eq!(Region::decode(&bytes).expect("just encoded"), region);
            assert_eq!(
                Region::from_hex(&region.to_hex()).expect("just encoded"),
                region
            );
            assert_eq!(
                Region::from_hex(&region.to_hex().to_uppercase()),
                Ok(region.clone())
            );
            assert_eq!(
                Region::from_base64(&region.to_base64()).expect("just encoded"),
                region
            );
        }
    }

    #[test]
    fn layout_is_code_and_little_endian_doubles() {
        let bytes = Region::from(Circle::FULL).encode();
        assert_eq!(bytes[0], b'c');
        assert_eq!(bytes[17..25], 1.0_f64.to_le_bytes());
        assert_eq!(bytes[25..33], 4.0_f64.to_le_bytes());
    }

    #[test]
    fn every_truncation_is_an_error() {
        for region in samples() {
            let bytes = region.encode();
            for n in 0..bytes.len() {
                match Region::decode(&bytes[..n]) {
                    Err(_) => {}
                    // A compound cut between operands is a shorter compound.
                    Ok(shorter) => assert!(shorter.parts().len() < region.parts().len()),
                }
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut bytes = Region::from(Circle::FULL).encode();
        for i in 0..100_000 {
            let mut outer = vec![if i % 2 == 0 { UNION } else { INTERSECTION }];
            outer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            if bytes.len() > 5_000 {
                break;
            }
            outer.append(&mut bytes);
            bytes = outer;
        }
        assert_eq!(
            Region::decode(&bytes),
            Err(DecodeError::TooDeep { limit: MAX_DEPTH })
        );
    }

    #[test]
    fn errors_say_what_is_wrong() {
        assert_eq!(Region::decode(&[]), Err(DecodeError::Empty));
        assert_eq!(
            Region::decode(b"xyz"),
            Err(DecodeError::UnknownType { code: b'x' })
        );
        assert_eq!(
            Region::decode(b"c1234"),
            Err(DecodeError::WrongLength {
                kind: "Circle",
                expected: "41",
                found: 5
            })
        );
        assert_eq!(
            Region::decode(b"u\xff\xff\xff\xff\xff\xff\xff\xffb"),
            Err(DecodeError::Truncated {
                kind: "UnionRegion",
                offset: 9,
                needed: u64::MAX,
                found: 1
            })
        );
        assert!(matches!(
            Region::from_hex("62 "),
            Err(DecodeError::Hex { offset: 3, .. })
        ));
        assert!(matches!(
            Region::from_hex("6g"),
            Err(DecodeError::Hex { offset: 1, .. })
        ));
        assert!(matches!(
            Region::from_base64("%"),
            Err(DecodeError::Base64(_))
        ));
        let mut backwards = Region::from(Box::full()).encode();
        backwards[1..9].copy_from_slice(&7.0_f64.to_le_bytes());
        assert!(matches!(
            Region::decode(&backwards),
            Err(DecodeError::Invalid { .. })
        ));
    }

    #[test]
    fn base64_lists_and_overlap_expressions() {
        let regions = samples();
        let (a, b) = (regions[0].to_base64(), regions[1].to_base64());
        let union = Region::from_base64(&format!("{a}:{b}")).expect("valid list");
        assert_eq!(union.parts(), &regions[..2]);
        assert!(Region::from_base64("").expect("empty union").is_empty());
        let overlap = |text: &str| Region::decode_overlaps_base64(text);
        assert_eq!(overlap(""), Ok(TriState::False));
        assert_eq!(overlap(&format!("{a}&{b}")), Ok(TriState::False));
        assert_eq!(overlap(&format!("{a}&{b}|{a}&{a}")), Ok(TriState::True));
        assert_eq!(
            overlap(&format!("{a}&{b}|{a}")),
            Err(DecodeError::OverlapTerm { term: 1 })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..6_usize) {
            if let Some(first) = bytes.first_mut() {
                *first = b"bceipu"[kind];
            }
            if kind != 3 && kind != 5 {
                let length = [33, 41, 113, 0, 97, 0][kind];
                bytes.resize(length, 0x7f);
                bytes[0] = b"bceipu"[kind];
            }
            if let Ok(region) = Region::decode(&bytes) {
                // Whatever was accepted can be used without panicking.
                let circle = Region::circle_degrees(1.0, 2.0, 3.0).expect("valid circle");
                region.relate(&circle);
                region.relate(&region);
                region.bounding_box();
                region.bounding_box3d();
                region.bounding_circle();
                region.contains_point(&UnitVector3d::X);
                region.encode();
            }
        }
    }
}

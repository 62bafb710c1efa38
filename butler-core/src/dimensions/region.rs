//! Regions as records carry them: encoded, and decoded only when somebody looks.

use std::fmt;
use std::sync::Arc;

use butler_sphgeom::Region;

use crate::error::{Error, Result};

/// A region on the sphere in `sphgeom`'s binary encoding.
///
/// Two regions are equal if their encodings are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EncodedRegion(Arc<[u8]>);

impl EncodedRegion {
    /// Takes bytes written by `sphgeom`'s `Region::encode`, unchecked.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Reads the hexadecimal form used on the wire.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if `text` is not hexadecimal.
    pub fn from_hex(text: &str) -> Result<Self> {
        decode_hex(text)
            .map(Self::from_bytes)
            .ok_or_else(|| Error::corrupt("region", "its bytes are not hexadecimal"))
    }

    /// Encodes a region.
    #[must_use]
    pub fn encode(region: &Region) -> Self {
        Self::from_bytes(region.encode())
    }

    /// The region itself.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if the bytes are not an encoded region.
    pub fn decode(&self) -> Result<Region> {
        Region::decode(&self.0).map_err(|error| Error::corrupt("region", error))
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hexadecimal form used on the wire.
    #[must_use]
    pub fn to_hex(&self) -> String {
        encode_hex(&self.0)
    }
}

impl fmt::Debug for EncodedRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedRegion({} bytes)", self.0.len())
    }
}

/// Lower-case hexadecimal.
pub(super) fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes of hexadecimal text of either case, or `None`.
pub(super) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::EncodedRegion;

    #[test]
    fn a_region_is_encoded_and_decoded_and_garbage_is_refused() {
        let circle = butler_sphgeom::Region::circle_degrees(10.0, -5.0, 0.5).unwrap();
        let region = EncodedRegion::encode(&circle);
        assert_eq!(region.decode().unwrap(), circle);
        let garbage = EncodedRegion::from_bytes([1, 2, 3]);
        assert!(garbage.decode().unwrap_err().to_string().contains("region"));
    }

    #[test]
    fn hexadecimal_round_trips_and_bad_text_is_refused() {
        let region = EncodedRegion::from_hex("63fF00").unwrap();
        assert_eq!(region.as_bytes(), [0x63, 0xff, 0]);
        assert_eq!(region.to_hex(), "63ff00");
        assert!(EncodedRegion::from_hex("63f").is_err());
        assert!(EncodedRegion::from_hex("6x").is_err());
        assert!(EncodedRegion::from_hex("é").is_err());
    }
}

//! Small images as FITS files.

use std::fmt::Write as _;

use super::camera::Pointing;
use super::numbers::Numbers;

/// The length of all that FITS files are made of.
const BLOCK: usize = 2880;
/// Pixels along the side of an image. Real ones have 4000; a demo is to be quick.
pub(super) const PIXELS: usize = 24;
/// Stars in an image.
const STARS: usize = 6;

/// An image of counts, and what its header says.
#[derive(Debug, Clone)]
pub(super) struct Image {
    cards: String,
    pixels: Vec<f64>,
}

impl Image {
    /// An image of this level with this noise.
    pub(super) fn flat(level: f64, noise: f64, numbers: &mut Numbers) -> Self {
        let pixels = (0..PIXELS * PIXELS).map(|_| level + noise * numbers.normal());
        Self {
            cards: String::new(),
            pixels: pixels.collect(),
        }
    }

    /// An image of stars in a square of the focal plane, with the keywords that say where on the sky
    /// that is.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn of_sky(
        pointing: Pointing,
        center: [f64; 2],
        side: f64,
        noise: f64,
        numbers: &mut Numbers,
    ) -> Self {
        let mut made = Self::flat(0.0, noise, numbers);
        for _ in 0..STARS {
            made.add_star(numbers);
        }
        let scale = side / PIXELS as f64;
        let reference = |place: f64| (PIXELS as f64 + 1.0) / 2.0 - place / scale;
        let (sin, cos) = pointing.rotation.to_radians().sin_cos();
        made.text("RADESYS", "ICRS", "coordinate system")
            .text("CTYPE1", "RA---TAN", "projection")
            .text("CTYPE2", "DEC--TAN", "projection")
            .number(
                "CRVAL1",
                pointing.ra,
                "[deg] right ascension of the boresight",
            )
            .number("CRVAL2", pointing.dec, "[deg] declination of the boresight")
            .number("CRPIX1", reference(center[0]), "pixel of the boresight")
            .number("CRPIX2", reference(center[1]), "pixel of the boresight")
            .number("CD1_1", scale * cos, "[deg]")
            .number("CD1_2", -scale * sin, "[deg]")
            .number("CD2_1", scale * sin, "[deg]")
            .number("CD2_2", scale * cos, "[deg]")
    }

    #[allow(clippy::cast_precision_loss)]
    fn add_star(&mut self, numbers: &mut Numbers) {
        let size = PIXELS as f64;
        let (x, y) = (numbers.between(0.0, size), numbers.between(0.0, size));
        let flux = 20.0 * 10f64.powf(numbers.between(0.0, 2.0));
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (column, row) = ((index % PIXELS) as f64, (index / PIXELS) as f64);
            let distance = (column - x).powi(2) + (row - y).powi(2);
            *pixel += flux * (-distance / 2.5).exp();
        }
    }

    /// The same image, so much brighter everywhere.
    pub(super) fn brighter(mut self, level: f64) -> Self {
        self.pixels.iter_mut().for_each(|pixel| *pixel += level);
        self
    }

    /// The same with a text in the header.
    pub(super) fn text(self, keyword: &str, value: &str, comment: &str) -> Self {
        let quoted = value.replace('\'', "''");
        self.card(keyword, &format!("'{quoted:<8}'"), comment)
    }

    /// The same with an integer in the header.
    pub(super) fn integer(self, keyword: &str, value: i64, comment: &str) -> Self {
        self.card(keyword, &format!("{value:>20}"), comment)
    }

    /// The same with a number in the header.
    pub(super) fn number(self, keyword: &str, value: f64, comment: &str) -> Self {
        self.card(
            keyword,
            &format!("{:>20}", format!("{value:.12E}")),
            comment,
        )
    }

    fn card(mut self, keyword: &str, value: &str, comment: &str) -> Self {
        push_card(&mut self.cards, keyword, value, comment);
        self
    }

    /// A file with 32-bit floating point numbers.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn floats(&self) -> Vec<u8> {
        let pixels = self.pixels.iter();
        self.file(-32, pixels.flat_map(|pixel| (*pixel as f32).to_be_bytes()))
    }

    /// A file with 16-bit integers.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn integers(&self) -> Vec<u8> {
        let pixels = self.pixels.iter();
        self.file(
            16,
            pixels.flat_map(|pixel| (pixel.round() as i16).to_be_bytes()),
        )
    }

    fn file(&self, bits: i64, data: impl Iterator<Item = u8>) -> Vec<u8> {
        let mut header = String::new();
        push_card(&mut header, "SIMPLE", "                   T", "FITS");
        for (keyword, value) in [
            ("BITPIX", bits),
            ("NAXIS", 2),
            ("NAXIS1", PIXELS.cast_signed() as i64),
            ("NAXIS2", PIXELS.cast_signed() as i64),
        ] {
            push_card(&mut header, keyword, &format!("{value:>20}"), "");
        }
        header.push_str(&self.cards);
        let _ = write!(header, "{:<80}", "END");
        let mut file = header.into_bytes();
        file.resize(file.len().next_multiple_of(BLOCK), b' ');
        file.extend(data);
        file.resize(file.len().next_multiple_of(BLOCK), 0);
        file
    }
}

/// Appends a card: 80 characters, cut off if the comment is too long.
fn push_card(cards: &mut String, keyword: &str, value: &str, comment: &str) {
    let separator = if comment.is_empty() { "" } else { " / " };
    let card = format!("{keyword:<8}= {value}{separator}{comment}");
    let _ = write!(cards, "{card:<80.80}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_made_of_whole_blocks_and_cards() {
        let image = Image::flat(100.0, 1.0, &mut Numbers::of(&[1])).text(
            "OBJECT",
            "it's",
            "a comment that is much longer than what fits into the rest of a card of a header",
        );
        for file in [image.floats(), image.integers()] {
            assert_eq!(file.len() % BLOCK, 0);
            assert!(file.starts_with(b"SIMPLE  =                    T / FITS"));
            let card = std::str::from_utf8(&file[400..480]);
            assert!(card.is_ok_and(|card| card.starts_with("OBJECT  = 'it''s   ' / a comment")));
        }
    }
}

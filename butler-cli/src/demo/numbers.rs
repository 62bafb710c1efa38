//! Numbers that look random and are the same every time.

/// A sequence of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// The sequence that belongs to some integers.
    pub(super) fn of(seeds: &[i64]) -> Self {
        let mut made = Self(0x6275_746c_6572);
        for seed in seeds {
            made.0 ^= seed.cast_unsigned();
            made.next();
        }
        made
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 ^= mixed.rotate_left(17);
        mixed ^ (mixed >> 31)
    }

    /// The next number from 0 to below 1.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The next number from one to another.
    pub(super) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// The next number with mean 0 and standard deviation 1, more or less.
    pub(super) fn normal(&mut self) -> f64 {
        (0..6).map(|_| self.unit()).sum::<f64>() * 2f64.sqrt() - 3.0 * 2f64.sqrt()
    }
}

//! How two point sets relate, and answers that may be unknown.

use std::ops::{BitAnd, BitOr};

/// A conservative statement about two regions: a set of facts that certainly hold.
///
/// The empty set ([`Relationship::INTERSECTS`]) states nothing beyond "disjointness is not
/// certain". Bit values are those of `lsst.sphgeom`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Relationship(u8);

impl Relationship {
    /// Nothing is certain: the regions may have points in common.
    pub const INTERSECTS: Self = Self(0);
    /// The regions have no point in common.
    pub const DISJOINT: Self = Self(1);
    /// The first region contains the second one.
    pub const CONTAINS: Self = Self(2);
    /// The first region is within the second one.
    pub const WITHIN: Self = Self(4);

    /// The bits: 1 disjoint, 2 contains, 4 within.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every fact of `other` is stated.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the regions certainly have no point in common.
    #[inline]
    pub const fn is_disjoint(self) -> bool {
        self.has(Self::DISJOINT)
    }

    /// Whether the first region certainly contains the second one.
    #[inline]
    pub const fn is_contains(self) -> bool {
        self.has(Self::CONTAINS)
    }

    /// Whether the first region is certainly within the second one.
    #[inline]
    pub const fn is_within(self) -> bool {
        self.has(Self::WITHIN)
    }

    /// The same statement with the two regions exchanged.
    #[inline]
    pub const fn inverted(self) -> Self {
        Self((self.0 & 1) | ((self.0 & 2) << 1) | ((self.0 & 4) >> 1))
    }

    /// These facts without those of `other`.
    #[inline]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What the facts say about overlap, if they are all that is known.
    pub(crate) const fn overlap(self) -> TriState {
        if self.is_disjoint() {
            TriState::False
        } else if self.is_contains() || self.is_within() {
            TriState::True
        } else {
            TriState::Unknown
        }
    }

    /// Combines statements about the factors of two product sets (such as the longitude and
    /// latitude intervals of two boxes) into one about the products.
    pub(crate) fn of_product(factors: &[Self]) -> Self {
        let all = factors.iter().fold(Self(7), |r, &f| r & f);
        let any = factors.iter().fold(Self(0), |r, &f| r | f);
        (all & (Self::CONTAINS | Self::WITHIN)) | (any & Self::DISJOINT)
    }
}

impl BitOr for Relationship {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Relationship {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// An answer that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TriState {
    /// Certainly not.
    False,
    /// Certainly.
    True,
    /// It cannot be told.
    Unknown,
}

impl TriState {
    /// `Some` of a known answer, `None` for an unknown one, as Python has it.
    pub const fn known(self) -> Option<bool> {
        match self {
            Self::False => Some(false),
            Self::True => Some(true),
            Self::Unknown => None,
        }
    }

    /// Whether the answer is or might be "yes": the test to apply when filtering must not lose
    /// anything.
    #[inline]
    pub const fn possible(self) -> bool {
        !matches!(self, Self::False)
    }

    /// Logical OR.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    /// Logical AND.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for TriState {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverting_exchanges_contains_and_within() {
        let r = Relationship::CONTAINS | Relationship::DISJOINT;
        assert_eq!(r.inverted(), Relationship::WITHIN | Relationship::DISJOINT);
        assert_eq!(r.inverted().inverted(), r);
    }

    #[test]
    fn unknown_gives_way_to_certainty_only() {
        assert_eq!(TriState::Unknown.or(TriState::True), TriState::True);
        assert_eq!(TriState::Unknown.or(TriState::False), TriState::Unknown);
        assert_eq!(TriState::Unknown.and(TriState::False), TriState::False);
        assert!(TriState::Unknown.possible());
    }
}

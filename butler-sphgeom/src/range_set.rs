//! Sets of unsigned 64-bit integers, held as sorted ranges.

/// A run of consecutive integers, both ends included, so that the largest integer needs no special
/// treatment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Span {
    first: u64,
    last: u64,
}

/// A set of 64-bit integers as sorted, disjoint, non-adjacent half-open ranges `[begin, end)`.
///
/// An end of 0 stands for 2⁶⁴, and a range with `begin == end` for all integers, so that every
/// pair of integers names a range; one with `begin > end > 0` wraps around.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RangeSet {
    spans: Vec<Span>,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { spans: Vec::new() }
    }

    /// All 64-bit integers.
    pub fn full() -> Self {
        Self {
            spans: vec![Span {
                first: 0,
                last: u64::MAX,
            }],
        }
    }

    /// The set of one range `[begin, end)`, with the conventions of the type.
    pub fn from_range(begin: u64, end: u64) -> Self {
        let mut set = Self::new();
        set.insert_range(begin, end);
        set
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether every 64-bit integer is in the set.
    pub fn is_full(&self) -> bool {
        self.spans
            == [Span {
                first: 0,
                last: u64::MAX,
            }]
    }

    /// The number of ranges.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The number of integers, modulo 2⁶⁴.
    pub fn cardinality(&self) -> u64 {
        self.spans.iter().fold(0, |n: u64, s| {
            n.wrapping_add((s.last - s.first).wrapping_add(1))
        })
    }

    /// The ranges `[begin, end)` in ascending order; an end of 0 stands for 2⁶⁴.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + DoubleEndedIterator + '_ {
        self.spans.iter().map(|s| (s.first, s.last.wrapping_add(1)))
    }

    /// The integers in ascending order.
    pub fn values(&self) -> impl Iterator<Item = u64> + '_ {
        self.spans.iter().flat_map(|s| s.first..=s.last)
    }

    /// Whether an integer is in the set.
    pub fn contains(&self, value: u64) -> bool {
        let after = self.spans.partition_point(|s| s.first <= value);
        after > 0 && self.spans[after - 1].last >= value
    }

    /// Whether every integer of another set is in this one.
    pub fn contains_set(&self, other: &Self) -> bool {
        other.spans.iter().all(|o| {
            let after = self.spans.partition_point(|s| s.first <= o.first);
            after > 0 && self.spans[after - 1].last >= o.last
        })
    }

    /// Whether another set has an integer in common with this one.
    pub fn intersects(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.spans.iter().peekable(), other.spans.iter().peekable());
        while let (Some(s), Some(t)) = (a.peek(), b.peek()) {
            if s.last < t.first {
                a.next();
            } else if t.last < s.first {
                b.next();
            } else {
                return true;
            }
        }
        false
    }

    /// Adds one integer.
    pub fn insert(&mut self, value: u64) {
        self.insert_span(Span {
            first: value,
            last: value,
        });
    }

    /// Adds a range `[begin, end)`, with the conventions of the type.
    pub fn insert_range(&mut self, begin: u64, end: u64) {
        let last = end.wrapping_sub(1);
        if begin == end {
            *self = Self::full();
        } else if begin <= last {
            self.insert_span(Span { first: begin, last });
        } else {
            self.insert_span(Span { first: 0, last });
            self.insert_span(Span {
                first: begin,
                last: u64::MAX,
            });
        }
    }

    /// Adds a span. Appending at the end, which searches do, takes constant time.
    fn insert_span(&mut self, mut span: Span) {
        let Some(tail) = self.spans.last_mut() else {
            self.spans.push(span);
            return;
        };
        if span.first >= tail.first {
            if tail.last == u64::MAX || span.first <= tail.last + 1 {
                tail.last = tail.last.max(span.last);
            } else {
                self.spans.push(span);
            }
            return;
        }
        // All spans that touch the new one are merged with it.
        let begin = self
            .spans
            .partition_point(|s| s.last < u64::MAX && s.last + 1 < span.first);
        let end = self
            .spans
            .partition_point(|s| s.first == 0 || s.first - 1 <= span.last);
        if begin < end {
            span.first = span.first.min(self.spans[begin].first);
            span.last = span.last.max(self.spans[end - 1].last);
        }
        self.spans.splice(begin..end, [span]);
    }

    /// Removes one integer.
    pub fn remove(&mut self, value: u64) {
        *self = self.difference(&Self {
            spans: vec![Span {
                first: value,
                last: value,
            }],
        });
    }

    /// Removes a range `[begin, end)`, with the conventions of the type.
    pub fn remove_range(&mut self, begin: u64, end: u64) {
        *self = self.difference(&Self::from_range(begin, end));
    }

    /// Everything that is not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut spans = Vec::with_capacity(self.spans.len() + 1);
        let mut next = Some(0);
        for s in &self.spans {
            if let Some(first) = next.filter(|&n| n < s.first) {
                spans.push(Span {
                    first,
                    last: s.first - 1,
                });
            }
            next = s.last.checked_add(1);
        }
        if let Some(first) = next {
            spans.push(Span {
                first,
                last: u64::MAX,
            });
        }
        Self { spans }
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut spans = Vec::new();
        let (mut a, mut b) = (self.spans.iter().peekable(), other.spans.iter().peekable());
        while let (Some(s), Some(t)) = (a.peek(), b.peek()) {
            let (first, last) = (s.first.max(t.first), s.last.min(t.last));
            if first <= last {
                spans.push(Span { first, last });
            }
            if s.last < t.last {
                a.next();
            } else {
                b.next();
            }
        }
        Self { spans }
    }

    /// What is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut result = Self {
            spans: Vec::with_capacity(self.spans.len() + other.spans.len()),
        };
        let (mut a, mut b) = (self.spans.iter().peekable(), other.spans.iter().peekable());
        loop {
            let from_a = match (a.peek(), b.peek()) {
                (Some(s), Some(t)) => s.first <= t.first,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return result,
            };
            if let Some(&span) = if from_a { a.next() } else { b.next() } {
                result.insert_span(span);
            }
        }
    }

    /// What is in this set but not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// What is in exactly one of the sets.
    #[must_use]
    pub fn symmetric_difference(&self, other: &Self) -> Self {
        self.difference(other).union(&other.difference(self))
    }

    /// Widens every range outwards to multiples of 2ⁿ, merging ranges that come to touch.
    pub fn simplify(&mut self, n: u32) {
        if n == 0 || self.is_empty() {
            return;
        }
        let Some(unit) = 1_u64.checked_shl(n) else {
            *self = Self::full();
            return;
        };
        let mask = unit - 1;
        let mut simplified = Self { spans: Vec::new() };
        for s in &self.spans {
            simplified.insert_span(Span {
                first: s.first & !mask,
                last: s.last | mask,
            });
        }
        *self = simplified;
    }

    /// Multiplies the ends of every range by a factor. Ends that become 2⁶⁴ or more are cut off
    /// there.
    pub fn scale(&mut self, factor: u64) {
        if factor == 0 {
            self.spans.clear();
            return;
        }
        self.spans.retain_mut(|s| {
            let Some(first) = s.first.checked_mul(factor) else {
                return false;
            };
            s.first = first;
            s.last = s
                .last
                .checked_add(1)
                .and_then(|end| end.checked_mul(factor))
                .map_or(u64::MAX, |end| end - 1);
            true
        });
    }
}

impl FromIterator<u64> for RangeSet {
    fn from_iter<I: IntoIterator<Item = u64>>(values: I) -> Self {
        let mut set = Self::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

impl FromIterator<(u64, u64)> for RangeSet {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(ranges: I) -> Self {
        let mut set = Self::new();
        for (begin, end) in ranges {
            set.insert_range(begin, end);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().copied().collect()
    }

    fn ranges(s: &RangeSet) -> Vec<(u64, u64)> {
        s.ranges().collect()
    }

    #[test]
    fn inserting_merges_touching_ranges() {
        assert_eq!(ranges(&set(&[(5, 7), (1, 3), (3, 5)])), [(1, 7)]);
        assert_eq!(
            ranges(&set(&[(10, 12), (1, 3), (5, 7), (2, 6)])),
            [(1, 7), (10, 12)]
        );
        assert_eq!(ranges(&set(&[(10, 12), (1, 3)])), [(1, 3), (10, 12)]);
    }

    #[test]
    fn ends_of_zero_wraps_and_equal_ends_have_meaning() {
        assert_eq!(ranges(&RangeSet::from_range(5, 0)), [(5, 0)]);
        assert_eq!(
            ranges(&RangeSet::from_range(u64::MAX, 2)),
            [(0, 2), (u64::MAX, 0)]
        );
        assert!(RangeSet::from_range(7, 7).is_full());
        assert!(RangeSet::full().complement().is_empty());
        assert_eq!(RangeSet::full().cardinality(), 0);
        let mut s = RangeSet::from_range(5, 0);
        s.insert_range(0, 5);
        assert!(s.is_full());
    }

    #[test]
    fn simplifying_widens_and_scaling_cuts_off() {
        let mut s = set(&[(1, 3), (9, 10), (20, 24)]);
        s.simplify(2);
        assert_eq!(ranges(&s), [(0, 4), (8, 12), (20, 24)]);
        s.simplify(64);
        assert!(s.is_full());
        let mut s = set(&[(1, 3), (u64::MAX / 2, u64::MAX / 2 + 2), (u64::MAX - 1, 0)]);
        s.scale(2);
        assert_eq!(ranges(&s), [(2, 6), (u64::MAX - 1, 0)]);
        s.scale(0);
        assert!(s.is_empty());
    }

    proptest! {
        #[test]
        fn set_algebra_agrees_with_explicit_sets(
            a in prop::collection::vec((0_u64..60, 1_u64..8), 0..8),
            b in prop::collection::vec((0_u64..60, 1_u64..8), 0..8),
        ) {
            let explicit = |r: &[(u64, u64)]| -> BTreeSet<u64> {
                r.iter().flat_map(|&(x, n)| x..x + n).collect()
            };
            let as_set = |r: &[(u64, u64)]| -> RangeSet {
                r.iter().map(|&(x, n)| (x, x + n)).collect()
            };
            let (ea, eb, ra, rb) = (explicit(&a), explicit(&b), as_set(&a), as_set(&b));
            let values = |s: &RangeSet| s.values().collect::<Vec<_>>();
            let list = |s: BTreeSet<u64>| s.into_iter().collect::<Vec<_>>();
            prop_assert_eq!(values(&ra.union(&rb)), list(&ea | &eb));
            prop_assert_eq!(values(&ra.intersection(&rb)), list(&ea & &eb));
            prop_assert_eq!(values(&ra.difference(&rb)), list(&ea - &eb));
            prop_assert_eq!(values(&ra.symmetric_difference(&rb)), list(&ea ^ &eb));
            prop_assert_eq!(ra.intersects(&rb), !ea.is_disjoint(&eb));
            prop_assert_eq!(ra.contains_set(&rb), ea.is_superset(&eb));
            prop_assert_eq!(ra.complement().complement(), ra.clone());
            prop_assert!((0..80).all(|x| ra.contains(x) == ea.contains(&x)));
            // No two ranges touch.
            let r = ranges(&ra);
            prop_assert!(r.windows(2).all(|w| w[0].1 < w[1].0));
        }
    }
}

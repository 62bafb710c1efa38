//! Half-open intervals of TAI time with nanosecond precision.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::time;

/// A half-open interval `[begin, end)` of TAI time.
///
/// Bounds are integer nanoseconds since 1970-01-01T00:00:00 TAI. A lower bound of
/// [`Timespan::MIN_NS`] and an upper bound of [`Timespan::MAX_NS`] mean *unbounded*. There is one
/// empty timespan, [`Timespan::EMPTY`]: contained by every timespan, overlapping none.
///
/// Serialized as the pair `[begin, end]`, as the reference does on the wire and in records.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timespan {
    begin: i64,
    end: i64,
}

impl Timespan {
    /// The lower bound of timespans that are unbounded from below (1970-01-01 TAI).
    pub const MIN_NS: i64 = 0;
    /// The upper bound of timespans that are unbounded from above (2100-01-01 TAI).
    pub const MAX_NS: i64 = 4_102_444_800_000_000_000;
    /// The timespan that contains no time.
    pub const EMPTY: Self = Self {
        begin: Self::MAX_NS,
        end: Self::MIN_NS,
    };
    /// The timespan that contains every time.
    pub const UNBOUNDED: Self = Self {
        begin: Self::MIN_NS,
        end: Self::MAX_NS,
    };

    /// The timespan of raw nanoseconds; `begin >= end` gives [`Timespan::EMPTY`].
    #[must_use]
    pub const fn from_ns(begin: i64, end: i64) -> Self {
        if begin >= end {
            Self::EMPTY
        } else {
            Self { begin, end }
        }
    }

    /// The timespan between two times (TAI ns); `None` is unbounded.
    ///
    /// Times outside the supported range are moved to its ends. Equal bounds are widened to one
    /// nanosecond; `begin > end` gives [`Timespan::EMPTY`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if both bounds are the same end of the supported range, or if
    /// an instant lies within a nanosecond of its upper end.
    pub fn new(begin: Option<i64>, end: Option<i64>) -> Result<Self> {
        Self::build(begin, end, true)
    }

    /// Like [`Timespan::new`], but equal bounds give [`Timespan::EMPTY`].
    ///
    /// # Errors
    /// As [`Timespan::new`].
    pub fn new_unpadded(begin: Option<i64>, end: Option<i64>) -> Result<Self> {
        Self::build(begin, end, false)
    }

    fn build(begin: Option<i64>, end: Option<i64>, pad: bool) -> Result<Self> {
        let begin_ns = begin.map_or(Self::MIN_NS, time::clamp_ns);
        let mut end_ns = end.map_or(Self::MAX_NS, time::clamp_ns);
        if begin_ns == end_ns {
            if begin_ns == Self::MAX_NS || end_ns == Self::MIN_NS {
                return Err(Error::InvalidArgument(format!(
                    "a timespan cannot begin and end at {}: it must hold some time between \
                     1970-01-01 and 2100-01-01 TAI",
                    time::format_tai_isot(begin_ns, 9),
                )));
            }
            if pad {
                end_ns += 1;
                Self::check_instant_end(end_ns)?;
            }
        }
        Ok(Self::from_ns(begin_ns, end_ns))
    }

    fn check_instant_end(end_ns: i64) -> Result<()> {
        if end_ns == Self::MAX_NS {
            return Err(Error::InvalidArgument(
                "an instant must be more than a nanosecond before 2100-01-01 TAI".to_owned(),
            ));
        }
        Ok(())
    }

    /// The shortest timespan (1 ns) that begins at `time` (TAI ns).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] within a nanosecond of the upper end of the supported range.
    pub fn from_instant(time: i64) -> Result<Self> {
        let begin = time::clamp_ns(time);
        Self::check_instant_end(begin.saturating_add(1))?;
        Ok(Self::from_ns(begin, begin.saturating_add(1)))
    }

    /// The 24 hours of a day of observation (`YYYYMMDD`, TAI), shifted by `offset_seconds`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `day_obs` is not a date from 1970 on.
    pub fn from_day_obs(day_obs: i64, offset_seconds: i64) -> Result<Self> {
        let bad = || {
            Error::InvalidArgument(format!(
                "day_obs must be a date YYYYMMDD from 1970 on, not {day_obs}"
            ))
        };
        if !(19_700_000..=100_000_000).contains(&day_obs) {
            return Err(bad());
        }
        let begin = time::tai_ns_of_date(day_obs / 10_000, day_obs / 100 % 100, day_obs % 100)
            .ok_or_else(bad)?;
        let begin = offset_seconds
            .checked_mul(time::NS_PER_SECOND)
            .and_then(|offset| begin.checked_add(offset))
            .ok_or_else(bad)?;
        Self::new(Some(begin), Some(begin.saturating_add(time::NS_PER_DAY)))
    }

    /// The lower bound in TAI ns, [`Timespan::MIN_NS`] if unbounded.
    #[must_use]
    pub const fn begin_ns(self) -> i64 {
        self.begin
    }

    /// The upper bound in TAI ns, [`Timespan::MAX_NS`] if unbounded.
    #[must_use]
    pub const fn end_ns(self) -> i64 {
        self.end
    }

    /// The lower bound in TAI ns (inclusive); `None` if unbounded or empty.
    #[must_use]
    pub fn begin(self) -> Option<i64> {
        (!self.is_empty() && self.begin != Self::MIN_NS).then_some(self.begin)
    }

    /// The upper bound in TAI ns (exclusive); `None` if unbounded or empty.
    #[must_use]
    pub fn end(self) -> Option<i64> {
        (!self.is_empty() && self.end != Self::MAX_NS).then_some(self.end)
    }

    /// Whether this is the empty timespan.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.begin >= self.end
    }

    /// Whether the two have any time in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.end > other.begin && other.end > self.begin
    }

    /// Whether all of `other` lies within `self`; always true for an empty `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.begin <= other.begin && self.end >= other.end
    }

    /// Whether the instant `time` (TAI ns) lies within `self`.
    #[must_use]
    pub fn contains_time(self, time: i64) -> bool {
        let time = time::clamp_ns(time);
        self.begin <= time && self.end > time
    }

    /// Whether `self` ends before `other` begins; false if either is empty.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.end <= other.begin && self.begin < other.end
    }

    /// Whether `self` begins after `other` has ended; false if either is empty.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        self.begin >= other.end && self.end > other.begin
    }

    /// Whether `self` ends before the instant `time` (TAI ns); false if `self` is empty.
    #[must_use]
    pub fn is_before_time(self, time: i64) -> bool {
        let time = time::clamp_ns(time);
        self.end <= time && self.begin < time
    }

    /// Whether `self` begins after the instant `time` (TAI ns); false if `self` is empty.
    #[must_use]
    pub fn is_after_time(self, time: i64) -> bool {
        let time = time::clamp_ns(time);
        self.begin > time && self.end > time
    }

    /// The time common to both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::from_ns(self.begin.max(other.begin), self.end.min(other.end))
    }

    /// The zero, one or two non-empty timespans that are in `self` but not in `other`.
    ///
    /// As in the reference, an empty `self` is given back as it is.
    pub fn difference(self, other: Self) -> impl Iterator<Item = Self> {
        let common = self.intersection(other);
        let (first, second) = if common.is_empty() {
            (Some(self), None)
        } else {
            let before = Self::from_ns(self.begin, common.begin);
            let after = Self::from_ns(common.end, self.end);
            (
                (!before.is_empty()).then_some(before),
                (!after.is_empty()).then_some(after),
            )
        };
        first.into_iter().chain(second)
    }
}

impl Default for Timespan {
    fn default() -> Self {
        Self::UNBOUNDED
    }
}

impl From<(i64, i64)> for Timespan {
    fn from((begin, end): (i64, i64)) -> Self {
        Self::from_ns(begin, end)
    }
}

impl fmt::Display for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("(empty)");
        }
        // To the second, cut off after rounding to microseconds, as the reference shows them.
        let shown = |time| time::format_tai_isot(time, 6)[..19].to_owned();
        match self.begin() {
            Some(begin) => write!(f, "[{}, ", shown(begin))?,
            None => f.write_str("(-∞, ")?,
        }
        match self.end() {
            Some(end) => write!(f, "{})", shown(end)),
            None => f.write_str("∞)"),
        }
    }
}

impl fmt::Debug for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timespan({}, {})", self.begin, self.end)
    }
}

impl Serialize for Timespan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.begin, self.end).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timespan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (begin, end) = <(i64, i64)>::deserialize(deserializer)?;
        Ok(Self::from_ns(begin, end))
    }
}

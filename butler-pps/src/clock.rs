//! What time it is. Embargoes and retentions are long, so that tests and demonstrations need a clock
//! that runs faster, or one that they move themselves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use butler_core::time::civil_from_days;
use serde::Serialize;
use utoipa::ToSchema;

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A moment: milliseconds since 1970-01-01T00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment that is so many milliseconds later.
    #[must_use]
    pub fn plus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// The moment that is so many milliseconds earlier.
    #[must_use]
    pub fn minus(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_sub(milliseconds))
    }
}

impl fmt::Display for Moment {
    /// `2025-12-06T08:01:02.345Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        let (minutes, milliseconds) = (rest / 60_000, rest % 60_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            minutes / 60,
            minutes % 60,
            milliseconds / 1_000,
            milliseconds % 1_000
        )
    }
}

/// A source of time; clones show the same.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System,
    Accelerated {
        started: Instant,
        from: Moment,
        factor: f64,
    },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The time of the machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that shows `from` now and runs `factor` times as fast as the machine's.
    #[must_use]
    pub fn accelerated(from: Moment, factor: f64) -> Self {
        Self(Kind::Accelerated {
            started: Instant::now(),
            from,
            factor,
        })
    }

    /// A clock that stands still until it is [moved](Self::advance).
    #[must_use]
    pub fn manual(from: Moment) -> Self {
        Self(Kind::Manual(Arc::new(AtomicI64::new(from.0))))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Kind::System => Moment(milliseconds(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            )),
            Kind::Accelerated {
                started,
                from,
                factor,
            } => from.plus(milliseconds(started.elapsed().mul_f64(*factor))),
            Kind::Manual(now) => Moment(now.load(Ordering::SeqCst)),
        }
    }

    /// How long the machine takes until this clock has gone on by `duration`; as long as that for a
    /// clock that stands still.
    #[must_use]
    pub fn real(&self, duration: Duration) -> Duration {
        match &self.0 {
            Kind::Accelerated { factor, .. } => duration.div_f64(*factor),
            Kind::System | Kind::Manual(_) => duration,
        }
    }

    /// Moves a clock that stands still; others go on as they do.
    pub fn advance(&self, duration: Duration) {
        if let Kind::Manual(now) = &self.0 {
            now.fetch_add(milliseconds(duration), Ordering::SeqCst);
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_in_utc_to_the_millisecond() {
        let shown = Moment(1_765_008_062_345).to_string();
        assert_eq!(shown, "2025-12-06T08:01:02.345Z");
        assert_eq!(Moment(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_manual_clock_moves_for_all_who_look_at_it() {
        let clock = Clock::manual(Moment(1_000));
        let other = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(other.now(), Moment(3_000));
    }

    #[test]
    fn an_accelerated_clock_makes_waits_shorter() {
        let clock = Clock::accelerated(Moment(0), 3_600.0);
        assert_eq!(
            clock.real(Duration::from_secs(3_600)),
            Duration::from_secs(1)
        );
    }
}

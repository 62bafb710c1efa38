//! When to try again, and when to give up.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use uuid::Uuid;

/// How long a client tries. The defaults are the reference's, which does not try again after
/// failures of the network, however.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// For how long a request may be repeated that the server has put off.
    pub patience: Duration,
    /// How often a request is repeated, in a row, after a failure of the network.
    pub failures: u32,
    /// How long to wait after the first such failure; the next ones double it.
    pub pause: Duration,
    /// For how long a server may send nothing at all.
    pub silence: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(120),
            failures: 4,
            pause: Duration::from_millis(250),
            silence: Duration::from_secs(120),
        }
    }
}

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    started: Instant,
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            started: Instant::now(),
            failures: 0,
        }
    }

    /// How long to wait after an answer until the next attempt; none if the answer is final.
    ///
    /// A server that is busy says so with one of two statuses, and when to come again. It only
    /// sends whole seconds.
    pub(crate) fn after_answer(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        if !matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            return None;
        }
        let seconds: u64 = headers
            .get(RETRY_AFTER)?
            .to_str()
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let left = self.policy.patience.checked_sub(self.started.elapsed())?;
        let asked = Duration::from_secs(seconds);
        // Not all clients that were put off together shall come again together.
        let spread = asked.min(Duration::from_secs(1)).mul_f64(chance());
        Some(left.min(asked + spread)).filter(|_| !left.is_zero())
    }

    /// How long to wait after a failure of the network; none if there were too many.
    pub(crate) fn after_failure(&mut self) -> Option<Duration> {
        if self.failures >= self.policy.failures {
            return None;
        }
        let longest = self.policy.pause.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        Some(longest.mul_f64(0.5 + 0.5 * chance()))
    }

    /// Something was achieved: failures are counted anew.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
        self.started = Instant::now();
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // The upper half; the lower holds the version.
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn put_off(status: StatusCode, retry_after: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
        }
        Attempts::new(RetryPolicy::default()).after_answer(status, &headers)
    }

    #[test]
    fn a_busy_server_is_given_the_time_it_asks_for() {
        for status in [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ] {
            let pause = put_off(status, Some("5")).unwrap();
            assert!(pause >= Duration::from_secs(5) && pause <= Duration::from_secs(6));
        }
        assert_eq!(
            put_off(StatusCode::SERVICE_UNAVAILABLE, Some("0")),
            Some(Duration::ZERO)
        );
        let longest = put_off(StatusCode::SERVICE_UNAVAILABLE, Some("9999")).unwrap();
        assert!(longest <= Duration::from_secs(120));
    }

    #[test]
    fn other_answers_are_final() {
        assert_eq!(put_off(StatusCode::SERVICE_UNAVAILABLE, None), None);
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(put_off(StatusCode::TOO_MANY_REQUESTS, date), None);
        assert_eq!(put_off(StatusCode::INTERNAL_SERVER_ERROR, Some("1")), None);
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses_until_it_is_enough() {
        let policy = RetryPolicy::default();
        let mut attempts = Attempts::new(policy);
        let pauses: Vec<Duration> = std::iter::from_fn(|| attempts.after_failure()).collect();
        assert_eq!(pauses.len(), policy.failures as usize);
        for (pause, longest) in pauses.iter().zip([250, 500, 1000, 2000]) {
            let longest = Duration::from_millis(longest);
            assert!(*pause >= longest / 2 && *pause <= longest);
        }
        attempts.progressed();
        assert!(attempts.after_failure().is_some());
    }
}

//! How many streaming queries run at once, in all and for one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::error::ApiError;

/// Counts streaming queries. Clones share the count.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    in_all: usize,
    per_user: usize,
    retry_after: u64,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    in_all: usize,
    users: HashMap<String, usize>,
}

/// The right to run one query, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    user: Option<String>,
}

impl QueryLimits {
    /// Limits; those who are refused are asked to come back after so many seconds.
    #[must_use]
    pub fn new(in_all: usize, per_user: usize, retry_after: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                in_all,
                per_user,
                retry_after,
                running: Mutex::default(),
            }),
        }
    }

    /// The number of queries that run now.
    #[must_use]
    pub fn running(&self) -> usize {
        self.shared.lock().in_all
    }

    /// Takes a place for a query.
    ///
    /// # Errors
    /// 503 if all places are taken, 429 if the user has too many.
    pub fn acquire(&self, user: Option<&str>) -> Result<Permit, ApiError> {
        let shared = &self.shared;
        let mut running = shared.lock();
        if running.in_all >= shared.in_all {
            return Err(ApiError::try_again(
                StatusCode::SERVICE_UNAVAILABLE,
                shared.retry_after,
                "The Butler Server is currently overloaded with requests.",
            ));
        }
        if let Some(user) = user {
            let own = running.users.entry(user.to_owned()).or_default();
            if *own >= shared.per_user {
                tracing::warn!(user, "a user runs many queries at once");
                return Err(ApiError::try_again(
                    StatusCode::TOO_MANY_REQUESTS,
                    shared.retry_after,
                    format!(
                        "User {user} has too many queries running already. Wait for your \
                         existing queries to complete, then try again."
                    ),
                ));
            }
            *own += 1;
        }
        running.in_all += 1;
        Ok(Permit {
            shared: Arc::clone(shared),
            user: user.map(str::to_owned),
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut running = self.shared.lock();
        running.in_all = running.in_all.saturating_sub(1);
        if let Some(user) = &self.user
            && let Some(own) = running.users.get_mut(user)
        {
            *own = own.saturating_sub(1);
            if *own == 0 {
                running.users.remove(user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn status(error: &ApiError) -> StatusCode {
        match error {
            ApiError::Refused { status, .. } => *status,
            other => panic!("not a refusal: {other:?}"),
        }
    }

    #[test]
    fn a_user_has_a_share_only() {
        let limits = QueryLimits::new(25, 2, 5);
        let _first = limits.acquire(Some("ada")).unwrap();
        let second = limits.acquire(Some("ada")).unwrap();
        let refused = limits.acquire(Some("ada")).unwrap_err();
        assert_eq!(status(&refused), StatusCode::TOO_MANY_REQUESTS);
        assert!(limits.acquire(Some("bob")).is_ok());
        drop(second);
        assert!(limits.acquire(Some("ada")).is_ok());
    }

    #[test]
    fn the_server_has_a_limit_for_all() {
        let limits = QueryLimits::new(1, 2, 5);
        let only = limits.acquire(None).unwrap();
        let refused = limits.acquire(Some("ada")).unwrap_err();
        assert_eq!(status(&refused), StatusCode::SERVICE_UNAVAILABLE);
        drop(only);
        assert_eq!(limits.running(), 0);
        assert!(limits.acquire(Some("ada")).is_ok());
    }

    #[test]
    fn users_are_forgotten_when_their_queries_end() {
        let limits = QueryLimits::new(25, 2, 5);
        drop(limits.acquire(Some("ada")).unwrap());
        assert!(limits.shared.lock().users.is_empty());
    }
}

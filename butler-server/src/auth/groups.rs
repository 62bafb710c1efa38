//! Groups of users, remembered for a short while.
//!
//! What is remembered is the answer for one token, whether or not it names the group that is
//! wanted: whoever leaves a group is refused, and whoever enters one is let in, once the answer is
//! too old. Requests that come while it is being asked for wait for the same answer.
//!
//! Tokens themselves are not kept, and not compared: their digests are. So the time that a look-up
//! takes tells nothing about them, and nor does an image of the process's memory.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

/// How many tokens are remembered at most.
const MOST: usize = 20_000;

type Groups = Arc<[String]>;

/// What a token is known by.
type TokenDigest = [u8; 32];

#[derive(Debug)]
struct Entry {
    since: Instant,
    groups: OnceCell<Groups>,
}

/// The groups of those who have recently been asked about.
#[derive(Debug)]
pub(super) struct GroupCache {
    lifetime: Duration,
    entries: Mutex<HashMap<TokenDigest, Arc<Entry>>>,
}

impl GroupCache {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            entries: Mutex::default(),
        }
    }

    /// The groups of a token: as remembered, or as `ask` says. Its errors are not remembered.
    pub(super) async fn get<E, F: Future<Output = Result<Vec<String>, E>>>(
        &self,
        token: &str,
        ask: impl FnOnce() -> F,
    ) -> Result<Groups, E> {
        let entry = self.entry(token);
        let groups = entry.groups.get_or_try_init(|| async {
            let groups = ask().await?;
            Ok(Groups::from(groups))
        });
        groups.await.map(Arc::clone)
    }

    fn entry(&self, token: &str) -> Arc<Entry> {
        let token = TokenDigest::from(Sha256::digest(token));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = |entry: &Entry| now.duration_since(entry.since) < self.lifetime;
        if let Some(entry) = entries.get(&token).filter(|entry| fresh(entry)) {
            return Arc::clone(entry);
        }
        if entries.len() >= MOST {
            entries.retain(|_, entry| fresh(entry));
            if entries.len() >= MOST {
                entries.clear();
            }
        }
        let entry = Arc::new(Entry {
            since: now,
            groups: OnceCell::new(),
        });
        entries.insert(token, Arc::clone(&entry));
        entry
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn ask(cache: &GroupCache, calls: &AtomicUsize, groups: &[&str]) -> Groups {
        let answer = groups.iter().map(ToString::to_string).collect();
        let ask = || async {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(answer)
        };
        cache.get("token", ask).await.unwrap()
    }

    #[tokio::test]
    async fn answers_without_groups_are_remembered_too() {
        let (cache, calls) = (
            GroupCache::new(Duration::from_secs(600)),
            AtomicUsize::new(0),
        );
        assert!(ask(&cache, &calls, &[]).await.is_empty());
        assert!(ask(&cache, &calls, &["g_later"]).await.is_empty());
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn tokens_are_told_apart_and_not_kept() {
        let cache = GroupCache::new(Duration::from_secs(600));
        for token in ["gt-first.secret", "gt-second.secret"] {
            let group = format!("group of {token}");
            let ask = || async { Ok::<_, ()>(vec![group.clone()]) };
            assert_eq!(cache.get(token, ask).await.unwrap()[0], group);
        }
        let keys: Vec<u8> = cache
            .entries
            .lock()
            .unwrap()
            .keys()
            .flatten()
            .copied()
            .collect();
        assert_eq!(keys.len(), 64);
        assert!(!keys.windows(6).any(|bytes| bytes == b"secret"));
    }

    #[tokio::test]
    async fn a_membership_that_ended_is_noticed_when_the_answer_is_old() {
        let (cache, calls) = (GroupCache::new(Duration::ZERO), AtomicUsize::new(0));
        assert_eq!(ask(&cache, &calls, &["g_user"]).await.len(), 1);
        assert!(ask(&cache, &calls, &[]).await.is_empty());
    }

    #[tokio::test]
    async fn failures_are_not_remembered() {
        let (cache, calls) = (
            GroupCache::new(Duration::from_secs(600)),
            AtomicUsize::new(0),
        );
        let failed = cache.get("token", || async { Err::<Vec<String>, _>("down") });
        assert!(failed.await.is_err());
        assert_eq!(ask(&cache, &calls, &["g_user"]).await.len(), 1);
    }
}

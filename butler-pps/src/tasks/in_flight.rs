//! Which datasets are being worked on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

/// Datasets that some task is at work on, so that no two tasks are at the same one. Clones share it.
///
/// Steps look only at what is recorded, and an action takes a while before it is. A dataset that is to
/// expire by command could otherwise be deleted from `prompt_prep` while it is being published.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Uuid>>>);

/// Datasets that are taken until this is dropped.
#[derive(Debug)]
pub struct Taken {
    of: InFlight,
    ids: Vec<Uuid>,
}

impl InFlight {
    /// Takes those of the datasets that nobody is at work on.
    #[must_use]
    pub fn take(&self, ids: Vec<Uuid>) -> Taken {
        let mut all = self.lock();
        let ids = ids.into_iter().filter(|id| all.insert(*id)).collect();
        drop(all);
        Taken {
            of: self.clone(),
            ids,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        // Sets of IDs are always whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The datasets.
    #[must_use]
    pub fn ids(&self) -> &[Uuid] {
        &self.ids
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut all = self.of.lock();
        for id in &self.ids {
            all.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_cannot_be_taken_again_before_it_is_free() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let in_flight = InFlight::default();
        let first = in_flight.take(vec![a]);
        assert_eq!(in_flight.take(vec![a, b]).ids(), [b]);
        drop(first);
        assert_eq!(in_flight.take(vec![a, b]).ids(), [a, b]);
    }
}

//! How far the datasets are, as a table that grows.

use std::sync::{Mutex, PoisonError};

use crate::clock::Moment;
use crate::state::{RepositoryName, Status};

/// How many datasets there are, by type and by what has become of them.
type Counts = [(String, [Status; 5], i64)];

/// Writes a row whenever something has changed.
pub(crate) struct Progress {
    write: Box<dyn Fn(&str) + Send + Sync>,
    last: Mutex<Option<[i64; 6]>>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").finish_non_exhaustive()
    }
}

impl Progress {
    /// Takes what lines are written with.
    pub(crate) fn new(write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            write: Box::new(write),
            last: Mutex::default(),
        }
    }

    /// Shows how many datasets each repository stores, and how many have expired in the public one.
    pub(crate) fn show(&self, now: Moment, counts: &Counts) {
        let row = row(counts);
        // A row is always whole.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none() {
            let names = RepositoryName::ALL.map(|name| format!("{:>12}", name.name()));
            (self.write)(&format!(
                "{:20}{}{:>12}\n",
                "time (UTC)",
                names.concat(),
                "expired"
            ));
        }
        if *last == Some(row) {
            return;
        }
        *last = Some(row);
        drop(last);
        let time = now.to_string().replace('T', " ");
        let cells = row.map(|count| format!("{count:>12}")).concat();
        (self.write)(&format!("{:20}{cells}\n", &time[..16]));
    }
}

fn row(counts: &Counts) -> [i64; 6] {
    let mut row = [0; 6];
    for (_, statuses, count) in counts {
        for (place, status) in statuses.iter().enumerate() {
            if *status == Status::Present {
                row[place] += count;
            }
        }
        if statuses[RepositoryName::GoogleProd as usize] == Status::Expired {
            row[5] += count;
        }
    }
    row
}

//! The files known to be in a cache.

use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::settings::Expiry;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dataset: Uuid,
    pub(super) size: u64,
    pub(super) used: SystemTime,
}

impl Entry {
    pub(super) fn new(dataset: Uuid, found: &Metadata) -> Self {
        let seconds = Duration::from_secs(u64::try_from(found.ctime()).unwrap_or(0));
        let nanoseconds = Duration::from_nanos(u64::try_from(found.ctime_nsec()).unwrap_or(0));
        Self {
            dataset,
            size: found.len(),
            used: UNIX_EPOCH + seconds + nanoseconds,
        }
    }
}

/// The name of a cached file.
pub(super) fn file_name(dataset: Uuid, component: Option<&str>, extension: &str) -> String {
    match component {
        Some(component) => format!("{dataset}_{component}{extension}"),
        None => format!("{dataset}{extension}"),
    }
}

/// The dataset a file belongs to, if its name is that of a cached file.
pub(super) fn parse_file_name(name: &str) -> Option<Uuid> {
    let stem = name.split('.').next()?;
    Uuid::try_parse(stem.split('_').next()?).ok()
}

/// All files by name, and in order of their last use.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_name: HashMap<String, Entry>,
    by_use: BTreeSet<(SystemTime, String)>,
    by_dataset: HashMap<Uuid, BTreeSet<String>>,
    size: u64,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn of_dataset(&self, dataset: Uuid) -> impl Iterator<Item = &str> {
        self.by_dataset
            .get(&dataset)
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    pub(super) fn insert(&mut self, name: String, entry: Entry) {
        self.remove(&name);
        self.size += entry.size;
        self.by_use.insert((entry.used, name.clone()));
        self.by_dataset
            .entry(entry.dataset)
            .or_default()
            .insert(name.clone());
        self.by_name.insert(name, entry);
    }

    pub(super) fn remove(&mut self, name: &str) {
        let Some((name, entry)) = self.by_name.remove_entry(name) else {
            return;
        };
        self.size -= entry.size;
        if let Some(names) = self.by_dataset.get_mut(&entry.dataset) {
            names.remove(&name);
            if names.is_empty() {
                self.by_dataset.remove(&entry.dataset);
            }
        }
        self.by_use.remove(&(entry.used, name));
    }

    /// The files that have to go, those not used for longest first.
    pub(super) fn expired(&self, expiry: Expiry, now: SystemTime) -> Vec<String> {
        let oldest = || self.by_use.iter().map(|(_, name)| name);
        match expiry {
            Expiry::Disabled | Expiry::Never => Vec::new(),
            Expiry::Files(limit) => oldest().take(excess(self.len(), limit)).cloned().collect(),
            Expiry::Datasets(limit) => {
                let mut order: Vec<Uuid> = Vec::new();
                let mut seen = std::collections::HashSet::new();
                for name in oldest() {
                    let dataset = self.by_name[name].dataset;
                    if seen.insert(dataset) {
                        order.push(dataset);
                    }
                }
                order.truncate(excess(order.len(), limit));
                order
                    .iter()
                    .flat_map(|dataset| self.of_dataset(*dataset).map(str::to_owned))
                    .collect()
            }
            Expiry::Size(limit) => {
                let mut size = self.size;
                oldest()
                    .take_while(|name| {
                        let goes = size > limit;
                        size -= self.by_name[*name].size;
                        goes
                    })
                    .cloned()
                    .collect()
            }
            Expiry::Age(limit) => self
                .by_use
                .iter()
                .take_while(|(used, _)| now.duration_since(*used).is_ok_and(|age| age > limit))
                .map(|(_, name)| name.clone())
                .collect(),
        }
    }
}

fn excess(count: usize, limit: u64) -> usize {
    count.saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Files a to d, used in this order; b and d belong to one dataset.
    fn entries() -> Entries {
        let mut entries = Entries::default();
        for (name, dataset, size, used) in [
            ("a", 1, 10, 100),
            ("b", 2, 20, 200),
            ("c", 3, 30, 300),
            ("d", 2, 40, 400),
        ] {
            let dataset = Uuid::from_u128(dataset);
            entries.insert(
                name.to_owned(),
                Entry {
                    dataset,
                    size,
                    used: at(used),
                },
            );
        }
        entries
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let entries = entries();
        for (expiry, expected) in [
            (Expiry::Never, ""),
            (Expiry::Disabled, ""),
            (Expiry::Files(2), "ab"),
            (Expiry::Files(4), ""),
            (Expiry::Datasets(2), "a"),
            (Expiry::Datasets(1), "abd"),
            (Expiry::Size(100), ""),
            (Expiry::Size(99), "a"),
            (Expiry::Size(70), "ab"),
            (Expiry::Size(0), "abcd"),
            (Expiry::Age(Duration::from_secs(250)), "ab"),
            (Expiry::Age(Duration::from_secs(1000)), ""),
        ] {
            assert_eq!(
                entries.expired(expiry, at(500)).concat(),
                expected,
                "{expiry}"
            );
        }
    }

    #[test]
    fn sizes_follow_insertion_and_removal() {
        let mut entries = entries();
        assert_eq!((entries.len(), entries.size()), (4, 100));
        let dataset = Uuid::from_u128(3);
        entries.insert(
            "c".to_owned(),
            Entry {
                dataset,
                size: 5,
                used: at(900),
            },
        );
        assert_eq!((entries.len(), entries.size()), (4, 75));
        entries.remove("b");
        entries.remove("b");
        assert_eq!((entries.len(), entries.size()), (3, 55));
        assert_eq!(
            entries.of_dataset(Uuid::from_u128(2)).collect::<String>(),
            "d"
        );
    }

    #[test]
    fn names_tell_the_dataset() {
        let id = Uuid::from_u128(7);
        for (component, extension) in [
            (None, ".fits.gz"),
            (Some("wcs"), ".fits"),
            (Some("x"), ""),
            (None, ""),
        ] {
            assert_eq!(
                parse_file_name(&file_name(id, component, extension)),
                Some(id)
            );
        }
        for other in ["", "readme.txt", ".hidden", "1234_wcs.fits"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}

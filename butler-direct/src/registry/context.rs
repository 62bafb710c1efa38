//! What all parts of the registry share: the database, the universe, the schema's versions and
//! the few things that are safe to remember.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use butler_core::dimensions::{DimensionGroup, DimensionUniverse};

use super::collection_keys::CollectionKeys;
use super::dataset_types::DatasetTypeRecord;
use super::datasets::by_id::LIKELY_TABLES;
use super::overrides::DatasetTypeOverrides;
use super::versions::SchemaVersions;
use crate::db::Database;

/// The shared state of a registry.
///
/// Only three things are remembered. Dimension groups never change under their key, and tables of
/// file records that are there stay. Dataset types
/// can be removed and registered anew by another client: writes look them up again, and a search
/// by name checks in the same statement that the type is still what it was.
#[derive(Debug)]
pub(crate) struct Context {
    pub(super) database: Database,
    pub(super) universe: DimensionUniverse,
    pub(super) versions: SchemaVersions,
    pub(super) overrides: DatasetTypeOverrides,
    groups: RwLock<HashMap<i64, DimensionGroup>>,
    dataset_types: RwLock<DatasetTypes>,
    tables: RwLock<HashSet<String>>,
    /// One dataset type for each table of memberships that a look-up by ID needed first.
    likely: RwLock<Vec<Arc<DatasetTypeRecord>>>,
}

#[derive(Debug, Default)]
struct DatasetTypes {
    by_name: HashMap<Arc<str>, Arc<DatasetTypeRecord>>,
    by_id: HashMap<i64, Arc<DatasetTypeRecord>>,
}

impl Context {
    pub(super) fn new(
        database: Database,
        universe: DimensionUniverse,
        versions: SchemaVersions,
        overrides: DatasetTypeOverrides,
    ) -> Self {
        let groups = HashMap::from([(0, universe.empty_group().clone())]);
        Self {
            database,
            universe,
            versions,
            overrides,
            groups: RwLock::new(groups),
            dataset_types: RwLock::default(),
            tables: RwLock::default(),
            likely: RwLock::default(),
        }
    }

    /// What the tables refer to collections by.
    pub(super) fn keys(&self) -> CollectionKeys {
        self.versions.collection_keys()
    }

    pub(super) fn group(&self, key: i64) -> Option<DimensionGroup> {
        read(&self.groups).get(&key).cloned()
    }

    pub(super) fn group_key(&self, group: &DimensionGroup) -> Option<i64> {
        read(&self.groups)
            .iter()
            .find(|(_, known)| *known == group)
            .map(|(key, _)| *key)
    }

    pub(super) fn remember_group(&self, key: i64, group: DimensionGroup) {
        write(&self.groups).insert(key, group);
    }

    pub(super) fn dataset_type_by_name(&self, name: &str) -> Option<Arc<DatasetTypeRecord>> {
        read(&self.dataset_types).by_name.get(name).cloned()
    }

    pub(super) fn dataset_type_by_id(&self, id: i64) -> Option<Arc<DatasetTypeRecord>> {
        read(&self.dataset_types).by_id.get(&id).cloned()
    }

    pub(super) fn remember_dataset_type(&self, record: &Arc<DatasetTypeRecord>) {
        let mut known = write(&self.dataset_types);
        let old = known
            .by_name
            .insert(Arc::clone(record.dataset_type.name()), Arc::clone(record));
        if let Some(old) = old {
            known.by_id.remove(&old.id);
        }
        known.by_id.insert(record.id, Arc::clone(record));
    }

    pub(super) fn forget_dataset_type(&self, name: &str) {
        let mut known = write(&self.dataset_types);
        if let Some(record) = known.by_name.remove(name) {
            known.by_id.remove(&record.id);
        }
    }

    /// Whether a table of file records is known to be there.
    pub(super) fn has_table(&self, name: &str) -> bool {
        read(&self.tables).contains(name)
    }

    pub(super) fn remember_table(&self, name: &str) {
        write(&self.tables).insert(name.to_owned());
    }

    /// The tables of memberships in which a look-up by ID expects the dataset, each with one of the
    /// dataset types that are in it. They never change, so that statements do not.
    pub(super) fn likely_tables(&self) -> Vec<Arc<DatasetTypeRecord>> {
        read(&self.likely).clone()
    }

    /// Takes note that a look-up by ID needed the table of this dataset type, as long as few are
    /// known.
    pub(super) fn remember_likely_table(&self, record: &Arc<DatasetTypeRecord>) {
        let mut likely = write(&self.likely);
        if likely.len() < LIKELY_TABLES && likely.iter().all(|known| known.tags != record.tags) {
            likely.push(Arc::clone(record));
        }
    }

    /// Forgets all dataset types.
    pub(super) fn forget_dataset_types(&self) {
        *write(&self.dataset_types) = DatasetTypes::default();
    }
}

/// A panic cannot happen while one of these locks is held, so poison is of no concern.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

//! Gathering the dimension records that datasets need in another repository.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use butler_core::dimensions::{DataCoordinate, DataIdValue, DimensionRecord, DimensionUniverse};
use butler_core::error::Result;
use butler_core::registry::InsertMode;
use butler_core::transfer::TransferSource;

use crate::registry::RegistryTransaction;

/// Dimension records by element and key.
#[derive(Debug, Default)]
pub struct GatheredRecords {
    elements: HashMap<&'static str, BTreeMap<Vec<DataIdValue>, Arc<DimensionRecord>>>,
}

impl GatheredRecords {
    /// Gathers all records that data IDs have, the records of elements that belong to theirs (the
    /// definitions of a visit, say), and what these need in turn.
    ///
    /// The number of statements grows with the number of different dimensions, not of data IDs.
    ///
    /// # Errors
    /// [`Error::DataIdValue`](butler_core::Error::DataIdValue) or
    /// [`Error::InconsistentDataId`](butler_core::Error::InconsistentDataId) if the repository
    /// does not have all the records; any database error.
    pub async fn gather<'a>(
        source: &dyn TransferSource,
        data_ids: impl IntoIterator<Item = &'a DataCoordinate>,
    ) -> Result<Self> {
        let mut gathered = Self::default();
        let data_ids: HashSet<DataCoordinate> = data_ids.into_iter().cloned().collect();
        gathered
            .add_of_data_ids(source, data_ids.into_iter().collect())
            .await?;

        let universe = source.registry().universe();
        let mut more: Vec<Arc<DimensionRecord>> = Vec::new();
        for (name, records) in &gathered.elements {
            let element = universe.element(name)?;
            for dependent in element.populates() {
                // What the data IDs lead to is there already, and without what they do not lead to.
                if !dependent.has_own_table() || gathered.elements.contains_key(dependent.name()) {
                    continue;
                }
                let keys: Vec<Vec<DataIdValue>> = records.keys().cloned().collect();
                let found = source
                    .dimension_records_with(dependent, element.required(), &keys)
                    .await?;
                more.extend(found);
            }
        }
        let mut missing: HashSet<DataCoordinate> = HashSet::new();
        for record in &more {
            let data_id = record.data_id()?;
            for name in data_id.dimensions().required() {
                let group = universe.element(name)?.minimal_group();
                let key = data_id.subset(group)?;
                let known = gathered.elements.get(name);
                if !known.is_some_and(|known| known.contains_key(key.required_values())) {
                    missing.insert(key);
                }
            }
        }
        for record in more {
            gathered.add(record);
        }
        gathered
            .add_of_data_ids(source, missing.into_iter().collect())
            .await?;
        Ok(gathered)
    }

    async fn add_of_data_ids(
        &mut self,
        source: &dyn TransferSource,
        data_ids: Vec<DataCoordinate>,
    ) -> Result<()> {
        for data_id in source.registry().expand_data_ids(&data_ids).await? {
            for (_, record) in data_id.records().into_iter().flatten() {
                if let Some(record) = record.filter(|record| record.element().has_own_table()) {
                    self.add(Arc::clone(record));
                }
            }
        }
        Ok(())
    }

    /// Adds a record unless there is one with its key.
    pub fn add(&mut self, record: Arc<DimensionRecord>) {
        let records = self.elements.entry(record.element().name()).or_default();
        let key: Vec<DataIdValue> = record.required_values().collect();
        records.entry(key).or_insert(record);
    }

    /// Drops the records of all elements but these.
    pub fn retain(&mut self, mut wanted: impl FnMut(&str) -> bool) {
        self.elements.retain(|name, _| wanted(name));
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.elements.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The records in a universe's order of elements, which is one they can be inserted in; each
    /// element's sorted by key. Elements that the universe does not know are left out.
    ///
    /// # Errors
    /// A record does not suit the universe.
    pub fn in_universe(
        &self,
        universe: DimensionUniverse,
    ) -> Result<
        Vec<(
            butler_core::dimensions::DimensionElement,
            Vec<DimensionRecord>,
        )>,
    > {
        let mut found = Vec::new();
        for element in universe.elements() {
            let Some(records) = self.elements.get(element.name()) else {
                continue;
            };
            let records = records
                .values()
                .map(|record| {
                    if record.element().universe() == universe {
                        return Ok((**record).clone());
                    }
                    let fields = record
                        .fields()
                        .map(|(column, value)| (column.name.clone(), value.clone()));
                    DimensionRecord::from_fields(element, fields)
                })
                .collect::<Result<Vec<_>>>()?;
            found.push((element, records));
        }
        Ok(found)
    }

    /// Inserts the records into a repository; those that are there stay.
    pub(super) async fn insert(
        &self,
        transaction: &mut RegistryTransaction,
        universe: DimensionUniverse,
    ) -> Result<()> {
        for (element, records) in self.in_universe(universe)? {
            transaction
                .insert_dimension_records(element, &records, InsertMode::SkipExisting)
                .await?;
        }
        Ok(())
    }
}

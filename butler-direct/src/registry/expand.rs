//! Fetching dimension records and expanding data IDs with them.
//!
//! The number of statements grows with the number of elements in the data IDs' dimensions, not
//! with the number of data IDs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::dimensions::{
    ColumnValue, DataCoordinate, DataIdValue, DimensionElement, DimensionGroup, DimensionRecord,
    ElementStorage,
};
use butler_core::error::{Error, Result};

use super::context::Context;
use super::dimension_records::key_types;
use super::record_sql::{key_param, key_value, record_from_row, select_list};
use super::skypix;
use super::tables::sql_type;
use crate::db::dialect::quote;
use crate::db::keys::key_table;
use crate::db::{Param, Session};

/// Records by the values of their required dimensions.
pub(super) type Records = HashMap<Vec<DataIdValue>, Arc<DimensionRecord>>;

/// Keys looked up by one statement.
const BATCH: usize = 20_000;

impl Context {
    /// The records of an element with these keys (values of the required dimensions). Keys without
    /// a record are absent from the result.
    pub(super) async fn fetch_records(
        &self,
        session: &mut Session,
        element: DimensionElement,
        keys: &[Vec<DataIdValue>],
    ) -> Result<Records> {
        match element.storage() {
            ElementStorage::Table => self.fetch_from_table(session, element, keys).await,
            ElementStorage::ImpliedUnion { target: of } => {
                self.fetch_implied(session, element, of, keys).await
            }
            ElementStorage::SkyPix => keys
                .iter()
                .map(|key| Ok((key.clone(), Arc::new(skypix::record(element, key)?))))
                .collect(),
        }
    }

    async fn fetch_from_table(
        &self,
        session: &mut Session,
        element: DimensionElement,
        keys: &[Vec<DataIdValue>],
    ) -> Result<Records> {
        let dialect = self.database.dialect();
        let mut records = Records::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let (from, params) = self.join_keys(element, batch);
            let sql = format!("SELECT {} FROM {from}", select_list(element, dialect, "t"));
            for row in session.fetch_all(&sql, &params).await? {
                let record = record_from_row(element, &row, 0, dialect)?;
                records.insert(record.required_values().collect(), Arc::new(record));
            }
        }
        Ok(records)
    }

    /// The records of an element with a table that have one of the given values for some of its
    /// required dimensions.
    pub(super) async fn fetch_records_with(
        &self,
        session: &mut Session,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let dialect = self.database.dialect();
        let all = key_types(element);
        let types = dimensions
            .iter()
            .map(|name| {
                let place = element.required().iter().position(|other| other == name);
                place
                    .and_then(|place| all.get(place))
                    .copied()
                    .ok_or_else(|| {
                        Error::DimensionName(format!(
                            "{element} does not require dimension '{name}'"
                        ))
                    })
            })
            .collect::<Result<Vec<_>>>()?;
        let on: Vec<String> = types
            .iter()
            .map(|(name, _)| format!("t.{0} = k.{0}", quote(name)))
            .collect();
        let mut records = Vec::new();
        for batch in keys.chunks(BATCH) {
            let rows: Vec<Vec<Param>> = batch
                .iter()
                .map(|key| key.iter().map(key_param).collect())
                .collect();
            let keys = key_table(dialect, &types, rows.iter().map(Vec::as_slice), 1);
            let sql = format!(
                "SELECT {} FROM {} JOIN {} AS t ON {}",
                select_list(element, dialect, "t"),
                keys.sql,
                self.database.table(element.name()),
                on.join(" AND ")
            );
            for row in session.fetch_all(&sql, &keys.params).await? {
                records.push(Arc::new(record_from_row(element, &row, 0, dialect)?));
            }
        }
        Ok(records)
    }

    /// Records of a dimension that has no table: its values are those that another element's
    /// records imply.
    async fn fetch_implied(
        &self,
        session: &mut Session,
        element: DimensionElement,
        source: &str,
        keys: &[Vec<DataIdValue>],
    ) -> Result<Records> {
        let column = quote(element.name());
        let texts = keys
            .iter()
            .filter_map(|key| key.first()?.as_str().map(Arc::from))
            .collect();
        let sql = format!(
            "SELECT DISTINCT {column} FROM {} WHERE {}",
            self.database.table(source),
            self.database.in_array(&column, 1)
        );
        let mut records = Records::new();
        for row in session.fetch_all(&sql, &[Param::Texts(texts)]).await? {
            let value = row.shared_text(0)?;
            let record =
                DimensionRecord::from_values(element, vec![ColumnValue::Str(Arc::clone(&value))])?;
            records.insert(vec![DataIdValue::Str(value)], Arc::new(record));
        }
        Ok(records)
    }

    /// All records of an element, sorted by key. For elements of few records, and exports.
    pub(super) async fn fetch_all_records(
        &self,
        session: &mut Session,
        element: DimensionElement,
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let dialect = self.database.dialect();
        match element.storage() {
            ElementStorage::SkyPix => Err(Error::InvalidArgument(format!(
                "the records of skypix dimension '{element}' cannot be listed: there is one for \
                 each of its pixels"
            ))),
            ElementStorage::ImpliedUnion { target: of } => {
                let column = quote(element.name());
                let sql = format!(
                    "SELECT DISTINCT {column} FROM {} ORDER BY 1",
                    self.database.table(of)
                );
                let ty = element
                    .key_type()
                    .map_or(crate::db::schema::SqlType::Text, sql_type);
                let rows = session.fetch_all(&sql, &[]).await?;
                rows.iter()
                    .map(|row| {
                        let value = match key_value(row, 0, ty)? {
                            DataIdValue::Int(number) => ColumnValue::Int(number),
                            DataIdValue::Str(text) => ColumnValue::Str(text),
                        };
                        DimensionRecord::from_values(element, vec![value]).map(Arc::new)
                    })
                    .collect()
            }
            ElementStorage::Table => {
                let order: Vec<String> = (1..=element.required().len())
                    .map(|i| i.to_string())
                    .collect();
                let sql = format!(
                    "SELECT {} FROM {} AS t ORDER BY {}",
                    select_list(element, dialect, "t"),
                    self.database.table(element.name()),
                    order.join(", ")
                );
                let rows = session.fetch_all(&sql, &[]).await?;
                rows.iter()
                    .map(|row| record_from_row(element, row, 0, dialect).map(Arc::new))
                    .collect()
            }
        }
    }

    /// Attaches to each data ID all its dimension records and the implied values.
    ///
    /// # Errors
    /// As for [`expand`](Self::expand).
    pub(super) async fn expand_all(
        &self,
        session: &mut Session,
        data_ids: &[DataCoordinate],
    ) -> Result<Vec<DataCoordinate>> {
        let mut places: HashMap<&DimensionGroup, Vec<usize>> = HashMap::new();
        for (place, data_id) in data_ids.iter().enumerate() {
            places.entry(data_id.dimensions()).or_default().push(place);
        }
        let mut expanded = data_ids.to_vec();
        for places in places.into_values() {
            let group: Vec<DataCoordinate> = places
                .iter()
                .map(|&place| data_ids[place].clone())
                .collect();
            let done = self.expand(session, &group).await?;
            for (place, data_id) in places.into_iter().zip(done) {
                expanded[place] = data_id;
            }
        }
        Ok(expanded)
    }

    /// Attaches to each data ID all its dimension records and the implied values. All data IDs
    /// must have the same dimensions.
    ///
    /// # Errors
    /// [`Error::DataIdValue`] when a dimension has no record for a data ID;
    /// [`Error::InconsistentDataId`] when a data ID contradicts the records, or has no record of
    /// an element that defines relationships.
    pub(super) async fn expand(
        &self,
        session: &mut Session,
        data_ids: &[DataCoordinate],
    ) -> Result<Vec<DataCoordinate>> {
        let Some(first) = data_ids.first() else {
            return Ok(Vec::new());
        };
        if data_ids.iter().all(DataCoordinate::has_records) {
            return Ok(data_ids.to_vec());
        }
        let group = first.dimensions();
        let mut found: HashMap<&'static str, Records> = HashMap::new();
        // Values known so far per data ID, in the order of the group's keys.
        let mut values: Vec<Vec<Option<DataIdValue>>> = data_ids
            .iter()
            .map(|id| {
                group
                    .data_coordinate_keys()
                    .iter()
                    .map(|k| id.get(k).cloned())
                    .collect()
            })
            .collect();
        for name in group.lookup_order() {
            let element = self.universe.element(name)?;
            let places: Vec<usize> = element
                .required()
                .iter()
                .filter_map(|d| group.key_index(d))
                .collect();
            let mut keys = HashSet::new();
            for known in &values {
                // A dimension whose value nothing implied has no record either; that is reported
                // below.
                if let Some(key) = key_at(known, &places) {
                    keys.insert(key);
                }
            }
            let keys: Vec<_> = keys.into_iter().collect();
            let records = self.fetch_records(session, element, &keys).await?;
            for (data_id, known) in data_ids.iter().zip(&mut values) {
                let record = key_at(known, &places).and_then(|key| records.get(&key));
                match record {
                    Some(record) => imply(data_id, element, record, known)?,
                    None => return_if_allowed(data_id, element, group.contains(name))?,
                }
            }
            found.insert(element.name(), records);
        }
        data_ids
            .iter()
            .zip(&values)
            .map(|(data_id, known)| {
                data_id.expanded(|name| {
                    let element = self.universe.get(name)?;
                    let places: Vec<usize> = element
                        .required()
                        .iter()
                        .filter_map(|d| group.key_index(d))
                        .collect();
                    found.get(name)?.get(&key_at(known, &places)?).cloned()
                })
            })
            .collect()
    }
}

fn key_at(values: &[Option<DataIdValue>], places: &[usize]) -> Option<Vec<DataIdValue>> {
    places
        .iter()
        .map(|&i| values.get(i).cloned().flatten())
        .collect()
}

/// Takes over the values that a record implies.
fn imply(
    data_id: &DataCoordinate,
    element: DimensionElement,
    record: &DimensionRecord,
    known: &mut [Option<DataIdValue>],
) -> Result<()> {
    for name in element.implied() {
        let implied = record.get(name).and_then(ColumnValue::to_data_id_value);
        let Some(place) = data_id.dimensions().key_index(name) else {
            continue;
        };
        match (&known[place], implied) {
            (Some(given), Some(implied)) if *given != implied => {
                return Err(Error::InconsistentDataId(format!(
                    "Data ID {data_id} has {name}={given}, but {element} implies {name}={implied}."
                )));
            }
            (None, Some(implied)) => known[place] = Some(implied),
            _ => {}
        }
    }
    Ok(())
}

/// Decides whether an element may be without a record.
fn return_if_allowed(
    data_id: &DataCoordinate,
    element: DimensionElement,
    is_dimension: bool,
) -> Result<()> {
    if is_dimension {
        return Err(Error::DataIdValue(format!(
            "Could not fetch record for dimension {element} of data ID {data_id}."
        )));
    }
    if element.defines_relationships() {
        return Err(Error::InconsistentDataId(format!(
            "Could not fetch record for element {element} of data ID {data_id}, but it is marked \
             as defining relationships: two or more dimension values are inconsistent."
        )));
    }
    Ok(())
}

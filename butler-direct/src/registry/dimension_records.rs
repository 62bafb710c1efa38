//! Inserting and synchronising dimension records.
//!
//! A spatial element's records bring their overlaps with the common skypix dimension along; they
//! are written in the same transaction, so a record is never there without them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::dimensions::{ColumnValue, DataIdValue, DimensionElement, DimensionRecord};
use butler_core::error::{Error, Result};
use butler_core::registry::{InsertMode, SyncOutcome};

use super::context::Context;
use super::record_sql::{columns, key_param, record_params};
use super::skypix;
use super::tables::{skypix_overlap_name, skypix_summary_name, sql_type};
use crate::db::bulk::{self, BulkColumn, OnConflict};
use crate::db::dialect::quote;
use crate::db::keys::key_table;
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Session, SqlError, SqlErrorKind, references};

/// How often an insertion is repeated because other clients insert the same records.
const ATTEMPTS: usize = 5;

impl Context {
    /// Inserts records of one element. The session must be a transaction.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the element has no table of its own;
    /// [`Error::ConflictingDefinition`] when a record is there already (and the mode does not say
    /// what to do with it) or a record that it refers to is not.
    pub(super) async fn insert_dimension_records(
        &self,
        session: &mut Session,
        element: DimensionElement,
        records: &[DimensionRecord],
        mode: InsertMode,
    ) -> Result<()> {
        self.require_table(element, records)?;
        // In one order, so that two clients that write the same records do not wait for each other.
        let key = |record: &DimensionRecord| record.required_values().collect::<Vec<_>>();
        let mut sorted = Cow::Borrowed(records);
        if !records.is_sorted_by_key(key) {
            sorted.to_mut().sort_by_cached_key(key);
        }
        let may_race = mode == InsertMode::SkipExisting
            && element.spatial().is_some()
            && self.database.dialect() == Dialect::Postgres;
        if !may_race {
            return self
                .write_records(session, element, &sorted, mode)
                .await
                .map(|_| ());
        }
        for _ in 0..ATTEMPTS {
            let savepoint = session.savepoint().await?;
            if self.write_records(session, element, &sorted, mode).await? {
                return session.release(savepoint).await;
            }
            session.rollback_to(savepoint).await?;
        }
        Err(Error::Interrupted(format!(
            "other clients keep inserting the same records of '{element}'; try again"
        )))
    }

    /// Writes records, sorted by key. Says whether all that were missing before were inserted; if
    /// not, another client inserted some of them meanwhile, and the overlaps that were written for
    /// them must be undone.
    async fn write_records(
        &self,
        session: &mut Session,
        element: DimensionElement,
        records: &[DimensionRecord],
        mode: InsertMode,
    ) -> Result<bool> {
        let fresh;
        let records = if mode == InsertMode::SkipExisting {
            // Only what is new brings overlaps along: the overlaps of a record that is there
            // belong to its own region.
            let known = self.existing_keys(session, element, records).await?;
            let mut seen = HashSet::new();
            fresh = records
                .iter()
                .filter(|record| {
                    let key: Vec<DataIdValue> = record.required_values().collect();
                    !known.contains(&key) && seen.insert(key)
                })
                .cloned()
                .collect::<Vec<_>>();
            &fresh[..]
        } else if mode == InsertMode::Replace {
            // Of records given more than once the last counts; one statement cannot replace the
            // same row twice.
            let mut seen = HashSet::new();
            let mut last: Vec<DimensionRecord> = records
                .iter()
                .rev()
                .filter(|record| seen.insert(record.required_values().collect::<Vec<_>>()))
                .cloned()
                .collect();
            last.reverse();
            fresh = last;
            &fresh[..]
        } else {
            records
        };
        if records.is_empty() {
            return Ok(true);
        }
        let table = element.name();
        let fields = columns(element);
        let keys: Vec<&str> = key_columns(element);
        let rows = records.iter().map(record_params);
        let done = match mode {
            InsertMode::Insert => references::insert(session, table, &fields, rows, &[]).await,
            InsertMode::SkipExisting => {
                let keep = OnConflict::IgnoreOn(&keys);
                references::upsert(session, table, &fields, &keep, rows).await
            }
            InsertMode::Replace => {
                let replace = OnConflict::Replace(&keys);
                references::upsert(session, table, &fields, &replace, rows).await
            }
        };
        let written = done.map_err(|error| explain(element, error))?;
        let all_written = written >= u64::try_from(records.len()).unwrap_or(u64::MAX);
        if mode == InsertMode::SkipExisting && element.spatial().is_some() && !all_written {
            return Ok(false);
        }
        if element.spatial().is_some() {
            if mode == InsertMode::Replace {
                self.delete_overlaps(session, element, records).await?;
            }
            self.insert_overlaps(session, element, records).await?;
        }
        if element.is_governor() {
            self.register_governor_values(session, element, records)
                .await?;
        }
        Ok(true)
    }

    /// Makes sure that a record is there and equal to the given one. The session must be a
    /// transaction.
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`], naming each field that differs, when a different record
    /// is there and `update` is false.
    pub(super) async fn sync_dimension_record(
        &self,
        session: &mut Session,
        record: &DimensionRecord,
        update: bool,
    ) -> Result<SyncOutcome> {
        let element = record.element();
        let one = std::slice::from_ref(record);
        self.require_table(element, one)?;
        let table = self.database.table(element.name());
        let fields = columns(element);
        let keys = key_columns(element);
        let params = record_params(record);
        let inserted = bulk::upsert(
            session,
            &table,
            &fields,
            &OnConflict::IgnoreOn(&keys),
            [&params],
        )
        .await
        .map_err(|error| explain(element, error))?;
        if inserted > 0 {
            if element.spatial().is_some() {
                self.insert_overlaps(session, element, one).await?;
            }
            if element.is_governor() {
                self.register_governor_values(session, element, one).await?;
            }
            return Ok(SyncOutcome::Inserted);
        }
        let key: Vec<DataIdValue> = record.required_values().collect();
        let found = self.fetch_records(session, element, &[key]).await?;
        let Some(existing) = found.into_values().next() else {
            return Err(Error::Interrupted(format!(
                "a record of '{element}' was removed by another client while it was being \
                 synchronised; try again"
            )));
        };
        let changed = differences(&existing, record);
        if changed.is_empty() {
            return Ok(SyncOutcome::Unchanged);
        }
        if !update {
            let details: Vec<String> = changed
                .iter()
                .map(|(name, old)| {
                    let new = record.get(name).unwrap_or(&ColumnValue::Null);
                    format!(
                        "{name}: {} in the database, {} given",
                        old.to_json(),
                        new.to_json()
                    )
                })
                .collect();
            return Err(Error::ConflictingDefinition(format!(
                "Inconsistent values for dimension record '{element}' with {}: {}.",
                record.data_id()?,
                details.join("; ")
            )));
        }
        bulk::upsert(
            session,
            &table,
            &fields,
            &OnConflict::Replace(&keys),
            [&params],
        )
        .await
        .map_err(|error| explain(element, error))?;
        if changed.iter().any(|(name, _)| name == "region") {
            self.delete_overlaps(session, element, one).await?;
            self.insert_overlaps(session, element, one).await?;
        }
        Ok(SyncOutcome::Updated(changed))
    }

    fn require_table(&self, element: DimensionElement, records: &[DimensionRecord]) -> Result<()> {
        if !element.has_own_table() {
            return Err(Error::InvalidArgument(format!(
                "records of '{element}' cannot be written: they follow from {}",
                match element.implied_union_target() {
                    Some(target) => format!("those of '{target}'"),
                    None => "its definition".to_owned(),
                }
            )));
        }
        if let Some(other) = records.iter().find(|record| record.element() != element) {
            return Err(Error::InvalidArgument(format!(
                "a record of '{}' was given among those of '{element}'",
                other.element()
            )));
        }
        Ok(())
    }

    async fn existing_keys(
        &self,
        session: &mut Session,
        element: DimensionElement,
        records: &[DimensionRecord],
    ) -> Result<HashSet<Vec<DataIdValue>>> {
        let keys: Vec<Vec<DataIdValue>> = records
            .iter()
            .map(|record| record.required_values().collect())
            .collect();
        let types = key_types(element);
        let (from, params) = self.join_keys(element, &keys);
        let names: Vec<String> = types
            .iter()
            .map(|(name, _)| format!("t.{}", quote(name)))
            .collect();
        let sql = format!("SELECT {} FROM {from}", names.join(", "));
        let rows = session.fetch_all(&sql, &params).await?;
        rows.iter()
            .map(|row| {
                (0..types.len())
                    .map(|i| super::record_sql::key_value(row, i, types[i].1))
                    .collect()
            })
            .collect()
    }

    /// The table of an element (alias `t`) joined with the given keys.
    pub(super) fn join_keys(
        &self,
        element: DimensionElement,
        keys: &[Vec<DataIdValue>],
    ) -> (String, Vec<Param>) {
        let types = key_types(element);
        let rows: Vec<Vec<Param>> = keys
            .iter()
            .map(|key| key.iter().map(key_param).collect())
            .collect();
        let dialect = self.database.dialect();
        let table = key_table(dialect, &types, rows.iter().map(Vec::as_slice), 1);
        let on: Vec<String> = types
            .iter()
            .map(|(name, _)| format!("t.{0} = k.{0}", quote(name)))
            .collect();
        let from = format!(
            "{} JOIN {} AS t ON {}",
            table.sql,
            self.database.table(element.name()),
            on.join(" AND ")
        );
        (from, table.params)
    }

    async fn insert_overlaps(
        &self,
        session: &mut Session,
        element: DimensionElement,
        records: &[DimensionRecord],
    ) -> Result<()> {
        let (system, level) = skypix::common(self.universe);
        self.refuse_foreign_overlaps(session, element, system, level)
            .await?;
        let mut fields = overlap_key_columns(element);
        fields.push(BulkColumn::new("skypix_index", SqlType::BigInt));
        let table = skypix_overlap_name(element);
        // The records were written in the same transaction.
        let trusted = [element.name()];
        let system: Arc<str> = system.into();
        // Envelopes are computed in batches, so that a million records need not fit in memory.
        for batch in records.chunks(1000) {
            let mut rows = Vec::new();
            for record in batch {
                let Some(region) = record.region() else {
                    continue;
                };
                let mut prefix = vec![Param::Text(Arc::clone(&system)), Param::SmallInt(level)];
                prefix.extend(record.required_values().map(|value| key_param(&value)));
                for (begin, end) in skypix::common_envelope(self.universe, region)? {
                    for index in begin..end {
                        let mut row = prefix.clone();
                        row.push(Param::Int(index));
                        rows.push(row);
                    }
                }
            }
            references::insert(session, &table, &fields, rows.iter(), &trusted)
                .await
                .map_err(|error| explain(element, error))?;
        }
        Ok(())
    }

    async fn delete_overlaps(
        &self,
        session: &mut Session,
        element: DimensionElement,
        records: &[DimensionRecord],
    ) -> Result<()> {
        let (system, level) = skypix::common(self.universe);
        let types = key_types_by_dimension(element);
        let rows: Vec<Vec<Param>> = records
            .iter()
            .map(|record| {
                record
                    .required_values()
                    .map(|value| key_param(&value))
                    .collect()
            })
            .collect();
        let dialect = self.database.dialect();
        let keys = key_table(dialect, &types, rows.iter().map(Vec::as_slice), 3);
        let table = self.database.table(&skypix_overlap_name(element));
        let matches: Vec<String> = types
            .iter()
            .map(|(name, _)| format!("{table}.{0} = k.{0}", quote(name)))
            .collect();
        let sql = format!(
            "DELETE FROM {table} WHERE skypix_system = {} AND skypix_level = {} AND EXISTS (
                 SELECT 1 FROM {} WHERE {})",
            dialect.placeholder(1),
            dialect.placeholder(2),
            keys.sql,
            matches.join(" AND ")
        );
        let mut params = vec![Param::from(system), Param::SmallInt(level)];
        params.extend(keys.params);
        session.execute(&sql, &params).await?;
        Ok(())
    }

    /// Overlaps in another skypix system would go stale unnoticed, so their presence is refused.
    async fn refuse_foreign_overlaps(
        &self,
        session: &mut Session,
        element: DimensionElement,
        system: &str,
        level: i16,
    ) -> Result<()> {
        let dialect = self.database.dialect();
        let sql = format!(
            "SELECT skypix_system, skypix_level FROM {}
              WHERE NOT (skypix_system = {} AND skypix_level = {}) LIMIT 1",
            self.database.table(&skypix_summary_name(element)),
            dialect.placeholder(1),
            dialect.placeholder(2)
        );
        let params = [Param::from(system), Param::SmallInt(level)];
        if let Some(row) = session.fetch_optional(&sql, &params).await? {
            return Err(Error::unsupported_version(
                format!("the overlaps of '{element}' in the repository"),
                format!("{}{}", row.text(0)?, row.int(1)?),
                format!("{system}{level}"),
            ));
        }
        Ok(())
    }

    /// Notes, for each new governor value, that overlaps with the common skypix dimension are
    /// kept for the elements it governs.
    async fn register_governor_values(
        &self,
        session: &mut Session,
        governor: DimensionElement,
        records: &[DimensionRecord],
    ) -> Result<()> {
        let (system, level) = skypix::common(self.universe);
        let fields = [
            BulkColumn::new("skypix_system", SqlType::String { length: 16 }),
            BulkColumn::new("skypix_level", SqlType::SmallInt),
            BulkColumn::new(governor.name(), SqlType::Text),
        ];
        let governed = self.universe.elements().filter(|element| {
            element.has_own_table()
                && element.spatial().is_some()
                && element.governor() == Some(governor)
        });
        for element in governed {
            let rows = records.iter().filter_map(|record| {
                let value = key_param(&record.key_value()?);
                Some([Param::from(system), Param::SmallInt(level), value])
            });
            let table = self.database.table(&skypix_summary_name(element));
            bulk::upsert(session, &table, &fields, &OnConflict::Ignore, rows).await?;
        }
        Ok(())
    }
}

/// The primary key of an element's table: names of its own columns, with types.
pub(super) fn key_types(element: DimensionElement) -> Vec<(&'static str, SqlType)> {
    element
        .schema()
        .required()
        .iter()
        .map(|column| (&*column.name, sql_type(column.column_type)))
        .collect()
}

/// The same key as other tables refer to it: under the names of the dimensions.
fn key_types_by_dimension(element: DimensionElement) -> Vec<(&'static str, SqlType)> {
    let types = element
        .schema()
        .required()
        .iter()
        .map(|column| sql_type(column.column_type));
    element.required().iter().copied().zip(types).collect()
}

fn key_columns(element: DimensionElement) -> Vec<&'static str> {
    element
        .schema()
        .required()
        .iter()
        .map(|column| &*column.name)
        .collect()
}

fn overlap_key_columns(element: DimensionElement) -> Vec<BulkColumn> {
    let mut fields = vec![
        BulkColumn::new("skypix_system", SqlType::String { length: 16 }),
        BulkColumn::new("skypix_level", SqlType::SmallInt),
    ];
    let keys = key_types_by_dimension(element);
    fields.extend(keys.into_iter().map(|(name, ty)| BulkColumn::new(name, ty)));
    fields
}

/// The fields in which two records differ, with the values of the first.
fn differences(old: &DimensionRecord, new: &DimensionRecord) -> HashMap<String, ColumnValue> {
    old.fields()
        .zip(new.values())
        .filter(|((_, a), b)| !same(a, b))
        .map(|((column, value), _)| (column.name.to_string(), value.clone()))
        .collect()
}

/// Equality, but for floats that both are not a number.
fn same(a: &ColumnValue, b: &ColumnValue) -> bool {
    match (a, b) {
        (ColumnValue::Float(a), ColumnValue::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        _ => a == b,
    }
}

fn explain(element: DimensionElement, error: SqlError) -> Error {
    match error.kind {
        SqlErrorKind::Unique => Error::ConflictingDefinition(format!(
            "A record of '{element}' with the same key, or with the same value of a field that \
             must be unique, is there already ({}).",
            error.source
        )),
        SqlErrorKind::ForeignKey => Error::ConflictingDefinition(format!(
            "A record of '{element}' refers to a record of another dimension that is not there; \
             insert that first ({}).",
            error.source
        )),
        SqlErrorKind::Check => Error::DimensionValue(format!(
            "A record of '{element}' has a value that is too long, empty or missing ({}).",
            error.source
        )),
        _ => error.into(),
    }
}

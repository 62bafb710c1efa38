//! One dataset by its ID, with the records that datastores keep of its files: what a server does
//! most.
//!
//! Which table has the data ID, only the dataset's type says. That would be two statements; but a
//! server is mostly asked for a few kinds of datasets, so that the tables which were needed first
//! are looked into at once. That costs less than a second round trip.

use std::sync::Arc;

use butler_core::datasets::{DatasetRef, DatastoreRecords};
use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use uuid::Uuid;

use super::lookup::{data_id_from_row, key_list};
use super::rows::dimension_columns;
use crate::db::{Param, Row, Session};
use crate::registry::context::Context;

/// How many tables of memberships are looked into before the dataset type is known. More than these
/// cost the database as much as another statement.
pub(in crate::registry) const LIKELY_TABLES: usize = 2;

/// The columns of a file record in a row, from its first column on.
const RECORD_COLUMNS: &str =
    "place, path, formatter, storage_class, component, checksum, file_size";

impl Context {
    /// The dataset with this ID, with the records in these opaque tables attached if there are any
    /// tables.
    pub(in crate::registry) async fn dataset_with_records(
        &self,
        session: &mut Session,
        id: Uuid,
        tables: &[String],
    ) -> Result<Option<DatasetRef>> {
        let tables = self.present_tables(session, tables).await?;
        let keys = self.keys();
        let (own, run_key) = (keys.column(), keys.run_reference());
        let dialect = self.database.dialect();
        let wanted = dialect.placeholder(1);
        let likely = self.likely_tables();
        let mut sql = format!("SELECT d.dataset_type_id, d.{run_key}, r.name");
        let mut width = 3;
        let mut places = Vec::with_capacity(likely.len());
        for (index, record) in likely.iter().enumerate() {
            let columns = dimension_columns(record.dataset_type.dimensions());
            let alias = format!("m{index}");
            sql.push_str(&format!(
                ", {alias}.dataset_type_id{}",
                key_list(&alias, &columns)
            ));
            places.push(width);
            width += 1 + columns.len();
        }
        if !tables.is_empty() {
            sql.push_str(", f.");
            sql.push_str(&RECORD_COLUMNS.replace(", ", ", f."));
        }
        sql.push_str(&format!(
            " FROM {} AS d JOIN {} AS r ON r.{own} = d.{run_key}",
            self.database.table("dataset"),
            self.database.table("collection"),
        ));
        for (index, record) in likely.iter().enumerate() {
            sql.push_str(&format!(
                " LEFT JOIN {} AS m{index} ON m{index}.dataset_id = {wanted}
                     AND m{index}.{} = d.{run_key}",
                self.database.table(&record.tags),
                keys.reference()
            ));
        }
        if !tables.is_empty() {
            sql.push_str(&format!(
                " LEFT JOIN ({}) AS f ON 1 = 1",
                self.records_of_one(&tables)
            ));
        }
        sql.push_str(&format!(" WHERE d.id = {wanted}"));
        let rows = session.fetch_all(&sql, &[Param::Uuid(id)]).await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let type_id = first.int(0)?;
        let types = self
            .dataset_types_with_ids(session, [type_id].into())
            .await?;
        let record = types
            .get(&type_id)
            .ok_or_else(|| Error::Internal(format!("dataset type {type_id} was looked up")))?;
        let dimensions = record.dataset_type.dimensions();
        let columns = dimension_columns(dimensions);
        // A dataset's row for its run carries its data ID.
        let place = likely.iter().position(|known| known.tags == record.tags);
        let data_id = if let Some(place) = place.map(|index| places[index]) {
            if first.opt_int(place)?.is_none() {
                return Ok(None);
            }
            data_id_from_row(dimensions, &columns, first, place + 1)?
        } else {
            let sql = format!(
                "SELECT m.dataset_type_id{} FROM {} AS m WHERE m.dataset_id = {wanted} AND m.{} = {}",
                key_list("m", &columns),
                self.database.table(&record.tags),
                keys.reference(),
                dialect.placeholder(2)
            );
            let run = keys.read(first, 1)?;
            let params = [Param::Uuid(id), run.param()];
            let Some(row) = session.fetch_optional(&sql, &params).await? else {
                return Ok(None);
            };
            self.remember_likely_table(record);
            data_id_from_row(dimensions, &columns, &row, 1)?
        };
        let dataset_type = Arc::clone(&record.dataset_type);
        let dataset = DatasetRef::new(dataset_type, data_id, first.text(2)?, id)?;
        if tables.is_empty() {
            return Ok(Some(dataset));
        }
        let records = read_records(&rows, width, &tables)?;
        Ok(Some(dataset.with_datastore_records(Some(records.into()))))
    }

    /// The records of one dataset in these opaque tables.
    pub(in crate::registry) async fn records_of(
        &self,
        session: &mut Session,
        id: Uuid,
        tables: &[String],
    ) -> Result<DatastoreRecords> {
        let tables = self.present_tables(session, tables).await?;
        if tables.is_empty() {
            return Ok(DatastoreRecords::new());
        }
        let sql = self.records_of_one(&tables);
        let rows = session.fetch_all(&sql, &[Param::Uuid(id)]).await?;
        read_records(&rows, 0, &tables)
    }

    /// The records of the dataset that is the first parameter.
    fn records_of_one(&self, tables: &[&str]) -> String {
        let id = self.database.dialect().placeholder(1);
        let parts = tables.iter().enumerate().map(|(place, table)| {
            format!(
                "SELECT {place} AS {RECORD_COLUMNS} FROM {} WHERE dataset_id = {id}",
                self.database.table(table)
            )
        });
        parts.collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// Those of these tables that exist. A repository that was never opened for writing may lack
    /// some; a table that is there stays.
    pub(in crate::registry) async fn present_tables<'t>(
        &self,
        session: &mut Session,
        tables: &'t [String],
    ) -> Result<Vec<&'t str>> {
        let mut present = Vec::with_capacity(tables.len());
        for table in tables {
            if !self.has_table(table) {
                if !self.database.table_exists(session, table).await? {
                    continue;
                }
                self.remember_table(table);
            }
            present.push(table.as_str());
        }
        Ok(present)
    }
}

fn read_records(rows: &[Row], first: usize, tables: &[&str]) -> Result<DatastoreRecords> {
    let mut records = DatastoreRecords::new();
    for row in rows {
        let Some(place) = row.opt_int(first)? else {
            continue;
        };
        let table = usize::try_from(place).ok().and_then(|at| tables.get(at));
        let table = table.ok_or_else(|| Error::Internal(format!("there is no table {place}")))?;
        let info = StoredFileInfo {
            path: row.text(first + 1)?.to_owned(),
            formatter: row.shared_text(first + 2)?,
            storage_class: row.shared_text(first + 3)?,
            component: StoredFileInfo::component_from_column(row.opt_text(first + 4)?),
            checksum: row.opt_text(first + 5)?.map(str::to_owned),
            file_size: row.opt_int(first + 6)?.unwrap_or(-1),
        };
        records.entry(Arc::from(*table)).or_default().push(info);
    }
    for infos in records.values_mut() {
        infos.sort_by(|a, b| a.component.cmp(&b.component));
    }
    Ok(records)
}

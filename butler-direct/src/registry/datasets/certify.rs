//! Membership in CALIBRATION collections: validity ranges that never overlap.

use std::collections::HashSet;

use butler_core::collections::CollectionType;
use butler_core::datasets::DatasetRef;
use butler_core::dimensions::DataCoordinate;
use butler_core::error::{Error, Result};
use butler_core::timespan::Timespan;

use super::associate::by_type;
use super::find::overlap_condition;
use super::lookup::{data_id_from_row, key_list};
use super::rows::{calibs_columns, dimension_columns, tags_row};
use crate::db::bulk::BulkColumn;
use crate::db::dialect::quote;
use crate::db::keys::key_table;
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Session, SqlErrorKind, references};
use crate::registry::collections::CollectionRecord;
use crate::registry::context::Context;
use crate::registry::dataset_types::DatasetTypeRecord;
use crate::registry::record_sql::key_param;
use crate::registry::summaries::SummaryUpdate;

impl Context {
    /// Makes datasets valid for a timespan in a CALIBRATION collection. The session must be a
    /// transaction.
    ///
    /// # Errors
    /// [`Error::CollectionType`] when the collection is not CALIBRATION;
    /// [`Error::DatasetTypeNotSupported`] when a dataset type is no calibration;
    /// [`Error::ConflictingDefinition`] when a dataset of the same type and data ID is valid in
    /// part of the timespan already.
    pub(in crate::registry) async fn certify(
        &self,
        session: &mut Session,
        collection: &str,
        datasets: &[DatasetRef],
        timespan: Timespan,
    ) -> Result<()> {
        let record = self.find_collection(session, collection).await?;
        require_calibration(&record, "certify into")?;
        // Summaries come before the locks, as with the reference, and all of them first: several
        // types can share a table. Else two clients could wait for each other.
        let mut types = Vec::new();
        for (name, datasets) in by_type(datasets) {
            let dataset_type = self.dataset_type(session, name).await?;
            calibs_of(&dataset_type, "certify")?;
            let mut update = SummaryUpdate::default();
            update.add_dataset_type(dataset_type.id);
            for dataset in &datasets {
                update.add_data_id(dataset.data_id());
            }
            self.update_summary(session, &record.key, &update).await?;
            types.push((name, dataset_type, datasets));
        }
        for (name, dataset_type, datasets) in types {
            let table = calibs_of(&dataset_type, "certify")?;
            if self.database.dialect() == Dialect::Postgres {
                // Of two clients that write the same range at once, the second must see what the
                // first wrote. It is what the reference does, too.
                let table = self.database.table(table);
                session
                    .execute_script(format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
                    .await?;
            }
            let conflict = |detail: &str| {
                Error::ConflictingDefinition(format!(
                    "Validity range conflict certifying datasets of type '{name}' into \
                     '{collection}' for range {timespan}{detail}."
                ))
            };
            let mut distinct = HashSet::new();
            let twice = datasets.iter().find(|d| !distinct.insert(d.data_id()));
            if let Some(twice) = twice.filter(|_| !timespan.is_empty()) {
                let detail = format!(": data ID {} is given twice", twice.data_id());
                return Err(conflict(&detail));
            }
            // The table is locked (on SQLite, the database), so nothing can come between this check
            // and the insertion. Tables that old clients made on PostgreSQL have a constraint as
            // well.
            let found = self
                .first_overlap(session, &dataset_type, table, &record, &datasets, timespan)
                .await?;
            if let Some(data_id) = found {
                return Err(conflict(&format!(", at data ID {data_id}")));
            }
            let rows: Vec<Vec<Param>> = datasets
                .iter()
                .map(|dataset| {
                    let mut row = tags_row(dataset, dataset_type.id, &record.key);
                    row.push(Param::Timespan(timespan));
                    row
                })
                .collect();
            self.insert_calibs(session, &dataset_type, table, rows)
                .await
                .map_err(|error| match error.kind {
                    SqlErrorKind::Exclusion => conflict(""),
                    SqlErrorKind::ForeignKey => Error::ConflictingDefinition(format!(
                        "Datasets of type '{name}' cannot be certified into '{collection}': one of \
                         them does not exist ({}).",
                        error.source
                    )),
                    _ => error.into(),
                })?;
        }
        Ok(())
    }

    /// Ends the validity of datasets in a timespan; ranges that reach beyond it are cut. With
    /// `data_ids`, only datasets with these data IDs are concerned. The session must be a
    /// transaction.
    ///
    /// # Errors
    /// As for [`certify`](Self::certify).
    pub(in crate::registry) async fn decertify(
        &self,
        session: &mut Session,
        collection: &str,
        dataset_type: &str,
        timespan: Timespan,
        data_ids: Option<&[DataCoordinate]>,
    ) -> Result<()> {
        let record = self.find_collection(session, collection).await?;
        require_calibration(&record, "decertify from")?;
        let dataset_type = self.dataset_type(session, dataset_type).await?;
        let name = calibs_of(&dataset_type, "decertify")?;
        let table = self.database.table(name);
        let dialect = self.database.dialect();
        if dialect == Dialect::Postgres {
            // Two clients that cut the same ranges at once must not both cut the old ones.
            session
                .execute_script(format!("LOCK TABLE {table} IN EXCLUSIVE MODE"))
                .await?;
        }
        let dimensions = dataset_type.dataset_type.dimensions();
        let columns = dimension_columns(dimensions);
        let timespan_list: String = dialect
            .physical_columns("timespan", SqlType::Timespan)
            .iter()
            .map(|column| format!(", m.{}", quote(column)))
            .collect();
        let sql = format!(
            "SELECT m.id, m.dataset_id{}{timespan_list} FROM {table} AS m
              WHERE m.dataset_type_id = {} AND m.{} = {} AND {}",
            key_list("m", &columns),
            dialect.placeholder(1),
            self.keys().reference(),
            dialect.placeholder(2),
            overlap_condition(dialect, "m", 3)
        );
        let params = [
            Param::Int(dataset_type.id),
            record.key.param(),
            Param::Timespan(timespan),
        ];
        let wanted: Option<HashSet<DataCoordinate>> = data_ids
            .map(|ids| ids.iter().map(|id| id.subset(dimensions)).collect())
            .transpose()?;
        let mut ended = Vec::new();
        let mut remaining: Vec<Vec<Param>> = Vec::new();
        for row in session.fetch_all(&sql, &params).await? {
            let data_id = data_id_from_row(dimensions, &columns, &row, 2)?;
            if wanted
                .as_ref()
                .is_some_and(|wanted| !wanted.contains(&data_id))
            {
                continue;
            }
            ended.push(row.int(0)?);
            let Some(range) = row.opt_timespan(2 + columns.len())? else {
                continue;
            };
            for rest in range.difference(timespan) {
                let mut values = vec![
                    Param::Int(dataset_type.id),
                    Param::Uuid(row.uuid(1)?),
                    record.key.param(),
                ];
                values.extend(data_id.required_values().iter().map(key_param));
                values.push(Param::Timespan(rest));
                remaining.push(values);
            }
        }
        let sql = format!(
            "DELETE FROM {table} WHERE {}",
            self.database.in_ids("id", 1)
        );
        session.execute(&sql, &[Param::Ints(ended)]).await?;
        self.insert_calibs(session, &dataset_type, name, remaining)
            .await?;
        Ok(())
    }

    /// Inserts rows into a table of CALIBRATION memberships, with new keys.
    async fn insert_calibs(
        &self,
        session: &mut Session,
        dataset_type: &DatasetTypeRecord,
        table: &str,
        mut rows: Vec<Vec<Param>>,
    ) -> std::result::Result<(), crate::db::SqlError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut columns = calibs_columns(self.keys(), dataset_type.dataset_type.dimensions());
        if self.database.dialect() == Dialect::Postgres {
            let name = self.database.ddl().sequence_name(table, "id");
            let sequence = self.database.table(&name).replace('\'', "''");
            let sql = format!("SELECT nextval('{sequence}') FROM generate_series(1, $1)");
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let keys = session.try_fetch_all(&sql, &[Param::Int(count)]).await?;
            columns.push(BulkColumn::new("id", SqlType::BigInt));
            for (row, key) in rows.iter_mut().zip(&keys) {
                row.push(Param::Int(key.int(0)?));
            }
        }
        references::insert(session, table, &columns, rows.iter(), &[]).await?;
        Ok(())
    }

    /// The data ID of one of the datasets that would be valid at the same time as one that is
    /// there.
    async fn first_overlap(
        &self,
        session: &mut Session,
        dataset_type: &DatasetTypeRecord,
        table: &str,
        collection: &CollectionRecord,
        datasets: &[&DatasetRef],
        timespan: Timespan,
    ) -> Result<Option<DataCoordinate>> {
        let dimensions = dataset_type.dataset_type.dimensions();
        let columns = dimension_columns(dimensions);
        let dialect = self.database.dialect();
        let types: Vec<(&str, SqlType)> = columns.iter().map(|c| (&*c.name, c.ty)).collect();
        let rows: Vec<Vec<Param>> = datasets
            .iter()
            .map(|d| {
                d.data_id()
                    .required_values()
                    .iter()
                    .map(key_param)
                    .collect()
            })
            .collect();
        let mut params = vec![
            Param::Int(dataset_type.id),
            collection.key.param(),
            Param::Timespan(timespan),
        ];
        let join = if types.is_empty() {
            String::new()
        } else {
            let first = match dialect {
                Dialect::Postgres => 4,
                // A timespan takes two parameters.
                Dialect::Sqlite => 5,
            };
            let keys = key_table(dialect, &types, rows.iter().map(Vec::as_slice), first);
            params.extend(keys.params);
            let on: Vec<String> = types
                .iter()
                .map(|(name, _)| format!("m.{0} = k.{0}", quote(name)))
                .collect();
            format!("JOIN {} ON {}", keys.sql, on.join(" AND "))
        };
        let sql = format!(
            "SELECT m.id{} FROM {} AS m {join}
              WHERE m.dataset_type_id = {} AND m.{} = {} AND {} LIMIT 1",
            key_list("m", &columns),
            self.database.table(table),
            dialect.placeholder(1),
            self.keys().reference(),
            dialect.placeholder(2),
            overlap_condition(dialect, "m", 3)
        );
        let row = session.fetch_optional(&sql, &params).await?;
        row.map(|row| data_id_from_row(dimensions, &columns, &row, 1))
            .transpose()
    }
}

fn require_calibration(record: &CollectionRecord, action: &str) -> Result<()> {
    if record.kind == CollectionType::Calibration {
        return Ok(());
    }
    Err(Error::CollectionType(format!(
        "Cannot {action} collection '{}' of type {}; must be CALIBRATION.",
        record.name, record.kind
    )))
}

fn calibs_of<'a>(dataset_type: &'a DatasetTypeRecord, action: &str) -> Result<&'a str> {
    dataset_type.calibs.as_deref().ok_or_else(|| {
        Error::DatasetTypeNotSupported(format!(
            "Cannot {action} datasets of type '{}', which is not a calibration dataset type.",
            dataset_type.dataset_type.name()
        ))
    })
}

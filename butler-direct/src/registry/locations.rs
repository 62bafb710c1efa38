//! Where datasets are stored: `dataset_location`, and the opaque tables in which datastores keep
//! their records.

use std::collections::{HashMap, HashSet};

use butler_core::error::{Error, Result};
use uuid::Uuid;

use super::context::Context;
use crate::db::bulk::{self, BulkColumn, OnConflict};
use crate::db::schema::{Field, SqlType, TableSpec};
use crate::db::{Param, Session, SqlErrorKind, references};

/// IDs handled by one statement.
const BATCH: usize = 50_000;

/// The table of a file datastore's records.
pub fn file_records_table(name: &str) -> TableSpec {
    let mut spec = TableSpec::new(
        name,
        vec![
            Field::key("dataset_id", SqlType::Uuid),
            Field::required("path", SqlType::String { length: 256 }),
            Field::required("formatter", SqlType::String { length: 128 }),
            Field::required("storage_class", SqlType::String { length: 64 }),
            Field::key("component", SqlType::String { length: 32 }),
            Field::nullable("checksum", SqlType::String { length: 128 }),
            Field::nullable("file_size", SqlType::BigInt),
        ],
    );
    spec.indexes.push(vec!["path".to_owned()]);
    spec
}

fn location_columns() -> [BulkColumn; 2] {
    [
        BulkColumn::new("datastore_name", SqlType::String { length: 256 }),
        BulkColumn::new("dataset_id", SqlType::Uuid),
    ]
}

impl Context {
    /// Makes sure that an opaque table exists and is listed.
    pub(super) async fn register_opaque_table(
        &self,
        session: &mut Session,
        spec: &TableSpec,
    ) -> Result<()> {
        self.database.ensure_table(session, spec).await?;
        let columns = [BulkColumn::new(
            "table_name",
            SqlType::String { length: 128 },
        )];
        let table = self.database.table("opaque_meta");
        let rows = [[Param::from(spec.name.as_str())]];
        bulk::upsert(session, &table, &columns, &OnConflict::Ignore, rows).await?;
        Ok(())
    }

    /// Notes that a datastore stores datasets. With `ignore_known`, those it is known to store
    /// already are passed over. Datasets that are `new` were inserted in the same transaction.
    pub(super) async fn insert_locations(
        &self,
        session: &mut Session,
        datastore: &str,
        ids: &[Uuid],
        ignore_known: bool,
        new: bool,
    ) -> Result<()> {
        let name: std::sync::Arc<str> = datastore.into();
        // In one order, so that two clients do not wait for each other.
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        if ignore_known {
            ids.dedup();
        }
        let rows = ids.iter().map(|id| [Param::from(&name), Param::Uuid(*id)]);
        let columns = location_columns();
        let done = if new {
            let trusted = ["dataset"];
            references::insert(session, "dataset_location", &columns, rows, &trusted).await
        } else if ignore_known {
            let keep = OnConflict::Ignore;
            references::upsert(session, "dataset_location", &columns, &keep, rows).await
        } else {
            references::insert(session, "dataset_location", &columns, rows, &[]).await
        };
        match done {
            Ok(_) => Ok(()),
            Err(error) if error.kind == SqlErrorKind::Unique => {
                Err(Error::ConflictingDefinition(format!(
                    "Datastore '{datastore}' stores one of the datasets already ({}).",
                    error.source
                )))
            }
            Err(error) if error.kind == SqlErrorKind::ForeignKey => {
                Err(Error::DatasetNotFound(format!(
                    "A dataset to be stored in datastore '{datastore}' is not in the registry ({}).",
                    error.source
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Which of the datasets a datastore stores.
    pub(super) async fn stored_in(
        &self,
        session: &mut Session,
        datastore: &str,
        ids: &[Uuid],
    ) -> Result<HashSet<Uuid>> {
        let sql = format!(
            "SELECT dataset_id FROM {} WHERE datastore_name = {} AND {}",
            self.database.table("dataset_location"),
            self.database.dialect().placeholder(1),
            self.database.in_ids("dataset_id", 2)
        );
        let mut stored = HashSet::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let params = [Param::from(datastore), Param::Uuids(batch.to_vec())];
            for row in session.fetch_all(&sql, &params).await? {
                stored.insert(row.uuid(0)?);
            }
        }
        Ok(stored)
    }

    /// The names of the datastores that store each of the datasets.
    pub(super) async fn locations(
        &self,
        session: &mut Session,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<String>>> {
        let sql = format!(
            "SELECT dataset_id, datastore_name FROM {} WHERE {} ORDER BY datastore_name",
            self.database.table("dataset_location"),
            self.database.in_ids("dataset_id", 1)
        );
        let mut locations: HashMap<Uuid, Vec<String>> = HashMap::new();
        for batch in ids.chunks(BATCH) {
            for row in session
                .fetch_all(&sql, &[Param::Uuids(batch.to_vec())])
                .await?
            {
                locations
                    .entry(row.uuid(0)?)
                    .or_default()
                    .push(row.text(1)?.to_owned());
            }
        }
        Ok(locations)
    }

    /// Forgets that a datastore stores datasets, without touching files or records.
    pub(super) async fn forget_locations(
        &self,
        session: &mut Session,
        datastore: &str,
        ids: &[Uuid],
    ) -> Result<()> {
        self.delete_location_rows(session, "dataset_location", datastore, ids)
            .await
    }

    /// Deletes a datastore's rows about datasets from one of the two tables of locations.
    pub(super) async fn delete_location_rows(
        &self,
        session: &mut Session,
        table: &str,
        datastore: &str,
        ids: &[Uuid],
    ) -> Result<()> {
        let sql = format!(
            "DELETE FROM {} WHERE datastore_name = {} AND {}",
            self.database.table(table),
            self.database.dialect().placeholder(1),
            self.database.in_ids("dataset_id", 2)
        );
        for batch in ids.chunks(BATCH) {
            let params = [Param::from(datastore), Param::Uuids(batch.to_vec())];
            session.execute(&sql, &params).await?;
        }
        Ok(())
    }
}

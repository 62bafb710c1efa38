//! The records of a file datastore: one row for each file of a dataset, in an opaque table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use butler_core::datastore::StoredFileInfo;
use butler_core::error::{Error, Result};
use uuid::Uuid;

use super::{RegistryTransaction, SqlRegistry};
use crate::db::bulk::{self, BulkColumn, OnConflict};
use crate::db::schema::SqlType;
use crate::db::{Param, Session, SqlErrorKind, references};

/// IDs or paths in one query.
const BATCH: usize = 20_000;

/// What to do with a record whose dataset and component have one already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordMode {
    /// It is an error.
    #[default]
    Insert,
    /// The record that is there stays.
    Ignore,
    /// The record that is there is replaced.
    Replace,
}

fn columns() -> [BulkColumn; 7] {
    let string = |length| SqlType::String { length };
    [
        BulkColumn::new("dataset_id", SqlType::Uuid),
        BulkColumn::new("path", string(256)),
        BulkColumn::new("formatter", string(128)),
        BulkColumn::new("storage_class", string(64)),
        BulkColumn::new("component", string(32)),
        BulkColumn::new("checksum", string(128)),
        BulkColumn::new("file_size", SqlType::BigInt),
    ]
}

fn row(id: Uuid, info: &StoredFileInfo) -> [Param; 7] {
    [
        Param::Uuid(id),
        Param::from(info.path.as_str()),
        Param::from(&info.formatter),
        Param::from(&info.storage_class),
        match &info.component {
            Some(component) => Param::from(component),
            None => Param::from(info.component_column()),
        },
        Param::or_null(info.checksum.as_deref(), SqlType::String { length: 128 }),
        Param::Int(info.file_size),
    ]
}

async fn insert(
    session: &mut Session,
    table: &str,
    rows: &[(Uuid, StoredFileInfo)],
    mode: RecordMode,
) -> Result<()> {
    const KEYS: &[&str] = &["dataset_id", "component"];
    if rows.is_empty() {
        return Ok(());
    }
    let target = session.database().table(table);
    let columns = columns();
    // In the order of the key: indexes grow at one end, and two clients do not wait for each other.
    let mut sorted: Vec<&(Uuid, StoredFileInfo)> = rows.iter().collect();
    sorted.sort_by(|(a, x), (b, y)| (a, x.component_column()).cmp(&(b, y.component_column())));
    let rows = sorted.into_iter();
    let done = match mode {
        RecordMode::Insert => {
            let rows = rows.map(|(id, info)| row(*id, info));
            references::insert(session, table, &columns, rows, &[]).await
        }
        RecordMode::Ignore => {
            let rows = rows.map(|(id, info)| row(*id, info));
            bulk::upsert(
                session,
                &target,
                &columns,
                &OnConflict::IgnoreOn(KEYS),
                rows,
            )
            .await
        }
        RecordMode::Replace => {
            // One statement cannot replace a row twice: the last one given counts.
            let mut last: BTreeMap<(Uuid, &str), &StoredFileInfo> = BTreeMap::new();
            for (id, info) in rows {
                last.insert((*id, info.component_column()), info);
            }
            let rows: Vec<_> = last
                .into_iter()
                .map(|((id, _), info)| row(id, info))
                .collect();
            bulk::upsert(session, &target, &columns, &OnConflict::Replace(KEYS), rows).await
        }
    };
    match done {
        Ok(_) => Ok(()),
        Err(error) if error.kind == SqlErrorKind::Unique => {
            Err(Error::ConflictingDefinition(format!(
                "There are file records of one of the datasets in '{table}' already; if it was \
                 removed, empty the trash first ({}).",
                error.source
            )))
        }
        Err(error) => Err(error.into()),
    }
}

async fn fetch(
    session: &mut Session,
    table: &str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<StoredFileInfo>>> {
    let sql = format!(
        "SELECT dataset_id, path, formatter, storage_class, component, checksum, file_size
           FROM {} WHERE {}",
        session.database().table(table),
        session.database().in_ids("dataset_id", 1)
    );
    let mut found: HashMap<Uuid, Vec<StoredFileInfo>> = HashMap::with_capacity(ids.len());
    // Few formatters and storage classes serve many files.
    let mut names: HashSet<Arc<str>> = HashSet::new();
    let mut shared = |text: &str| match names.get(text) {
        Some(name) => Arc::clone(name),
        None => {
            let name: Arc<str> = text.into();
            names.insert(Arc::clone(&name));
            name
        }
    };
    for batch in ids.chunks(BATCH) {
        let rows = session
            .fetch_all(&sql, &[Param::Uuids(batch.to_vec())])
            .await?;
        for row in rows {
            let info = StoredFileInfo {
                path: row.text(1)?.to_owned(),
                formatter: shared(row.text(2)?),
                storage_class: shared(row.text(3)?),
                component: StoredFileInfo::component_from_column(Some(row.text(4)?)),
                checksum: row.opt_text(5)?.map(str::to_owned),
                file_size: row.opt_int(6)?.unwrap_or(-1),
            };
            found.entry(row.uuid(0)?).or_default().push(info);
        }
    }
    for records in found.values_mut() {
        records.sort_by(|a, b| a.component.cmp(&b.component));
    }
    Ok(found)
}

async fn known(session: &mut Session, table: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let sql = format!(
        "SELECT DISTINCT dataset_id FROM {} WHERE {}",
        session.database().table(table),
        session.database().in_ids("dataset_id", 1)
    );
    let mut found = HashSet::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let params = [Param::Uuids(batch.to_vec())];
        for row in session.fetch_all(&sql, &params).await? {
            found.insert(row.uuid(0)?);
        }
    }
    Ok(found)
}

impl RegistryTransaction {
    /// Writes file records into an opaque table made from
    /// [`file_records_table`](super::locations::file_records_table).
    ///
    /// # Errors
    /// [`Error::ConflictingDefinition`] with [`RecordMode::Insert`] if there is a record already.
    pub async fn insert_file_records(
        &mut self,
        table: &str,
        rows: &[(Uuid, StoredFileInfo)],
        mode: RecordMode,
    ) -> Result<()> {
        insert(self.session(), table, rows, mode).await
    }

    /// The file records of datasets; those without any are left out.
    ///
    /// # Errors
    /// Any database error.
    pub async fn file_records(
        &mut self,
        table: &str,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<StoredFileInfo>>> {
        fetch(self.session(), table, ids).await
    }

    /// Deletes the file records of datasets.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delete_file_records(&mut self, table: &str, ids: &[Uuid]) -> Result<u64> {
        let session = self.session();
        let sql = format!(
            "DELETE FROM {} WHERE {}",
            session.database().table(table),
            session.database().in_ids("dataset_id", 1)
        );
        let mut deleted = 0;
        for batch in ids.chunks(BATCH) {
            let params = [Param::Uuids(batch.to_vec())];
            deleted += session.execute(&sql, &params).await?;
        }
        Ok(deleted)
    }
}

impl SqlRegistry {
    /// The file records of datasets; those without any are left out.
    ///
    /// # Errors
    /// Any database error.
    pub async fn file_records(
        &self,
        table: &str,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<StoredFileInfo>>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        fetch(&mut self.database().read().await?, table, ids).await
    }

    /// Which of the datasets have file records.
    ///
    /// # Errors
    /// Any database error.
    pub async fn known_to_file_records(&self, table: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        known(&mut self.database().read().await?, table, ids).await
    }
}

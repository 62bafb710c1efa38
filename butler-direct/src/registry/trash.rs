//! The trash: datasets whose files are to be deleted.
//!
//! Deleting a file takes two steps. First the dataset's location moves to the trash, in one
//! transaction with whatever else is done to the dataset. Then files of what is in the trash are
//! deleted, and their records with them, without any transaction open in the meantime.
//!
//! So that nobody else makes use of a file's place meanwhile, datasets are claimed before their files
//! are deleted: their rows in the trash then bear the name of the claim, which begins with that of
//! the datastore. Nobody empties what somebody else has claimed, and who wants a place takes it over
//! only from datasets that nobody has claimed. A claim ends when the records are removed, or, should
//! its owner crash, some time later; what it covers is then ordinary trash again.
//!
//! The reference knows no claims. It does not see claimed datasets, and locks the rows of those that
//! it deletes itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use butler_core::error::Result;
use uuid::Uuid;

use super::{RegistryTransaction, SqlRegistry};
use crate::db::{Dialect, Param, Session};

/// IDs or paths handled by one statement.
const BATCH: usize = 20_000;

/// How long a claim holds if its owner does not end it: far longer than deleting takes.
pub const CLAIM_LASTS: Duration = Duration::from_secs(60 * 60);

/// The longest name of a datastore that is part of names of claims as it is; there is room for 256
/// characters in the column.
const LONGEST_NAME: usize = 180;

/// A claim on datasets in a datastore's trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashClaim {
    datastore: String,
    name: String,
}

impl TrashClaim {
    /// A new claim, which holds for an hour.
    pub fn new(datastore: &str) -> Self {
        Self::lasting(datastore, CLAIM_LASTS)
    }

    /// A new claim.
    pub fn lasting(datastore: &str, duration: Duration) -> Self {
        let end = unix_seconds() + duration.as_secs();
        Self {
            datastore: datastore.to_owned(),
            name: format!("{}{end}:{}", prefix(datastore), Uuid::now_v7().simple()),
        }
    }

    /// What stands in the place of the datastore's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// With what names of claims on a datastore's trash begin.
fn prefix(datastore: &str) -> String {
    if datastore.len() <= LONGEST_NAME {
        return format!("{datastore}#deleting:");
    }
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, datastore.as_bytes());
    format!("{}#deleting:", id.simple())
}

fn has_ended(claim: &str, datastore: &str) -> bool {
    let end = claim
        .strip_prefix(&prefix(datastore))
        .and_then(|rest| rest.split(':').next())
        .and_then(|end| end.parse::<u64>().ok());
    // Whatever cannot be read was not written by us, and never ends.
    end.is_some_and(|end| end <= unix_seconds())
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// What became of places in a datastore that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeOver {
    /// No dataset in the trash has a file in any of them.
    Free,
    /// Somebody is deleting the file in one of them.
    Busy,
}

/// The condition that a row `t` of the trash is a datastore's, claimed or not; the name of the
/// datastore and the [`prefix`] of claims are bound to parameters from `index` on.
fn is_of_datastore(dialect: Dialect, index: usize) -> String {
    let (name, claims) = (dialect.placeholder(index), dialect.placeholder(index + 1));
    format!(
        "(t.datastore_name = {name}
          OR substr(t.datastore_name, 1, length({claims})) = {claims})"
    )
}

fn both_names(datastore: &str) -> [Param; 2] {
    [Param::from(datastore), Param::from(prefix(datastore))]
}

/// Moves rows from one of the two tables of locations to the trash, or inside of it, and gives the
/// IDs of those that were there.
async fn move_rows(
    session: &mut Session,
    table: &str,
    from: &str,
    to: &str,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    let database = session.database();
    let dialect = database.dialect();
    let (one, two) = (dialect.placeholder(1), dialect.placeholder(2));
    let delete = format!(
        "DELETE FROM {} WHERE datastore_name = {one} AND {} RETURNING dataset_id",
        database.table(table),
        database.in_ids("dataset_id", 2)
    );
    let insert = format!(
        "INSERT INTO {} (datastore_name, dataset_id)
         SELECT {one}, m.id FROM {} WHERE 1 = 1 ON CONFLICT DO NOTHING",
        database.table("dataset_location_trash"),
        match dialect {
            Dialect::Postgres => format!("unnest({two}) AS m(id)"),
            Dialect::Sqlite => format!("(SELECT value AS id FROM json_each({two})) AS m"),
        }
    );
    let mut moved = Vec::new();
    for batch in ids.chunks(BATCH) {
        let params = [Param::from(from), Param::Uuids(batch.to_vec())];
        let rows = session.fetch_all(&delete, &params).await?;
        let mut there = Vec::with_capacity(rows.len());
        for row in rows {
            there.push(row.uuid(0)?);
        }
        if !there.is_empty() {
            let params = [Param::from(to), Param::Uuids(there.clone())];
            session.execute(&insert, &params).await?;
        }
        moved.extend(there);
    }
    Ok(moved)
}

/// IDs of datasets in a datastore's trash; with `claimed`, also of those that somebody has claimed;
/// with `only`, none but those.
async fn trashed(
    session: &mut Session,
    datastore: &str,
    claimed: bool,
    only: Option<&[Uuid]>,
) -> Result<Vec<Uuid>> {
    let database = session.database();
    let (dialect, trash) = (database.dialect(), database.table("dataset_location_trash"));
    let (of_datastore, names) = match claimed {
        true => (
            is_of_datastore(dialect, 1),
            Vec::from(both_names(datastore)),
        ),
        false => (
            format!("t.datastore_name = {}", dialect.placeholder(1)),
            vec![Param::from(datastore)],
        ),
    };
    let mut sql = format!("SELECT t.dataset_id FROM {trash} AS t WHERE {of_datastore}");
    let mut found = Vec::new();
    let Some(only) = only else {
        for row in session.fetch_all(&sql, &names).await? {
            found.push(row.uuid(0)?);
        }
        return Ok(found);
    };
    sql.push_str(" AND ");
    sql.push_str(&database.in_ids("t.dataset_id", names.len() + 1));
    for batch in only.chunks(BATCH) {
        let mut params = names.clone();
        params.push(Param::Uuids(batch.to_vec()));
        for row in session.fetch_all(&sql, &params).await? {
            found.push(row.uuid(0)?);
        }
    }
    Ok(found)
}

/// Which of these paths belong to datasets that are not in the trash, with one of those datasets.
async fn live_paths(
    session: &mut Session,
    table: &str,
    datastore: &str,
    paths: &[Arc<str>],
) -> Result<HashMap<String, Uuid>> {
    let sql = format!(
        "SELECT r.path, r.dataset_id FROM {} AS r WHERE {} AND NOT EXISTS (
             SELECT 1 FROM {} AS t WHERE t.dataset_id = r.dataset_id AND {})",
        session.database().table(table),
        session.database().in_ids("r.path", 1),
        session.database().table("dataset_location_trash"),
        is_of_datastore(session.dialect(), 2)
    );
    let mut live = HashMap::new();
    for batch in paths.chunks(BATCH) {
        let [name, claims] = both_names(datastore);
        let params = [Param::Texts(batch.to_vec()), name, claims];
        for row in session.fetch_all(&sql, &params).await? {
            live.insert(row.text(0)?.to_owned(), row.uuid(1)?);
        }
    }
    Ok(live)
}

/// The datasets of these paths that are in the trash, each with whether it is claimed.
async fn trashed_owners(
    session: &mut Session,
    table: &str,
    datastore: &str,
    paths: &[Arc<str>],
) -> Result<HashMap<Uuid, bool>> {
    // A subquery for each record, so that the trash is always read by its index.
    let sql = format!(
        "SELECT o.dataset_id, o.claimed FROM (
             SELECT r.dataset_id,
                    (SELECT max(CASE WHEN t.datastore_name = {} THEN 0 ELSE 1 END)
                       FROM {} AS t WHERE t.dataset_id = r.dataset_id AND {}) AS claimed
               FROM {} AS r WHERE {}) AS o
          WHERE o.claimed IS NOT NULL",
        session.dialect().placeholder(2),
        session.database().table("dataset_location_trash"),
        is_of_datastore(session.dialect(), 2),
        session.database().table(table),
        session.database().in_ids("r.path", 1),
    );
    let mut owners = HashMap::new();
    for batch in paths.chunks(BATCH) {
        let [name, claims] = both_names(datastore);
        let params = [Param::Texts(batch.to_vec()), name, claims];
        for row in session.fetch_all(&sql, &params).await? {
            owners.insert(row.uuid(0)?, row.int(1)? != 0);
        }
    }
    Ok(owners)
}

impl RegistryTransaction {
    /// Moves locations of datasets to the trash; datasets that the datastore does not store are
    /// passed over.
    ///
    /// # Errors
    /// Any database error.
    pub async fn move_to_trash(&mut self, datastore: &str, ids: &[Uuid]) -> Result<()> {
        move_rows(
            self.session(),
            "dataset_location",
            datastore,
            datastore,
            ids,
        )
        .await?;
        Ok(())
    }

    /// Claims those of the datasets that are in the trash and not claimed, and gives their IDs.
    ///
    /// # Errors
    /// Any database error.
    pub async fn claim_trash(&mut self, claim: &TrashClaim, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        let free = self.trashed(&claim.datastore, Some(ids), ids.len()).await?;
        let table = "dataset_location_trash";
        move_rows(self.session(), table, &claim.datastore, &claim.name, &free).await
    }

    /// Makes claimed datasets ordinary trash again.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release_trash(&mut self, claim: &TrashClaim, ids: &[Uuid]) -> Result<()> {
        let table = "dataset_location_trash";
        move_rows(self.session(), table, &claim.name, &claim.datastore, ids).await?;
        Ok(())
    }

    /// Removes claimed datasets from the trash together with their file records. Those that the claim
    /// does not cover any more stay.
    ///
    /// # Errors
    /// Any database error.
    pub async fn remove_claimed(
        &mut self,
        claim: &TrashClaim,
        table: &str,
        ids: &[Uuid],
    ) -> Result<()> {
        let ids = self.trashed(&claim.name, Some(ids), ids.len()).await?;
        self.delete_file_records(table, &ids).await?;
        self.delete_trash(&claim.name, &ids).await
    }

    /// IDs of datasets in a datastore's trash that nobody has claimed, at most `limit`, locked on
    /// PostgreSQL; those that somebody else has locked are passed over. With `only`, none but those.
    ///
    /// # Errors
    /// Any database error.
    pub async fn trashed(
        &mut self,
        datastore: &str,
        only: Option<&[Uuid]>,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        self.lock_trash(datastore, only, limit, " SKIP LOCKED")
            .await
    }

    async fn lock_trash(
        &mut self,
        datastore: &str,
        only: Option<&[Uuid]>,
        limit: usize,
        locked_ones: &str,
    ) -> Result<Vec<Uuid>> {
        let session = self.session();
        let database = session.database();
        let dialect = database.dialect();
        let lock = match dialect {
            Dialect::Postgres => format!(" FOR UPDATE{locked_ones}"),
            Dialect::Sqlite => String::new(),
        };
        let mut params = vec![Param::from(datastore)];
        let filter = match only {
            Some(ids) => {
                params.push(Param::Uuids(ids.to_vec()));
                format!(" AND {}", database.in_ids("dataset_id", 2))
            }
            None => String::new(),
        };
        let sql = format!(
            "SELECT dataset_id FROM {} WHERE datastore_name = {}{filter} LIMIT {limit}{lock}",
            database.table("dataset_location_trash"),
            dialect.placeholder(1)
        );
        let rows = session.fetch_all(&sql, &params).await?;
        rows.iter().map(|row| Ok(row.uuid(0)?)).collect()
    }

    /// Takes datasets out of the trash.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delete_trash(&mut self, datastore: &str, ids: &[Uuid]) -> Result<()> {
        self.delete_locations("dataset_location_trash", datastore, ids)
            .await
    }

    /// Which of these paths, exactly as recorded, belong to datasets that are not in the trash of
    /// the datastore, with one of those datasets.
    ///
    /// # Errors
    /// Any database error.
    pub async fn live_file_paths(
        &mut self,
        table: &str,
        datastore: &str,
        paths: &[Arc<str>],
    ) -> Result<HashMap<String, Uuid>> {
        live_paths(self.session(), table, datastore, paths).await
    }

    /// Which of these datasets are in the trash of a datastore, claimed or not.
    ///
    /// # Errors
    /// Any database error.
    pub async fn in_trash(&mut self, datastore: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let found = trashed(self.session(), datastore, true, Some(ids)).await?;
        Ok(found.into_iter().collect())
    }

    /// Removes the records of trashed datasets at these paths, and from the trash those datasets
    /// that have no other records. Waits for those of other transactions that deal with them.
    async fn take_from_trash(
        &mut self,
        table: &str,
        datastore: &str,
        owners: &[Uuid],
        paths: &[Arc<str>],
    ) -> Result<()> {
        let locked = self
            .lock_trash(datastore, Some(owners), owners.len(), "")
            .await?;
        let session = self.session();
        let database = session.database();
        let records = database.table(table);
        let delete_records = format!(
            "DELETE FROM {records} WHERE {} AND {}",
            database.in_ids("dataset_id", 1),
            database.in_ids("path", 2)
        );
        let delete_trash = format!(
            "DELETE FROM {0} WHERE datastore_name = {1} AND {2}
                AND NOT EXISTS (SELECT 1 FROM {records} AS r WHERE r.dataset_id = {0}.dataset_id)",
            database.table("dataset_location_trash"),
            database.dialect().placeholder(1),
            database.in_ids("dataset_id", 2)
        );
        for batch in paths.chunks(BATCH) {
            let params = [Param::Uuids(locked.clone()), Param::Texts(batch.to_vec())];
            session.execute(&delete_records, &params).await?;
        }
        let params = [Param::from(datastore), Param::Uuids(locked)];
        session.execute(&delete_trash, &params).await?;
        Ok(())
    }
}

impl SqlRegistry {
    /// As [`RegistryTransaction::live_file_paths`].
    ///
    /// # Errors
    /// Any database error.
    pub async fn live_file_paths(
        &self,
        table: &str,
        datastore: &str,
        paths: &[Arc<str>],
    ) -> Result<HashMap<String, Uuid>> {
        if paths.is_empty() {
            return Ok(HashMap::new());
        }
        live_paths(&mut self.database().read().await?, table, datastore, paths).await
    }

    /// IDs of datasets in a datastore's trash that nobody has claimed, without locking them; with
    /// `only`, none but those.
    ///
    /// # Errors
    /// Any database error.
    pub async fn trashed(&self, datastore: &str, only: Option<&[Uuid]>) -> Result<Vec<Uuid>> {
        trashed(&mut self.database().read().await?, datastore, false, only).await
    }

    /// Which of the datasets are in a datastore's trash, claimed or not.
    ///
    /// # Errors
    /// Any database error.
    pub async fn in_trash(&self, datastore: &str, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let mut session = self.database().read().await?;
        let found = trashed(&mut session, datastore, true, Some(ids)).await?;
        Ok(found.into_iter().collect())
    }

    /// Claims those of the datasets that are in the trash and not claimed, and gives their IDs.
    ///
    /// # Errors
    /// Any database error.
    pub async fn claim_trash(&self, claim: &TrashClaim, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        let mut transaction = self.begin().await?;
        let claimed = transaction.claim_trash(claim, ids).await?;
        transaction.commit().await?;
        Ok(claimed)
    }

    /// As [`RegistryTransaction::release_trash`], in a transaction of its own.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release_trash(&self, claim: &TrashClaim, ids: &[Uuid]) -> Result<()> {
        let mut transaction = self.begin().await?;
        transaction.release_trash(claim, ids).await?;
        transaction.commit().await
    }

    /// Ends claims whose owners have not done so in time. What they cover is ordinary trash again.
    ///
    /// # Errors
    /// Any database error.
    pub async fn end_old_claims(&self, datastore: &str) -> Result<()> {
        let mut session = self.database().read().await?;
        let hole = session.dialect().placeholder(1);
        let trash = session.database().table("dataset_location_trash");
        let claims = format!(
            "SELECT DISTINCT datastore_name FROM {trash}
              WHERE substr(datastore_name, 1, length({hole})) = {hole}"
        );
        let rows = session
            .fetch_all(&claims, &[Param::from(prefix(datastore))])
            .await?;
        let mut old = Vec::new();
        for row in rows {
            old.push(row.text(0)?.to_owned());
        }
        drop(session);
        old.retain(|name| has_ended(name, datastore));
        for name in old {
            let covered = self.trashed(&name, None).await?;
            tracing::warn!(
                datastore,
                "files of {} datasets were not deleted by who wanted to; they are trash again",
                covered.len()
            );
            let claim = TrashClaim {
                datastore: datastore.to_owned(),
                name,
            };
            self.release_trash(&claim, &covered).await?;
        }
        Ok(())
    }

    /// Takes places that files of trashed datasets have, for others to use: their records go, and
    /// whoever empties the trash will not touch the files any more.
    ///
    /// # Errors
    /// Any database error.
    pub async fn take_over_paths(
        &self,
        table: &str,
        datastore: &str,
        paths: &[Arc<str>],
    ) -> Result<TakeOver> {
        let mut session = self.database().read().await?;
        let owners = trashed_owners(&mut session, table, datastore, paths).await?;
        drop(session);
        if owners.is_empty() {
            return Ok(TakeOver::Free);
        }
        let mut transaction = self.begin().await?;
        let ids: Vec<Uuid> = owners.into_keys().collect();
        transaction
            .take_from_trash(table, datastore, &ids, paths)
            .await?;
        // Whatever is left is claimed, be it since a moment ago.
        let left = trashed_owners(transaction.session(), table, datastore, paths).await?;
        transaction.commit().await?;
        Ok(match left.is_empty() {
            true => TakeOver::Free,
            false => TakeOver::Busy,
        })
    }
}

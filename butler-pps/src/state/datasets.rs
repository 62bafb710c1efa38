//! Datasets become known, and are looked up.

use butler_core::error::Result;
use butler_direct::db::bulk::{self, BulkColumn, OnConflict};
use butler_direct::db::schema::SqlType;
use butler_direct::db::{Param, Row};
use uuid::Uuid;

use super::State;
use super::models::{DatasetState, NewDataset, Origin, Status, Times};
use super::visits::VisitState;
use crate::clock::Moment;

/// The columns of [`DatasetState`], in the order in which [`read`] takes them.
const COLUMNS: &str = "id, origin, dataset_type, instrument, visit,
    embargo_status, prompt_prep_status, repo_main_status, google_int_status, google_prod_status,
    observed_time, registered_time, unembargo_time, repo_main_time, embargo_deleted_time,
    google_int_time, google_prod_time, google_int_expired_time, google_prod_expired_time,
    prompt_prep_deleted_time, repo_main_deleted_time,
    held, forced, problem, problem_step, attempts, retry_time";

/// Datasets that are missing somewhere, as the index of such datasets has it.
pub(super) const MISSING: &str = "embargo_status = 2 OR prompt_prep_status = 2
    OR repo_main_status = 2 OR google_int_status = 2 OR google_prod_status = 2";

/// IDs in one statement.
const BATCH: usize = 20_000;

impl State {
    /// Makes datasets of the embargo repository known, with their visits; those that are known stay
    /// as they are. Gives how many are new. One transaction.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_datasets(
        &self,
        datasets: &[NewDataset],
        visits: &[VisitState],
        now: Moment,
    ) -> Result<u64> {
        if datasets.is_empty() {
            return Ok(0);
        }
        let mut session = self.begin().await?;
        self.add_visits(&mut session, visits).await?;
        self.add_types(&mut session, datasets).await?;
        let held = self.held_visits(&mut session, datasets).await?;
        // One row cannot be inserted twice by one statement; in order, so that nobody waits for who
        // waits for them.
        let mut sorted: Vec<&NewDataset> = datasets.iter().collect();
        sorted.sort_by_key(|dataset| dataset.id);
        sorted.dedup_by_key(|dataset| dataset.id);
        let columns = [
            BulkColumn::new("id", SqlType::Uuid),
            BulkColumn::new("origin", SqlType::SmallInt),
            BulkColumn::new("dataset_type", SqlType::Text),
            BulkColumn::new("instrument", SqlType::Text),
            BulkColumn::new("visit", SqlType::BigInt),
            BulkColumn::new("observed_time", SqlType::BigInt),
            BulkColumn::new("registered_time", SqlType::BigInt),
            BulkColumn::new("embargo_status", SqlType::SmallInt),
            BulkColumn::new("held", SqlType::SmallInt),
        ];
        let rows = sorted.iter().map(|dataset| {
            let of_held = dataset
                .instrument
                .as_ref()
                .zip(dataset.visit)
                .is_some_and(|(instrument, visit)| held.contains(&(instrument.clone(), visit)));
            [
                Param::Uuid(dataset.id),
                Param::SmallInt(dataset.origin as i16),
                Param::from(dataset.dataset_type.as_str()),
                Param::or_null(dataset.instrument.as_deref(), SqlType::Text),
                Param::or_null(dataset.visit, SqlType::BigInt),
                Param::Int(dataset.observed.unwrap_or(now).0),
                Param::Int(now.0),
                Param::SmallInt(Status::Present as i16),
                Param::SmallInt(i16::from(of_held)),
            ]
        });
        let table = self.table("dataset");
        let keys = OnConflict::IgnoreOn(&["id"]);
        let added = bulk::upsert(&mut session, &table, &columns, &keys, rows).await?;
        session.commit().await?;
        Ok(added)
    }

    /// The types of datasets come first: rows refer to them.
    async fn add_types(
        &self,
        session: &mut butler_direct::db::Session,
        datasets: &[NewDataset],
    ) -> Result<()> {
        let mut names: Vec<&str> = datasets
            .iter()
            .map(|dataset| dataset.dataset_type.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let rows = names.into_iter().map(|name| [Param::from(name)]);
        bulk::upsert(
            session,
            &self.table("dataset_type"),
            &[BulkColumn::new("name", SqlType::Text)],
            &OnConflict::IgnoreOn(&["name"]),
            rows,
        )
        .await?;
        Ok(())
    }

    /// The datasets with these IDs; unknown ones are left out.
    ///
    /// # Errors
    /// Any database error.
    pub async fn datasets(&self, ids: &[Uuid]) -> Result<Vec<DatasetState>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE {}",
            self.table("dataset"),
            self.database().in_ids("id", 1)
        );
        let mut session = self.read().await?;
        let mut found = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let params = [Param::Uuids(batch.to_vec())];
            for row in session.fetch_all(&sql, &params).await? {
                found.push(read(&row)?);
            }
        }
        Ok(found)
    }

    /// The datasets of a visit, at most `limit`, sorted by type and ID.
    ///
    /// # Errors
    /// Any database error.
    pub async fn datasets_of_visit(
        &self,
        instrument: &str,
        visit: i64,
        limit: u32,
    ) -> Result<Vec<DatasetState>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE visit = {} AND instrument = {}
              ORDER BY dataset_type, id LIMIT {limit}",
            self.table("dataset"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::Int(visit), Param::from(instrument)];
        self.rows(&sql, &params).await
    }

    /// Datasets that are missing somewhere, at most `limit`, the oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn missing(&self, limit: u32) -> Result<Vec<DatasetState>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE ({MISSING})
              ORDER BY registered_time LIMIT {limit}",
            self.table("dataset")
        );
        self.rows(&sql, &[]).await
    }

    /// Datasets of which the last attempt at a step failed, at most `limit`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn with_problems(&self, limit: u32) -> Result<Vec<DatasetState>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE problem IS NOT NULL
              ORDER BY problem_step, retry_time LIMIT {limit}",
            self.table("dataset")
        );
        self.rows(&sql, &[]).await
    }

    async fn rows(&self, sql: &str, params: &[Param]) -> Result<Vec<DatasetState>> {
        let rows = self.read().await?.fetch_all(sql, params).await?;
        rows.iter().map(read).collect()
    }

    /// As [`with_problems`](Self::with_problems), without those that are missing somewhere.
    ///
    /// # Errors
    /// Any database error.
    pub async fn stuck(&self, limit: u32) -> Result<Vec<DatasetState>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE problem IS NOT NULL AND NOT ({MISSING})
              ORDER BY problem_step, retry_time LIMIT {limit}",
            self.table("dataset")
        );
        self.rows(&sql, &[]).await
    }
}

pub(super) fn statuses(row: &Row, first: usize) -> Result<[Status; 5]> {
    let mut statuses = [Status::NeverPresent; 5];
    for (place, status) in statuses.iter_mut().enumerate() {
        *status = Status::from_number(row.int(first + place)?)?;
    }
    Ok(statuses)
}

fn read(row: &Row) -> Result<DatasetState> {
    let time = |index: usize| -> Result<Option<Moment>> { Ok(row.opt_int(index)?.map(Moment)) };
    Ok(DatasetState {
        id: row.uuid(0)?,
        origin: Origin::from_number(row.int(1)?)?,
        dataset_type: row.text(2)?.to_owned(),
        instrument: row.opt_text(3)?.map(str::to_owned),
        visit: row.opt_int(4)?,
        statuses: statuses(row, 5)?,
        times: Times {
            observed: Moment(row.int(10)?),
            registered: Moment(row.int(11)?),
            unembargo: time(12)?,
            repo_main: time(13)?,
            embargo_deleted: time(14)?,
            google_int: time(15)?,
            google_prod: time(16)?,
            google_int_expired: time(17)?,
            google_prod_expired: time(18)?,
            prompt_prep_deleted: time(19)?,
            repo_main_deleted: time(20)?,
        },
        held: row.int(21)? != 0,
        forced: row.int(22)? != 0,
        problem: row.opt_text(23)?.map(str::to_owned),
        problem_step: row.opt_text(24)?.map(str::to_owned),
        attempts: row.int(25)?,
        retry: Moment(row.int(26)?),
    })
}

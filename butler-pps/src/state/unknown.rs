//! What inputs have named: files that were read, and datasets that the embargo repository does not
//! know.

use butler_core::error::Result;
use butler_direct::db::Param;
use butler_direct::db::bulk::{self, BulkColumn, OnConflict};
use butler_direct::db::schema::SqlType;
use uuid::Uuid;

use super::State;
use super::models::Origin;
use crate::clock::Moment;

/// A dataset that an input named, but that is not to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownDataset {
    /// Its ID.
    pub id: Uuid,
    /// Who is said to have made it.
    pub origin: Origin,
    /// What is wrong.
    pub error: String,
    /// When it was named first.
    pub first: Moment,
}

/// A file of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its address.
    pub uri: String,
    /// When it was read.
    pub read: Moment,
    /// How many datasets it names.
    pub datasets: i64,
    /// Why it could not be used.
    pub error: Option<String>,
}

impl State {
    /// Remembers datasets that are not to be found, to look for them again from `retry` on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_unknown(
        &self,
        ids: &[Uuid],
        origin: Origin,
        error: &str,
        now: Moment,
        retry: Moment,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let columns = [
            BulkColumn::new("id", SqlType::Uuid),
            BulkColumn::new("origin", SqlType::SmallInt),
            BulkColumn::new("error", SqlType::Text),
            BulkColumn::new("first_time", SqlType::BigInt),
            BulkColumn::new("retry_time", SqlType::BigInt),
        ];
        let rows = ids.iter().map(|id| {
            [
                Param::Uuid(*id),
                Param::SmallInt(origin as i16),
                Param::from(error),
                Param::Int(now.0),
                Param::Int(retry.0),
            ]
        });
        let table = self.table("unknown_dataset");
        let mut session = self.begin().await?;
        let keys = OnConflict::IgnoreOn(&["id"]);
        bulk::upsert(&mut session, &table, &columns, &keys, rows).await?;
        let sql = format!(
            "UPDATE {table} SET attempts = attempts + 1, retry_time = {} WHERE {}",
            self.hole(1),
            self.database().in_ids("id", 2)
        );
        let params = [Param::Int(retry.0), Param::Uuids(ids.clone())];
        session.execute(&sql, &params).await?;
        session.commit().await
    }

    /// Forgets datasets that were found after all.
    ///
    /// # Errors
    /// Any database error.
    pub async fn remove_unknown(&self, ids: &[Uuid]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "DELETE FROM {} WHERE {}",
            self.table("unknown_dataset"),
            self.database().in_ids("id", 1)
        );
        self.command(&sql, &[Param::Uuids(ids.to_vec())]).await?;
        Ok(())
    }

    /// Datasets to look for again now, at most `limit`; with `all`, also those whose time has not
    /// come.
    ///
    /// # Errors
    /// Any database error.
    pub async fn unknown(&self, now: Moment, all: bool, limit: u32) -> Result<Vec<UnknownDataset>> {
        let until = if all { i64::MAX } else { now.0 };
        let condition = format!("retry_time <= {}", self.hole(1));
        self.unknown_where(&condition, Param::Int(until), limit)
            .await
    }

    /// The dataset with this ID, if it is among those that are not to be found.
    ///
    /// # Errors
    /// Any database error.
    pub async fn unknown_dataset(&self, id: Uuid) -> Result<Option<UnknownDataset>> {
        let condition = format!("id = {}", self.hole(1));
        let found = self.unknown_where(&condition, Param::Uuid(id), 1).await?;
        Ok(found.into_iter().next())
    }

    async fn unknown_where(
        &self,
        condition: &str,
        param: Param,
        limit: u32,
    ) -> Result<Vec<UnknownDataset>> {
        let sql = format!(
            "SELECT id, origin, error, first_time FROM {} WHERE {condition}
              ORDER BY retry_time LIMIT {limit}",
            self.table("unknown_dataset")
        );
        let rows = self.read().await?.fetch_all(&sql, &[param]).await?;
        rows.iter()
            .map(|row| {
                Ok(UnknownDataset {
                    id: row.uuid(0)?,
                    origin: Origin::from_number(row.int(1)?)?,
                    error: row.text(2)?.to_owned(),
                    first: Moment(row.int(3)?),
                })
            })
            .collect()
    }

    /// Notes that a file of an input was read.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_input_file(&self, file: &InputFile) -> Result<()> {
        let columns = [
            BulkColumn::new("uri", SqlType::Text),
            BulkColumn::new("read_time", SqlType::BigInt),
            BulkColumn::new("datasets", SqlType::BigInt),
            BulkColumn::new("error", SqlType::Text),
        ];
        let row = [
            Param::from(file.uri.as_str()),
            Param::Int(file.read.0),
            Param::Int(file.datasets),
            Param::or_null(file.error.as_deref(), SqlType::Text),
        ];
        let mut session = self.begin().await?;
        let keys = OnConflict::Replace(&["uri"]);
        let table = self.table("input_file");
        bulk::upsert(&mut session, &table, &columns, &keys, [row]).await?;
        session.commit().await
    }

    /// Which of these files were read.
    ///
    /// # Errors
    /// Any database error.
    pub async fn input_files(&self, uris: &[String]) -> Result<Vec<InputFile>> {
        let condition = self.database().in_array("uri", 1);
        let uris = uris.iter().map(|uri| uri.as_str().into()).collect();
        self.input_files_where(&condition, &[Param::Texts(uris)])
            .await
    }

    /// Files that could not be used, at most `limit`, those first that were read last.
    ///
    /// # Errors
    /// Any database error.
    pub async fn failed_input_files(&self, limit: u32) -> Result<Vec<InputFile>> {
        let condition = format!("error IS NOT NULL ORDER BY read_time DESC LIMIT {limit}");
        self.input_files_where(&condition, &[]).await
    }

    async fn input_files_where(&self, condition: &str, params: &[Param]) -> Result<Vec<InputFile>> {
        let sql = format!(
            "SELECT uri, read_time, datasets, error FROM {} WHERE {condition}",
            self.table("input_file")
        );
        let rows = self.read().await?.fetch_all(&sql, params).await?;
        rows.iter()
            .map(|row| {
                Ok(InputFile {
                    uri: row.text(0)?.to_owned(),
                    read: Moment(row.int(1)?),
                    datasets: row.int(2)?,
                    error: row.opt_text(3)?.map(str::to_owned),
                })
            })
            .collect()
    }
}

//! Datasets that have become public, in the order in which users are told of them.

use butler_core::error::{Error, Result};
use butler_direct::db::bulk::{self, BulkColumn, OnConflict};
use butler_direct::db::schema::SqlType;
use butler_direct::db::{Param, Row, Session};
use uuid::Uuid;

use super::State;
use crate::clock::Moment;

const HOUR: i64 = 3_600_000;

/// A dataset that has become public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its ID.
    pub id: Uuid,
    /// The name of its type.
    pub dataset_type: String,
    /// Its instrument, if it has one.
    pub instrument: Option<String>,
    /// Its visit, if it has one.
    pub visit: Option<i64>,
    /// When it became public.
    pub released: Moment,
}

/// An hour in which users were told of datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedHour {
    /// When it began.
    pub hour: Moment,
    /// How many datasets.
    pub datasets: i64,
    /// The last announcement of the hour.
    pub last: i64,
}

impl State {
    /// Notes that datasets are public, to be announced; once, however often it is noted.
    pub(super) async fn add_releases(
        &self,
        session: &mut Session,
        ids: &[Uuid],
        now: Moment,
    ) -> Result<()> {
        let columns = [
            BulkColumn::new("id", SqlType::Uuid),
            BulkColumn::new("released_time", SqlType::BigInt),
        ];
        let rows = ids.iter().map(|id| [Param::Uuid(*id), Param::Int(now.0)]);
        let table = self.table("released");
        let keys = OnConflict::IgnoreOn(&["id"]);
        bulk::upsert(session, &table, &columns, &keys, rows).await?;
        Ok(())
    }

    /// Makes an announcement of up to `limit` datasets that have become public, the oldest first, and
    /// deliveries of it to receivers; gives how many datasets that are. One transaction: each dataset
    /// is in one announcement.
    ///
    /// Announcements belong to the hour that it is now, but never to an earlier one than those before:
    /// an hour that is over stays as it is.
    ///
    /// # Errors
    /// Any database error; [`Error::Interrupted`] if somebody else announces the same.
    pub async fn announce(&self, webhooks: &[&str], now: Moment, limit: usize) -> Result<u64> {
        let mut session = self.begin().await?;
        let sql = format!(
            "SELECT id FROM {} WHERE announcement IS NULL ORDER BY released_time, id LIMIT {limit}",
            self.table("released")
        );
        let rows = session.fetch_all(&sql, &[]).await?;
        let ids = rows
            .iter()
            .map(|row| row.uuid(0))
            .collect::<std::result::Result<Vec<Uuid>, _>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        let announcement = self.add_announcement(&mut session, ids.len(), now).await?;
        let sql = format!(
            "UPDATE {} SET announcement = {} WHERE announcement IS NULL AND {}",
            self.table("released"),
            self.hole(1),
            self.database().in_ids("id", 2)
        );
        let count = ids.len() as u64;
        let params = [Param::Int(announcement), Param::Uuids(ids)];
        if session.execute(&sql, &params).await? != count {
            return Err(Error::Interrupted(
                "somebody else announces the same releases".to_owned(),
            ));
        }
        self.add_deliveries(&mut session, webhooks, announcement, now)
            .await?;
        session.commit().await?;
        Ok(count)
    }

    async fn add_announcement(
        &self,
        session: &mut Session,
        datasets: usize,
        now: Moment,
    ) -> Result<i64> {
        let table = self.table("announcement");
        let last = format!("SELECT max(hour) FROM {table}");
        let last = session.fetch_optional(&last, &[]).await?;
        let last = match last {
            Some(row) => row.opt_int(0)?,
            None => None,
        };
        let hour = now.0.div_euclid(HOUR) * HOUR;
        let sql = format!(
            "INSERT INTO {table} (hour, announced_time, datasets) VALUES ({}, {}, {}) RETURNING id",
            self.hole(1),
            self.hole(2),
            self.hole(3)
        );
        let params = [
            Param::Int(hour.max(last.unwrap_or(hour))),
            Param::Int(now.0),
            Param::Int(i64::try_from(datasets).unwrap_or(i64::MAX)),
        ];
        let rows = session.fetch_all(&sql, &params).await?;
        let row = rows
            .first()
            .ok_or_else(|| Error::Internal("an announcement has no number".to_owned()))?;
        Ok(row.int(0)?)
    }

    /// The hours whose lists lack announcements, the earliest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn unlisted_hours(&self) -> Result<Vec<ListedHour>> {
        let table = self.table("announcement");
        let sql = format!(
            "SELECT hour, CAST(sum(datasets) AS BIGINT), max(id) FROM {table}
              WHERE hour IN (SELECT hour FROM {table} WHERE listed = 0)
              GROUP BY hour ORDER BY hour"
        );
        self.hours(&sql, &[]).await
    }

    /// The hours since a moment in which users were told of datasets, the earliest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn listed_hours(&self, since: Moment) -> Result<Vec<ListedHour>> {
        let sql = format!(
            "SELECT hour, CAST(sum(datasets) AS BIGINT), max(id) FROM {}
              WHERE hour >= {} GROUP BY hour ORDER BY hour",
            self.table("announcement"),
            self.hole(1)
        );
        self.hours(&sql, &[Param::Int(since.0)]).await
    }

    async fn hours(&self, sql: &str, params: &[Param]) -> Result<Vec<ListedHour>> {
        let rows = self.read().await?.fetch_all(sql, params).await?;
        rows.iter()
            .map(|row| {
                Ok(ListedHour {
                    hour: Moment(row.int(0)?),
                    datasets: row.int(1)?,
                    last: row.int(2)?,
                })
            })
            .collect()
    }

    /// The datasets of an hour's list, in the order in which they were announced.
    ///
    /// # Errors
    /// Any database error.
    pub async fn releases_of_hour(&self, hour: &ListedHour) -> Result<Vec<Release>> {
        let condition = format!("a.hour = {} AND a.id <= {}", self.hole(1), self.hole(2));
        let params = [Param::Int(hour.hour.0), Param::Int(hour.last)];
        self.releases(&condition, &params).await
    }

    /// The datasets of an announcement, in order.
    ///
    /// # Errors
    /// Any database error.
    pub async fn releases_of(&self, announcement: i64) -> Result<Vec<Release>> {
        let condition = format!("a.id = {}", self.hole(1));
        self.releases(&condition, &[Param::Int(announcement)]).await
    }

    async fn releases(&self, condition: &str, params: &[Param]) -> Result<Vec<Release>> {
        let sql = format!(
            "SELECT d.id, d.dataset_type, d.instrument, d.visit, r.released_time
               FROM {} AS a
               JOIN {} AS r ON r.announcement = a.id
               JOIN {} AS d ON d.id = r.id
              WHERE {condition} ORDER BY a.id, r.released_time, r.id",
            self.table("announcement"),
            self.table("released"),
            self.table("dataset")
        );
        let rows = self.read().await?.fetch_all(&sql, params).await?;
        rows.iter().map(read).collect()
    }

    /// Notes that an hour's list is written.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_listed(&self, hour: &ListedHour) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET listed = 1 WHERE hour = {} AND id <= {}",
            self.table("announcement"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::Int(hour.hour.0), Param::Int(hour.last)];
        self.command(&sql, &params).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Release> {
    Ok(Release {
        id: row.uuid(0)?,
        dataset_type: row.text(1)?.to_owned(),
        instrument: row.opt_text(2)?.map(str::to_owned),
        visit: row.opt_int(3)?,
        released: Moment(row.int(4)?),
    })
}

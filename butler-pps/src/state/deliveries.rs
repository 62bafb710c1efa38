//! What receivers of webhooks have been told, and are to be told.

use butler_core::error::Result;
use butler_direct::db::bulk::{self, BulkColumn, OnConflict};
use butler_direct::db::schema::SqlType;
use butler_direct::db::{Param, Session};
use uuid::Uuid;

use super::State;
use crate::clock::Moment;

/// The longest reason that is kept, in characters.
const LONGEST: usize = 500;

/// An announcement that a receiver is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What receivers know it by, the same in each attempt.
    pub id: Uuid,
    /// The announcement.
    pub announcement: i64,
    /// When that was made.
    pub announced: Moment,
    /// How many attempts have failed.
    pub attempts: i64,
}

/// How far a receiver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// The receiver's name.
    pub webhook: String,
    /// What it is still to be told.
    pub pending: i64,
    /// What it was told.
    pub delivered: i64,
    /// What was given up.
    pub dead: i64,
    /// Why one of those that it has not been told failed.
    pub error: Option<String>,
}

impl State {
    /// Has receivers told of an announcement.
    pub(super) async fn add_deliveries(
        &self,
        session: &mut Session,
        webhooks: &[&str],
        announcement: i64,
        now: Moment,
    ) -> Result<()> {
        if webhooks.is_empty() {
            return Ok(());
        }
        let columns = [
            BulkColumn::new("id", SqlType::Uuid),
            BulkColumn::new("webhook", SqlType::Text),
            BulkColumn::new("announcement", SqlType::BigInt),
            BulkColumn::new("attempt_time", SqlType::BigInt),
        ];
        let rows = webhooks.iter().map(|webhook| {
            [
                Param::Uuid(Uuid::now_v7()),
                Param::from(*webhook),
                Param::Int(announcement),
                Param::Int(now.0),
            ]
        });
        let keys = OnConflict::IgnoreOn(&["webhook", "announcement"]);
        let table = self.table("webhook_delivery");
        bulk::upsert(session, &table, &columns, &keys, rows).await?;
        Ok(())
    }

    /// What a receiver is to be told by now, at most `limit`, what has waited longest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn due_deliveries(
        &self,
        webhook: &str,
        now: Moment,
        limit: usize,
    ) -> Result<Vec<Delivery>> {
        let sql = format!(
            "SELECT w.id, w.announcement, a.announced_time, w.attempts FROM {} AS w
               JOIN {} AS a ON a.id = w.announcement
              WHERE w.status = 0 AND w.webhook = {} AND w.attempt_time <= {}
              ORDER BY w.attempt_time, w.announcement LIMIT {limit}",
            self.table("webhook_delivery"),
            self.table("announcement"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::from(webhook), Param::Int(now.0)];
        let rows = self.read().await?.fetch_all(&sql, &params).await?;
        rows.iter()
            .map(|row| {
                Ok(Delivery {
                    id: row.uuid(0)?,
                    announcement: row.int(1)?,
                    announced: Moment(row.int(2)?),
                    attempts: row.int(3)?,
                })
            })
            .collect()
    }

    /// Notes that a receiver was told.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_delivered(&self, id: Uuid, now: Moment) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET status = 1, error = NULL, attempt_time = {} WHERE id = {}",
            self.table("webhook_delivery"),
            self.hole(1),
            self.hole(2)
        );
        self.command(&sql, &[Param::Int(now.0), Param::Uuid(id)])
            .await?;
        Ok(())
    }

    /// Notes that a receiver could not be told. It is tried again from `retry` on; it is given up
    /// without one.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_undelivered(
        &self,
        id: Uuid,
        error: &str,
        now: Moment,
        retry: Option<Moment>,
    ) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET attempts = attempts + 1, error = {}, attempt_time = {}, status = {}
              WHERE id = {}",
            self.table("webhook_delivery"),
            self.hole(1),
            self.hole(2),
            if retry.is_some() { 0 } else { 2 },
            self.hole(3)
        );
        let error: String = error.chars().take(LONGEST).collect();
        let params = [
            Param::from(error),
            Param::Int(retry.unwrap_or(now).0),
            Param::Uuid(id),
        ];
        self.command(&sql, &params).await?;
        Ok(())
    }

    /// Has receivers (one, or all) told of what was given up. Gives how many deliveries that are.
    ///
    /// # Errors
    /// Any database error.
    pub async fn resend(&self, webhook: Option<&str>, now: Moment) -> Result<u64> {
        let mut sql = format!(
            "UPDATE {} SET status = 0, attempts = 0, attempt_time = {} WHERE status = 2",
            self.table("webhook_delivery"),
            self.hole(1)
        );
        let mut params = vec![Param::Int(now.0)];
        if let Some(webhook) = webhook {
            sql.push_str(&format!(" AND webhook = {}", self.hole(2)));
            params.push(Param::from(webhook));
        }
        self.command(&sql, &params).await
    }

    /// How far each receiver is, sorted by name.
    ///
    /// # Errors
    /// Any database error.
    pub async fn delivery_counts(&self) -> Result<Vec<DeliveryCounts>> {
        let sql = format!(
            "SELECT webhook, count(CASE WHEN status = 0 THEN 1 END),
                    count(CASE WHEN status = 1 THEN 1 END),
                    count(CASE WHEN status = 2 THEN 1 END), max(error)
               FROM {} GROUP BY webhook ORDER BY webhook",
            self.table("webhook_delivery")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(DeliveryCounts {
                    webhook: row.text(0)?.to_owned(),
                    pending: row.int(1)?,
                    delivered: row.int(2)?,
                    dead: row.int(3)?,
                    error: row.opt_text(4)?.map(str::to_owned),
                })
            })
            .collect()
    }
}

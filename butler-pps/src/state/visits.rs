//! Visits, and whether they are held back.

use std::collections::HashSet;

use butler_core::error::Result;
use butler_direct::db::bulk::{self, BulkColumn, OnConflict};
use butler_direct::db::schema::SqlType;
use butler_direct::db::{Param, Session};

use super::State;
use super::models::NewDataset;
use crate::clock::Moment;

/// A visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitState {
    /// The instrument.
    pub instrument: String,
    /// The visit's number.
    pub visit: i64,
    /// When it ended; unset if its record does not say.
    pub end: Option<Moment>,
    /// Whether its datasets are held back.
    pub held: bool,
}

impl State {
    /// Makes visits known; those that are known stay as they are.
    pub(super) async fn add_visits(
        &self,
        session: &mut Session,
        visits: &[VisitState],
    ) -> Result<()> {
        let mut sorted: Vec<&VisitState> = visits.iter().collect();
        sorted.sort_by(|a, b| (&a.instrument, a.visit).cmp(&(&b.instrument, b.visit)));
        sorted.dedup_by(|a, b| (&a.instrument, a.visit) == (&b.instrument, b.visit));
        let columns = [
            BulkColumn::new("instrument", SqlType::Text),
            BulkColumn::new("visit", SqlType::BigInt),
            BulkColumn::new("end_time", SqlType::BigInt),
        ];
        let rows = sorted.into_iter().map(|visit| {
            [
                Param::from(visit.instrument.as_str()),
                Param::Int(visit.visit),
                Param::or_null(visit.end.map(|end| end.0), SqlType::BigInt),
            ]
        });
        let keys = OnConflict::IgnoreOn(&["instrument", "visit"]);
        bulk::upsert(session, &self.table("visit"), &columns, &keys, rows).await?;
        Ok(())
    }

    /// Which of the visits of datasets are held back.
    pub(super) async fn held_visits(
        &self,
        session: &mut Session,
        datasets: &[NewDataset],
    ) -> Result<HashSet<(String, i64)>> {
        let mut numbers: Vec<i64> = datasets
            .iter()
            .filter_map(|dataset| dataset.visit)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            return Ok(HashSet::new());
        }
        // Locked, so that a hold that is being put on sees the new datasets.
        let lock = if self.is_postgres() { " FOR SHARE" } else { "" };
        let sql = format!(
            "SELECT instrument, visit, held FROM {} WHERE {}{lock}",
            self.table("visit"),
            self.database().in_array("visit", 1)
        );
        let rows = session.fetch_all(&sql, &[Param::Ints(numbers)]).await?;
        let mut held = HashSet::new();
        for row in rows {
            if row.int(2)? != 0 {
                held.insert((row.text(0)?.to_owned(), row.int(1)?));
            }
        }
        Ok(held)
    }

    /// A visit.
    ///
    /// # Errors
    /// Any database error.
    pub async fn visit(&self, instrument: &str, visit: i64) -> Result<Option<VisitState>> {
        let sql = format!(
            "SELECT end_time, held FROM {} WHERE instrument = {} AND visit = {}",
            self.table("visit"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::from(instrument), Param::Int(visit)];
        let row = self.read().await?.fetch_optional(&sql, &params).await?;
        row.map(|row| {
            Ok(VisitState {
                instrument: instrument.to_owned(),
                visit,
                end: row.opt_int(0)?.map(Moment),
                held: row.int(1)? != 0,
            })
        })
        .transpose()
    }

    /// The visits of all instruments that have a number.
    ///
    /// # Errors
    /// Any database error.
    pub async fn visits_numbered(&self, visit: i64) -> Result<Vec<VisitState>> {
        let condition = format!("visit = {}", self.hole(1));
        self.visits_where(&condition, &[Param::Int(visit)]).await
    }

    /// The visits that are held back.
    ///
    /// # Errors
    /// Any database error.
    pub async fn visits_held_back(&self) -> Result<Vec<VisitState>> {
        self.visits_where("held = 1", &[]).await
    }

    async fn visits_where(&self, condition: &str, params: &[Param]) -> Result<Vec<VisitState>> {
        let sql = format!(
            "SELECT instrument, visit, end_time, held FROM {} WHERE {condition}
              ORDER BY instrument, visit",
            self.table("visit")
        );
        let rows = self.read().await?.fetch_all(&sql, params).await?;
        rows.iter()
            .map(|row| {
                Ok(VisitState {
                    instrument: row.text(0)?.to_owned(),
                    visit: row.int(1)?,
                    end: row.opt_int(2)?.map(Moment),
                    held: row.int(3)? != 0,
                })
            })
            .collect()
    }
}

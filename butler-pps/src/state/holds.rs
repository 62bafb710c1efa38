//! Commands of Data Curation on datasets: holding them back, and having them expire.

use butler_core::error::Result;
use butler_direct::db::Param;
use uuid::Uuid;

use super::State;

impl State {
    /// Holds the datasets of a visit back (none of them goes through any step), or lets them go on.
    /// Those that become known later follow. Gives how many datasets there are now.
    ///
    /// # Errors
    /// Any database error.
    pub async fn hold_visit(&self, instrument: &str, visit: i64, hold: bool) -> Result<u64> {
        let (one, two, three) = (self.hole(1), self.hole(2), self.hole(3));
        let params = [
            Param::from(instrument),
            Param::Int(visit),
            Param::SmallInt(i16::from(hold)),
        ];
        let mut session = self.begin().await?;
        let visits = self.table("visit");
        session
            .execute(
                &format!(
                    "INSERT INTO {visits} (instrument, visit, held) VALUES ({one}, {two}, {three})
                     ON CONFLICT (instrument, visit) DO UPDATE SET held = excluded.held"
                ),
                &params,
            )
            .await?;
        let datasets = self.table("dataset");
        let changed = session
            .execute(
                &format!(
                    "UPDATE {datasets} SET held = {three}
                      WHERE instrument = {one} AND visit = {two} AND forced = 0"
                ),
                &params,
            )
            .await?;
        session.commit().await?;
        Ok(changed)
    }

    /// Holds the datasets of a type back, or lets them go on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn hold_dataset_type(&self, name: &str, hold: bool) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (name, held) VALUES ({}, {})
             ON CONFLICT (name) DO UPDATE SET held = excluded.held",
            self.table("dataset_type"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::from(name), Param::SmallInt(i16::from(hold))];
        self.command(&sql, &params).await?;
        Ok(())
    }

    /// Has datasets expire and be deleted as soon as possible, whatever policy and holds say. Only
    /// what is in `prompt_prep` can. Gives how many can.
    ///
    /// # Errors
    /// Any database error.
    pub async fn force_expire(&self, ids: &[Uuid]) -> Result<u64> {
        let sql = format!(
            "UPDATE {} SET forced = 1, held = 0, retry_time = 0
              WHERE prompt_prep_status = 1 AND {}",
            self.table("dataset"),
            self.database().in_ids("id", 1)
        );
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        self.command(&sql, &[Param::Uuids(ids)]).await
    }

    /// One statement as a transaction.
    pub(super) async fn command(&self, sql: &str, params: &[Param]) -> Result<u64> {
        let mut session = self.begin().await?;
        let changed = session.execute(sql, params).await?;
        session.commit().await?;
        Ok(changed)
    }
}

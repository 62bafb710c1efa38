//! Finding what is ready for a step.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use butler_core::error::Result;
use butler_direct::db::{Dialect, Param};
use uuid::Uuid;

use super::State;
use super::step::{Clause, Step};
use crate::clock::Moment;
use crate::policy::Policy;

/// What is to expire by force and is not yet gone everywhere, as the index of such datasets has it.
pub(super) const FORCED: &str =
    "d.forced = 1 AND NOT (d.prompt_prep_status = 3 AND d.repo_main_status IN (0, 3))";

impl State {
    /// The types of all datasets that are known, and whether each is held back.
    ///
    /// # Errors
    /// Any database error.
    pub async fn dataset_types(&self) -> Result<HashMap<String, bool>> {
        let sql = format!("SELECT name, held FROM {}", self.table("dataset_type"));
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)? != 0)))
            .collect()
    }

    /// Datasets that are ready for a step, at most `limit`, of each type those first that wait for
    /// the longest time.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ready(
        &self,
        step: Step,
        policy: &Policy,
        now: Moment,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        let types = self.dataset_types().await?;
        let free: Vec<&String> = types
            .iter()
            .filter_map(|(name, held)| (!held).then_some(name))
            .collect();
        let mut found: Vec<Uuid> = Vec::new();
        for clause in step.clauses() {
            let rest = limit - found.len();
            if rest == 0 {
                break;
            }
            let ids = match *clause {
                Clause::Due {
                    condition,
                    time,
                    cutoff,
                } => {
                    let due: Vec<(&str, Moment)> = free
                        .iter()
                        .filter_map(|name| Some((name.as_str(), cutoff(policy.rule(name)?, now)?)))
                        .collect();
                    self.due(condition, time, &due, now, rest).await?
                }
                Clause::Any { condition, time } => {
                    let all: Vec<(&str, Moment)> =
                        free.iter().map(|name| (name.as_str(), now)).collect();
                    self.due(condition, time, &all, now, rest).await?
                }
                Clause::Forced { condition } => self.forced(condition, now, rest).await?,
            };
            found.extend(ids);
        }
        let mut seen = HashSet::with_capacity(found.len());
        found.retain(|id| seen.insert(*id));
        Ok(found)
    }

    /// Datasets of these types that meet a condition and whose time is not after the cutoff of the
    /// type. Each type is looked up in the index of its own accord: there may be millions that wait.
    async fn due(
        &self,
        condition: &str,
        time: &str,
        types: &[(&str, Moment)],
        now: Moment,
        limit: usize,
    ) -> Result<Vec<Uuid>> {
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let table = self.table("dataset");
        let (sql, params) = match self.database().dialect() {
            Dialect::Postgres => {
                let sql = format!(
                    "SELECT r.id FROM unnest($1, $2) AS t(name, cutoff),
                        LATERAL (SELECT d.id FROM {table} AS d
                            WHERE d.dataset_type = t.name AND d.{time} <= t.cutoff
                              AND {condition} AND d.held = 0 AND d.retry_time <= $3
                            ORDER BY d.{time} LIMIT {limit}) AS r
                      LIMIT {limit}"
                );
                let names = types.iter().map(|(name, _)| Arc::from(*name)).collect();
                let cutoffs = types.iter().map(|(_, cutoff)| cutoff.0).collect();
                let params = vec![Param::Texts(names), Param::Ints(cutoffs), Param::Int(now.0)];
                (sql, params)
            }
            Dialect::Sqlite => {
                // A cross join keeps the order of the tables, so that the index serves.
                let sql = format!(
                    "SELECT d.id FROM json_each(?1) AS t CROSS JOIN {table} AS d
                      WHERE d.dataset_type = t.value ->> 0 AND d.{time} <= t.value ->> 1
                        AND {condition} AND d.held = 0 AND d.retry_time <= ?2
                      LIMIT {limit}"
                );
                let pairs: Vec<(&str, i64)> = types.iter().map(|(n, c)| (*n, c.0)).collect();
                let pairs = serde_json::json!(pairs).to_string();
                (sql, vec![Param::from(pairs), Param::Int(now.0)])
            }
        };
        self.ids(&sql, &params).await
    }

    async fn forced(&self, condition: &str, now: Moment, limit: usize) -> Result<Vec<Uuid>> {
        let sql = format!(
            "SELECT d.id FROM {} AS d
              WHERE {FORCED} AND {condition} AND d.retry_time <= {} LIMIT {limit}",
            self.table("dataset"),
            self.hole(1)
        );
        self.ids(&sql, &[Param::Int(now.0)]).await
    }

    async fn ids(&self, sql: &str, params: &[Param]) -> Result<Vec<Uuid>> {
        let rows = self.read().await?.fetch_all(sql, params).await?;
        rows.iter().map(|row| Ok(row.uuid(0)?)).collect()
    }
}

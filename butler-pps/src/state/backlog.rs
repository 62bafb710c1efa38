//! How much is ready for a step, and for how long.

use std::sync::Arc;

use butler_core::error::Result;
use butler_direct::db::{Dialect, Param, Row};

use super::State;
use super::step::{Clause, Step};
use crate::clock::Moment;
use crate::policy::Policy;

/// How many datasets are counted at most by each clause of a step.
const MOST: usize = 5_000;

/// What is ready for a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many datasets; 5,000 are counted at most (in two ways of being ready, 5,000 of each).
    pub datasets: i64,
    /// For how many milliseconds the first of them has been ready.
    pub age: i64,
}

impl State {
    /// What is ready for a step. What is to expire by force is counted, but has no age.
    ///
    /// # Errors
    /// Any database error.
    pub async fn backlog(&self, step: Step, policy: &Policy, now: Moment) -> Result<Backlog> {
        let types = self.dataset_types().await?;
        let free = || {
            types
                .iter()
                .filter(|(_, held)| !**held)
                .map(|(name, _)| name)
        };
        let mut backlog = Backlog::default();
        for clause in step.clauses() {
            let row = match *clause {
                Clause::Due {
                    condition,
                    time,
                    cutoff,
                } => {
                    let due = free()
                        .filter_map(|name| Some((name.as_str(), cutoff(policy.rule(name)?, now)?)));
                    self.waiting(condition, time, due.collect(), now).await?
                }
                Clause::Any { condition, time } => {
                    let all = free().map(|name| (name.as_str(), now));
                    self.waiting(condition, time, all.collect(), now).await?
                }
                Clause::Forced { condition } => self.waiting_forced(condition, now).await?,
            };
            if let Some(row) = row {
                backlog.datasets += row.int(0)?;
                backlog.age = backlog.age.max(row.opt_int(1)?.unwrap_or_default());
            }
        }
        Ok(backlog)
    }

    /// How many datasets of these types meet a condition, and how long ago the first became due.
    async fn waiting(
        &self,
        condition: &str,
        time: &str,
        types: Vec<(&str, Moment)>,
        now: Moment,
    ) -> Result<Option<Row>> {
        if types.is_empty() {
            return Ok(None);
        }
        let table = self.table("dataset");
        let (sql, params) = match self.database().dialect() {
            Dialect::Postgres => {
                let first = |limit: usize| {
                    format!(
                        "unnest($1, $2) AS t(name, cutoff),
                         LATERAL (SELECT t.cutoff - d.{time} AS age FROM {table} AS d
                            WHERE d.dataset_type = t.name AND d.{time} <= t.cutoff AND {condition}
                              AND d.held = 0 AND d.forced = 0 AND d.retry_time <= $3
                            ORDER BY d.{time} LIMIT {limit}) AS r"
                    )
                };
                let sql = format!(
                    "SELECT (SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {MOST}) AS c),
                            (SELECT max(r.age) FROM {})",
                    first(MOST),
                    first(1)
                );
                let names = types.iter().map(|(name, _)| Arc::from(*name)).collect();
                let cutoffs = types.iter().map(|(_, cutoff)| cutoff.0).collect();
                let params = vec![Param::Texts(names), Param::Ints(cutoffs), Param::Int(now.0)];
                (sql, params)
            }
            Dialect::Sqlite => {
                let sql = format!(
                    "SELECT count(*), max(age)
                       FROM (SELECT t.value ->> 1 - d.{time} AS age
                               FROM json_each(?1) AS t CROSS JOIN {table} AS d
                              WHERE d.dataset_type = t.value ->> 0 AND d.{time} <= t.value ->> 1
                                AND {condition} AND d.held = 0 AND d.forced = 0
                                AND d.retry_time <= ?2
                              LIMIT {MOST})"
                );
                let pairs: Vec<(&str, i64)> = types.iter().map(|(n, c)| (*n, c.0)).collect();
                let pairs = serde_json::json!(pairs).to_string();
                (sql, vec![Param::from(pairs), Param::Int(now.0)])
            }
        };
        let rows = self.read().await?.fetch_all(&sql, &params).await?;
        Ok(rows.into_iter().next())
    }

    async fn waiting_forced(&self, condition: &str, now: Moment) -> Result<Option<Row>> {
        let sql = format!(
            "SELECT count(*), NULL FROM (SELECT 1 FROM {} AS d
                WHERE {} AND {condition} AND d.retry_time <= {} LIMIT {MOST}) AS c",
            self.table("dataset"),
            super::ready::FORCED,
            self.hole(1)
        );
        let rows = self
            .read()
            .await?
            .fetch_all(&sql, &[Param::Int(now.0)])
            .await?;
        Ok(rows.into_iter().next())
    }
}

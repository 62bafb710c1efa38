//! Recording what steps have done.

use butler_core::error::Result;
use butler_direct::db::{Param, Session};
use uuid::Uuid;

use super::State;
use super::models::{RepositoryName, Status};
use super::step::Step;
use crate::clock::Moment;

/// IDs in one statement.
const BATCH: usize = 20_000;

/// The longest reason that is kept, in characters.
const LONGEST: usize = 2_000;

/// Why a step could not be taken with a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The dataset.
    pub id: Uuid,
    /// What is wrong, for people.
    pub reason: String,
}

impl State {
    /// Records that datasets went through a step, and that they are to be announced if they are public
    /// now. Repeating it changes nothing but the time.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record(&self, step: Step, ids: &[Uuid], now: Moment) -> Result<()> {
        let (status, time) = step.outcome();
        let sql = format!(
            "UPDATE {} SET {}_status = {}, {time} = {}, problem = NULL, problem_step = NULL,
                    attempts = 0, retry_time = 0
              WHERE {}",
            self.table("dataset"),
            step.target(),
            status as i16,
            self.hole(1),
            self.database().in_ids("id", 2)
        );
        let mut session = self.begin().await?;
        for batch in sorted(ids).chunks(BATCH) {
            let params = [Param::Int(now.0), Param::Uuids(batch.to_vec())];
            session.execute(&sql, &params).await?;
            if step == Step::ToGoogleProd {
                self.add_releases(&mut session, batch, now).await?;
            }
        }
        session.commit().await
    }

    /// Records that datasets are not where a step was to take them from.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_missing(
        &self,
        step: Step,
        repository: RepositoryName,
        missing: &[Problem],
    ) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET {repository}_status = {}, problem = {}, problem_step = {},
                    attempts = attempts + 1
              WHERE id = {}",
            self.table("dataset"),
            Status::Missing as i16,
            self.hole(1),
            self.hole(2),
            self.hole(3)
        );
        self.each(&sql, step, missing, &[]).await
    }

    /// Records that a step could not be taken with datasets; it is tried again from `retry` on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn record_problems(
        &self,
        step: Step,
        problems: &[Problem],
        retry: Moment,
    ) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET problem = {}, problem_step = {}, retry_time = {},
                    attempts = attempts + 1
              WHERE id = {}",
            self.table("dataset"),
            self.hole(1),
            self.hole(2),
            self.hole(4),
            self.hole(3)
        );
        self.each(&sql, step, problems, &[Param::Int(retry.0)])
            .await
    }

    /// Runs a statement for each problem: reason, step and ID are bound first. There are few.
    async fn each(
        &self,
        sql: &str,
        step: Step,
        problems: &[Problem],
        more: &[Param],
    ) -> Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        let mut problems: Vec<&Problem> = problems.iter().collect();
        problems.sort_by_key(|problem| problem.id);
        let mut session: Session = self.begin().await?;
        for problem in problems {
            let reason: String = problem.reason.chars().take(LONGEST).collect();
            let mut params = vec![
                Param::from(reason),
                Param::from(step.name()),
                Param::Uuid(problem.id),
            ];
            params.extend_from_slice(more);
            session.execute(sql, &params).await?;
        }
        session.commit().await
    }

    /// Has missing datasets looked for again, and failed steps tried again at once. Gives how many
    /// datasets that are. With `ids`, none but those.
    ///
    /// # Errors
    /// Any database error.
    pub async fn retry(&self, ids: Option<&[Uuid]>) -> Result<u64> {
        let again = RepositoryName::ALL
            .map(|repository| {
                format!(
                    "{repository}_status =
                        CASE {repository}_status WHEN 2 THEN 1 ELSE {repository}_status END"
                )
            })
            .join(", ");
        let missing = RepositoryName::ALL
            .map(|repository| format!("{repository}_status = 2"))
            .join(" OR ");
        let filter = match ids {
            Some(_) => format!(" AND {}", self.database().in_ids("id", 1)),
            None => String::new(),
        };
        let sql = format!(
            "UPDATE {} SET {again}, problem = NULL, problem_step = NULL, attempts = 0,
                    retry_time = 0
              WHERE ({missing} OR problem IS NOT NULL){filter}",
            self.table("dataset")
        );
        let mut session = self.begin().await?;
        let mut changed = 0;
        match ids {
            None => changed += session.execute(&sql, &[]).await?,
            Some(ids) => {
                for batch in sorted(ids).chunks(BATCH) {
                    changed += session
                        .execute(&sql, &[Param::Uuids(batch.to_vec())])
                        .await?;
                }
            }
        }
        session.commit().await?;
        Ok(changed)
    }
}

/// All who write rows of datasets do so in the same order, so that they do not block each other.
fn sorted(ids: &[Uuid]) -> Vec<Uuid> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

//! What tasks are told, and what they tell of their runs.

use butler_core::error::Result;
use butler_direct::db::schema::SqlType;
use butler_direct::db::{Param, Row};

use super::State;
use crate::clock::Moment;

const HOUR: i64 = 3_600_000;

/// A task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskState {
    /// The name of its step.
    pub name: String,
    /// Whether it is not to run.
    pub paused: bool,
    /// When somebody asked for a run at once.
    pub requested: Option<Moment>,
    /// When the last run began.
    pub started: Option<Moment>,
    /// When the last run ended.
    pub finished: Option<Moment>,
    /// When the next run will be.
    pub next: Option<Moment>,
    /// How many datasets the last run took through the step.
    pub done: i64,
    /// How many datasets it could not.
    pub failed: i64,
    /// Why the last run that failed did.
    pub error: Option<String>,
    /// When it did.
    pub error_time: Option<Moment>,
    /// How many runs there have been.
    pub runs: i64,
    /// How many of them failed.
    pub failed_runs: i64,
    /// How many datasets went through the step in all.
    pub total_done: i64,
    /// How many times a dataset could not.
    pub total_failed: i64,
    /// When the last run ended that went well.
    pub succeeded: Option<Moment>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunReport {
    /// How many datasets went through the step.
    pub done: u64,
    /// How many could not.
    pub failed: u64,
    /// Why the run ended early.
    pub error: Option<String>,
}

/// How much a task did in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHour {
    /// The name of its step.
    pub name: String,
    /// When the hour began.
    pub hour: Moment,
    /// How many datasets went through the step.
    pub done: i64,
    /// How many could not.
    pub failed: i64,
}

const COLUMNS: &str = "name, paused, requested_time, started_time, finished_time, next_time, done,
    failed, error, error_time, runs, failed_runs, total_done, total_failed, success_time";

impl State {
    /// A task; as if it had never run if nothing is known of it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn task(&self, name: &str) -> Result<TaskState> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {} WHERE name = {}",
            self.table("task"),
            self.hole(1)
        );
        let row = self
            .read()
            .await?
            .fetch_optional(&sql, &[Param::from(name)])
            .await?;
        match row {
            Some(row) => read(&row),
            None => Ok(TaskState {
                name: name.to_owned(),
                ..TaskState::default()
            }),
        }
    }

    /// Pauses a task, or has it go on. What it is at is finished first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn pause_task(&self, name: &str, paused: bool) -> Result<()> {
        let value = Param::SmallInt(i16::from(paused));
        self.set_task(name, &[("paused", value)]).await
    }

    /// Asks for a run of a task as soon as possible; a paused one waits until it goes on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn request_run(&self, name: &str, now: Moment) -> Result<()> {
        self.set_task(name, &[("requested_time", Param::Int(now.0))])
            .await
    }

    /// Notes that a run begins; requests are met by it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn start_run(&self, name: &str, now: Moment) -> Result<()> {
        let values = [
            ("started_time", Param::Int(now.0)),
            ("requested_time", Param::Null(SqlType::BigInt)),
        ];
        self.set_task(name, &values).await
    }

    /// Notes what a run did, and when the next one will be.
    ///
    /// # Errors
    /// Any database error.
    pub async fn finish_run(
        &self,
        name: &str,
        report: &RunReport,
        now: Moment,
        next: Moment,
    ) -> Result<()> {
        let count = |n: u64| Param::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let mut values = vec![
            ("finished_time", Param::Int(now.0)),
            ("next_time", Param::Int(next.0)),
            ("done", count(report.done)),
            ("failed", count(report.failed)),
        ];
        if let Some(error) = &report.error {
            values.push(("error", Param::from(error.as_str())));
            values.push(("error_time", Param::Int(now.0)));
        }
        if report.error.is_none() {
            values.push(("success_time", Param::Int(now.0)));
        }
        self.set_task(name, &values).await?;
        let sql = format!(
            "UPDATE {} SET runs = runs + 1, failed_runs = failed_runs + {},
                    total_done = total_done + {}, total_failed = total_failed + {}
              WHERE name = {}",
            self.table("task"),
            self.hole(1),
            self.hole(2),
            self.hole(3),
            self.hole(4)
        );
        let params = [
            count(u64::from(report.error.is_some())),
            count(report.done),
            count(report.failed),
            Param::from(name),
        ];
        self.command(&sql, &params).await?;
        if report.done == 0 && report.failed == 0 {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO {} AS h (name, hour, done, failed) VALUES ({}, {}, {}, {})
             ON CONFLICT (name, hour) DO UPDATE
                SET done = h.done + excluded.done, failed = h.failed + excluded.failed",
            self.table("task_hour"),
            self.hole(1),
            self.hole(2),
            self.hole(3),
            self.hole(4)
        );
        let params = [
            Param::from(name),
            Param::Int(now.0.div_euclid(HOUR) * HOUR),
            count(report.done),
            count(report.failed),
        ];
        self.command(&sql, &params).await?;
        self.fold_counts().await
    }

    /// How much each task did in each hour since a moment, in order of name and time.
    ///
    /// # Errors
    /// Any database error.
    pub async fn throughput(&self, since: Moment) -> Result<Vec<TaskHour>> {
        let sql = format!(
            "SELECT name, hour, done, failed FROM {} WHERE hour >= {} ORDER BY name, hour",
            self.table("task_hour"),
            self.hole(1)
        );
        let rows = self
            .read()
            .await?
            .fetch_all(&sql, &[Param::Int(since.0)])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(TaskHour {
                    name: row.text(0)?.to_owned(),
                    hour: Moment(row.int(1)?),
                    done: row.int(2)?,
                    failed: row.int(3)?,
                })
            })
            .collect()
    }

    async fn set_task(&self, name: &str, values: &[(&str, Param)]) -> Result<()> {
        let columns: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
        let holes: Vec<String> = (2..values.len() + 2)
            .map(|index| self.hole(index))
            .collect();
        let sets: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        let sql = format!(
            "INSERT INTO {} (name, {}) VALUES ({}, {}) ON CONFLICT (name) DO UPDATE SET {}",
            self.table("task"),
            columns.join(", "),
            self.hole(1),
            holes.join(", "),
            sets.join(", ")
        );
        let mut params = vec![Param::from(name)];
        params.extend(values.iter().map(|(_, value)| value.clone()));
        self.command(&sql, &params).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<TaskState> {
    let time = |index: usize| -> Result<Option<Moment>> { Ok(row.opt_int(index)?.map(Moment)) };
    Ok(TaskState {
        name: row.text(0)?.to_owned(),
        paused: row.int(1)? != 0,
        requested: time(2)?,
        started: time(3)?,
        finished: time(4)?,
        next: time(5)?,
        done: row.int(6)?,
        failed: row.int(7)?,
        error: row.opt_text(8)?.map(str::to_owned),
        error_time: time(9)?,
        runs: row.int(10)?,
        failed_runs: row.int(11)?,
        total_done: row.int(12)?,
        total_failed: row.int(13)?,
        succeeded: time(14)?,
    })
}

//! Counting datasets.

use butler_core::error::Result;

use super::State;
use super::datasets::statuses;
use super::models::Status;
use crate::clock::Moment;

/// How many datasets have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name of their type.
    pub dataset_type: String,
    /// What has become of them in each repository.
    pub statuses: [Status; 5],
    /// Their class of age: how many of the given ages they have reached.
    pub age: usize,
    /// How many there are.
    pub count: i64,
}

/// How many datasets do not get on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Troubles {
    /// They are not where they should be.
    pub missing: i64,
    /// The last attempt at a step failed, and will be made again.
    pub stuck: i64,
    /// Inputs named them, but the embargo repository does not know them.
    pub unknown: i64,
}

impl State {
    /// How many datasets of each type have each combination of statuses. This reads the whole table.
    ///
    /// # Errors
    /// Any database error.
    pub async fn counts(&self) -> Result<Vec<(String, [Status; 5], i64)>> {
        let groups = self.census(Moment(0), &[]).await?;
        let group = |group: Group| (group.dataset_type, group.statuses, group.count);
        Ok(groups.into_iter().map(group).collect())
    }

    /// As [`counts`](Self::counts), told apart by their ages since the observation as well: `ages`, in
    /// milliseconds, grow.
    ///
    /// # Errors
    /// Any database error.
    pub async fn census(&self, now: Moment, ages: &[i64]) -> Result<Vec<Group>> {
        let mut class = "CASE".to_owned();
        for (index, age) in ages.iter().enumerate() {
            class.push_str(&format!(
                " WHEN observed_time > {} THEN {index}",
                now.minus(*age).0
            ));
        }
        let class = match ages.len() {
            0 => "0".to_owned(),
            most => format!("{class} ELSE {most} END"),
        };
        let sql = format!(
            "SELECT dataset_type, embargo_status, prompt_prep_status, repo_main_status,
                    google_int_status, google_prod_status, {class} AS age, count(*)
               FROM {} GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7",
            self.table("dataset")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(Group {
                    dataset_type: row.text(0)?.to_owned(),
                    statuses: statuses(row, 1)?,
                    age: usize::try_from(row.int(6)?).unwrap_or_default(),
                    count: row.int(7)?,
                })
            })
            .collect()
    }

    /// How many datasets do not get on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn troubles(&self) -> Result<Troubles> {
        let (dataset, missing) = (self.table("dataset"), super::datasets::MISSING);
        let sql = format!(
            "SELECT (SELECT count(*) FROM {dataset} WHERE {missing}),
                    (SELECT count(*) FROM {dataset} WHERE problem IS NOT NULL AND NOT ({missing})),
                    (SELECT count(*) FROM {})",
            self.table("unknown_dataset")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        let Some(row) = rows.first() else {
            return Ok(Troubles::default());
        };
        Ok(Troubles {
            missing: row.int(0)?,
            stuck: row.int(1)?,
            unknown: row.int(2)?,
        })
    }
}

//! How many datasets there are, as the database itself keeps count in the table `tally`.

use butler_core::error::Result;

use super::State;
use super::datasets::statuses;
use super::models::Status;
use crate::clock::Moment;

/// What tells rows of the table apart, besides the type or the night.
const STATUSES: &str = "embargo_status, prompt_prep_status, repo_main_status, google_int_status,
    google_prod_status";

/// The table is folded when it has so many rows more than twice as many as it needs.
const SLACK: i64 = 1_000;

/// How many of those that do not get on are counted at most.
const MOST: i64 = 10_000;

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// A night, from noon to noon UTC: days since 1970-01-01 to the noon that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Night(pub i64);

impl Night {
    /// The night of an observation.
    #[must_use]
    pub fn of(time: Moment) -> Self {
        Self((time.0 - DAY / 2).div_euclid(DAY))
    }

    /// When it begins.
    #[must_use]
    pub fn begin(self) -> Moment {
        Moment(self.0 * DAY + DAY / 2)
    }
}

/// How many datasets do not get on. Of each kind, 10,000 are counted at most.
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
    /// How many datasets of each type have each combination of statuses.
    ///
    /// # Errors
    /// Any database error.
    pub async fn counts(&self) -> Result<Vec<(String, [Status; 5], i64)>> {
        let sql = format!(
            "SELECT dataset_type, {STATUSES}, CAST(sum(datasets) AS BIGINT) FROM {}
              WHERE dataset_type IS NOT NULL
              GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(datasets) <> 0 ORDER BY 1, 2, 3, 4, 5, 6",
            self.table("tally")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.text(0)?.to_owned(), statuses(row, 1)?, row.int(6)?)))
            .collect()
    }

    /// How many datasets of each night have each combination of statuses; those of nights before `first`
    /// are counted with the night before it.
    ///
    /// # Errors
    /// Any database error.
    pub async fn counts_by_night(&self, first: Night) -> Result<Vec<(Night, [Status; 5], i64)>> {
        let Night(first) = first;
        let sql = format!(
            "SELECT CASE WHEN night < {first} THEN {first} - 1 ELSE night END, {STATUSES},
                    CAST(sum(datasets) AS BIGINT)
               FROM {} WHERE night IS NOT NULL
              GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(datasets) <> 0 ORDER BY 1, 2, 3, 4, 5, 6",
            self.table("tally")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((Night(row.int(0)?), statuses(row, 1)?, row.int(6)?)))
            .collect()
    }

    /// Folds rows of the table that belong together into one, if there are many. Whoever counts meanwhile
    /// sees either all of the former or the latter; two who fold at once fold different rows.
    ///
    /// # Errors
    /// Any database error.
    pub async fn fold_counts(&self) -> Result<()> {
        let table = self.table("tally");
        let group = format!("dataset_type, night, {STATUSES}");
        let sql = format!(
            "SELECT count(*), CAST(COALESCE(sum(parts), 0) AS BIGINT)
               FROM (SELECT count(*) AS parts FROM {table} GROUP BY {group}) AS t"
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        if row.int(1)? <= 2 * row.int(0)? + SLACK {
            return Ok(());
        }
        let sum = format!("SELECT {group}, sum(datasets)");
        let rest = format!("GROUP BY {group} HAVING sum(datasets) <> 0");
        let statements = if self.is_postgres() {
            vec![format!(
                "WITH gone AS (DELETE FROM {table} RETURNING *)
                 INSERT INTO {table} {sum} FROM gone {rest}"
            )]
        } else {
            // Nobody else writes meanwhile.
            vec![
                format!("CREATE TEMPORARY TABLE folded AS {sum} FROM {table} {rest}"),
                format!("DELETE FROM {table}"),
                format!("INSERT INTO {table} SELECT * FROM folded"),
                "DROP TABLE folded".to_owned(),
            ]
        };
        let mut session = self.begin().await?;
        for sql in statements {
            session.execute(&sql, &[]).await?;
        }
        session.commit().await
    }

    /// How many datasets do not get on.
    ///
    /// # Errors
    /// Any database error.
    pub async fn troubles(&self) -> Result<Troubles> {
        let (dataset, missing) = (self.table("dataset"), super::datasets::MISSING);
        let count = |what: String| {
            format!("(SELECT count(*) FROM (SELECT 1 FROM {what} LIMIT {MOST}) AS t)")
        };
        let sql = format!(
            "SELECT {}, {}, {}",
            count(format!("{dataset} WHERE {missing}")),
            count(format!(
                "{dataset} WHERE problem IS NOT NULL AND NOT ({missing})"
            )),
            count(self.table("unknown_dataset"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_goes_from_noon_to_noon() {
        let night = Night::of(Moment(1_764_777_600_000));
        assert_eq!(Night::of(night.begin()), night);
        assert_eq!(Night::of(night.begin().minus(1)), Night(night.0 - 1));
        assert_eq!(Night::of(night.begin().plus(DAY - 1)), night);
    }
}

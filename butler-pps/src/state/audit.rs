//! Who has commanded what.

use butler_core::error::Result;
use butler_direct::db::Param;

use super::State;
use crate::clock::Moment;

/// A command that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub time: Moment,
    /// Who.
    pub who: String,
    /// What, such as `pause`.
    pub action: String,
    /// What with, such as the name of a task.
    pub subject: String,
    /// What came of it.
    pub outcome: String,
}

impl State {
    /// Notes a command. Gives the number of the note.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_audit(&self, entry: &AuditEntry) -> Result<i64> {
        let holes: Vec<String> = (1..=5).map(|index| self.hole(index)).collect();
        let sql = format!(
            "INSERT INTO {} (time, who, action, subject, outcome) VALUES ({}) RETURNING id",
            self.table("audit_log"),
            holes.join(", ")
        );
        let params = [
            Param::Int(entry.time.0),
            Param::from(entry.who.as_str()),
            Param::from(entry.action.as_str()),
            Param::from(entry.subject.as_str()),
            Param::from(entry.outcome.as_str()),
        ];
        let mut session = self.begin().await?;
        let rows = session.fetch_all(&sql, &params).await?;
        let id = rows.first().map_or(Ok(0), |row| row.int(0))?;
        session.commit().await?;
        Ok(id)
    }

    /// Notes what came of a command that was noted before.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_audit_outcome(&self, id: i64, outcome: &str) -> Result<()> {
        let sql = format!(
            "UPDATE {} SET outcome = {} WHERE id = {}",
            self.table("audit_log"),
            self.hole(1),
            self.hole(2)
        );
        let params = [Param::from(outcome), Param::Int(id)];
        self.command(&sql, &params).await?;
        Ok(())
    }

    /// The last commands, the latest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn audit_log(&self, limit: u32) -> Result<Vec<AuditEntry>> {
        self.audit_log_about("", limit, 0).await
    }

    /// Commands whose subject has a text in it, the latest first, without the first `offset` of them.
    ///
    /// # Errors
    /// Any database error.
    pub async fn audit_log_about(
        &self,
        text: &str,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<AuditEntry>> {
        let pattern = text
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        let sql = format!(
            "SELECT time, who, action, subject, outcome FROM {} WHERE subject LIKE {} ESCAPE '\\'
              ORDER BY time DESC, id DESC LIMIT {limit} OFFSET {offset}",
            self.table("audit_log"),
            self.hole(1)
        );
        let params = [Param::from(format!("%{pattern}%"))];
        let rows = self.read().await?.fetch_all(&sql, &params).await?;
        rows.iter()
            .map(|row| {
                Ok(AuditEntry {
                    time: Moment(row.int(0)?),
                    who: row.text(1)?.to_owned(),
                    action: row.text(2)?.to_owned(),
                    subject: row.text(3)?.to_owned(),
                    outcome: row.text(4)?.to_owned(),
                })
            })
            .collect()
    }
}

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
    /// Notes a command.
    ///
    /// # Errors
    /// Any database error.
    pub async fn add_audit(&self, entry: &AuditEntry) -> Result<()> {
        let holes: Vec<String> = (1..=5).map(|index| self.hole(index)).collect();
        let sql = format!(
            "INSERT INTO {} (time, who, action, subject, outcome) VALUES ({})",
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
        self.command(&sql, &params).await?;
        Ok(())
    }

    /// The last commands, the latest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn audit_log(&self, limit: u32) -> Result<Vec<AuditEntry>> {
        let sql = format!(
            "SELECT time, who, action, subject, outcome FROM {} ORDER BY time DESC, id DESC
              LIMIT {limit}",
            self.table("audit_log")
        );
        let rows = self.read().await?.fetch_all(&sql, &[]).await?;
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

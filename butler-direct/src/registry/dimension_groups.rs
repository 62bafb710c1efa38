//! The tables that number the dimension groups of dataset types.

use std::collections::HashMap;

use butler_core::dimensions::DimensionGroup;
use butler_core::error::{Error, Result};

use super::context::Context;
use crate::db::bulk::{self, BulkColumn};
use crate::db::schema::SqlType;
use crate::db::{Dialect, Param, Session};

impl Context {
    /// The number of a dimension group; a new group gets the next one.
    ///
    /// The session must be a transaction.
    pub(super) async fn save_group(
        &self,
        session: &mut Session,
        group: &DimensionGroup,
    ) -> Result<i64> {
        if let Some(key) = self.group_key(group) {
            return Ok(key);
        }
        let database = self.database.clone();
        let keys = database.table("dimension_graph_key");
        let definitions = database.table("dimension_graph_definition");
        database.lock_definitions(session).await?;
        if database.dialect() == Dialect::Postgres {
            // Two clients that register the same group at once must agree on one number; those of
            // the reference implementation know this lock only.
            let lock = format!("LOCK TABLE {keys}, {definitions} IN EXCLUSIVE MODE");
            session.execute_script(lock).await?;
        }
        let groups = self.fetch_groups(session).await?;
        if let Some((key, _)) = groups.iter().find(|(_, known)| *known == group) {
            return Ok(*key);
        }
        let insert = match database.dialect() {
            Dialect::Postgres => {
                let sequence =
                    database.table(&database.ddl().sequence_name("dimension_graph_key", "id"));
                format!(
                    "INSERT INTO {keys} (id) VALUES (nextval('{}')) RETURNING id",
                    sequence.replace('\'', "''")
                )
            }
            Dialect::Sqlite => format!("INSERT INTO {keys} DEFAULT VALUES RETURNING id"),
        };
        let row = session.fetch_optional(&insert, &[]).await?;
        let key = row
            .ok_or_else(|| Error::Internal("an INSERT returned no ID".to_owned()))?
            .int(0)?;
        let columns = [
            BulkColumn::new("dimension_graph_id", SqlType::BigInt),
            BulkColumn::new("dimension_name", SqlType::Text),
        ];
        let rows = group
            .required()
            .iter()
            .map(|name| [Param::Int(key), Param::from(*name)]);
        bulk::insert(session, &definitions, &columns, rows).await?;
        Ok(key)
    }

    /// All groups of the database. They are remembered only when read outside a transaction, lest
    /// one that is rolled back stays.
    pub(super) async fn fetch_groups(
        &self,
        session: &mut Session,
    ) -> Result<HashMap<i64, DimensionGroup>> {
        let sql = format!(
            "SELECT dimension_graph_id, dimension_name FROM {}",
            self.database.table("dimension_graph_definition")
        );
        let mut names: HashMap<i64, Vec<String>> = HashMap::new();
        for row in session.fetch_all(&sql, &[]).await? {
            names
                .entry(row.int(0)?)
                .or_default()
                .push(row.text(1)?.to_owned());
        }
        let mut groups = HashMap::from([(0, self.universe.empty_group().clone())]);
        for (key, names) in names {
            let group = self.universe.conform(&names)?;
            if !session.in_transaction() {
                self.remember_group(key, group.clone());
            }
            groups.insert(key, group);
        }
        Ok(groups)
    }
}
